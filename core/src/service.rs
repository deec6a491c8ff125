use crate::{Body, BoxError, Context, Handler, Request, Response, Result};
use std::future::poll_fn;

/// Serves HTTP with any [`tower::Service`](tower_service::Service) of a [`Request`], such as an axum `Router`
/// as it is, layers included.
///
/// The invocation's [`Context`] is in the request's extensions.
pub fn service<S>(service: S) -> Tower<S> {
    Tower(service)
}

/// A handler of HTTP requests, made by [`service`].
#[derive(Clone, Copy, Debug)]
pub struct Tower<S>(S);

#[diagnostic::do_not_recommend]
impl<S, B> Handler<Request> for Tower<S>
where
    S: tower_service::Service<Request, Response = http::Response<B>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response>;

    async fn call(&self, mut request: Request, context: Context) -> Result<Response> {
        request.extensions_mut().insert(context);
        let mut service = self.0.clone();
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
        let response = service.call(request).await.map_err(Into::into)?;
        Ok(response.map(Body::new))
    }
}
