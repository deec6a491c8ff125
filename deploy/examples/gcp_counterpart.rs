//! Brings programs to something that speaks one of Google's APIs on this machine. Used by `cargo xtask real`.
//!
//!     gcp_counterpart registry http://127.0.0.1:5000 PROGRAM   # pushes an image to a registry, and reads it back
//!     gcp_counterpart storage http://127.0.0.1:4443 PROGRAM    # uploads a source to Cloud Storage, and reads it back
//!     gcp_counterpart record requests.jsonl                    # deploys everything to the local control plane: what was sent
//!     gcp_counterpart converge                                 # the same, whichever call goes wrong
#![expect(clippy::print_stdout, reason = "it is a program")]

use omnifn_deploy::{
    Code, Deployer, Deployment, LogQuery, Plan, Scope, Settings, Silent,
    gcp::{Gcp, GcpCredentials, GcpEndpoints},
    package::{Kind, Program, Target},
    retry::Budget,
    testing::{self, Cut, Proxy},
};
use omnifn_local::{GcpApi, GcpApiOptions};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{env, fs, net::SocketAddr, time::Duration};
use tempfile::TempDir;

const PROJECT: &str = "shop-live";
const REGION: &str = "europe-west1";
/// The token; the registry is told the same.
const TOKEN: &str = "local";

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["registry", address, program] => registry(address, program).await,
        ["storage", address, program] => storage(address, program).await,
        ["record", file] => record(file).await,
        ["converge"] => converge().await,
        _ => panic!(
            "usage: gcp_counterpart registry|storage ADDRESS PROGRAM, or record FILE, or converge"
        ),
    }
}

/// A deployer whose calls of one service go to the counterpart, and all others to the local control plane.
struct Cloud {
    deployer: Deployer,
    proxy: Proxy,
    local: GcpApi,
    _directory: TempDir,
}

/// Which of the services is the counterpart.
type Service = fn(&mut GcpEndpoints) -> &mut String;

impl Cloud {
    /// A counterpart at an address, beside which everything else is local; else all of it is, and all calls are seen by the proxy.
    async fn start(counterpart: Option<(&str, Service)>, cut: Option<(usize, Cut)>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut options = GcpApiOptions::new(directory.path());
        PROJECT.clone_into(&mut options.project);
        options.operation_delay = Duration::from_millis(5);
        if counterpart.is_some() {
            // fake-gcs-server's buckets all belong to it.
            "0".clone_into(&mut options.project_number);
        }
        let local = GcpApi::start(options).expect("the local control plane");
        let retries = if cut.is_some() { Budget::of(Duration::ZERO) } else { Budget::default() };
        let mut endpoints = GcpEndpoints::one(&local.endpoint());
        let upstream = counterpart.map_or(endpoints.run.as_str(), |(url, _)| url);
        let proxy = Proxy::start(address(upstream), cut).await;
        match counterpart {
            Some((_, service)) => *service(&mut endpoints) = proxy.endpoint(),
            None => endpoints = GcpEndpoints::one(&proxy.endpoint()),
        }
        let gcp = Gcp::builder().project(PROJECT).region(REGION).endpoints(endpoints);
        let gcp = gcp.credentials(GcpCredentials::Token(TOKEN.to_owned())).retries(retries);
        let deployer = Deployer::new(gcp.build().expect("a project and a region"));
        Self { deployer, proxy, local, _directory: directory }
    }

    /// The part of a plan that the counterpart has to do with.
    async fn plan(&self, deployment: &Deployment, kinds: &[&str]) -> Plan {
        let planned = self.deployer.plan(deployment).await;
        let mut plan = planned.unwrap_or_else(|error| panic!("planning: {error:?}"));
        plan.steps.retain(|step| kinds.contains(&step.id.kind.as_str()));
        plan
    }

    /// The calls that it takes, without the reads.
    async fn apply(&self, plan: &Plan, code: &Code) -> Vec<String> {
        let before = self.proxy.count();
        let applied = self.deployer.apply(plan, Some(code), &Silent).await;
        applied.unwrap_or_else(|error| panic!("{:?}: {error:?}", plan.steps));
        let calls = self.proxy.calls().into_iter().skip(before);
        calls.filter(|call| !call.starts_with("GET ") && !call.starts_with("HEAD ")).collect()
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("http://, an address and a port")
}

fn packed(program: &str, kind: Kind) -> Deployment {
    let target = Target::gcp(kind).expect("a kind of Google's");
    let artifact = Program::new(program).pack(&target).expect("the program is a good one");
    deployment("orders", kind, artifact.into(), &json!({}))
}

fn deployment(function: &str, kind: Kind, code: Code, settings: &Value) -> Deployment {
    let mut settings: Settings = serde_json::from_value(settings.clone()).expect("settings");
    settings.gcp.path = Some(serde_json::from_value(json!(kind.as_str())).expect("a path"));
    let scope = Scope::new("shop", "test", function).expect("a name");
    Deployment::new(scope, settings, code).expect("a deployment")
}

/// What is at an address of the counterpart, as anybody would ask for it.
async fn read(url: &str, accept: &str) -> Vec<u8> {
    let request = Client::new().get(url).basic_auth("oauth2accesstoken", Some(TOKEN));
    let answer = request.header("accept", accept).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.bytes().await.expect("all of it").to_vec()
}

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn registry(address: &str, program: &str) {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let cloud = Cloud::start(Some((address, |endpoints| &mut endpoints.registry)), None).await;
    let deployment = packed(program, Kind::Image);
    let plan = cloud.plan(&deployment, &["image"]).await;
    let [step] = &plan.steps[..] else { panic!("one image: {:?}", plan.steps) };
    let writes = cloud.apply(&plan, &deployment.code).await;
    let uploads = |writes: &[String]| writes.iter().filter(|it| it.contains("/blobs/")).count();
    // Each of the two blobs is announced, and sent.
    assert_eq!((uploads(&writes), writes.len()), (4, 5), "{writes:?}");
    println!("ok registry: an image is pushed in {} calls", writes.len());

    let image = deployment.code.artifact().image.as_ref().expect("an image");
    let path = step.id.name.split_once('/').expect("a host and a path").1;
    let base = format!("{address}/v2/{path}");
    let manifest = read(&format!("{base}/manifests/{}", image.manifest.digest), MANIFEST).await;
    assert_eq!(format!("sha256:{}", digest(&manifest)), image.manifest.digest);
    let manifest: Value = serde_json::from_slice(&manifest).expect("a manifest is JSON");
    for (blob, told) in
        [(&image.config, &manifest["config"]), (&image.layer, &manifest["layers"][0])]
    {
        assert_eq!(told["digest"], blob.digest.as_str());
        let bytes = read(&format!("{base}/blobs/{}", blob.digest), "*/*").await;
        assert_eq!(format!("sha256:{}", digest(&bytes)), blob.digest);
        assert_eq!(told["size"], bytes.len());
    }
    println!("ok registry: manifest, configuration and layer read back have their digests");

    assert!(cloud.plan(&deployment, &["image"]).await.steps.is_empty(), "it is there");
    let writes = cloud.apply(&plan, &deployment.code).await;
    assert_eq!((uploads(&writes), writes.len()), (0, 1), "{writes:?}");
    println!("ok registry: pushed again, no blob is uploaded");

    let other = self::deployment(
        "orders",
        Kind::Image,
        testing::archive_for(&Target::gcp(Kind::Image).expect("a kind"), "second"),
        &json!({}),
    );
    let plan = cloud.plan(&other, &["image"]).await;
    assert_eq!(plan.steps.len(), 1, "another program is another image");
    cloud.apply(&plan, &other.code).await;
    assert!(cloud.plan(&other, &["image"]).await.steps.is_empty(), "it is there");
    println!("ok registry: another program is another image beside it");
}

async fn storage(address: &str, program: &str) {
    const KINDS: [&str; 2] = ["bucket", "source"];
    let cloud = Cloud::start(Some((address, |endpoints| &mut endpoints.storage)), None).await;
    let deployment = packed(program, Kind::Source);
    let plan = cloud.plan(&deployment, &KINDS).await;
    let [_, source] = &plan.steps[..] else { panic!("bucket and source: {:?}", plan.steps) };
    let writes = cloud.apply(&plan, &deployment.code).await;
    assert_eq!(writes.len(), 2, "{writes:?}");
    println!("ok storage: a bucket is made and a source uploaded in {} calls", writes.len());

    let (bucket, object) = source.id.name.split_once('/').expect("a bucket and an object");
    let url = format!("{address}/storage/v1/b/{bucket}/o/{}", object.replace('/', "%2F"));
    let bytes = read(&format!("{url}?alt=media"), "*/*").await;
    assert_eq!(digest(&bytes), deployment.code.sha256());
    let first: Value = serde_json::from_slice(&read(&url, "*/*").await).expect("JSON");
    println!("ok storage: what is read back has the archive's digest");

    assert!(cloud.plan(&deployment, &KINDS).await.steps.is_empty(), "both are there");
    println!("ok storage: planned again, nothing is uploaded");
    // As if somebody had been faster: neither is made twice.
    cloud.apply(&plan, &deployment.code).await;
    let second: Value = serde_json::from_slice(&read(&url, "*/*").await).expect("JSON");
    assert_eq!(second["generation"], first["generation"], "it is the same upload");
    println!("ok storage: a bucket and a source that were made meanwhile are taken as they are");

    let client = Client::new();
    for (what, url) in [("object", url), ("bucket", format!("{address}/storage/v1/b/{bucket}"))] {
        let answer = client.request(Method::DELETE, url).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }
    assert_eq!(cloud.plan(&deployment, &KINDS).await.steps.len(), 2, "both are gone");
    println!("ok storage: what was removed by hand is planned again");
}

/// Messages of two topics, with what may be had beside.
fn queue() -> Value {
    json!({
        "env": { "RUST_LOG": "info" },
        "secrets": { "DB_URL": "orders-db-url" },
        "triggers": {
        "orders": { "type": "queue", "dead-letter": "failed", "max-attempts": 7, "filter": "attributes.kind = \"new\"" },
        "back": { "type": "queue", "topic": "returns" },
    }})
}

/// Everything that the deployer sends to Google, by each path and for each kind of trigger.
fn everything() -> Vec<Deployment> {
    let of = |function: &str, kind, settings: Value| {
        let target = Target::gcp(kind).expect("a kind of Google's");
        deployment(function, kind, testing::archive_for(&target, "first"), &settings)
    };
    let rich = json!({
        "description": "takes orders",
        "memory": "1GiB",
        "timeout": "5m",
        "env": { "RUST_LOG": "info" },
        "secrets": { "DB_URL": "orders-db-url@1" },
        "labels": { "team": "shop" },
        "triggers": { "url": { "type": "http", "auth": "none" } },
        "gcp": {
            "service-account": "orders-runs@shop-live.iam.gserviceaccount.com",
            "cpu": "2",
            "concurrency": 10,
            "min-instances": 0,
            "max-instances": 3,
            "billing": "instance",
            "ingress": "internal-and-load-balancer",
            "network": { "network": "shop", "subnetwork": "shop-eu", "egress": "all" },
        },
    });
    let mut by_request = rich.clone();
    // The Functions API has no other billing.
    by_request["gcp"]["billing"] = json!("request");
    let timer = json!({ "triggers": {
        "nightly": { "type": "timer", "schedule": "0 3 * * mon-fri", "timezone": "Europe/Berlin", "input": { "a": 1 } },
    }});
    let storage = json!({ "triggers": {
        "uploads": { "type": "storage", "bucket": "shop-uploads", "changes": ["created", "deleted"] },
    }});
    let database =
        json!({ "triggers": { "users": { "type": "database", "document": "users/{user}" } } });
    let audit = json!({ "triggers": { "made": { "type": "event", "filters": {
        "type": "google.cloud.audit.log.v1.written",
        "serviceName": "compute.googleapis.com",
        "methodName": "v1.compute.instances.insert",
    }}}});
    vec![
        of("source", Kind::Source, rich.clone()),
        of("image", Kind::Image, rich),
        of("functions", Kind::Functions, by_request),
        of("queue", Kind::Source, queue()),
        of("timer", Kind::Source, timer),
        of("storage", Kind::Functions, storage),
        of("database", Kind::Image, database),
        of("audit", Kind::Source, audit),
    ]
}

async fn record(file: &str) {
    let cloud = Cloud::start(None, None).await;
    prepare(&cloud.local.endpoint()).await;
    for deployment in everything() {
        let name = &deployment.scope.function;
        let deploy = async |deployment: &Deployment| {
            let deployed = cloud.deployer.deploy(deployment, &Silent).await;
            deployed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        };
        deploy(&deployment).await;
        let mut changed = deployment.clone();
        changed.settings.env.insert("COLOUR".to_owned(), "blue".to_owned());
        if let Some(omnifn_deploy::settings::Binding::Timer(timer)) =
            changed.settings.triggers.get_mut("nightly")
        {
            "0 4 * * *".clone_into(&mut timer.schedule);
        }
        deploy(&changed).await;
        let scope = &deployment.scope;
        if changed.code.kind() != Kind::Functions {
            let back = cloud.deployer.rollback(scope, None).await;
            back.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        cloud.deployer.logs(scope, &LogQuery::default()).await.expect("its logs");
        cloud.deployer.list(&scope.app, &scope.stage).await.expect("the functions");
        let removed = cloud.deployer.remove(&deployment.scope, &Silent).await;
        removed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    let sent = cloud.proxy.sent();
    let lines = sent.iter().map(|sent| serde_json::to_string(sent).expect("JSON") + "\n");
    fs::write(file, lines.collect::<String>()).expect("the file can be written");
    println!("ok record: {} requests", sent.len());
}

/// Each call goes wrong once, in each way, and is not sent again at once: deploying again mends it.
async fn converge() {
    const ERROR: &str = r#"{"error":{"code":500,"message":"broken","status":"INTERNAL"}}"#;
    const BUSY: &str = r#"{"error":{"code":429,"message":"busy","status":"RESOURCE_EXHAUSTED"}}"#;
    let cuts = [
        ("refused", Cut::Refused),
        ("answer lost", Cut::AnswerLost),
        ("429", Cut::answer(429, &[], BUSY)),
        ("500", Cut::answer(500, &[], ERROR)),
    ];
    let target = Target::gcp(Kind::Image).expect("a kind of Google's");
    let code = testing::archive_for(&target, "first");
    let rich = deployment("orders", Kind::Image, code, &queue());
    for (kind, cut) in cuts {
        let start = |call: Option<usize>| {
            let cut = call.map(|call| (call, cut.clone()));
            async move {
                let cloud = Cloud::start(None, cut).await;
                prepare(&cloud.local.endpoint()).await;
                let deployer = cloud.deployer.clone();
                let went_wrong = move || {
                    // All of it is kept, not its proxy alone.
                    let cloud: &Cloud = &cloud;
                    cloud.proxy.count() > call.unwrap_or_default()
                };
                (deployer, went_wrong)
            }
        };
        let runs = testing::converges(start, &rich).await;
        assert!(runs.len() >= 25, "{kind}: {} calls are too few to show anything", runs.len());
        let failures: usize = runs.iter().map(|run| run.failures).sum();
        println!(
            "ok converge {kind}: each of {} calls goes wrong once; {failures} deploys failed before one succeeded",
            runs.len()
        );
    }
}

/// What deployments refer to.
async fn prepare(endpoint: &str) {
    let send = async |method: Method, path: &str, body: Value| {
        let request = Client::new().request(method, format!("{endpoint}{path}"));
        let answer = request.bearer_auth(TOKEN).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    };
    let secrets = format!("/v1/projects/{PROJECT}/secrets");
    let secret = json!({ "replication": { "automatic": {} } });
    send(Method::POST, &format!("{secrets}?secretId=orders-db-url"), secret).await;
    let version = json!({ "payload": { "data": "aHVudGVyMg==" } });
    send(Method::POST, &format!("{secrets}/orders-db-url:addVersion"), version).await;
    let accounts = format!("/v1/projects/{PROJECT}/serviceAccounts");
    send(Method::POST, &accounts, json!({ "accountId": "orders-runs" })).await;
    for topic in ["orders", "returns", "failed"] {
        send(Method::PUT, &format!("/v1/projects/{PROJECT}/topics/{topic}"), json!({})).await;
    }
    let bucket = json!({ "name": "shop-uploads", "location": "EU" });
    send(Method::POST, &format!("/storage/v1/b?project={PROJECT}"), bucket).await;
}
