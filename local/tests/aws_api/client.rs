//! A client that signs nothing in earnest, and a cloud in a folder of its own.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use omnifn_local::{AwsApi, AwsApiOptions};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{Cursor, Write as _},
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use zip::{ZipWriter, write::SimpleFileOptions};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/shop";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

pub(crate) struct Cloud {
    pub(crate) aws: AwsApi,
    pub(crate) folder: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Response<Bytes>);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `ResourceNotFoundException`
    pub(crate) fn code(&self) -> &str {
        self.header("x-amzn-errortype")
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(self.0.status().is_success(), "{self:?}");
        self
    }
}

pub(crate) fn options(folder: &Path) -> AwsApiOptions {
    let mut options = AwsApiOptions::new(folder);
    options.role_delay = Duration::ZERO;
    options.retry_delay = Duration::from_millis(20);
    options
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let aws = AwsApi::start(options(folder.path())).unwrap();
        Self { aws, folder }
    }

    /// With a role that Lambda can take.
    pub(crate) async fn with_role() -> Self {
        let cloud = Self::start();
        cloud
            .iam(&format!("Action=CreateRole&RoleName=shop&AssumeRolePolicyDocument={TRUST}"))
            .await
            .ok();
        cloud
    }

    pub(crate) async fn iam(&self, form: &str) -> Answer {
        self.send("iam", Method::POST, "/", &[], form.to_owned()).await
    }

    pub(crate) async fn sqs(&self, call: &str, body: Value) -> Answer {
        let target = format!("AmazonSQS.{call}");
        self.send("sqs", Method::POST, "/", &[("x-amz-target", &target)], body.to_string()).await
    }

    pub(crate) async fn lambda(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("lambda", method, path, &[], body).await
    }

    /// A function that can be invoked.
    pub(crate) async fn create(&self, name: &str, kind: &str) {
        self.lambda(Method::POST, "/2015-03-31/functions", function(name, kind)).await.ok();
        self.settled(name).await;
    }

    pub(crate) async fn settled(&self, name: &str) {
        let path = format!("/2015-03-31/functions/{name}/configuration");
        until(async || {
            let found = self.lambda(Method::GET, &path, Value::Null).await.ok().json();
            found["State"] == "Active" && found["LastUpdateStatus"] == "Successful"
        })
        .await;
    }

    pub(crate) async fn invoke(&self, name: &str, event: Value) -> Answer {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        self.lambda(Method::POST, &path, event).await
    }

    pub(crate) async fn send(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=AK/20260304/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        );
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", signature);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.aws.endpoint(), request.body(body).unwrap()).await
    }
}

/// Sends a request as it is to `http://127.0.0.1:..`.
pub(crate) async fn send(endpoint: &str, request: Request<String>) -> Answer {
    let address = endpoint.strip_prefix("http://").unwrap().trim_end_matches('/');
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    request.headers_mut().entry("host").or_insert(address.parse().unwrap());
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Answer(Response::from_parts(parts, body.collect().await.unwrap().to_bytes()))
}

/// The archive of `examples/bare.rs`, as it is sent.
static BARE: LazyLock<String> = LazyLock::new(|| BASE64_STANDARD.encode(archive(&bare())));

/// What `CreateFunction` takes for the function of `examples/bare.rs`.
pub(crate) fn function(name: &str, kind: &str) -> Value {
    json!({
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Architectures": [architecture()],
        "Code": {"ZipFile": *BARE},
        "Environment": {"Variables": {"OMNIFN_FUNCTION": kind}},
        "Timeout": 5,
    })
}

pub(crate) fn architecture() -> &'static str {
    if env::consts::ARCH == "aarch64" { "arm64" } else { "x86_64" }
}

/// Cargo builds examples beside the tests, wherever that is.
pub(crate) fn bare() -> Vec<u8> {
    let test = env::current_exe().unwrap();
    fs::read(test.parent().unwrap().parent().unwrap().join("examples").join("bare")).unwrap()
}

pub(crate) fn archive(bootstrap: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(bootstrap).unwrap();
    zip.finish().unwrap().into_inner()
}

pub(crate) async fn until(mut check: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came to be");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
