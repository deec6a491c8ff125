//! An axum router, served on one thread.

use std::io::{Error, Result};

use axum::Router;
use tokio::net::TcpListener;

/// Serves the router on `PORT`.
pub async fn serve(router: Router) -> Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| Error::other("`PORT` is no port"))?;
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))),
        router,
    )
    .await
}
