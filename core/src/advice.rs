use crate::{BoxError, error::short_type_name};
use std::{error::Error as StdError, fmt, time::Duration};

/// Fails a message for good: it is acknowledged and logged, and not delivered again.
///
/// Failing means redelivery, which never ends for a message that can never succeed. This is how a handler
/// says so; nothing implies it. It works through `?`, `anyhow` and `thiserror`, whichever error wraps it.
/// In an HTTP handler or a direct call, where nothing is redelivered, it is an error like any other.
///
/// ```
/// use omnifn_core::{Context, Message, Result, discard};
///
/// async fn ship(message: Message, _: Context) -> Result<()> {
///     let order: serde_json::Value = message.json().map_err(|error| discard(error.into_source()))?;
///     // A failure from here on is temporary: the message comes again.
/// #   let _ = order;
///     Ok(())
/// }
/// ```
pub fn discard<E: Into<BoxError>>(error: E) -> Advised {
    Advised::new(Advice::Discard, error)
}

/// Fails a message and asks that it be delivered again no sooner than `delay`.
///
/// A hint: honoured where the platform can. On HTTP-delivered events of Google it becomes the `Retry-After`
/// header, which Cloud Tasks reads and Pub/Sub and Eventarc do not; on SQS the queue's visibility timeout
/// decides.
pub fn retry_after<E: Into<BoxError>>(delay: Duration, error: E) -> Advised {
    Advised::new(Advice::RetryAfter(delay), error)
}

/// What a failing handler asks of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    Discard,
    RetryAfter(Duration),
}

/// An error with advice for the platform, made by [`discard`] or [`retry_after`].
///
/// It reads as the error it wraps.
pub struct Advised {
    mark: Mark,
    pub(crate) type_name: &'static str,
}

/// Stands in the `source()` of an [`Advised`], because `anyhow` hides the outermost type when it converts into
/// a boxed error, but not the sources below it.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) advice: Advice,
    source: BoxError,
}

impl Advised {
    fn new<E: Into<BoxError>>(advice: Advice, error: E) -> Self {
        Self { mark: Mark { advice, source: error.into() }, type_name: short_type_name::<E>() }
    }
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.mark.source, f)
    }
}

impl fmt::Debug for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.mark, f)
    }
}

impl StdError for Advised {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl StdError for Mark {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.source()
    }
}
