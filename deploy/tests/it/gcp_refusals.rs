//! What is refused on Google, and what is said of it.

use crate::gcp::{Clouds, PROJECT, REGION, deployment, gcp, identity, public};
use omnifn_deploy::testing::chain;
use omnifn_deploy::{
    Action, Deployer, Error, Provider as _, Silent,
    gcp::{Gcp, GcpCredentials, GcpEndpoints},
    package::Kind,
    retry::Budget,
};
use omnifn_local::{GcpApi, GcpApiOptions};
use serde_json::{Value, json};
use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

async fn post(url: &str, body: &Value) {
    let answer = reqwest::Client::new().post(url).bearer_auth("x").json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.text().await.unwrap());
}

/// What is said of a deployment with these settings, by whom nobody answers: it is refused before.
async fn refused(settings: Value) -> String {
    let deployer = Deployer::new(gcp("http://127.0.0.1:1"));
    let error = deployer.resources(&deployment(Kind::Source, settings)).await.unwrap_err();
    assert!(error.is_setting(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn names_that_google_sets_itself_are_refused() {
    for name in ["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "X_GOOGLE_TARGET_PLATFORM"] {
        for key in ["env", "secrets"] {
            assert_eq!(
                refused(json!({ key: { name: "x" } })).await,
                format!("`{key}.{name}`: gcp keeps this name for itself: choose another one")
            );
        }
    }
}

#[tokio::test]
async fn what_is_outside_the_limits_is_refused_with_the_limit() {
    for (settings, expected) in [
        (json!({ "memory": "64MiB" }), "`memory`: it is 64MiB, but gcp allows 128MiB or more"),
        (json!({ "memory": "33GiB" }), "`memory`: it is 33GiB, but gcp allows at most 32GiB"),
        (json!({ "timeout": "61m" }), "`timeout`: it is 61m, but gcp allows at most 1h"),
        (json!({ "timeout": "0s" }), "`timeout`: it is 0s, but gcp allows 1s or more"),
    ] {
        assert_eq!(refused(settings).await, expected);
    }
}

#[test]
fn combinations_that_google_does_not_have_are_refused() {
    let gcp = gcp("http://127.0.0.1:1");
    for (settings, expected) in [
        (
            json!({ "gcp": { "concurrency": 1001 } }),
            "`gcp.concurrency`: it is 1001, but gcp allows 1 to 1000",
        ),
        (
            json!({ "gcp": { "concurrency": 0 } }),
            "`gcp.concurrency`: it is 0, but gcp allows 1 to 1000",
        ),
        (
            json!({ "gcp": { "cpu": "0.5", "concurrency": 80 } }),
            "`gcp.concurrency`: it is 80, but with less than one processor gcp allows 1",
        ),
        (
            json!({ "memory": "1GiB", "gcp": { "cpu": "4" } }),
            "`memory`: it is 1GiB, but 4 processors need 2048MiB or more",
        ),
        (
            json!({ "gcp": { "cpu": "0.5", "billing": "instance" } }),
            "`gcp.billing`: `instance` needs one processor and 512MiB of memory or more",
        ),
        (
            json!({ "triggers": { "t": { "type": "timer", "schedule": "cron(0 3 * * ? *)" } } }),
            "that is AWS's dialect",
        ),
        (
            json!({ "triggers": { "t": { "type": "timer", "schedule": "rate(5 minutes)" } } }),
            "that is AWS's dialect",
        ),
        (
            json!({ "triggers": { "t": { "type": "timer", "schedule": "0 3 * * ? *" } } }),
            "those six look like AWS's dialect",
        ),
    ] {
        let error = gcp.resources(&deployment(Kind::Source, settings), &identity()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_setting(), "{error}");
    }
}

#[test]
fn a_project_or_region_that_is_none_is_refused() {
    for (project, region, expected) in [
        ("", REGION, "`gcp.project`: it is ``, but must be a project's id, such as `shop-live`"),
        ("Shop", REGION, "`gcp.project`: it is `Shop`"),
        (PROJECT, "", "`gcp.region`: it is ``, but must be a region's id, such as `europe-west1`"),
        (PROJECT, "eu/../x", "`gcp.region`: it is `eu/../x`"),
    ] {
        let error = Gcp::builder().project(project).region(region).build().unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_our_labels_is_refused_until_it_is_adopted() {
    let clouds = Clouds::new().await;
    let endpoint = clouds.start();
    let services = format!("{endpoint}/v2/projects/{PROJECT}/locations/{REGION}/services");
    let registry = format!("{REGION}-docker.pkg.dev/{PROJECT}/omnifn");
    // Somebody's own service, made by hand from an image that is there.
    let mut pushed = deployment(Kind::Image, json!({}));
    pushed.scope = omnifn_deploy::Scope::new("shop", "test", "other").unwrap();
    let deployer = Deployer::new(gcp(&endpoint));
    deployer.deploy(&pushed, &Silent).await.unwrap();
    let image = pushed.code.artifact().image.as_ref().unwrap();
    let image = format!("{registry}/shop-test-other@{}", image.manifest.digest);
    let service = json!({ "template": { "containers": [{ "image": image }] } });
    post(&format!("{services}?serviceId=shop-test-orders"), &service).await;

    let mut deployment = deployment(Kind::Source, json!({}));
    let found = async || {
        let url = format!("{services}/shop-test-orders");
        let answer = reqwest::Client::new().get(url).bearer_auth("x").send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let before = found().await;
    let error = deployer.plan(&deployment).await.unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "`service/shop-test-orders` is there, but omnifn did not make it for this function: set `adopt = true` to take it \
         over, or choose another name"
    );
    deployer.deploy(&deployment, &Silent).await.unwrap_err();
    deployer.remove(&deployment.scope, &Silent).await.unwrap();
    assert_eq!(found().await["generation"], before["generation"], "it is as it was");

    deployment.settings.adopt = true;
    let (plan, _) = deployer.deploy(&deployment, &Silent).await.unwrap();
    let step = plan.steps.iter().find(|step| step.id.kind == "service").unwrap();
    assert_eq!(step.action, Action::Update);
    deployment.settings.adopt = false;
    assert!(deployer.plan(&deployment).await.unwrap().is_empty(), "it is ours now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_is_named() {
    let clouds = Clouds::new().await;
    let deployer = Deployer::new(gcp(&clouds.start()));
    let deployment = deployment(Kind::Source, json!({ "secrets": { "DB_URL": "nowhere" } }));
    let error = deployer.deploy(&deployment, &Silent).await.unwrap_err();
    let text = chain(&error);
    assert!(text.contains("nowhere"), "{text}");
    assert!(text.contains("running again is safe"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_project_gets_no_program() {
    let clouds = Clouds::new().await;
    let directory = tempfile::tempdir().unwrap();
    let mut options = GcpApiOptions::new(directory.path());
    "stranger".clone_into(&mut options.project);
    "999".clone_into(&mut options.project_number);
    let stranger = GcpApi::start(options).unwrap();
    // Buckets' names are the whole world's: whoever is first has it.
    let name = format!("run-sources-{PROJECT}-{REGION}");
    let url = format!("{}/storage/v1/b?project=stranger", stranger.endpoint());
    post(&url, &json!({ "name": name, "location": REGION })).await;

    let mut endpoints = GcpEndpoints::one(&clouds.start());
    endpoints.storage = stranger.endpoint();
    let gcp = Gcp::builder().project(PROJECT).region(REGION).endpoints(endpoints);
    let gcp = gcp.credentials(GcpCredentials::Token("local".into())).build().unwrap();
    let deployer = Deployer::new(gcp);
    let error = deployer.deploy(&deployment(Kind::Source, json!({})), &Silent).await.unwrap_err();
    assert_eq!(
        chain(&error),
        format!(
            "`gcp.bucket`: the bucket `{name}` belongs to another project: set this to one of your own"
        )
    );
    let url = format!("{}/storage/v1/b/{name}/o", stranger.endpoint());
    let objects = reqwest::Client::new().get(url).bearer_auth("x").send().await.unwrap();
    assert!(!objects.text().await.unwrap().contains("services/"), "nothing was uploaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewed_plan_is_refused_once_google_has_something_else() {
    let clouds = Clouds::new().await;
    let deployer = Deployer::new(gcp(&clouds.start()));
    let deployment = deployment(Kind::Source, public());
    let reviewed = serde_json::to_value(deployer.plan(&deployment).await.unwrap()).unwrap();
    let reviewed = serde_json::from_value(reviewed).unwrap();
    deployer.plan(&deployment).await.unwrap().check(&reviewed).unwrap();
    let mut other = deployment.clone();
    other.settings.env.insert("COLOUR".into(), "blue".into());
    deployer.deploy(&other, &Silent).await.unwrap();
    let error = deployer.plan(&deployment).await.unwrap().check(&reviewed).unwrap_err();
    assert!(matches!(&error, Error::Stale { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("the plan does not fit any more: "), "{text}");
    assert!(!text.contains("blue"), "{text}");
}

/// Everything that is told while it is open, by any test: only a global one hears of what other threads began.
#[derive(Clone, Debug)]
struct Log(Arc<Mutex<Option<String>>>);

impl Log {
    fn write(&self, told: impl FnOnce(&mut dyn tracing::field::Visit)) {
        if let Some(log) = &mut *self.0.lock().unwrap() {
            log.push('\n');
            told(&mut Fields(log));
        }
    }
}

struct Fields<'a>(&'a mut String);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.write(|fields| span.record(fields));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        self.write(|fields| values.record(fields));
    }

    fn event(&self, event: &tracing::Event<'_>) {
        self.write(|fields| event.record(fields));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_stands_in_no_log_error_or_debug() {
    const TOKEN: &str = "ya29.hunter2";
    let clouds = Clouds::new().await;
    let log = Log(Arc::new(Mutex::new(Some(String::new()))));
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let with = |endpoint: &str| {
        let short = Budget::of(Duration::from_millis(50));
        let builder = Gcp::builder().project(PROJECT).region(REGION).endpoint(endpoint);
        let builder = builder.credentials(GcpCredentials::Token(TOKEN.into())).retries(short);
        assert!(!format!("{builder:?}").contains(TOKEN));
        Deployer::new(builder.build().unwrap())
    };
    let endpoint = clouds.start();
    let deployer = with(&endpoint);
    assert!(!format!("{deployer:?} {:?}", deployer.provider()).contains(TOKEN));
    let mut deployment = deployment(Kind::Source, public());
    deployer.deploy(&deployment, &Silent).await.unwrap();
    deployment.settings.secrets.insert("KEY".into(), "nowhere".into());
    for error in [
        deployer.deploy(&deployment, &Silent).await.unwrap_err(),
        with("http://127.0.0.1:1").plan(&deployment).await.unwrap_err(),
        with(&format!("{endpoint}/nothing")).plan(&deployment).await.unwrap_err(),
    ] {
        let text = format!("{} {error:?}", chain(&error));
        assert!(!text.contains(TOKEN) && !text.contains("aHVudGVyMg"), "{text}");
    }
    let log = log.0.lock().unwrap().take().unwrap();
    assert!(log.contains("create service/shop-test-orders"), "something is told: {log}");
    assert!(!log.contains(TOKEN), "{log}");
}
