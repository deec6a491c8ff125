//! Google, as the control plane on this machine has it: what is deployed there runs.

use crate::folder::copy;
use omnifn_deploy::{
    Action, Deployer, Deployment, Error, Invocation, LogQuery, Rollout, Scope, Settings, Silent,
    gcp::{Gcp, GcpCredentials},
    package::{Kind, Provider, Target},
    retry::Budget,
    testing::{self, Cut, Proxy, chain},
};
use omnifn_local::{GcpApi, GcpApiOptions};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;

pub(crate) const PROJECT: &str = "shop-live";
pub(crate) const REGION: &str = "europe-west1";

/// A control plane, and where it keeps everything.
struct Cloud {
    api: GcpApi,
    directory: TempDir,
}

impl Cloud {
    fn start(directory: TempDir) -> Self {
        let mut options = GcpApiOptions::new(directory.path());
        PROJECT.clone_into(&mut options.project);
        options.operation_delay = Duration::from_millis(5);
        Self { api: GcpApi::start(options).unwrap(), directory }
    }

    async fn send(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.api.endpoint());
        let request = reqwest::Client::new().post(url).bearer_auth("x").json(body);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    }

    async fn put(&self, path: &str) {
        let url = format!("{}{path}", self.api.endpoint());
        let request = reqwest::Client::new().put(url).bearer_auth("x").json(&json!({}));
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
pub(crate) struct Clouds {
    template: TempDir,
    started: Arc<Mutex<Vec<Cloud>>>,
    proxies: Arc<Mutex<Vec<Arc<Proxy>>>>,
}

impl Clouds {
    pub(crate) async fn new() -> Self {
        let cloud = Cloud::start(tempfile::tempdir().unwrap());
        cloud.add_secret("orders-db-url").await;
        for topic in ["orders", "returns", "failed"] {
            cloud.put(&format!("/v1/projects/{PROJECT}/topics/{topic}")).await;
        }
        let bucket = json!({ "name": "shop-uploads", "location": "EU" });
        cloud.send(&format!("/storage/v1/b?project={PROJECT}"), &bucket).await;
        let template = tempfile::tempdir().unwrap();
        copy(cloud.directory.path(), template.path());
        Self { template, started: Arc::default(), proxies: Arc::default() }
    }

    /// The address of a new one.
    pub(crate) fn start(&self) -> String {
        let directory = tempfile::tempdir().unwrap();
        copy(self.template.path(), directory.path());
        let cloud = Cloud::start(directory);
        let endpoint = cloud.api.endpoint();
        self.started.lock().unwrap().push(cloud);
        endpoint
    }
}

pub(crate) fn gcp(endpoint: &str) -> Gcp {
    gcp_with(endpoint, Duration::from_secs(20))
}

/// Which asks again for so long.
fn gcp_with(endpoint: &str, retries: Duration) -> Gcp {
    let pauses =
        |time| Budget::of(time).pauses(Duration::from_millis(5), Duration::from_millis(50));
    Gcp::builder()
        .project(PROJECT)
        .region(REGION)
        .endpoint(endpoint)
        .credentials(GcpCredentials::Token("local".into()))
        .retries(pauses(retries))
        .waiting(pauses(Duration::from_secs(60)))
        .build()
        .unwrap()
}

pub(crate) fn deployment(kind: Kind, settings: Value) -> Deployment {
    let mut settings: Settings = serde_json::from_value(settings).unwrap();
    settings.gcp.path = Some(serde_json::from_value(json!(kind.as_str())).unwrap());
    let scope = Scope::new("shop", "test", "orders").unwrap();
    let code = testing::archive_for(&Target::gcp(kind).unwrap(), "first");
    Deployment::new(scope, settings, code).unwrap()
}

pub(crate) fn public() -> Value {
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

/// One of each kind of trigger.
pub(crate) fn triggers() -> [(&'static str, Value); 5] {
    [
        (
            "queue",
            json!({
                "orders": { "type": "queue", "dead-letter": "failed", "max-attempts": 7, "filter": "attributes.kind = \"new\"" },
                "back": { "type": "queue", "topic": "returns" },
            }),
        ),
        (
            "timer",
            json!({
                "nightly": { "type": "timer", "schedule": "0 3 * * mon-fri", "timezone": "Europe/Berlin", "input": { "a": 1 } },
                "hourly": { "type": "timer", "schedule": "0 * * * *" },
            }),
        ),
        (
            "storage",
            json!({ "uploads": { "type": "storage", "bucket": "shop-uploads", "changes": ["created", "deleted"] } }),
        ),
        ("database", json!({ "users": { "type": "database", "document": "users/{user}" } })),
        (
            "event",
            json!({ "made": { "type": "event", "filters": {
                "type": "google.cloud.audit.log.v1.written",
                "serviceName": "compute.googleapis.com",
                "methodName": "v1.compute.instances.insert",
            } } }),
        ),
    ]
}

pub(crate) fn triggered(kind: Kind, triggers: &Value) -> Deployment {
    deployment(
        kind,
        json!({
            "env": { "RUST_LOG": "info" },
            "secrets": { "DB_URL": "orders-db-url" },
            "triggers": triggers,
        }),
    )
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
async fn each_kind_of_trigger_keeps_what_every_provider_promises() {
    let clouds = Clouds::new().await;
    for (_, triggers) in triggers() {
        testing::conformance(|| gcp(&clouds.start()), &triggered(Kind::Source, &triggers)).await;
        clouds.started.lock().unwrap().clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_functions_api_is_deployed_again_and_removed() {
    let clouds = Clouds::new().await;
    let deployer = Deployer::new(gcp(&clouds.start()));
    let mut deployment = deployment(Kind::Functions, public());
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let plan = deployer.plan(&deployment).await.unwrap();
    assert!(plan.is_empty(), "{plan:?}");
    let scope = deployment.scope.clone();
    assert_eq!(deployer.list("shop", "test").await.unwrap(), std::slice::from_ref(&scope));
    assert_eq!(deployer.invoke(&scope, &Invocation::new("x")).await.unwrap().status, 200);
    deployment.code = testing::archive_for(&Target::gcp(Kind::Functions).unwrap(), "second");
    let (plan, _) = deployer.deploy(&deployment, &Silent).await.unwrap();
    assert!(plan.steps.iter().all(|step| step.action == Action::Update), "{plan:?}");
    assert!(deployer.plan(&deployment).await.unwrap().is_empty());
    assert_eq!(deployer.releases(&scope).await.unwrap().len(), 2);
    let error = deployer.plan(&self::deployment(Kind::Source, public())).await.unwrap_err();
    assert!(error.to_string().contains("remove the function first"), "{error}");
    deployer.remove(&scope, &Silent).await.unwrap();
    let left = deployer.status(&scope).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_named() {
    let clouds = Clouds::new().await;
    let deployer = Deployer::new(gcp(&clouds.start()));
    let deployment = triggered(Kind::Source, &json!({ "nowhere": { "type": "queue" } }));
    let error = deployer.deploy(&deployment, &Silent).await.unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("projects/shop-live/topics/nowhere")
            && text.contains("gcloud pubsub topics create"),
        "{text}"
    );
}

const BUSY: &str = r#"{"error":{"code":429,"message":"busy","status":"RESOURCE_EXHAUSTED"}}"#;
const BROKEN: &str = r#"{"error":{"code":500,"message":"broken","status":"INTERNAL"}}"#;

/// Lets each call of a deploy go wrong in each way; with `retries` that is mended at once, without by deploying again.
async fn converges(deployment: &Deployment, cuts: &[Cut], retries: Duration) {
    let clouds = Clouds::new().await;
    for cut in cuts {
        let cloud = |call: Option<usize>| {
            let (clouds, cut) = (&clouds, cut.clone());
            async move {
                let address = clouds.start().replace("http://", "").parse().unwrap();
                let cut = call.map(|call| (call, cut));
                let proxy = Arc::new(Proxy::start(address, cut).await);
                clouds.proxies.lock().unwrap().push(proxy.clone());
                let deployer = Deployer::new(gcp_with(&proxy.endpoint(), retries));
                let went_wrong = move || proxy.count() > call.unwrap_or_default();
                (deployer, went_wrong)
            }
        };
        let runs = testing::converges(cloud, deployment).await;
        assert!(runs.len() >= 20, "{cut:?}: {} calls", runs.len());
        let failures: usize = runs.iter().map(|run| run.failures).sum();
        assert!(runs.iter().all(|run| run.failures <= 1), "{cut:?}: {runs:?}");
        if retries > Duration::ZERO {
            assert_eq!(failures, 0, "{cut:?}: {runs:?}");
        } else {
            assert!(failures >= 15, "{cut:?}: {runs:?}");
        }
        clouds.started.lock().unwrap().clear();
        clouds.proxies.lock().unwrap().clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_converges_whichever_call_goes_wrong() {
    let [(_, queue), ..] = triggers();
    let cuts = [Cut::Refused, Cut::AnswerLost, Cut::answer(500, &[], BROKEN)];
    converges(&triggered(Kind::Source, &queue), &cuts, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_google_is_asked_again() {
    let [(_, queue), ..] = triggers();
    let cuts = [Cut::answer(429, &[], BUSY), Cut::Refused, Cut::AnswerLost];
    converges(&triggered(Kind::Source, &queue), &cuts, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_converges_whichever_call_goes_wrong() {
    let cuts = [Cut::AnswerLost, Cut::answer(429, &[], BUSY)];
    converges(&deployment(Kind::Image, public()), &cuts, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_functions_api_converges_whichever_call_goes_wrong() {
    let [_, _, (_, storage), ..] = triggers();
    converges(&triggered(Kind::Functions, &storage), &[Cut::AnswerLost], Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_converges_whichever_call_goes_wrong() {
    let [_, (_, timer), ..] = triggers();
    converges(&triggered(Kind::Source, &timer), &[Cut::AnswerLost], Duration::ZERO).await;
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

/// Whose name a child of this test has, which has an environment of its own.
const CHILD: &str = "OMNIFN_TEST_GCP_ENDPOINT";

/// What `identity` says with these variables.
fn identity_with(test: &str, endpoint: &str, variables: &[(&str, &str)]) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .env("HOME", "/nonexistent")
        .env("GCE_METADATA_HOST", "127.0.0.1:1")
        .env(CHILD, endpoint)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[expect(clippy::print_stdout, reason = "the test reads what its child writes")]
#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_found_where_googles_own_clients_find_them() {
    const TEST: &str = "gcp::credentials_are_found_where_googles_own_clients_find_them";
    if let Ok(endpoint) = std::env::var(CHILD) {
        let gcp =
            Gcp::builder().project(PROJECT).region(REGION).endpoint(endpoint).build().unwrap();
        let begin = std::time::Instant::now();
        match Deployer::new(gcp).identity().await {
            Ok(identity) => println!("identity: {identity:?}"),
            Err(error) => println!("error: {}", chain(&error)),
        }
        // Starting this takes time of its own.
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        println!("in time");
        return;
    }
    let cloud = Cloud::start(tempfile::tempdir().unwrap());
    let endpoint = cloud.api.endpoint();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &Value| {
        let path = directory.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };

    let told = identity_with(TEST, &endpoint, &[]);
    assert!(told.contains("error: gcp does not let us in"), "{told}");
    for source in [
        "GOOGLE_APPLICATION_CREDENTIALS",
        "application_default_credentials.json",
        "metadata server",
    ] {
        assert!(told.contains(source), "{source}: {told}");
    }
    assert!(told.contains("in time"), "{told}");

    let missing = directory.path().join("nothing.json");
    let missing = missing.to_str().unwrap();
    let told = identity_with(TEST, &endpoint, &[("GOOGLE_APPLICATION_CREDENTIALS", missing)]);
    assert!(told.contains(&format!("names `{missing}`")), "{told}");

    let host = endpoint.replace("http://", "");
    let told = identity_with(TEST, &endpoint, &[("GCE_METADATA_HOST", &host)]);
    assert!(told.contains("identity: Identity") && told.contains("123456789012"), "{told}");

    let subject = write("subject", &json!("token-of-github"));
    let federated = write(
        "federated.json",
        &json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/g",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{endpoint}/v1/token"),
            "credential_source": { "file": subject },
        }),
    );
    let told = identity_with(TEST, &endpoint, &[("GOOGLE_APPLICATION_CREDENTIALS", &federated)]);
    assert!(told.contains("identity: Identity"), "{told}");
    assert!(!told.contains("token-of-github"), "{told}");
}

/// Runs against Google itself: `OMNIFN_LIVE_GCP=1`, with `OMNIFN_LIVE_GCP_PROJECT` and `OMNIFN_LIVE_GCP_REGION`, and the binary of a
/// function in `OMNIFN_LIVE_GCP_PROGRAM`. It removes what it made; the bucket for sources stays.
#[tokio::test(flavor = "multi_thread")]
async fn live_gcp() {
    if std::env::var_os("OMNIFN_LIVE_GCP").is_none_or(|value| value != "1") {
        return;
    }
    let variable =
        |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set"));
    let gcp = Gcp::builder()
        .project(variable("OMNIFN_LIVE_GCP_PROJECT"))
        .region(variable("OMNIFN_LIVE_GCP_REGION"))
        .build()
        .unwrap();
    let deployer = Deployer::new(gcp);
    let program = omnifn_deploy::package::Program::new(variable("OMNIFN_LIVE_GCP_PROGRAM"));
    let code = program.pack(&Target::gcp(Kind::Source).unwrap()).unwrap();
    let mut settings = Settings::default();
    settings.env.insert("COLOUR".into(), "red".into());
    let scope = Scope::new("omnifn-live", "test", "hello").unwrap();
    let mut deployment = Deployment::new(scope.clone(), settings, code).unwrap();
    let result = async {
        deployer.deploy(&deployment, &Silent).await?;
        assert!(deployer.plan(&deployment).await?.is_empty(), "a second deploy plans nothing");
        deployment.settings.env.insert("COLOUR".into(), "blue".into());
        deployer.deploy(&deployment, &Silent).await?;
        deployer.rollback(&scope, None).await?;
        let mut invocation = Invocation::new("");
        invocation.method = Some("GET".into());
        assert_eq!(deployer.invoke(&scope, &invocation).await?.status, 200);
        Ok::<(), Error>(())
    }
    .await;
    deployer.remove(&scope, &Silent).await.unwrap();
    result.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert!(deployer.status(&scope).await.unwrap().is_empty(), "nothing is left");
}

pub(crate) fn identity() -> omnifn_deploy::Identity {
    let mut identity = omnifn_deploy::Identity::new(PROJECT, REGION);
    identity.number = Some("123456789012".into());
    identity
}

#[test]
fn what_google_does_not_have_is_refused_before_anybody_is_asked() {
    use omnifn_deploy::Provider as _;
    let gcp = gcp("http://127.0.0.1:1");
    let queue = |queue: Value| json!({ "triggers": { "q": queue } });
    for (settings, expected) in [
        (
            queue(json!({ "type": "queue", "stream": "s" })),
            "`triggers.q.stream`: gcp has no streams: name a `topic` of Pub/Sub",
        ),
        (
            queue(json!({ "type": "queue", "kafka": { "topic": "t" } })),
            "`triggers.q.kafka`: gcp delivers no topics of Kafka: name a `topic` of Pub/Sub",
        ),
        (
            queue(json!({ "type": "queue", "queue": "arn:aws:sqs:eu-west-1:1:q" })),
            "`triggers.q`: `arn:aws:sqs:eu-west-1:1:q` is AWS's: write the name of a topic of Pub/Sub",
        ),
        (
            queue(json!({ "type": "queue", "max-attempts": 9 })),
            "`triggers.q.max-attempts`: Pub/Sub counts them only where there is a `dead-letter` topic: name one",
        ),
        (
            queue(json!({ "type": "queue", "dead-letter": "d", "max-attempts": 4 })),
            "`triggers.q.max-attempts`: it is 4, but Pub/Sub allows 5 to 100",
        ),
        (
            json!({ "timeout": "11m", "triggers": { "q": { "type": "queue" } } }),
            "`timeout`: it is 11m, but Pub/Sub waits 10m at most for a message to be handled",
        ),
        (
            json!({ "timeout": "31m", "triggers": { "t": { "type": "timer", "schedule": "0 * * * *" } } }),
            "`timeout`: it is 31m, but Cloud Scheduler waits 30m at most",
        ),
        (
            queue(json!({ "type": "database" })),
            "`triggers.q.document`: gcp needs the path of the documents, such as `users/{user}`",
        ),
        (
            queue(json!({ "type": "event", "filters": { "bucket": "b" } })),
            "`triggers.q.filters`: gcp needs the `type` of the events, and may need more, such as `bucket`",
        ),
        (
            json!({ "memory": "8GiB", "gcp": { "cpu": "1" } }),
            "`gcp.cpu`: it is 1, but 8GiB of memory need 2 or more",
        ),
    ] {
        let deployment = deployment(Kind::Source, settings);
        let error = gcp.resources(&deployment, &identity()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let mut wrong = deployment(Kind::Source, json!({}));
    wrong.code = testing::archive(Provider::Aws, "first");
    let error = gcp.resources(&wrong, &identity()).unwrap_err().to_string();
    assert_eq!(
        error,
        "`gcp.path`: the archive is of kind `bootstrap`, but this path needs `source`: pack it so"
    );
}

#[test]
fn the_deployer_needs_no_more_than_what_the_resources_need() {
    use omnifn_deploy::Provider as _;
    let gcp = gcp("http://127.0.0.1:1");
    let actions = |deployment: &Deployment| {
        let resources = gcp.resources(deployment, &identity()).unwrap();
        let permissions = gcp.permissions(&resources);
        permissions.into_iter().map(|permission| permission.action).collect::<Vec<_>>()
    };
    let plain = actions(&deployment(Kind::Source, json!({})));
    for expected in ["run.services.create", "storage.objects.create", "iam.serviceAccounts.actAs"] {
        assert!(plain.iter().any(|action| action == expected), "{expected}: {plain:?}");
    }
    for action in ["setIamPolicy", "subscriptions.create", "artifactregistry", "cloudfunctions"] {
        assert!(!plain.iter().any(|it| it.contains(action)), "{action}: {plain:?}");
    }
    let [(_, queue), ..] = triggers();
    let queue = actions(&triggered(Kind::Image, &queue));
    for expected in [
        "artifactregistry.repositories.uploadArtifacts",
        "pubsub.subscriptions.create",
        "pubsub.topics.attachSubscription",
        "run.services.setIamPolicy",
    ] {
        assert!(queue.iter().any(|action| action == expected), "{expected}: {queue:?}");
    }
}
