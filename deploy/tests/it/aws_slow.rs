//! A Lambda that takes its time, fails late and is changed by others: what no counterpart does. It has one function, and refuses what
//! AWS refuses: changes while another one is under way (409), changes of an old revision (412).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use omnifn_deploy::{
    Deployer, Deployment, Error, Scope, Settings, Silent, aws::Aws, package::Provider,
    retry::Budget, testing,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What goes on in it.
#[derive(Debug, Default)]
struct Lambda {
    function: Option<Value>,
    versions: Vec<Value>,
    alias: Option<Value>,
    revision: u32,
    /// How often it is asked before a change is done.
    slowness: u32,
    left: u32,
    /// How the next changes end: the reason's code, or nothing where they succeed.
    failure: Option<&'static str>,
    /// How many of the next changes somebody else is faster with.
    races: u32,
    /// How many of the next publications are refused.
    refusals: u32,
    changes: Vec<String>,
}

type Answer = (u16, Value);

fn error(status: u16, code: &str) -> Answer {
    (status, json!({ "__type": code, "message": format!("{code}, it says") }))
}

impl Lambda {
    fn change(&mut self, what: &str, change: impl FnOnce(&mut Value), body: &Value) -> Answer {
        if self.left > 0 {
            return error(409, "ResourceConflictException");
        }
        if self.races > 0 {
            self.races -= 1;
            self.revision += 1;
        }
        let revision = self.revision.to_string();
        if body["RevisionId"].as_str().is_some_and(|asked| asked != revision) {
            return error(412, "PreconditionFailedException");
        }
        self.changes.push(what.to_owned());
        self.revision += 1;
        self.left = self.slowness;
        let Some(function) = &mut self.function else {
            return error(404, "ResourceNotFoundException");
        };
        change(function);
        (200, function.clone())
    }

    fn look(&mut self) -> Answer {
        let Some(function) = &mut self.function else {
            return error(404, "ResourceNotFoundException");
        };
        function["RevisionId"] = json!(self.revision.to_string());
        function["State"] = json!("Active");
        function["LastUpdateStatus"] = json!("Successful");
        if self.left > 0 {
            self.left -= 1;
            let (name, state) = if self.changes.len() == 1 {
                ("State", "Pending")
            } else {
                ("LastUpdateStatus", "InProgress")
            };
            function[name] = json!(state);
        } else if let Some(code) = self.failure {
            function["LastUpdateStatus"] = json!("Failed");
            function["LastUpdateStatusReasonCode"] = json!(code);
            function["LastUpdateStatusReason"] = json!("no address is left.");
        }
        let tags =
            json!({ "omnifn-app": "shop", "omnifn-stage": "test", "omnifn-function": "orders" });
        (200, json!({ "Configuration": function, "Tags": tags }))
    }

    fn publish(&mut self) -> Answer {
        if self.refusals > 0 {
            self.refusals -= 1;
            return error(400, "CodeStorageExceededException");
        }
        let mut version = self.function.clone().unwrap_or_default();
        let same = |one: &Value, other: &Value| {
            ["CodeSha256", "MemorySize", "Environment"]
                .iter()
                .all(|name| one[*name] == other[*name])
        };
        if let Some(last) = self.versions.last().filter(|last| same(last, &version)) {
            return (201, last.clone());
        }
        version["Version"] = json!((self.versions.len() + 1).to_string());
        version["State"] = json!("Active");
        self.versions.push(version.clone());
        self.changes.push(format!("publish {}", self.versions.len()));
        (201, version)
    }

    fn answer(&mut self, method: &str, path: &str, target: &str, body: &Value) -> Answer {
        let path = path.split('?').next().unwrap_or_default();
        let below = path.split_once("/functions").map_or("", |(_, below)| below);
        let below = below.strip_prefix("/shop-test-orders").unwrap_or(below);
        match (method, below.trim_end_matches('/')) {
            ("POST", "") if path.contains("/functions") => {
                let mut function = body.clone();
                function["CodeSha256"] = json!(sha256(&body["Code"]));
                function["Version"] = json!("$LATEST");
                self.function = Some(function);
                let (_, function) = self.change("create", |_| {}, &json!({}));
                (201, function)
            }
            ("GET", "") if path.contains("/functions/") => self.look(),
            ("GET", "/configuration") => {
                let version = self.versions.last().cloned();
                version.map_or_else(|| error(404, "ResourceNotFoundException"), |it| (200, it))
            }
            ("GET", "/versions") => {
                let latest = self.function.iter();
                (200, json!({ "Versions": latest.chain(&self.versions).collect::<Vec<_>>() }))
            }
            ("POST", "/versions") => self.publish(),
            ("PUT", "/code") => {
                let sha256 = sha256(body);
                self.change("code", |function| function["CodeSha256"] = json!(sha256), body)
            }
            ("PUT", "/configuration") => {
                let merge = |function: &mut Value| {
                    for (name, value) in body.as_object().into_iter().flatten() {
                        function[name] = value.clone();
                    }
                };
                self.change("configuration", merge, body)
            }
            ("GET", "/aliases/live") => {
                let alias = self.alias.clone();
                alias.map_or_else(|| error(404, "ResourceNotFoundException"), |it| (200, it))
            }
            ("POST", "/aliases") => {
                self.alias = Some(body.clone());
                (201, body.clone())
            }
            ("PUT", "/aliases/live") => {
                self.alias = Some(body.clone());
                (200, body.clone())
            }
            _ if target.ends_with(".DescribeLogGroups") => (
                200,
                json!({ "logGroups": [{
                "logGroupName": "/aws/lambda/shop-test-orders", "retentionInDays": 14,
            }] }),
            ),
            _ if !target.is_empty() || path == "/schedules" || path.contains("/event-source") => {
                (200, json!({}))
            }
            _ => error(404, "ResourceNotFoundException"),
        }
    }
}

fn sha256(code: &Value) -> String {
    let archive = BASE64_STANDARD.decode(code["ZipFile"].as_str().unwrap_or_default()).unwrap();
    BASE64_STANDARD.encode(Sha256::digest(archive))
}

#[derive(Clone, Debug, Default)]
struct Cloud(Arc<Mutex<Lambda>>);

impl Cloud {
    fn lambda(&self) -> MutexGuard<'_, Lambda> {
        self.0.lock().unwrap()
    }

    /// Its deployer, which waits for two seconds at most.
    async fn deployer(&self) -> Deployer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let cloud = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(cloud.clone(), stream));
            }
        });
        let budget = Budget::of(Duration::from_secs(2))
            .pauses(Duration::from_millis(1), Duration::from_millis(5));
        let builder = Aws::builder().region("eu-west-1").credentials("test", "test");
        Deployer::new(builder.endpoint(endpoint).budget(budget).build().await.unwrap())
    }
}

/// One request, one answer.
async fn serve(cloud: Cloud, mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let head = loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let header = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    while request.len() < head + 4 + length {
        stream.read_buf(&mut request).await?;
    }
    let body = String::from_utf8_lossy(&request[head + 4..]).into_owned();
    let mut words = text.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let answer = if body.contains("Action=GetCallerIdentity") {
        let xml = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>";
        (200, xml.to_owned())
    } else if body.starts_with("Action=") {
        let xml = "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>";
        (404, xml.to_owned())
    } else {
        let json = serde_json::from_str(&body).unwrap_or_default();
        let target = header("x-amz-target").unwrap_or_default();
        let (status, json) = cloud.lambda().answer(method, path, target, &json);
        (status, json.to_string())
    };
    let (status, body) = answer;
    let code = serde_json::from_str::<Value>(&body).unwrap_or_default();
    let code = code["__type"].as_str().map(|code| format!("x-amzn-errortype: {code}\r\n"));
    let (code, length) = (code.unwrap_or_default(), body.len());
    let answer = format!(
        "HTTP/1.1 {status} x\r\n{code}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await
}

fn deployment(code: &str, memory: &str) -> Deployment {
    let settings = json!({
        "memory": memory, "aws": { "role": "arn:aws:iam::123456789012:role/given" },
    });
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let scope = Scope::new("shop", "test", "orders").unwrap();
    Deployment::new(scope, settings, testing::archive(Provider::Aws, code)).unwrap()
}

#[tokio::test]
async fn a_change_that_takes_its_time_is_waited_for() {
    let cloud = Cloud::default();
    cloud.lambda().slowness = 4;
    let deployer = cloud.deployer().await;
    deployer.deploy(&deployment("first", "256MiB"), &Silent).await.unwrap();
    deployer.deploy(&deployment("second", "512MiB"), &Silent).await.unwrap();
    let expected = ["create", "publish 1", "code", "configuration", "publish 2"];
    assert_eq!(cloud.lambda().changes, expected);
    assert!(deployer.plan(&deployment("second", "512MiB")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_that_takes_for_ever_is_told() {
    let cloud = Cloud::default();
    cloud.lambda().slowness = u32::MAX;
    let deployer = cloud.deployer().await;
    let error = deployer.deploy(&deployment("first", "256MiB"), &Silent).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("did not become settled within 2 s: it is pending"), "{source}");
}

#[tokio::test]
async fn a_change_that_fails_late_is_told_and_made_again() {
    let cloud = Cloud::default();
    let deployer = cloud.deployer().await;
    deployer.deploy(&deployment("first", "256MiB"), &Silent).await.unwrap();
    cloud.lambda().failure = Some("EniLimitExceeded");
    let wanted = deployment("first", "512MiB");
    let error = deployer.deploy(&wanted, &Silent).await.unwrap_err();
    assert_eq!(error.code(), Some("EniLimitExceeded"), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("no address is left"), "{source}");
    let plan = deployer.plan(&wanted).await.unwrap();
    assert_eq!(plan.steps[0].changes[0].path, "is-published", "{plan:#?}");
    // What stood in the way is gone with the next change.
    let changes = cloud.lambda().changes.len();
    cloud.lambda().failure = None;
    deployer.deploy(&wanted, &Silent).await.unwrap();
    assert_eq!(cloud.lambda().changes[changes..], ["publish 2"]);
    assert!(deployer.plan(&wanted).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_was_faster_is_looked_at_once() {
    let cloud = Cloud::default();
    let deployer = cloud.deployer().await;
    deployer.deploy(&deployment("first", "256MiB"), &Silent).await.unwrap();
    cloud.lambda().races = 1;
    deployer.deploy(&deployment("second", "256MiB"), &Silent).await.unwrap();
    assert_eq!(cloud.lambda().changes, ["create", "publish 1", "code", "publish 2"]);
    cloud.lambda().races = 2;
    let error = deployer.deploy(&deployment("third", "256MiB"), &Silent).await.unwrap_err();
    let Error::Step { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, Error::Stale { .. }), "{source:?}");
}

#[tokio::test]
async fn a_deploy_that_ended_before_its_version_goes_on_from_there() {
    let cloud = Cloud::default();
    let deployer = cloud.deployer().await;
    deployer.deploy(&deployment("first", "256MiB"), &Silent).await.unwrap();
    cloud.lambda().refusals = 1;
    let wanted = deployment("second", "256MiB");
    let error = deployer.deploy(&wanted, &Silent).await.unwrap_err();
    assert_eq!(error.code(), Some("CodeStorageExceededException"), "{error:?}");
    let plan = deployer.plan(&wanted).await.unwrap();
    let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["update function/shop-test-orders", "update traffic/shop-test-orders"]);
    deployer.deploy(&wanted, &Silent).await.unwrap();
    assert_eq!(cloud.lambda().changes, ["create", "publish 1", "code", "publish 2"]);
    let releases = deployer.releases(&wanted.scope).await.unwrap();
    let percents: Vec<_> = releases.iter().map(|release| release.percent).collect();
    assert_eq!(percents, [100, 0], "{releases:?}");
}
