use crate::{BoxError, Error, Result, panic::catch};
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The body of a request or a response: whole, or streamed as it is produced.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use omnifn_core::Body;
///
/// let body = Body::from(r#"{"id":7}"#);
/// let order: serde_json::Value = body.json().await?;
/// assert_eq!(order["id"], 7);
/// # omnifn_core::Result::<_>::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub struct Body(Inner);

enum Inner {
    Whole(Option<Bytes>),
    Streamed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>),
    /// A stream that failed or panicked: it is not polled again.
    Ended,
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self(Inner::Whole(None))
    }

    /// Streams any [`http_body::Body`] of bytes. A panic in it becomes the stream's error.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Inner::Streamed(Box::pin(BoxedError(Box::pin(body)))))
    }

    /// Streams chunks as they are produced. An `Err` item ends the response as the platform's stream error.
    #[cfg(feature = "stream")]
    pub fn from_stream<S, D, E>(stream: S) -> Self
    where
        S: futures_core::Stream<Item = std::result::Result<D, E>> + Send + 'static,
        D: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self(Inner::Streamed(Box::pin(Chunks(Box::pin(stream)))))
    }

    /// Whether the body is produced while it is sent.
    pub fn is_streamed(&self) -> bool {
        !matches!(self.0, Inner::Whole(_))
    }

    /// The bytes of a whole body, or the streamed body as it was.
    pub fn into_whole(self) -> std::result::Result<Bytes, Self> {
        match self.0 {
            Inner::Whole(bytes) => Ok(bytes.unwrap_or_default()),
            other => Err(Self(other)),
        }
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    /// When the stream fails: the client went away, sent more than the platform allows, or the producer failed.
    pub async fn bytes(mut self) -> Result<Bytes> {
        if let Inner::Whole(bytes) = &mut self.0 {
            return Ok(bytes.take().unwrap_or_default());
        }
        let mut body = Pin::new(&mut self);
        let mut next = async || poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await;
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(frame) = next().await {
            let frame = frame.map_err(Error::from_body)?;
            let Ok(data) = frame.into_data() else { continue };
            if first.is_empty() && rest.is_empty() {
                // A body of one chunk, as most are, is not copied.
                first = data;
            } else {
                if rest.is_empty() {
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&data);
            }
        }
        Ok(if rest.is_empty() { first } else { rest.freeze() })
    }

    /// Reads the body to its end, as text.
    ///
    /// # Errors
    /// When the stream fails, or the bytes are not UTF-8.
    pub async fn text(self) -> Result<String> {
        Ok(String::from_utf8(self.bytes().await?.into())?)
    }

    /// Reads the body to its end, as JSON.
    ///
    /// # Errors
    /// When the stream fails, or the bytes are not the JSON of a `T`; the message names the place.
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        crate::json::from_slice(&self.bytes().await?)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        let body = match &mut self.0 {
            Inner::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
            }
            Inner::Ended => return Poll::Ready(None),
            Inner::Streamed(body) => body,
        };
        let frame = match catch(|| body.as_mut().poll_frame(cx)) {
            Ok(poll) => ready!(poll),
            Err(error) => Some(Err(error.into_source())),
        };
        if matches!(frame, Some(Err(_))) {
            let ended = std::mem::replace(&mut self.0, Inner::Ended);
            let _ = catch(|| drop(ended));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Inner::Streamed(body) => body.is_end_stream(),
            Inner::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Streamed(body) => body.size_hint(),
            Inner::Ended => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Whole(bytes) => {
                write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len))
            }
            _ => f.write_str("Body(streamed)"),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Whole(Some(bytes)))
    }
}
impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}
impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}
impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}
impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

/// Boxes the error of a foreign body.
struct BoxedError<B>(Pin<Box<B>>);

impl<B> http_body::Body for BoxedError<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(ready!(self.0.as_mut().poll_frame(cx)).map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A stream of chunks as a body.
#[cfg(feature = "stream")]
struct Chunks<S>(Pin<Box<S>>);

#[cfg(feature = "stream")]
impl<S, D, E> http_body::Body for Chunks<S>
where
    S: futures_core::Stream<Item = std::result::Result<D, E>>,
    D: Into<Bytes>,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        let chunk = ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(chunk.map(|chunk| match chunk {
            Ok(data) => Ok(Frame::data(data.into())),
            Err(error) => Err(error.into()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Body;
    use bytes::Bytes;
    use http_body::{Body as _, Frame, SizeHint};
    use std::{
        collections::VecDeque,
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    struct Parts(VecDeque<&'static str>);
    impl http_body::Body for Parts {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|part| {
                assert!(part != "panic", "no more paper");
                Ok(Frame::data(part.into()))
            }))
        }
        fn size_hint(&self) -> SizeHint {
            SizeHint::default()
        }
    }
    fn streamed(parts: &[&'static str]) -> Body {
        Body::new(Parts(parts.iter().copied().collect()))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_is_read_to_its_end() {
        for (parts, all) in [
            (&["a", "b", "c"][..], "abc"),
            (&["abc"], "abc"),
            (&[], ""),
            (&["", "a", "", "b"], "ab"),
        ] {
            assert_eq!(streamed(parts).bytes().await.unwrap(), all);
        }
        assert_eq!(Body::from("x").text().await.unwrap(), "x");
        assert!(Body::from(vec![0xff]).text().await.is_err());
        assert!(Body::from("").is_end_stream());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_in_a_streamed_body_is_its_error() {
        let error = streamed(&["a", "panic", "never"]).bytes().await.unwrap_err();
        assert_eq!(error.to_string(), "the handler panicked: no more paper");
        assert_eq!(error.kind(), crate::ErrorKind::Panicked);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn json_errors_name_the_place() {
        let error = Body::from(r#"{"a":[1,"x"]}"#)
            .json::<std::collections::BTreeMap<String, Vec<u8>>>()
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with("`a[1]`: invalid type"), "{error}");
    }
}
