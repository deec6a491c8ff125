use crate::{
    Trigger,
    advice::{Advice, Advised, Mark},
};
use std::{error::Error as StdError, fmt, time::Duration};

/// Any error, boxed.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A result whose error is [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an invocation failed.
///
/// Anything that converts into a boxed error converts by `?`, and keeps its type's name: `thiserror` enums,
/// `anyhow::Error`, `io::Error`, text. Failing means redelivery, where the platform redelivers; see
/// [`discard`](crate::discard) and [`retry_after`](crate::retry_after).
///
/// ```
/// use omnifn_core::Error;
///
/// let error = Error::from("x".parse::<u8>().unwrap_err());
/// assert_eq!(error.type_name(), "ParseIntError");
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
///
/// Like `anyhow::Error` it is no [`std::error::Error`] itself, and so does not convert into other errors: a handler
/// that puts `?` behind what this crate returns answers a [`Result`], into which all of those convert.
///
/// `Display` is the message alone, `Debug` a report with every cause on a line of its own.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    type_name: &'static str,
    source: BoxError,
}

/// What went wrong, for those who answer the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The handler returned an error.
    Failed,
    /// The handler panicked.
    Panicked,
    /// The handler did not answer in time.
    TimedOut,
    /// The event could not be read: HTTP 400.
    Malformed,
    /// The event came with an HTTP method that no event of its kind has: HTTP 405.
    MethodNotAllowed,
    /// The event's media type is not one that this trigger has: HTTP 415.
    UnsupportedMediaType,
    /// The event or the answer is larger than the platform allows: HTTP 413 for an event.
    TooLarge,
    /// More invocations at once than this instance takes: HTTP 429.
    Overloaded,
}

impl Error {
    /// An error of the given kind. `type_name` is what a caller sees as its type, such as Lambda's `errorType`.
    pub fn new(kind: ErrorKind, type_name: &'static str, source: impl Into<BoxError>) -> Self {
        Self(Box::new(Inner { kind, type_name, source: source.into() }))
    }

    /// An event that could not be read, and why: one lower-case clause that names the place.
    pub fn malformed(message: impl Into<BoxError>) -> Self {
        Self::of_event(message.into())
    }

    /// Apart, since it is called from hundreds of places that are not expected to be reached.
    #[cold]
    #[inline(never)]
    fn of_event(source: BoxError) -> Self {
        Self::new(ErrorKind::Malformed, "MalformedEvent", source)
    }

    /// The error of a body's stream; errors of ours that travelled through it keep their kind.
    pub fn from_body(source: BoxError) -> Self {
        match source.downcast::<crate::Panic>() {
            Ok(panic) => Self::new(ErrorKind::Panicked, "Panic", panic),
            Err(source) => match source.downcast::<TooLarge>() {
                Ok(large) => Self::new(ErrorKind::TooLarge, "TooLarge", large),
                Err(source) => Self::from(source),
            },
        }
    }

    /// The error as a handler's: the event did reach it. What it could not read may be another's, such as the
    /// answer of a database, and is no business of the event's sender. Nor may an event be refused that was decoded:
    /// Eventarc Advanced takes that as final (cloud.google.com/eventarc/advanced/docs/retry-events). Only the body of
    /// a request, whose size shows when it is read, stays the sender's fault.
    pub(crate) fn of_handler(mut self, trigger: Trigger) -> Self {
        let is_waited_for = matches!(trigger, Trigger::Http | Trigger::Direct);
        if self.is_refusal() && !(is_waited_for && self.0.kind == ErrorKind::TooLarge) {
            self.0.kind = ErrorKind::Failed;
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the event never reached the handler.
    pub fn is_refusal(&self) -> bool {
        !matches!(self.0.kind, ErrorKind::Failed | ErrorKind::Panicked | ErrorKind::TimedOut)
    }

    /// The name of the error's type, without its path: `ParseIntError`. `Error` where it had none, as text.
    pub fn type_name(&self) -> &'static str {
        match self.0.source.downcast_ref::<Advised>() {
            Some(advised) => advised.type_name,
            None => self.0.type_name,
        }
    }

    /// The error this was made from.
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0.source
    }

    /// The error this was made from, owned.
    pub fn into_source(self) -> BoxError {
        self.0.source
    }

    /// Whether the message shall not be delivered again: made by [`discard`](crate::discard).
    pub fn is_discard(&self) -> bool {
        self.advice() == Some(Advice::Discard)
    }

    /// How long the platform is asked to wait before it delivers again: made by
    /// [`retry_after`](crate::retry_after).
    pub fn retry_after(&self) -> Option<Duration> {
        match self.advice()? {
            Advice::RetryAfter(delay) => Some(delay),
            Advice::Discard => None,
        }
    }

    fn advice(&self) -> Option<Advice> {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&*self.0.source);
        while let Some(error) = cause {
            if let Some(mark) = error.downcast_ref::<Mark>() {
                return Some(mark.advice);
            }
            cause = error.source();
        }
        None
    }
}

/// A body that is larger than the platform takes; a runtime puts it into the stream of a request's body.
#[derive(Debug)]
pub struct TooLarge {
    /// The most bytes that are taken.
    pub limit: u64,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body is larger than the {} bytes that are taken", self.limit)
    }
}

impl StdError for TooLarge {}

impl<E: Into<BoxError>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(ErrorKind::Failed, short_type_name::<E>(), error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.source, f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.type_name() {
            // It had no type, as text.
            "Error" => write!(f, "{}", self.0.source)?,
            name => write!(f, "{name}: {}", self.0.source)?,
        }
        let mut cause = self.0.source.source();
        while let Some(error) = cause {
            // The mark repeats the text of the error it stands in.
            if error.downcast_ref::<Mark>().is_none() {
                write!(f, "\n  caused by: {error}")?;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// `core::num::error::ParseIntError` -> `ParseIntError`; text and boxed errors, which have no type, -> `Error`.
pub(crate) fn short_type_name<E>() -> &'static str {
    let full = std::any::type_name::<E>();
    let path = full.split('<').next().unwrap_or(full);
    let short = path.rsplit("::").next().unwrap_or(path);
    match short {
        "&str" | "String" | "Cow" | "Box" | "str" => "Error",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, discard, retry_after};
    use std::time::Duration;

    #[derive(Debug, thiserror::Error)]
    enum Shop {
        #[error("no such order {0}")]
        NoOrder(u64),
        #[error(transparent)]
        Transparent(#[from] crate::Advised),
        #[error("could not ship")]
        Wrapped(#[source] crate::Advised),
    }

    #[test]
    fn an_error_keeps_its_type_name() {
        let name = |error: Error| error.type_name();
        assert_eq!(name(Shop::NoOrder(1).into()), "Shop");
        assert_eq!(name("text".into()), "Error");
        assert_eq!(name(String::from("text").into()), "Error");
        assert_eq!(name(crate::BoxError::from("text").into()), "Error");
        assert_eq!(name(anyhow::anyhow!("text").into()), "Error");
        assert_eq!(name(discard(Shop::NoOrder(1)).into()), "Shop");
    }

    #[test]
    fn advice_survives_anyhow_and_thiserror() {
        let plain: Error = discard("gone").into();
        let boxed: Error = crate::BoxError::from(discard("gone")).into();
        let anyhow: Error = anyhow::Error::from(discard("gone")).into();
        let context: Error = anyhow::Error::from(discard("gone")).context("while shipping").into();
        let transparent: Error = Shop::from(discard("gone")).into();
        let wrapped: Error = Shop::Wrapped(discard("gone")).into();
        for error in [plain, boxed, anyhow, context, transparent, wrapped] {
            assert!(error.is_discard(), "{error:?}");
            assert_eq!(error.retry_after(), None);
        }
        let later: Error = anyhow::Error::from(retry_after(Duration::from_secs(3), "busy")).into();
        assert_eq!(later.retry_after(), Some(Duration::from_secs(3)));
        assert!(!later.is_discard());
        assert!(!Error::from("gone").is_discard());
    }

    #[test]
    fn the_report_names_every_cause_once() {
        let error = Error::from(Shop::Wrapped(discard("no such address")));
        assert_eq!(format!("{error:?}"), "Shop: could not ship\n  caused by: no such address");
    }
}
