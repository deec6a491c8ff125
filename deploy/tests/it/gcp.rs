//! Google, as the control plane on this machine has it: what is deployed there runs.

use omnifn_deploy::{
    Action, Deployer, Deployment, Error, Invocation, LogQuery, Rollout, Scope, Settings, Silent,
    gcp::{Gcp, GcpCredentials},
    package::{Kind, Provider, Target},
    retry::Budget,
    testing::{self, Cut, Proxy},
};
use omnifn_local::{GcpApi, GcpApiOptions};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;

const PROJECT: &str = "shop-live";
const REGION: &str = "europe-west1";

/// A control plane, and where it keeps everything.
struct Cloud {
    api: GcpApi,
    _directory: TempDir,
}

impl Cloud {
    fn start(directory: TempDir) -> Self {
        let mut options = GcpApiOptions::new(directory.path());
        PROJECT.clone_into(&mut options.project);
        options.operation_delay = Duration::from_millis(5);
        Self { api: GcpApi::start(options).unwrap(), _directory: directory }
    }

    async fn send(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.api.endpoint());
        let request = reqwest::Client::new().post(url).bearer_auth("x").json(body);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    }

    async fn add_secret(&self, name: &str) {
        let secrets = format!("/v1/projects/{PROJECT}/secrets");
        let body = json!({ "replication": { "automatic": {} } });
        self.send(&format!("{secrets}?secretId={name}"), &body).await;
        let body = json!({ "payload": { "data": "aHVudGVyMg==" } });
        self.send(&format!("{secrets}/{name}:addVersion"), &body).await;
    }

    fn deployer(&self) -> Deployer {
        Deployer::new(gcp(&self.api.endpoint()))
    }
}

/// As many as are asked for, each with what a deployment refers to.
struct Clouds {
    template: TempDir,
    started: Arc<Mutex<Vec<Cloud>>>,
}

impl Clouds {
    async fn new() -> Self {
        let cloud = Cloud::start(tempfile::tempdir().unwrap());
        cloud.add_secret("orders-db-url").await;
        let template = tempfile::tempdir().unwrap();
        copy(cloud._directory.path(), template.path());
        Self { template, started: Arc::default() }
    }

    /// The address of a new one.
    fn start(&self) -> String {
        let directory = tempfile::tempdir().unwrap();
        copy(self.template.path(), directory.path());
        let cloud = Cloud::start(directory);
        let endpoint = cloud.api.endpoint();
        self.started.lock().unwrap().push(cloud);
        endpoint
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn gcp(endpoint: &str) -> Gcp {
    let pauses = |seconds| {
        Budget::of(Duration::from_secs(seconds))
            .pauses(Duration::from_millis(5), Duration::from_millis(50))
    };
    Gcp::builder()
        .project(PROJECT)
        .region(REGION)
        .endpoint(endpoint)
        .credentials(GcpCredentials::Token("local".into()))
        .retries(pauses(20))
        .waiting(pauses(60))
        .build()
        .unwrap()
}

fn deployment(kind: Kind, settings: Value) -> Deployment {
    let mut settings: Settings = serde_json::from_value(settings).unwrap();
    settings.gcp.path = Some(serde_json::from_value(json!(kind.as_str())).unwrap());
    let scope = Scope::new("shop", "test", "orders").unwrap();
    let code = testing::archive_for(&Target::gcp(kind).unwrap(), "first");
    Deployment::new(scope, settings, code).unwrap()
}

fn public() -> Value {
    json!({
        "description": "takes orders",
        "memory": "512MiB",
        "env": { "RUST_LOG": "info" },
        "secrets": { "DB_URL": "orders-db-url@1" },
        "labels": { "team": "shop" },
        "triggers": { "url": { "type": "http", "auth": "none" } },
        "gcp": { "concurrency": 10, "max-instances": 3, "ingress": "internal-and-load-balancer" },
    })
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_keep_what_every_provider_promises() {
    let clouds = Clouds::new().await;
    testing::conformance(|| gcp(&clouds.start()), &deployment(Kind::Source, public())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn images_keep_what_every_provider_promises() {
    let clouds = Clouds::new().await;
    testing::conformance(|| gcp(&clouds.start()), &deployment(Kind::Image, public())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_converges_whichever_call_goes_wrong() {
    let clouds = Clouds::new().await;
    let busy = r#"{"error":{"code":429,"message":"busy","status":"RESOURCE_EXHAUSTED"}}"#;
    let broken = r#"{"error":{"code":500,"message":"broken","status":"INTERNAL"}}"#;
    for kind in [Kind::Source, Kind::Image] {
        let deployment = deployment(kind, public());
        for cut in [
            Cut::Refused,
            Cut::AnswerLost,
            Cut::answer(429, &[], busy),
            Cut::answer(500, &[], broken),
        ] {
            let cloud = |call: Option<usize>| {
                let (clouds, cut) = (&clouds, cut.clone());
                async move {
                    let address = clouds.start().replace("http://", "").parse().unwrap();
                    let cut = call.map(|call| (call, cut));
                    let proxy = Arc::new(Proxy::start(address, cut).await);
                    let deployer = Deployer::new(gcp(&proxy.endpoint()));
                    let went_wrong = move || proxy.count() > call.unwrap_or_default();
                    (deployer, went_wrong)
                }
            };
            let runs = testing::converges(cloud, &deployment).await;
            assert!(runs.len() >= 25, "{kind} {cut:?}: {} calls", runs.len());
            assert!(runs.iter().all(|run| run.failures <= 1), "{kind} {cut:?}: {runs:?}");
            clouds.started.lock().unwrap().clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_answers_and_a_release_without_traffic_is_reached_by_its_tag() {
    let clouds = Clouds::new().await;
    let deployer = Deployer::new(gcp(&clouds.start()));
    let mut deployment = deployment(Kind::Source, public());
    let (plan, known) = deployer.deploy(&deployment, &Silent).await.unwrap();
    let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "create bucket/run-sources-shop-live-europe-west1".to_owned(),
            format!(
                "create source/run-sources-shop-live-europe-west1/services/shop-test-orders/{}.tar.gz",
                deployment.code.sha256()
            ),
            "create service/shop-test-orders".to_owned(),
            "create traffic/shop-test-orders".to_owned(),
            "create invoker/shop-test-orders/allUsers".to_owned(),
        ]
    );
    assert!(known.url().is_some_and(|url| url.starts_with("http://")), "{:?}", known.url());
    let scope = &deployment.scope;
    let invoked = deployer.invoke(scope, &Invocation::new("x")).await.unwrap();
    assert_eq!((invoked.status, &*invoked.payload), (200, &b"ok"[..]));

    deployment.code = testing::archive(Provider::Gcp, "second");
    deployment.rollout = Rollout::Hold;
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let releases = deployer.releases(scope).await.unwrap();
    assert_eq!(releases.iter().map(|release| release.percent).collect::<Vec<_>>(), [0, 100]);
    assert_eq!(releases[0].sha256.as_deref(), Some(deployment.code.sha256()));
    let mut invocation = Invocation::new("x");
    invocation.release = Some(releases[0].id.clone());
    assert_eq!(deployer.invoke(scope, &invocation).await.unwrap().status, 200);
    // The tag is still there when traffic moves, and traffic where it is.
    deployer.shift(scope, &releases[0].id, 10).await.unwrap();
    let releases = deployer.releases(scope).await.unwrap();
    assert_eq!(releases.iter().map(|release| release.percent).collect::<Vec<_>>(), [10, 90]);
    assert_eq!(deployer.invoke(scope, &invocation).await.unwrap().status, 200);
    deployer.logs(scope, &LogQuery::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_does_not_start_gets_no_traffic_and_is_made_again() {
    let cloud = Cloud::start(tempfile::tempdir().unwrap());
    let deployer = cloud.deployer();
    let mut deployment = deployment(Kind::Source, json!({}));
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let scope = deployment.scope.clone();
    let before = deployer.releases(&scope).await.unwrap();

    deployment.settings.secrets.insert("DB_URL".into(), "later".into());
    let error = deployer.deploy(&deployment, &Silent).await.unwrap_err();
    let text = chain(&error);
    assert!(text.contains("did not start") && text.contains("traffic stays"), "{text}");
    assert!(text.contains("its logs: https://"), "{text}");
    let serving: Vec<_> = deployer.releases(&scope).await.unwrap();
    let serving: Vec<_> = serving.iter().filter(|release| release.percent > 0).collect();
    assert_eq!((serving.len(), &serving[0].id), (1, &before[0].id), "{serving:?}");
    assert_eq!(deployer.invoke(&scope, &Invocation::new("x")).await.unwrap().status, 200);
    let plan = deployer.plan(&deployment).await.unwrap();
    assert_eq!(plan.steps[0].to_string(), "update service/shop-test-orders", "it is not done");

    cloud.add_secret("later").await;
    deployer.deploy(&deployment, &Silent).await.unwrap();
    assert!(deployer.plan(&deployment).await.unwrap().is_empty());
    let releases = deployer.releases(&scope).await.unwrap();
    assert!(releases[0].id.ends_with("-2") && releases[0].percent == 100, "{releases:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_to_what_was_before_is_a_new_release_of_it() {
    let clouds = Clouds::new().await;
    let deployer = Deployer::new(gcp(&clouds.start()));
    let mut deployment = deployment(Kind::Source, json!({ "env": { "COLOUR": "red" } }));
    deployer.deploy(&deployment, &Silent).await.unwrap();
    deployment.settings.env.insert("COLOUR".into(), "blue".into());
    deployer.deploy(&deployment, &Silent).await.unwrap();
    deployment.settings.env.insert("COLOUR".into(), "red".into());
    deployer.deploy(&deployment, &Silent).await.unwrap();
    assert!(deployer.plan(&deployment).await.unwrap().is_empty());
    let releases = deployer.releases(&deployment.scope).await.unwrap();
    assert_eq!(releases.iter().map(|release| release.percent).collect::<Vec<_>>(), [100, 0, 0]);
    // What is no part of a revision makes none.
    deployment.settings.description = Some("takes orders".into());
    deployer.deploy(&deployment, &Silent).await.unwrap();
    assert_eq!(deployer.releases(&deployment.scope).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_omnifn_did_not_make_is_left_alone() {
    let clouds = Clouds::new().await;
    let endpoint = clouds.start();
    let deployer = Deployer::new(gcp(&endpoint));
    let mine = deployment(Kind::Source, json!({}));
    // The same name for another scope: `shop-test` and `orders`, `shop` and `test-orders`.
    let mut theirs = mine.clone();
    theirs.scope = Scope::new("shop-test", "orders", "x").unwrap();
    let mut mine = mine;
    mine.scope = Scope::new("shop", "test-orders", "x").unwrap();
    deployer.deploy(&theirs, &Silent).await.unwrap();
    let error = deployer.plan(&mine).await.unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");
    deployer.remove(&mine.scope, &Silent).await.unwrap();
    assert_eq!(deployer.invoke(&theirs.scope, &Invocation::new("x")).await.unwrap().status, 200);
    mine.settings.adopt = true;
    let plan = deployer.plan(&mine).await.unwrap();
    let service = plan.steps.iter().find(|step| step.id.kind == "service").unwrap();
    assert_eq!(service.action, Action::Update);
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_reads_and_does_nothing_else() {
    let clouds = Clouds::new().await;
    let address = clouds.start().replace("http://", "").parse().unwrap();
    let proxy = Proxy::start(address, None).await;
    let deployer = Deployer::new(gcp(&proxy.endpoint()));
    let deployment = deployment(Kind::Source, public());
    deployer.plan(&deployment).await.unwrap();
    deployer.plan_removal(&deployment.scope).await.unwrap();
    let calls = proxy.calls();
    assert!(!calls.is_empty() && calls.iter().all(|call| call.starts_with("GET ")), "{calls:?}");
}
