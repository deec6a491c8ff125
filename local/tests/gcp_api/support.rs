//! A control plane, and a client for it.

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use omnifn_local::{GcpApi, GcpApiOptions};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

pub(crate) const PARENT: &str = "projects/local/locations/europe-west1";

pub(crate) struct Google {
    pub(crate) api: GcpApi,
    pub(crate) directory: tempfile::TempDir,
}

impl Google {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let api = GcpApi::start(GcpApiOptions::new(directory.path())).unwrap();
        Self { api, directory }
    }

    /// Ends the control plane, and starts another on what it left.
    pub(crate) async fn restart(self) -> Self {
        let Self { api, directory } = self;
        api.stop().await;
        drop(api);
        let api = GcpApi::start(GcpApiOptions::new(directory.path())).unwrap();
        Self { api, directory }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = self.send_bytes(method, path, "application/json", body).await;
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(crate) async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: impl Into<Bytes>,
    ) -> (u16, Bytes) {
        let request = Request::builder()
            .method(Method::try_from(method).unwrap())
            .uri(format!("{}{path}", self.api.endpoint()))
            .header("authorization", "Bearer test")
            .header("content-type", kind)
            .body(body.into())
            .unwrap();
        let response = request_url(request).await;
        (response.status().as_u16(), response.into_body())
    }

    /// A call that must succeed.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer:#}");
        answer
    }

    /// A call that must be refused with this status and a message that has this text.
    #[track_caller]
    pub(crate) fn refused((status, answer): &(u16, Value), expected: u16, text: &str) {
        assert_eq!(*status, expected, "{answer:#}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{message}");
        assert_eq!(answer["error"]["code"], expected);
    }

    /// The end of an operation.
    pub(crate) async fn wait(&self, operation: &Value) -> Value {
        let name = operation["name"].as_str().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let operation = self.ok("GET", &format!("/v2/{name}"), &Value::Null).await;
            if operation["done"] == true {
                return operation;
            }
            assert!(Instant::now() < deadline, "{operation:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A bucket with an archive of `bare` in it, as the source of a container.
    pub(crate) async fn source(&self) -> Value {
        self.upload("bare.tar.gz", &archive(&bare(), 0o755)).await
    }

    pub(crate) async fn upload(&self, name: &str, archive: &[u8]) -> Value {
        let bucket = json!({"name": "sources", "location": "europe-west1"});
        self.send("POST", "/storage/v1/b?project=local", &bucket).await;
        let path = format!("/upload/storage/v1/b/sources/o?uploadType=media&name={name}");
        let (status, object) =
            self.send_bytes("POST", &path, "application/gzip", archive.to_vec()).await;
        let object: Value = serde_json::from_slice(&object).unwrap();
        assert_eq!(status, 200, "{object}");
        json!({"cloudStorageSource": {"bucket": "sources", "object": name, "generation": object["generation"]}})
    }
}

pub(crate) async fn request_url(request: Request<Bytes>) -> Response<Bytes> {
    let authority = request.uri().authority().unwrap().clone();
    let stream = TokioIo::new(TcpStream::connect(authority.as_str()).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = request.map(Full::new);
    let path = request.uri().path_and_query().cloned().unwrap();
    request.headers_mut().insert("host", authority.as_str().parse().unwrap());
    *request.uri_mut() = path.into();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// What a service answers at `path`, with or without a token.
pub(crate) async fn get(uri: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Request::get(format!("{uri}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = request_url(request.body(Bytes::new()).unwrap()).await;
    (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
}

/// Cargo builds examples beside the tests, wherever that is.
pub(crate) fn bare() -> Vec<u8> {
    let test = env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join("bare");
    fs::read(path).unwrap()
}

pub(crate) fn archive(program: &[u8], mode: u32) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(mode);
    builder.append_data(&mut header, Path::new("bootstrap"), program).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

/// A service that runs `source`.
pub(crate) fn service(source: &Value) -> Value {
    json!({
        "labels": {"managed-by": "omnifn"},
        "template": {
            "containers": [{
                "image": "scratch",
                "baseImageUri": "osonly24",
                "sourceCode": source,
                "command": ["./bootstrap"],
                "env": [{"name": "OMNIFN_FUNCTION", "value": "greet"}],
                "resources": {"limits": {"cpu": "1", "memory": "256Mi"}, "cpuIdle": true},
            }],
        },
    })
}
