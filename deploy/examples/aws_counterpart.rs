//! Deploys to something that speaks AWS's APIs on this machine, such as moto's server: what every provider promises, and that a
//! deploy converges whichever call goes wrong. Used by `cargo xtask real`.
//!
//!     aws_counterpart http://127.0.0.1:5000 [requests.jsonl]
#![expect(clippy::print_stdout, reason = "it is a program")]

use omnifn_deploy::{
    Deployer, Deployment, Scope, Settings, Silent,
    aws::Aws,
    package::Provider,
    testing::{self, Cut, Proxy},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, net::SocketAddr};

/// Everything that the counterpart has.
fn rich() -> Deployment {
    let settings: Settings = serde_json::from_value(json!({
        "description": "ships orders",
        "memory": "512MiB",
        "env": { "RUST_LOG": "info" },
        "labels": { "team": "shop" },
        "triggers": {
            "orders": { "type": "queue", "batch-size": 100, "batch-window": "5s" },
            "returns": { "type": "queue", "topic": "returns", "filter": "{\"kind\":[\"book\"]}" },
            "clicks": { "type": "queue", "stream": "clicks", "max-attempts": 3 },
        },
        "aws": {
            "reserved-concurrency": 5,
            "tracing": true,
            "policies": ["arn:aws:iam::123456789012:policy/tables"],
            "max-retries": 1,
            "on-failure": "arn:aws:sqs:eu-west-1:123456789012:failed",
        },
    }))
    .expect("settings");
    deployment("orders", settings)
}

/// One of each other kind of trigger.
fn others() -> Vec<Deployment> {
    let of = |function: &str, triggers: Value| {
        let settings = serde_json::from_value(json!({ "triggers": triggers })).expect("settings");
        deployment(function, settings)
    };
    let cors = json!({ "origins": ["https://example.com"] });
    let night = json!({ "type": "timer", "schedule": "30 2 * * MON-FRI", "timezone": "Europe/Berlin", "input": { "a": 1 } });
    let photos = json!({ "type": "storage", "prefix": "in/", "changes": ["created", "deleted"] });
    vec![
        of("create", json!({ "url": { "type": "http", "auth": "none", "cors": cors } })),
        of("report", json!({ "nightly": night })),
        of("resize", json!({ "photos": photos })),
        of("audit", json!({ "shop": { "type": "event", "pattern": { "source": ["shop"] } } })),
        testing::deployment(Provider::Aws, "plain"),
    ]
}

fn deployment(function: &str, settings: Settings) -> Deployment {
    let scope = Scope::new("shop", "test", function).expect("a name");
    Deployment::new(scope, settings, testing::archive(Provider::Aws, "first"))
        .expect("a deployment")
}

/// The counterpart.
#[derive(Clone, Debug)]
struct Cloud {
    address: SocketAddr,
}

impl Cloud {
    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) {
        let scope = format!("Credential=test/20261125/eu-west-1/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let request =
            reqwest::Client::new().request(method, format!("http://{}{path}", self.address));
        let request = request.header("authorization", signature).body(body.to_owned());
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.expect("the counterpart answers");
        let status = answer.status();
        assert!(
            status.is_success(),
            "{path}: {status} {}",
            answer.text().await.unwrap_or_default()
        );
    }

    /// Empties it, but for what functions refer to.
    async fn reset(&self) {
        use reqwest::Method;
        const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
        const STREAM: &[(&str, &str)] = &[
            ("x-amz-target", "Kinesis_20131202.CreateStream"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        self.send(Method::POST, "/moto-api/reset", "x", &[], "").await;
        for queue in ["orders", "failed"] {
            let form = format!("Action=CreateQueue&Version=2012-11-05&QueueName={queue}");
            self.send(Method::POST, "/", "sqs", FORM, &form).await;
        }
        let topic = "Action=CreateTopic&Version=2010-03-31&Name=returns";
        self.send(Method::POST, "/", "sns", FORM, topic).await;
        let document = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allo\
                        w%22%2C%22Action%22%3A%22dynamodb%3AGetItem%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
        let policy = format!(
            "Action=CreatePolicy&Version=2010-05-08&PolicyName=tables&PolicyDocument={document}"
        );
        self.send(Method::POST, "/", "iam", FORM, &policy).await;
        let stream = r#"{"StreamName":"clicks","ShardCount":1}"#;
        self.send(Method::POST, "/", "kinesis", STREAM, stream).await;
        let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
        self.send(Method::PUT, "/photos", "s3", &[], place).await;
        // Somebody else's, which must stay there. (Without any, moto's answer has another root than S3's.)
        let other = "<NotificationConfiguration><QueueConfiguration><Id>other</Id>\
                     <Queue>arn:aws:sqs:eu-west-1:123456789012:failed</Queue><Event>s3:ObjectCreated:*</Event>\
                     </QueueConfiguration></NotificationConfiguration>";
        self.send(Method::PUT, "/photos?notification", "s3", &[], other).await;
    }
}

async fn deployer(endpoint: String) -> Deployer {
    let aws = Aws::builder().region("eu-west-1").endpoint(endpoint).build().await;
    Deployer::new(aws.expect("a region"))
}

/// How calls go wrong.
fn cuts() -> Vec<(&'static str, Cut)> {
    let json = ("content-type", "application/json");
    let error = [json, ("x-amzn-errortype", "ServiceException")];
    let throttled = [json, ("x-amzn-errortype", "TooManyRequestsException")];
    vec![
        ("refused", Cut::Refused),
        ("answer lost", Cut::AnswerLost),
        ("429", Cut::answer(429, &throttled, r#"{"message":"Rate exceeded"}"#)),
        ("500", Cut::answer(500, &error, r#"{"message":"An error occurred"}"#)),
    ]
}

/// Deploys, plans again, removes. Returns what was sent.
async fn round_trip(cloud: &Cloud, deployment: &Deployment) -> String {
    let name = &deployment.scope.function;
    cloud.reset().await;
    let proxy = Proxy::start(cloud.address, None).await;
    let deployer = deployer(proxy.endpoint()).await;
    let deployed = deployer.deploy(deployment, &Silent).await;
    let (plan, _) = deployed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let calls = proxy.count();
    let again = deployer.plan(deployment).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert!(again.is_empty(), "{name}: a second deploy plans nothing: {again:#?}");
    let reads = proxy.count() - calls;
    let removed = deployer.remove(&deployment.scope, &Silent).await;
    removed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let left = deployer.status(&deployment.scope).await.expect("what is there can be read");
    assert!(left.is_empty(), "{name}: nothing is left: {left:#?}");
    let steps = plan.steps.len();
    println!(
        "ok deploy {name}: {steps} steps in {calls} calls; a plan of no difference in {reads} reads"
    );
    proxy.sent().iter().fold(String::new(), |mut text, sent| {
        let _ = writeln!(text, "{}", serde_json::to_string(sent).expect("a request is JSON"));
        text
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().expect("the counterpart's endpoint");
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let cloud = Cloud { address: address.parse().expect("an address") };
    let mut recorded = String::new();
    for deployment in std::iter::once(rich()).chain(others()) {
        recorded += &round_trip(&cloud, &deployment).await;
    }
    if let Some(path) = arguments.next() {
        std::fs::write(path, recorded).expect("the requests can be written down");
    }
    for (kind, cut) in cuts() {
        let start = |call: Option<usize>| {
            let (cloud, cut) = (cloud.clone(), cut.clone());
            async move {
                cloud.reset().await;
                let proxy = Proxy::start(cloud.address, call.map(|call| (call, cut))).await;
                let deployer = deployer(proxy.endpoint()).await;
                (deployer, move || proxy.count() > call.unwrap_or_default())
            }
        };
        let runs = testing::converges(start, &rich()).await;
        let failures: usize = runs.iter().map(|run| run.failures).sum();
        println!(
            "ok converge {kind}: each of {} calls goes wrong once; {failures} deploys failed before one succeeded",
            runs.len()
        );
    }
}
