//! AWS, as far as that goes without anything that speaks its APIs: what a deployment becomes there, what cannot be had, who may not
//! come in, and what errors mean. `cargo xtask real` deploys to moto's server.

use omnifn_deploy::{
    Deployer, Deployment, Error, Identity, Provider as _, Resource, Scope, Settings, Silent,
    aws::Aws, has_reference, package::Provider, retry::Budget, testing,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

fn settings(value: Value) -> Settings {
    serde_json::from_value(value).unwrap()
}

fn deployment(function: &str, settings: Settings) -> Deployment {
    let scope = Scope::new("shop", "prod", function).unwrap();
    Deployment::new(scope, settings, testing::archive(Provider::Aws, "first")).unwrap()
}

/// Its settings, and one kind of trigger in all its forms.
fn rich(triggers: &Value) -> Deployment {
    let settings = settings(json!({
        "description": "ships orders",
        "memory": "512MiB",
        "timeout": "1m",
        "env": { "RUST_LOG": "info" },
        "secrets": { "DB_URL": "orders-db-url" },
        "labels": { "team": "shop" },
        "triggers": triggers,
        "aws": {
            "policies": ["arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"],
            "ephemeral-storage": "1GiB",
            "layers": ["arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension:17"],
            "vpc": { "subnets": ["subnet-2", "subnet-1"], "security-groups": ["sg-1"] },
            "file-systems": [{ "arn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1", "mount": "/mnt/data" }],
            "tracing": true,
            "log-retention": "30d",
            "reserved-concurrency": 5,
            "provisioned-concurrency": 1,
            "on-failure": "arn:aws:sqs:eu-west-1:123456789012:failed",
            "max-retries": 0,
            "max-event-age": "1h",
        },
    }));
    deployment("orders", settings)
}

fn queues() -> Value {
    json!({
        "orders": { "type": "queue", "batch-size": 100, "batch-window": "5s", "max-concurrency": 10 },
        "orders-fifo": { "type": "queue", "queue": "orders.fifo", "partial-failures": false },
        "returns": { "type": "queue", "topic": "returns", "filter": "{\"kind\":[\"book\"]}", "dead-letter": "failed" },
        "clicks": { "type": "queue", "stream": "clicks", "max-attempts": 3, "dead-letter": "arn:aws:sqs:eu-west-1:123456789012:failed" },
        "views": { "type": "queue", "kafka": { "topic": "views", "cluster": "arn:aws:kafka:eu-west-1:123456789012:cluster/shop/1" } },
        "sales": { "type": "queue", "kafka": { "topic": "sales", "servers": ["b1:9096"], "consumer-group": "shop",
                   "secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf" } },
    })
}

/// One function for each other kind of trigger.
fn others() -> Vec<Deployment> {
    let of = |function, triggers| deployment(function, settings(json!({ "triggers": triggers })));
    let cors = json!({ "origins": ["https://example.com"], "methods": ["GET"], "max-age": "1h" });
    let input = json!({ "a": 1 });
    vec![
        of(
            "create",
            json!({ "url": { "type": "http", "auth": "none", "stream": true, "cors": cors } }),
        ),
        of("private", json!({ "url": { "type": "http" } })),
        of(
            "report",
            json!({
                "nightly": { "type": "timer", "schedule": "30 2 * * 1-5", "timezone": "Europe/Berlin", "input": input },
                "hourly": { "type": "timer", "schedule": "0 * * * *" },
            }),
        ),
        of(
            "resize",
            json!({ "photos": { "type": "storage", "prefix": "in/", "suffix": ".jpg", "changes": ["deleted", "created"] } }),
        ),
        of(
            "index",
            json!({ "users": { "type": "database", "batch-size": 10, "stream": "arn:aws:dynamodb:eu-west-1:123456789012:table/users/stream/1" } }),
        ),
        of(
            "audit",
            json!({ "shop": { "type": "event", "bus": "shop", "pattern": { "source": ["shop"] } } }),
        ),
        of("call", json!({ "anybody": { "type": "direct" } })),
    ]
}

fn all() -> Vec<Deployment> {
    std::iter::once(rich(&queues())).chain(others()).collect()
}

async fn aws(endpoint: SocketAddr) -> Aws {
    let budget = Budget::of(Duration::from_secs(2))
        .pauses(Duration::from_millis(1), Duration::from_millis(5));
    let builder = Aws::builder().region("eu-west-1").credentials("test", "hunter2").budget(budget);
    builder.endpoint(format!("http://{endpoint}")).build().await.unwrap()
}

/// Nobody is asked.
async fn resources(deployment: &Deployment) -> Result<Vec<Resource>, Error> {
    let aws = aws(([127, 0, 0, 1], 9).into()).await;
    aws.resources(deployment, &Identity::new("123456789012", "eu-west-1"))
}

/// Set, the fixture is written anew rather than compared.
const UPDATE: &str = "OMNIFN_UPDATE_FIXTURES";

#[tokio::test]
async fn a_deployment_becomes_these_resources() {
    let mut found = serde_json::Map::new();
    for deployment in all() {
        let resources = resources(&deployment).await.unwrap();
        let resources = resources.into_iter().map(|resource| {
            let mut properties = resource.properties;
            // That of the archive, which is not what this is about.
            properties.entry("code-sha256").and_modify(|sha256| *sha256 = json!("..."));
            (resource.id.to_string(), Value::Object(properties))
        });
        found.insert(deployment.scope.function.clone(), Value::Object(resources.collect()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/aws.json");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    for (function, found) in found {
        assert_eq!(found, expected[&function], "{function}: set `{UPDATE}` to write it anew");
    }
}

#[tokio::test]
async fn a_deployment_is_the_same_resources_each_time() {
    for deployment in all() {
        let (one, other) = (resources(&deployment).await, resources(&deployment).await);
        assert_eq!(one.unwrap(), other.unwrap());
    }
}

#[tokio::test]
async fn references_are_to_what_comes_before() {
    for deployment in all() {
        let mut before = BTreeSet::new();
        for resource in resources(&deployment).await.unwrap() {
            let text = Value::Object(resource.properties.clone()).to_string();
            if has_reference(&Value::Object(resource.properties)) {
                let known = before.iter().any(|id| text.contains(&format!("${{{id}.")));
                assert!(known, "{}: {text}", resource.id);
            }
            assert!(before.insert(resource.id.to_string()), "{} is there twice", resource.id);
        }
    }
}

#[tokio::test]
async fn ids_of_the_statements_of_a_policy_are_unique() {
    let deployment = rich(&json!({
        "a-b": { "type": "queue" }, "ab": { "type": "queue" }, "a.b": { "type": "queue", "queue": "third" },
        "one": { "type": "queue", "kafka": { "topic": "x", "servers": ["b:1"] } },
        "two": { "type": "queue", "kafka": { "topic": "y", "servers": ["b:1"] } },
    }));
    let resources = resources(&deployment).await.unwrap();
    let statements = resources[0].properties["policy"]["Statement"].as_array().unwrap();
    let ids: BTreeSet<_> = statements.iter().map(|statement| statement["Sid"].as_str()).collect();
    assert_eq!(ids.len(), statements.len(), "{ids:?}");
}

#[track_caller]
fn check(found: &Result<Vec<Resource>, Error>, what: &Value, expected: &str) {
    let error = found.as_ref().expect_err(&what.to_string());
    assert!(error.is_setting() && error.to_string().contains(expected), "{what}: {error}");
}

#[tokio::test]
async fn what_cannot_be_had_is_told() {
    for (what, expected) in [
        (
            json!({ "aws": { "log-retention": "2d" } }),
            "`aws.log-retention`: it is 2d, but aws takes 1d, 3d",
        ),
        (
            json!({ "aws": { "max-retries": 3 } }),
            "`aws.max-retries`: it is 3 retries, but aws takes 0 to 2",
        ),
        (json!({ "aws": { "max-event-age": "7h" } }), "`aws.max-event-age`"),
        (json!({ "aws": { "on-failure": "failed" } }), "`failed` is no ARN"),
        (json!({ "aws": { "ephemeral-storage": "11GiB" } }), "`aws.ephemeral-storage`"),
        (json!({ "aws": { "provisioned-concurrency": 0 } }), "`aws.provisioned-concurrency`"),
        (
            json!({ "secrets": { "DB_URL": "orders-db-url" } }),
            "AWS-Parameters-and-Secrets-Lambda-Extension",
        ),
        (json!({ "env": { "A": "b" } }), "two or more letters"),
        (json!({ "env": { "MÜLL": "b" } }), "two or more letters"),
    ] {
        check(&resources(&deployment("orders", settings(what.clone()))).await, &what, expected);
    }
    let mut full = json!({ "triggers": { "q": { "type": "queue" } } });
    full["env"] = json!({ "FILL": "x".repeat(4_080) });
    let found = resources(&deployment("orders", settings(full.clone()))).await;
    check(&found, &json!("4 KB with what omnifn sets"), "`env`: with what omnifn sets beside it");
}

#[tokio::test]
async fn triggers_that_cannot_be_had_are_told() {
    for (what, expected) in [
        (json!({ "type": "queue", "batch-size": 11 }), "`triggers.t.batch-window`"),
        (json!({ "type": "queue", "batch-size": 0 }), "it is 0 messages, but aws takes 1 to 10000"),
        (json!({ "type": "queue", "queue": "a.fifo", "batch-size": 11 }), "1 to 10"),
        (
            json!({ "type": "queue", "queue": "a.fifo", "batch-window": "1s" }),
            "a FIFO queue has none",
        ),
        (json!({ "type": "queue", "max-concurrency": 1 }), "2 to 1000"),
        (json!({ "type": "queue", "dead-letter": "failed" }), "redrive policy"),
        (json!({ "type": "queue", "max-attempts": 3 }), "redrive policy"),
        (json!({ "type": "queue", "topic": "a", "queue": "b" }), "name one of"),
        (json!({ "type": "queue", "topic": "a", "batch-size": 10 }), "SNS delivers each message"),
        (json!({ "type": "queue", "topic": "a", "filter": "{" }), "no filter policy in JSON"),
        (json!({ "type": "queue", "stream": "a", "dead-letter": "failed" }), "write the ARN"),
        (json!({ "type": "queue", "batch-window": "6m" }), "0 to 300"),
        (json!({ "type": "queue", "kafka": { "topic": "" } }), "`triggers.t.kafka.topic`"),
        (json!({ "type": "queue", "kafka": { "topic": "a" } }), "`cluster` or the `servers`"),
        (json!({ "type": "database", "document": "users/{id}" }), "the ARN of the table's stream"),
        (json!({ "type": "event", "filters": { "type": "x" } }), "an event pattern"),
        (json!({ "type": "timer", "schedule": "0 8 1 * MON" }), "two triggers"),
        (json!({ "type": "timer", "schedule": "rate(1 day)" }), "`triggers.t.schedule`"),
    ] {
        let triggers = json!({ "triggers": { "t": what } });
        check(&resources(&deployment("orders", settings(triggers))).await, &what, expected);
    }
    let twice = json!({ "triggers": { "a": { "type": "queue", "queue": "q" }, "b": { "type": "queue", "queue": "q" } } });
    check(
        &resources(&deployment("orders", settings(twice.clone()))).await,
        &twice,
        "mean the same",
    );
    let urls = json!({ "triggers": { "a": { "type": "http" }, "b": { "type": "http" } } });
    check(&resources(&deployment("orders", settings(urls.clone()))).await, &urls, "one URL");
}

#[tokio::test]
async fn permissions_name_what_they_are_for() {
    let aws = aws(([127, 0, 0, 1], 9).into()).await;
    let resources = resources(&rich(&queues())).await.unwrap();
    let permissions = aws.permissions(&resources);
    let has = |action: &str, resource: &str| {
        permissions.iter().any(|there| there.action == action && there.resource == resource)
    };
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:shop-prod-orders";
    for (action, resource) in [
        ("lambda:CreateFunction", function),
        ("lambda:UpdateAlias", function),
        ("lambda:InvokeFunction", &format!("{function}:*")),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/shop-prod-orders"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/shop-prod-orders"),
        ("iam:GetRole", "arn:aws:iam::123456789012:role/shop-prod-orders-scheduler"),
        ("lambda:CreateEventSourceMapping", "*"),
        ("sns:Subscribe", "arn:aws:sns:eu-west-1:123456789012:returns"),
        (
            "secretsmanager:DescribeSecret",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-db-url-??????",
        ),
        ("ec2:DescribeSubnets", "*"),
        ("elasticfilesystem:DescribeMountTargets", "*"),
        ("scheduler:ListSchedules", "*"),
    ] {
        assert!(has(action, resource), "{action} on {resource}: {permissions:#?}");
    }
    // IAM takes no other partition than a whole one.
    let wide = permissions.iter().find(|there| there.resource.starts_with("arn:*"));
    assert!(wide.is_none(), "{wide:?}");
    assert!(!permissions.iter().any(|there| there.action.ends_with('*')), "{permissions:#?}");
}

/// Gives every request the same answer.
async fn answering(status: &'static str, headers: &'static str, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 65_536];
            let _ = stream.read(&mut request).await;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\n{headers}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

const XML: &str = "content-type: text/xml";

#[tokio::test]
async fn keys_that_are_not_taken_are_an_error_of_credentials() {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in \
                the request is expired</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let aws = aws(answering("403 Forbidden", XML, body).await).await;
    let started = Instant::now();
    let error = aws.identity().await.unwrap_err();
    assert!(error.is_credentials() && started.elapsed() < Duration::from_secs(2), "{error:?}");
    let text = error.to_string();
    for source in ["environment", "profile", "web identity", "container", "instance"] {
        assert!(text.contains(source), "{source}: {text}");
    }
    assert!(text.contains("ExpiredToken") && text.contains("GetCallerIdentity"), "{text}");
    assert!(!format!("{error:?} {aws:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn what_is_not_allowed_names_the_action() {
    let headers = "content-type: application/json\r\nx-amzn-errortype: AccessDeniedException";
    let body = r#"{"Message":"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: lambda:ListFunctions"}"#;
    let aws = aws(answering("403 Forbidden", headers, body).await).await;
    let error = aws.list("shop", "prod").await.unwrap_err();
    assert!(
        error.is_credentials() && error.to_string().contains("lambda:ListFunctions"),
        "{error}"
    );
}

#[tokio::test]
async fn a_provider_that_is_too_busy_may_be_asked_again() {
    let headers = "content-type: application/json\r\nx-amzn-errortype: TooManyRequestsException";
    let address =
        answering("429 Too Many Requests", headers, r#"{"message":"Rate exceeded"}"#).await;
    let error = aws(address).await.list("shop", "prod").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(error.code(), Some("TooManyRequestsException"));
    let address = answering("500 Internal Server Error", "content-type: text/html", "<html>").await;
    let error = aws(address).await.list("shop", "prod").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn nobody_who_answers_is_unreachable() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = aws(address).await.list("shop", "prod").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_nobody_understands_is_an_error() {
    for body in ["", "{", "[]", "\u{0}", "{\"Functions\":7}"] {
        let address = answering("200 OK", "content-type: application/json", body).await;
        let deployer = Deployer::new(aws(address).await);
        let deployed = deployer.deploy(&deployment("orders", Settings::default()), &Silent).await;
        deployed.unwrap_err();
    }
}

/// Set in the process that looks for credentials.
const ALONE: &str = "OMNIFN_TEST_WITHOUT_CREDENTIALS";

/// Where nobody has any: the environment is another process's own.
#[tokio::test]
async fn without_credentials_all_sources_are_named_within_two_seconds() {
    if std::env::var_os(ALONE).is_some() {
        let aws = Aws::builder().region("eu-west-1").build().await.unwrap();
        let started = Instant::now();
        let error = aws.identity().await.unwrap_err();
        assert!(started.elapsed() < Duration::from_millis(2_500), "{:?}", started.elapsed());
        assert!(error.is_credentials(), "{error:?}");
        let text = error.to_string();
        for source in ["environment", "profile", "web identity", "container", "instance"] {
            assert!(text.contains(source), "{source}: {text}");
        }
        return;
    }
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let home = tempfile::tempdir().unwrap();
    let metadata = format!("http://{}", silent.local_addr().unwrap());
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["without_credentials_all_sources", "--nocapture"]).env(ALONE, "1");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_"))
    {
        alone.env_remove(name);
    }
    let alone = alone.env("HOME", home.path()).env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata);
    let output = alone.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
