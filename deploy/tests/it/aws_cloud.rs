//! The AWS of this machine, with what deployments refer to, and what is deployed there.

use crate::folder::copy;
use omnifn_deploy::{
    Code, Deployer, Deployment, LogQuery, Scope, Settings,
    aws::{Aws, Builder},
    package::{self, Architecture, Program, Provider, Target},
    retry::Budget,
    testing::{self, Proxy, Sent},
};
use omnifn_local::{AwsApi, AwsApiOptions};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";

/// A control plane, and where it keeps everything.
pub(crate) struct Cloud {
    pub(crate) api: AwsApi,
    directory: TempDir,
}

impl Cloud {
    fn open(directory: TempDir) -> Self {
        Self::open_with(directory, Duration::from_millis(10))
    }

    /// An empty one whose Lambda does not know a role for so long.
    pub(crate) fn with_slow_roles(role_delay: Duration) -> Self {
        Self::open_with(tempfile::tempdir().unwrap(), role_delay)
    }

    fn open_with(directory: TempDir, role_delay: Duration) -> Self {
        let mut options = AwsApiOptions::new(directory.path());
        REGION.clone_into(&mut options.region);
        ACCOUNT.clone_into(&mut options.account);
        options.pending = Duration::from_millis(3);
        options.role_delay = role_delay;
        options.retry_delay = Duration::from_millis(20);
        Self { api: AwsApi::start(options).unwrap(), directory }
    }

    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    /// With what the deployments of these tests refer to.
    pub(crate) async fn start() -> Self {
        let cloud = Self::empty();
        for (name, attributes) in [
            ("orders", json!({})),
            ("failed", json!({})),
            ("orders.fifo", json!({ "FifoQueue": "true" })),
        ] {
            cloud.sqs("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
        }
        cloud.sns("Action=CreateTopic&Name=returns").await;
        let place = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        cloud.send("s3", Method::PUT, "/photos", &[], &place).await;
        // Somebody else's, which must stay there.
        let other = format!(
            "<NotificationConfiguration><QueueConfiguration><Id>other</Id><Queue>arn:aws:sqs:{REGION}:{ACCOUNT}:failed</Queue>\
             <Event>s3:ObjectRemoved:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>other/</Value></FilterRule></S3Key></Filter>\
             </QueueConfiguration></NotificationConfiguration>"
        );
        let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "sqs:SendMessage", "Resource": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:failed") }] });
        let url = format!("{}/{ACCOUNT}/failed", cloud.api.endpoint());
        let attributes = json!({ "Policy": policy.to_string() });
        cloud.sqs("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": attributes })).await;
        cloud.send("s3", Method::PUT, "/photos?notification", &[], &other).await;
        cloud
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.api.endpoint().replace("http://", "").parse().unwrap()
    }

    /// Between it and its deployer.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::start(self.address(), None).await
    }

    pub(crate) async fn deployer(&self) -> Deployer {
        Deployer::new(aws(&self.api.endpoint()).await)
    }

    pub(crate) async fn sqs(&self, call: &str, body: Value) -> Value {
        let target = format!("AmazonSQS.{call}");
        self.json("sqs", &target, body).await
    }

    pub(crate) async fn sns(&self, form: &str) -> String {
        self.send("sns", Method::POST, "/", &[], form).await
    }

    /// A call whose name stands in `x-amz-target`.
    pub(crate) async fn json(&self, service: &str, target: &str, body: Value) -> Value {
        let headers = [("x-amz-target", target)];
        let answer = self.send(service, Method::POST, "/", &headers, &body.to_string()).await;
        serde_json::from_str(&answer).unwrap_or_default()
    }

    pub(crate) async fn send(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let scope = format!("Credential=test/20261125/{REGION}/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=00");
        let url = format!("{}{path}", self.api.endpoint());
        let request = reqwest::Client::new().request(method, &url).body(body.to_owned());
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.header("authorization", signature).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{url}: {status} {text}");
        text
    }
}

/// As many clouds as are asked for, all of them like one.
pub(crate) struct Clouds(TempDir);

impl Clouds {
    pub(crate) async fn new() -> Self {
        let cloud = Cloud::start().await;
        let template = tempfile::tempdir().unwrap();
        copy(cloud.directory.path(), template.path());
        Self(template)
    }

    pub(crate) fn start(&self) -> Cloud {
        let directory = tempfile::tempdir().unwrap();
        copy(self.0.path(), directory.path());
        Cloud::open(directory)
    }
}

/// Which waits for little, since everything is near.
pub(crate) fn builder(endpoint: &str) -> Builder {
    let budget = Budget::of(Duration::from_secs(20))
        .pauses(Duration::from_millis(2), Duration::from_millis(20));
    Aws::builder().region(REGION).credentials("test", "hunter2").endpoint(endpoint).budget(budget)
}

pub(crate) async fn aws(endpoint: &str) -> Aws {
    builder(endpoint).build().await.unwrap()
}

/// Which tries each call so often.
pub(crate) async fn trying(endpoint: &str, tries: u32) -> Deployer {
    let tries = NonZeroU32::new(tries).unwrap();
    Deployer::new(builder(endpoint).tries(tries).build().await.unwrap())
}

pub(crate) fn settings(value: Value) -> Settings {
    serde_json::from_value(value).unwrap()
}

/// Of a program that ends at once.
pub(crate) fn deployment(function: &str, settings: Value) -> Deployment {
    of(function, settings, testing::archive(Provider::Aws, "first"))
}

/// Of `examples/aws_function.rs`.
pub(crate) fn running(function: &str, settings: Value) -> Deployment {
    of(function, settings, pack(&program()).unwrap())
}

/// The file of `examples/aws_function.rs`.
pub(crate) fn program() -> PathBuf {
    // Cargo builds examples beside the tests.
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().join("examples");
    let path = folder.join("aws_function");
    assert!(path.exists(), "build it first: cargo build -p omnifn-deploy --example aws_function");
    path
}

/// For the processor of this machine.
pub(crate) fn pack(program: &Path) -> Result<Code, package::Error> {
    let architecture =
        if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
    Program::new(program).pack(&Target::aws(architecture)).map(Code::from)
}

pub(crate) fn of(function: &str, settings: Value, code: Code) -> Deployment {
    let scope = Scope::new("shop", "test", function).unwrap();
    Deployment::new(scope, self::settings(settings), code).unwrap()
}

/// What was sent and changes something: method, path or name of the call, and the body.
pub(crate) fn writes(sent: &[Sent]) -> Vec<(String, String)> {
    let writes = sent.iter().filter_map(|sent| {
        let body = sent.body.clone().unwrap_or_default();
        let target = sent.headers.iter().find(|(name, _)| name == "x-amz-target");
        let call = match (target, body.strip_prefix("Action=")) {
            (Some((_, target)), _) => target.rsplit('.').next().unwrap_or_default().to_owned(),
            (None, Some(form)) => form.split('&').next().unwrap_or_default().to_owned(),
            (None, None) if sent.method == "GET" || sent.method == "HEAD" => return None,
            (None, None) => format!("{} {}", sent.method, sent.uri),
        };
        let reads = ["Get", "List", "Describe"];
        (!reads.iter().any(|read| call.starts_with(read))).then_some((call, body))
    });
    writes.collect()
}

/// Whether a line of the function's log has `text`, sooner or later.
pub(crate) async fn is_logged(deployer: &Deployer, scope: &Scope, text: &str) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(15) {
        if lines(deployer, scope).await.contains(text) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

pub(crate) async fn lines(deployer: &Deployer, scope: &Scope) -> String {
    let page = deployer.logs(scope, &LogQuery::default()).await.unwrap();
    page.lines.into_iter().map(|line| line.message + "\n").collect()
}
