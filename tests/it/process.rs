//! A function in a process of its own, as a cloud starts it: its environment and its standard error are what counts.
//!
//! The process is this test program, told to run one test alone, which is the function.

use omnifn::{
    App, Body, BoxError, Context, Message, Request, Response, Result, discard, each,
    http::HeaderMap,
};
use omnifn_local::runtime_api::{Invocation, Reply, RuntimeApi};
use serde_json::{Value, json};
use std::{
    env,
    io::{self, Write as _},
    net::TcpListener,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tracing::{Event, Metadata, Subscriber, span};

/// Set in the process that is a function.
const IS_FUNCTION: &str = "OMNIFN_TEST_FUNCTION";
/// Set where the function's own `main` sets a subscriber.
pub(crate) const OWN_SUBSCRIBER: &str = "OMNIFN_TEST_SUBSCRIBER";

async fn shop(request: Request, context: Context) -> Result<Response> {
    match request.uri().path() {
        "/panic" => panic!("boom\nagain"),
        "/error" => Err("the database is down")?,
        "/slow" => tokio::time::sleep(Duration::from_millis(20)).await,
        "/deferred" => context.defer(async { tracing::info!("deferred") }),
        "/streamed" => {
            let chunk = async {
                tracing::info!("in the stream");
                Result::<_, BoxError>::Ok("chunk")
            };
            return Ok(Response::new(Body::from_stream(futures_util::stream::once(chunk))));
        }
        _ => {}
    }
    let span = tracing::info_span!("checkout", order = 7);
    let _entered = span.enter();
    tracing::info!(path = request.uri().path(), "inside");
    let mut headers = HeaderMap::new();
    context.trace.inject(&mut headers);
    let sent = headers.get("traceparent").map(|value| value.to_str().map(str::to_owned));
    Ok(Response::new(sent.transpose()?.unwrap_or_default().into()))
}

async fn ship(message: Message, _: Context) -> Result<()> {
    tracing::info!("shipping");
    match message.id.as_str() {
        "gone" => Err(discard("no such order"))?,
        _ => Ok(()),
    }
}

/// Does nothing unless this process is a function.
#[test]
fn is_a_function() {
    if env::var_os(IS_FUNCTION).is_some() {
        if env::var_os(OWN_SUBSCRIBER).is_some() {
            tracing::subscriber::set_global_default(Mine).unwrap();
        }
        omnifn::run(App::new().function("shop", shop).function("ship", each(ship))).unwrap();
    }
}

/// A subscriber of a user's.
struct Mine;

impl Subscriber for Mine {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        say(&format!("mine: span {}\n", attributes.metadata().name()));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        say(&format!("mine: event of {}\n", event.metadata().target()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn say(line: &str) {
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A new process has a copy of every socket until its program begins: none may be started while a free port is looked
/// for, or it would go on listening there.
fn alone<T>(work: impl FnOnce() -> T) -> T {
    static STARTING: Mutex<()> = Mutex::new(());
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// A function at work.
pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "process::is_a_function", "--nocapture"]);
        command.env_clear().env(IS_FUNCTION, "1").envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = alone(|| command.kill_on_drop(true).spawn().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = lines.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                written.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    pub(crate) fn on_lambda(api: &RuntimeApi, variables: &[(&str, &str)]) -> Self {
        let address = api.address().to_string();
        let known = [
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "shop-prod"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
            ("AWS_REGION", "eu-west-1"),
            ("OMNIFN_FUNCTION", "shop"),
        ];
        Self::start(&known.into_iter().chain(variables.iter().copied()).collect::<Vec<_>>())
    }

    /// Also gives the port that it listens on.
    pub(crate) async fn on_cloud_run(variables: &[(&str, &str)]) -> (Self, u16) {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = alone(bind);
        let text = port.to_string();
        let known = [
            ("PORT", text.as_str()),
            ("HOST", "127.0.0.1"),
            ("K_SERVICE", "shop-prod"),
            ("K_REVISION", "shop-00001"),
            ("OMNIFN_FUNCTION", "shop"),
        ];
        let process =
            Self::start(&known.into_iter().chain(variables.iter().copied()).collect::<Vec<_>>());
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return (process, port);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not listen: {:?}", process.lines());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines so far, once one of them holds `text`.
    pub(crate) async fn lines_with(&self, text: &str) -> Vec<String> {
        for _ in 0..1000 {
            let lines = self.lines();
            if lines.iter().any(|line| line.contains(text)) {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no line holds `{text}`: {:#?}", self.lines());
    }

    /// The line that holds `text`, read as JSON.
    pub(crate) async fn json_with(&self, text: &str) -> Value {
        let lines = self.lines_with(text).await;
        let line = lines.iter().find(|line| line.contains(text)).unwrap();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub(crate) async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A request to a function on Lambda.
pub(crate) fn event(path: &str) -> Invocation {
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {"host": "example.com"},
        "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        "isBase64Encoded": false,
    });
    Invocation::new(event.to_string())
}

/// The body that a function on Lambda answers with.
pub(crate) async fn invoke(api: &RuntimeApi, invocation: Invocation) -> String {
    match api.invoke(invocation).await.unwrap() {
        Reply::Success(body) => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            body["body"].as_str().unwrap_or_default().to_owned()
        }
        Reply::Streamed { body, .. } => String::from_utf8(body.into()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The whole answer to a GET, as it came.
pub(crate) async fn get(port: u16, path: &str, headers: &str) -> Result<String, BoxError> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
