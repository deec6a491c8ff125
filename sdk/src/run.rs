#[cfg(not(feature = "otlp"))]
use crate::log;
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::{env::OMNIFN_MANIFEST, platforms, threads};
use omnifn_core::{App, Environment, Error, FromEvent, Handler, Host, Result, Signal};
use std::{env, io::Write as _, process};

/// Runs a handler, or an [`App`] of several, wherever it finds itself: the whole of a `main`.
///
/// It takes the environment of the process, finds the platform, builds the async runtime that suits it, builds the
/// app's state and serves until the platform or Ctrl-C ends it. Log lines go to standard error unless a `tracing`
/// subscriber was set before; the crate's own page says how they look.
///
/// ```no_run
/// use omnifn::{App, Context, Message, Request, Result, each};
///
/// async fn order(_: Request, _: Context) -> &'static str {
///     "ordered"
/// }
///
/// async fn ship(message: Message, _: Context) -> Result<()> {
///     let _: String = message.json()?;
///     Ok(())
/// }
///
/// fn main() -> Result<()> {
///     omnifn::run(App::new().function("order", order).function("ship", each(ship)))
/// }
/// ```
///
/// # Errors
/// When the function to run cannot be told, its state cannot be built, or the platform cannot be reached. Returned
/// from `main`, it is printed and ends the process with 1.
pub fn run<E: FromEvent, H: Handler<E>>(handler: H) -> Result<()> {
    let app = handler.into_app();
    let environment: Environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if environment.get(OMNIFN_MANIFEST) == Some("1") {
        let mut manifest = serde_json::to_string(&app.manifest())?;
        manifest.push('\n');
        std::io::stdout().write_all(manifest.as_bytes())?;
        return Ok(());
    }
    #[cfg(not(feature = "otlp"))]
    log::init(&environment);
    #[cfg(feature = "otlp")]
    let app = otlp::init(app, &environment);
    let mut host = Host::new(environment);
    host.arguments =
        env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    let threads = threads::choose(&app, &host.environment)?;
    let runtime = threads::runtime(threads)?;
    let result = runtime.block_on(async {
        end_on_signal(host.shutdown.clone());
        run_in(app, host).await
    });
    // A handler's own blocking thread must not hold the process back.
    runtime.shutdown_background();
    result
}

/// Runs an app on the platform of `host`'s environment, inside an async runtime that is there already: what a test
/// does, and a program with more to do than to be a function.
///
/// # Errors
/// As [`run`].
pub async fn run_in(app: App, host: Host) -> Result<()> {
    let platform = platforms::detect(&host.environment).or_else(platforms::local).ok_or_else(|| {
        Error::from(
            "this is not AWS Lambda, and the feature `gcp`, which serves HTTP everywhere else, is off: run it by \
             `cargo omnifn dev`, or turn the feature on",
        )
    })?;
    platform.run(app, host).await
}

/// Ctrl-C and SIGTERM raise the signal; a second one ends the process at once.
fn end_on_signal(shutdown: Signal) {
    tokio::spawn(async move {
        ended().await;
        shutdown.raise();
        ended().await;
        process::abort();
    });
}

#[cfg(unix)]
async fn ended() {
    use std::future::poll_fn;
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!(
            "signals cannot be watched: SIGTERM and Ctrl-C end the process without its shutdown hooks"
        );
        return std::future::pending().await;
    };
    poll_fn(|cx| {
        if terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready() {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
}

#[cfg(not(unix))]
async fn ended() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
