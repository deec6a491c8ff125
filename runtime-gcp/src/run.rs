//! Starts the app, then serves it until the host's shutdown.

use crate::{
    env::{PORT, PORT_FLAG, Settings},
    invoke::Instance,
    menu,
    serve::serve,
};
use omnifn_core::{App, Error, Functions, Host, Result, Signal};
use std::{future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll};
use tokio::net::TcpListener;

pub(crate) async fn run(app: App, host: Host) -> Result<()> {
    start(app, host, None).await
}

pub(crate) async fn run_on(app: App, host: Host, listener: std::net::TcpListener) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    start(app, host, Some(listener)).await
}

async fn start(app: App, host: Host, listener: Option<TcpListener>) -> Result<()> {
    let settings = Settings::read(&app, &host)?;
    let has_shutdown_hook = app.has_shutdown_hook();
    // The start-up probe is a connection, so the app is started before the port is opened.
    let Some(functions) = start_app(app, &host.shutdown).await? else { return Ok(()) };
    let instance = Arc::new(Instance::new(functions, &settings)?);
    let address = SocketAddr::new(settings.address, settings.port);
    let listener = match listener {
        Some(listener) => listener,
        None => TcpListener::bind(address).await.map_err(|error| unbound(address, &error))?,
    };
    announce(&instance, &settings, &listener);
    serve(listener, instance, &host.shutdown, has_shutdown_hook).await;
    Ok(())
}

/// The app, started; `None` when the shutdown came first.
async fn start_app(app: App, shutdown: &Signal) -> Result<Option<Functions>> {
    let (mut raised, mut started) = (pin!(shutdown.raised()), pin!(app.start()));
    poll_fn(|cx| {
        if raised.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(None));
        }
        started.as_mut().poll(cx).map_ok(Some)
    })
    .await
}

fn unbound(address: SocketAddr, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::AddrInUse {
        let port = address.port();
        return Error::from(format!(
            "port {port} is in use: end the process that has it, or set `{PORT}` or `{PORT_FLAG}` to another port"
        ));
    }
    Error::from(format!("{address} cannot be listened on: {error}"))
}

/// Tells a developer where the functions are; a cloud knows.
fn announce(instance: &Instance, settings: &Settings, listener: &TcpListener) {
    if settings.platform != "local" {
        return;
    }
    let Ok(address) = listener.local_addr() else { return };
    let host = if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    for (name, trigger, path) in instance.served() {
        let url = format!("http://{host}{path}");
        tracing::info!(%trigger, "serving `{name}` at {url}: {}", menu::call(trigger, &url));
    }
}
