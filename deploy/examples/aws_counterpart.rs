//! Deploys to something that speaks AWS's APIs on this machine: moto's server, or `LocalStack`. Used by `cargo xtask real`.
//!
//!     aws_counterpart http://127.0.0.1:5000 check requests.jsonl   # what every provider promises; writes down what was sent
//!     aws_counterpart http://127.0.0.1:5000 converge               # whichever call goes wrong
//!     aws_counterpart http://127.0.0.1:5000 deploy                 # and leaves it there
//!     aws_counterpart http://127.0.0.1:5000 remove
//!     aws_counterpart http://127.0.0.1:4566 localstack             # what LocalStack can do of all this
#![expect(clippy::print_stdout, reason = "it is a program")]

use omnifn_deploy::{
    Action, Deployer, Deployment, Plan, Scope, Settings, Silent,
    aws::Aws,
    package::Provider,
    testing::{self, Cut, Proxy},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, net::SocketAddr, sync::Arc};
use tokio::sync::OnceCell;

const ACCOUNT: &str = "123456789012";

/// Everything that moto has.
fn rich() -> Deployment {
    let mut deployment = without_streams();
    let clicks = json!({ "type": "queue", "stream": "clicks", "max-attempts": 3 });
    let clicks = serde_json::from_value(clicks).expect("a trigger");
    deployment.settings.triggers.insert("clicks".to_owned(), clicks);
    deployment
}

/// `LocalStack`'s Kinesis is a program that is not in its package.
fn without_streams() -> Deployment {
    let settings: Settings = serde_json::from_value(json!({
        "description": "ships orders",
        "memory": "512MiB",
        "env": { "RUST_LOG": "info" },
        "labels": { "team": "shop" },
        "triggers": {
            "orders": { "type": "queue", "batch-size": 100, "batch-window": "5s" },
            "returns": { "type": "queue", "topic": "returns", "filter": "{\"kind\":[\"book\"]}" },
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

fn all(has_streams: bool) -> Vec<Deployment> {
    let queues = if has_streams { rich() } else { without_streams() };
    std::iter::once(queues).chain(others()).collect()
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
    /// Set where nothing but removing empties it: once what functions refer to is there.
    kept: Option<Arc<OnceCell<()>>>,
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
        let scope = format!("Credential={ACCOUNT}/20261125/eu-west-1/{service}/aws4_request");
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

    /// Empties it, but for what functions refer to; where that cannot be, [`clear`](Self::clear) does.
    async fn reset(&self) {
        let Some(kept) = &self.kept else {
            self.send(reqwest::Method::POST, "/moto-api/reset", "x", &[], "").await;
            self.add_sources(true).await;
            return;
        };
        kept.get_or_init(|| self.add_sources(false)).await;
    }

    /// Removes the function and all that belongs to it, where [`reset`](Self::reset) does not.
    async fn clear(&self, scope: &Scope) {
        if self.kept.is_some() {
            let deployer = deployer(format!("http://{}", self.address)).await;
            let removed = deployer.remove(scope, &Silent).await;
            removed.unwrap_or_else(|error| panic!("{scope}: {error:?}"));
        }
    }

    /// What functions refer to.
    async fn add_sources(&self, has_streams: bool) {
        use reqwest::Method;
        const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
        const STREAM: &[(&str, &str)] = &[
            ("x-amz-target", "Kinesis_20131202.CreateStream"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
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
        if has_streams {
            let stream = r#"{"StreamName":"clicks","ShardCount":1}"#;
            self.send(Method::POST, "/", "kinesis", STREAM, stream).await;
        }
        let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
        self.send(Method::PUT, "/photos", "s3", &[], place).await;
        // Somebody else's, which must stay there. (Without any, moto's answer has another root than S3's.)
        let other = "<NotificationConfiguration><QueueConfiguration><Id>other</Id>\
                     <Queue>arn:aws:sqs:eu-west-1:123456789012:failed</Queue><Event>s3:ObjectCreated:*</Event>\
                     </QueueConfiguration></NotificationConfiguration>";
        self.send(Method::PUT, "/photos?notification", "s3", &[], other).await;
    }
}

async fn aws(endpoint: String) -> Aws {
    // LocalStack takes a key of twelve digits for the account.
    let builder = Aws::builder().region("eu-west-1").credentials(ACCOUNT, "test");
    builder.endpoint(endpoint).build().await.expect("a region")
}

async fn deployer(endpoint: String) -> Deployer {
    Deployer::new(aws(endpoint).await)
}

async fn deploy(deployer: &Deployer, deployment: &Deployment) -> Plan {
    let name = &deployment.scope.function;
    let deployed = deployer.deploy(deployment, &Silent).await;
    deployed.unwrap_or_else(|error| panic!("{name}: {error:?}")).0
}

/// How calls go wrong.
fn cuts() -> Vec<(&'static str, Cut)> {
    let json = ("content-type", "application/json");
    let error = [json, ("x-amzn-errortype", "ServiceException")];
    vec![
        ("refused", Cut::Refused),
        ("answer lost", Cut::AnswerLost),
        ("throttled", Cut::Throttled),
        ("500", Cut::answer(500, &error, r#"{"message":"An error occurred"}"#)),
    ]
}

/// Deploys, plans again, removes. Returns what was sent.
async fn round_trip(cloud: &Cloud, deployment: &Deployment) -> String {
    let name = &deployment.scope.function;
    cloud.reset().await;
    let proxy = Proxy::start(cloud.address, None).await;
    let deployer = deployer(proxy.endpoint()).await;
    let plan = deploy(&deployer, deployment).await;
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

/// New code and another setting, each of which goes through Pending; the traffic goes there and back.
async fn changes(cloud: &Cloud, deployment: &Deployment) {
    let name = &deployment.scope.function;
    cloud.reset().await;
    let deployer = deployer(format!("http://{}", cloud.address)).await;
    deploy(&deployer, deployment).await;
    let mut changed = deployment.clone();
    changed.code = testing::archive(Provider::Aws, "second");
    changed.settings.env.insert("COLOUR".to_owned(), "blue".to_owned());
    let plan = deploy(&deployer, &changed).await;
    assert!(plan.steps.iter().all(|step| step.action == Action::Update), "{name}: {plan:#?}");
    let again = deployer.plan(&changed).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert!(again.is_empty(), "{name}: {again:#?}");
    let percents = async || -> Vec<u8> {
        let releases = deployer.releases(&changed.scope).await.expect("there are releases");
        releases.iter().map(|release| release.percent).collect()
    };
    assert_eq!(percents().await, [100, 0], "{name}");
    deployer.rollback(&changed.scope, None).await.expect("one can go back");
    assert_eq!(percents().await, [0, 100], "{name}");
    cloud.clear(&changed.scope).await;
    println!("ok change {name}: new code, a new setting, and back");
}

/// What every provider promises; each promise is tried on an empty cloud.
async fn conforms(cloud: &Cloud, deployment: &Deployment) {
    let aws = aws(format!("http://{}", cloud.address)).await;
    let empty = || {
        let cloud = cloud.clone();
        let emptied = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(cloud.reset());
        });
        emptied.join().expect("the counterpart can be emptied");
        aws.clone()
    };
    testing::conformance(empty, deployment).await;
    println!("ok conformance {}", deployment.scope.function);
}

/// Each call goes wrong once, in each way.
async fn converges(cloud: &Cloud, deployment: &Deployment, kind: &str, cut: &Cut) {
    let start = |call: Option<usize>| {
        let (cloud, cut, scope) = (cloud.clone(), cut.clone(), deployment.scope.clone());
        async move {
            cloud.reset().await;
            cloud.clear(&scope).await;
            let proxy = Proxy::start(cloud.address, call.map(|call| (call, cut))).await;
            let deployer = deployer(proxy.endpoint()).await;
            (deployer, move || proxy.count() > call.unwrap_or_default())
        }
    };
    let runs = testing::converges(start, deployment).await;
    let failures: usize = runs.iter().map(|run| run.failures).sum();
    assert!(failures == 0 || *cut != Cut::Throttled, "a throttled call is tried again: {runs:?}");
    println!(
        "ok converge {kind}: each of {} calls goes wrong once; {failures} deploys failed before one succeeded",
        runs.len()
    );
}

/// What the nearest peer gets wrong, and this must not.
mod weaknesses {
    use super::{Cloud, Cut, Proxy, Silent, deploy, deployer, rich, testing};
    use omnifn_deploy::{Deployment, package::Provider};
    use serde_json::{Value, json};

    pub(super) async fn check(cloud: &Cloud) {
        unchanged_code_is_not_sent_again(cloud).await;
        another_role_is_taken(cloud).await;
        what_was_changed_by_hand_is_mended(cloud).await;
        code_goes_before_configuration_and_names_its_architecture(cloud).await;
        a_role_that_is_not_ready_is_waited_for(cloud).await;
        nothing_leaks_from_a_deploy_that_failed(cloud).await;
    }

    /// What was sent and changes something: method, path and body.
    fn writes(proxy: &Proxy, from: usize) -> Vec<(String, Value)> {
        let sent = proxy.sent().into_iter().skip(from).filter(|sent| sent.method != "GET");
        let is_form =
            |body: &str| body.starts_with("Action=Get") || body.starts_with("Action=List");
        let sent = sent.filter(|sent| !sent.body.as_deref().is_some_and(is_form));
        let sent = sent.filter(|sent| {
            let target = sent.headers.iter().find(|(name, _)| name == "x-amz-target");
            !target
                .is_some_and(|(_, target)| target.contains("Describe") || target.contains("List"))
        });
        let body = |body: Option<String>| {
            body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default()
        };
        sent.map(|sent| (format!("{} {}", sent.method, sent.uri), body(sent.body))).collect()
    }

    fn paths(writes: &[(String, Value)]) -> Vec<&str> {
        let last = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
        writes.iter().map(|(path, _)| &path[last(path)..]).collect()
    }

    fn plain() -> Deployment {
        testing::deployment(Provider::Aws, "plain")
    }

    async fn unchanged_code_is_not_sent_again(cloud: &Cloud) {
        cloud.reset().await;
        let proxy = Proxy::start(cloud.address, None).await;
        let deployer = deployer(proxy.endpoint()).await;
        deploy(&deployer, &rich()).await;
        let before = proxy.sent().len();
        deploy(&deployer, &rich()).await;
        let again = writes(&proxy, before);
        assert!(again.is_empty(), "{again:#?}");
        println!("ok peer D1: a second deploy sends nothing that changes anything");
    }

    async fn another_role_is_taken(cloud: &Cloud) {
        cloud.reset().await;
        let trust = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
        let form = format!(
            "Action=CreateRole&Version=2010-05-08&RoleName=other&AssumeRolePolicyDocument={trust}"
        );
        let header = ("content-type", "application/x-www-form-urlencoded");
        cloud.send(reqwest::Method::POST, "/", "iam", &[header], &form).await;
        let proxy = Proxy::start(cloud.address, None).await;
        let deployer = deployer(proxy.endpoint()).await;
        deploy(&deployer, &plain()).await;
        let mut changed = plain();
        let role = "arn:aws:iam::123456789012:role/other";
        changed.settings.aws.role = Some(role.to_owned());
        let before = proxy.sent().len();
        deploy(&deployer, &changed).await;
        let writes = writes(&proxy, before);
        let configured = writes.iter().find(|(path, _)| path.ends_with("/configuration"));
        let (_, body) = configured.expect("the configuration is sent");
        assert_eq!(body["Role"], json!(role));
        assert!(!paths(&writes).contains(&"code"), "{writes:#?}");
        assert!(deployer.plan(&changed).await.expect("a plan").is_empty());
        println!("ok peer D2: another role alone is taken, without the code");
    }

    async fn what_was_changed_by_hand_is_mended(cloud: &Cloud) {
        cloud.reset().await;
        let deployer = deployer(format!("http://{}", cloud.address)).await;
        deploy(&deployer, &plain()).await;
        let path = "/2015-03-31/functions/shop-test-plain/configuration";
        let json = [("content-type", "application/json")];
        let body = r#"{"Runtime":"provided.al2","Handler":"other"}"#;
        cloud.send(reqwest::Method::PUT, path, "lambda", &json, body).await;
        let plan = deployer.plan(&plain()).await.expect("a plan");
        let changed: Vec<_> =
            plan.steps[0].changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(changed, ["handler", "is-published", "runtime"], "{plan:#?}");
        deploy(&deployer, &plain()).await;
        assert!(deployer.plan(&plain()).await.expect("a plan").is_empty());
        println!(
            "ok peer D3, D11: a runtime that was changed by hand is shown in the plan, and mended"
        );
    }

    async fn code_goes_before_configuration_and_names_its_architecture(cloud: &Cloud) {
        cloud.reset().await;
        let proxy = Proxy::start(cloud.address, None).await;
        let deployer = deployer(proxy.endpoint()).await;
        deploy(&deployer, &plain()).await;
        let mut changed = plain();
        changed.code = testing::archive(Provider::Aws, "second");
        changed.settings.description = Some("another one".to_owned());
        let before = proxy.sent().len();
        deploy(&deployer, &changed).await;
        let writes = writes(&proxy, before);
        assert_eq!(paths(&writes), ["code", "configuration", "versions", "live"], "{writes:#?}");
        assert_eq!(writes[0].1["Architectures"], json!(["x86_64"]));
        assert_eq!(writes[2].1["CodeSha256"], json!(changed.code.artifact().code_sha256));
        println!(
            "ok peer D4, D8: code with its architecture, configuration, version, traffic, in this order"
        );
    }

    /// The number of the call that makes the function.
    async fn creation(cloud: &Cloud) -> usize {
        cloud.reset().await;
        let proxy = Proxy::start(cloud.address, None).await;
        deploy(&deployer(proxy.endpoint()).await, &plain()).await;
        let calls = proxy.calls();
        let made = calls.iter().position(|call| call.starts_with("POST /2015-03-31/functions"));
        made.expect("the function is made")
    }

    async fn refusing(cloud: &Cloud, message: &'static str) -> Proxy {
        let number = creation(cloud).await;
        cloud.reset().await;
        let headers = [
            ("content-type", "application/json"),
            ("x-amzn-errortype", "InvalidParameterValueException"),
        ];
        Proxy::start(cloud.address, Some((number, Cut::answer(400, &headers, message)))).await
    }

    async fn a_role_that_is_not_ready_is_waited_for(cloud: &Cloud) {
        let message =
            r#"{"message":"The role defined for the function cannot be assumed by Lambda."}"#;
        let proxy = refusing(cloud, message).await;
        deploy(&deployer(proxy.endpoint()).await, &plain()).await;
        println!(
            "ok peer D5, D6: a role that is not ready is waited for, and the first deploy has its alias"
        );
    }

    async fn nothing_leaks_from_a_deploy_that_failed(cloud: &Cloud) {
        let proxy = refusing(cloud, r#"{"message":"no"}"#).await;
        let deployer = deployer(proxy.endpoint()).await;
        let failed = deployer.deploy(&plain(), &Silent).await.expect_err("it is refused");
        assert_eq!(failed.code(), Some("InvalidParameterValueException"), "{failed:?}");
        let scope = plain().scope;
        let removed = deployer.remove(&scope, &Silent).await.expect("it can be removed");
        assert_eq!(removed.steps.len(), 2, "the role and the log group: {removed:#?}");
        assert!(deployer.status(&scope).await.expect("it can be read").is_empty());
        println!("ok peer D7: what a deploy that failed has made is found and removed");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().expect("the counterpart's endpoint");
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let command = arguments.next();
    let is_localstack = command.as_deref() == Some("localstack");
    let kept = is_localstack.then(Arc::default);
    let cloud = Cloud { address: address.parse().expect("an address"), kept };
    let all = all(!is_localstack);
    match command.as_deref() {
        Some("check") => {
            let mut recorded = String::new();
            for deployment in &all {
                recorded += &round_trip(&cloud, deployment).await;
            }
            if let Some(path) = arguments.next() {
                std::fs::write(path, recorded).expect("the requests can be written down");
            }
            for deployment in &all {
                conforms(&cloud, deployment).await;
            }
            weaknesses::check(&cloud).await;
        }
        Some("converge") => {
            for (kind, cut) in cuts() {
                converges(&cloud, &rich(), kind, &cut).await;
            }
        }
        Some("localstack") => {
            for deployment in &all {
                round_trip(&cloud, deployment).await;
                changes(&cloud, deployment).await;
            }
            // Its mappings take seconds to come and to go: that of the URL is tried.
            converges(&cloud, &others()[0], "answer lost", &Cut::AnswerLost).await;
        }
        Some("deploy") => {
            cloud.reset().await;
            let deployer = deployer(endpoint.clone()).await;
            for deployment in &all {
                let plan = deploy(&deployer, deployment).await;
                println!("ok deploy {}: {} steps", deployment.scope, plan.steps.len());
            }
        }
        Some("remove") => {
            let deployer = deployer(endpoint.clone()).await;
            for scope in deployer.list("shop", "test").await.expect("functions can be listed") {
                let plan = deployer.remove(&scope, &Silent).await.expect("it can be removed");
                println!("ok remove {scope}: {} steps", plan.steps.len());
            }
        }
        other => panic!(
            "`check`, `converge`, `deploy`, `remove` or `localstack` is wanted, not {other:?}"
        ),
    }
}
