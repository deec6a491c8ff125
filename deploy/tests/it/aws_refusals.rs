//! What cannot be had on AWS is refused, with what to do about it, and nothing secret is told.

use crate::aws_cloud::{Cloud, aws, builder, deployment, pack, program, writes};
use omnifn_deploy::{
    Action, Deployer, Deployment, Error, Scope, Silent,
    aws::Aws,
    package::Provider,
    testing::{self, chain},
};
use serde_json::json;
use std::{
    fmt,
    sync::{Arc, Mutex},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

#[tokio::test]
async fn a_region_of_another_form_is_refused_before_anybody_is_asked() {
    for region in ["europe-west1", "eu-west", ""] {
        let error = Aws::builder().region(region).build().await.unwrap_err();
        assert!(error.is_setting(), "{error:?}");
        assert!(
            error.to_string().contains("is no region of aws: they are like `eu-west-1`"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn where_nobody_answers_the_region_is_told() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let deployer = Deployer::new(aws(&format!("http://{unused}")).await);
    let error = deployer.identity().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("GetCallerIdentity in eu-west-1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_omnifn_did_not_make_is_left_alone_unless_it_is_adopted() {
    let cloud = Cloud::empty();
    let deployer = cloud.deployer().await;
    // The same name for another scope.
    let named = |app: &str, stage: &str| {
        let mut deployment = testing::deployment(Provider::Aws, "x");
        deployment.scope = Scope::new(app, stage, "x").unwrap();
        deployment
    };
    let (theirs, mut mine) = (named("shop-test", "orders"), named("shop", "test-orders"));
    deployer.deploy(&theirs, &Silent).await.unwrap();
    for error in [
        deployer.plan(&mine).await.unwrap_err(),
        deployer.deploy(&mine, &Silent).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotOurs { .. }), "{error}");
        assert!(error.to_string().contains("set `adopt = true` to take it over"), "{error}");
    }
    deployer.remove(&mine.scope, &Silent).await.unwrap();
    assert!(deployer.plan(&theirs).await.unwrap().is_empty(), "theirs is as it was");
    mine.settings.adopt = true;
    let (plan, _) = deployer.deploy(&mine, &Silent).await.unwrap();
    let function = plan.steps.iter().find(|step| step.id.kind == "function").unwrap();
    assert_eq!(function.action, Action::Update);
    assert!(deployer.plan(&mine).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_outside_the_limits_are_refused_before_anything_is_made() {
    let cloud = Cloud::empty();
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    let timer =
        |schedule: &str| json!({ "triggers": { "t": { "type": "timer", "schedule": schedule } } });
    for (what, expected) in [
        (json!({ "memory": "64MiB" }), "`memory`: it is 64MiB, but aws allows 128MiB or more"),
        (json!({ "memory": "11GiB" }), "`memory`: it is 11GiB, but aws allows at most 10GiB"),
        (json!({ "timeout": "0s" }), "`timeout`: it is 0s, but aws allows 1s or more"),
        (json!({ "timeout": "16m" }), "`timeout`: it is 16m, but aws allows at most 15m"),
        (json!({ "env": { "FILL": "x".repeat(4_100) } }), "`env`"),
        (json!({ "env": { "AWS_REGION": "x" } }), "AWS_REGION"),
        (json!({ "env": { "AWS_LAMBDA_FUNCTION_NAME": "x" } }), "AWS_LAMBDA_FUNCTION_NAME"),
        (json!({ "env": { "_HANDLER": "x" } }), "_HANDLER"),
        (json!({ "env": { "OMNIFN_FUNCTION": "x" } }), "OMNIFN_FUNCTION"),
        // App Engine's, and Cloud Scheduler's as unix-cron has it.
        (timer("every 24 hours"), "`triggers.t.schedule`"),
        (timer("0 8 1 * MON"), "two triggers"),
        (timer("@daily"), "`triggers.t.schedule`"),
    ] {
        let error =
            deployer.deploy(&deployment("orders", what.clone()), &Silent).await.unwrap_err();
        assert!(error.is_setting() && error.to_string().contains(expected), "{what}: {error}");
    }
    let asked = proxy.calls();
    assert!(asked.iter().all(|call| call == "POST /"), "only who asks was asked for: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_is_named_before_anything_is_made() {
    let cloud = Cloud::empty();
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    let layer = "arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension:17";
    let settings =
        json!({ "secrets": { "DB_URL": "orders-db-url" }, "aws": { "layers": [layer] } });
    let wanted = deployment("orders", settings);
    let error = deployer.deploy(&wanted, &Silent).await.unwrap_err();
    assert!(error.is_setting(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("`secrets.DB_URL`: the secret `orders-db-url` is not there"), "{text}");
    assert!(text.contains("aws secretsmanager create-secret --name orders-db-url"), "{text}");
    assert_eq!(writes(&proxy.sent()), []);

    let body = json!({ "Name": "orders-db-url", "SecretString": "hunter2" });
    cloud.json("secretsmanager", "secretsmanager.CreateSecret", body).await;
    deployer.deploy(&wanted, &Silent).await.unwrap();
    assert!(deployer.plan(&wanted).await.unwrap().is_empty());
    let id = json!({ "SecretId": "orders-db-url" });
    let read = cloud.json("secretsmanager", "secretsmanager.GetSecretValue", id.clone()).await;
    assert_eq!(read["SecretString"], "hunter2", "it was only looked for");
    let sent = proxy.sent();
    assert!(sent.iter().all(|sent| !sent.body.as_deref().unwrap_or_default().contains("hunter2")));

    cloud.json("secretsmanager", "secretsmanager.DeleteSecret", id).await;
    let error = deployer.plan(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("is about to be deleted"), "{error}");
    // What is there can be removed all the same.
    deployer.remove(&wanted.scope, &Silent).await.unwrap();
}

#[tokio::test]
async fn a_program_of_300_mb_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(program(), file.path()).unwrap();
    file.as_file().set_len(300 * 1024 * 1024).unwrap();
    let error = pack(file.path()).unwrap_err().to_string();
    assert!(error.contains("has 314572800 bytes, but aws allows 262144000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_made_from_another_state_is_refused_with_what_differs() {
    let cloud = Cloud::empty();
    let deployer = cloud.deployer().await;
    let mut wanted = deployment("orders", json!({}));
    let reviewed = deployer.plan(&wanted).await.unwrap().reviewed();
    deployer.deploy(&wanted, &Silent).await.unwrap();
    wanted.settings.memory = "512MiB".parse().unwrap();
    let now = deployer.plan(&wanted).await.unwrap();
    let error = now.check(&reviewed).unwrap_err();
    let Error::Stale { differences } = &error else { panic!("{error:?}") };
    assert!(
        differences.iter().any(|it| it.contains("function/shop-test-orders")),
        "{differences:?}"
    );
    now.check(&now.reviewed()).unwrap();
}

const VARIABLE: &str = "value-of-a-variable";

fn secretive() -> Deployment {
    deployment("orders", json!({ "env": { "PASSWORD": VARIABLE } }))
}

#[track_caller]
fn tells_nothing(text: &str) {
    // The second one is the secret of the access key.
    for secret in [VARIABLE, "hunter2"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn nothing_secret_is_in_what_is_shown_told_or_logged() {
    let log = Arc::<Mutex<String>>::default();
    let guard = tracing::subscriber::set_default(Log(log.clone()));
    let cloud = Cloud::empty();
    let provider = aws(&cloud.api.endpoint()).await;
    tells_nothing(&format!("{provider:?} {:?}", builder(&cloud.api.endpoint())));
    let deployer = Deployer::new(provider);
    let mut wanted = secretive();
    let (plan, known) = deployer.deploy(&wanted, &Silent).await.unwrap();
    tells_nothing(&format!("{known:?}"));
    tells_nothing(&serde_json::to_string(&plan).unwrap());
    tells_nothing(&format!("{:?}", plan.reviewed()));
    wanted.settings.env.insert("PASSWORD".to_owned(), "another".to_owned());
    let plan = deployer.plan(&wanted).await.unwrap();
    let changes: Vec<_> = plan.steps.iter().map(omnifn_deploy::Step::masked_changes).collect();
    tells_nothing(&format!("{changes:?} {}", serde_json::to_string(&plan).unwrap()));
    // A refusal that names the step.
    wanted.settings.aws.layers = vec!["arn:aws:lambda:eu-west-1:1:layer:none:1".to_owned()];
    if let Err(error) = deployer.deploy(&wanted, &Silent).await {
        tells_nothing(&format!("{} {error:?}", chain(&error)));
    }
    drop(guard);
    let log = log.lock().unwrap();
    assert!(log.contains("step begins"), "{log}");
    tells_nothing(&log);
}

/// Writes down what this crate says, and what others say that is not for their own developers.
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target.starts_with("omnifn_deploy") || *metadata.level() <= Level::INFO
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Text(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Text(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        let _ = writeln!(self.0, "{field}={value:?}");
    }
}
