//! A request's body as it comes in, up to what Cloud Run allows.

use crate::connection::{Exchange, Unread};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use omnifn_core::{Body, BoxError, TooLarge};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The most bytes that a request has on Cloud Run: 32 MiB with HTTP/1 (cloud.google.com/run/quotas).
pub(crate) const MOST_BYTES: u64 = 32 << 20;

/// The body, streamed; whole where it is known to be empty.
pub(crate) fn body(incoming: Incoming, exchange: &Exchange) -> Body {
    if http_body::Body::is_end_stream(&incoming) {
        return Body::empty();
    }
    Body::new(Intake { incoming, left: MOST_BYTES, is_read: false, unread: exchange.unread() })
}

/// Whether the request says of itself that it is too large.
pub(crate) fn is_too_large(incoming: &Incoming) -> bool {
    http_body::Body::size_hint(incoming).lower() > MOST_BYTES
}

struct Intake {
    incoming: Incoming,
    left: u64,
    is_read: bool,
    unread: Unread,
}

impl http_body::Body for Intake {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(frame) = ready!(Pin::new(&mut self.incoming).poll_frame(cx)) else {
            self.is_read = true;
            return Poll::Ready(None);
        };
        let frame = frame?;
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(TooLarge { limit: MOST_BYTES }.into()))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if !self.is_read && !http_body::Body::is_end_stream(&self.incoming) {
            self.unread.note();
        }
    }
}
