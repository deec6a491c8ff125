//! What deploying costs, as Markdown. Used by `cargo xtask bench --deploy`, which writes it into `bench/README.md`.
//!
//!     figures PROGRAM
#![expect(clippy::print_stdout, reason = "it is a program")]

use omnifn_deploy::{
    Code, Deployer, Deployment, Scope, Settings, Silent,
    aws::Aws,
    gcp::{Gcp, GcpCredentials},
    package::{Architecture, Kind, Program, Provider, Target},
    testing::{self, Proxy},
};
use omnifn_local::{Endpoints, Listener, LocalCloud};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() {
    let program = env::args_os().nth(1).expect("usage: figures PROGRAM");
    packing(Path::new(&program));
    both_clouds(Path::new(&program)).await;
    many_functions().await;
    reads().await;
}

/// The clouds on this machine, empty.
struct Cloud {
    cloud: LocalCloud,
    _directory: TempDir,
}

impl Cloud {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cloud = LocalCloud::start(directory.path(), Listener::default());
        Self { cloud: cloud.expect("the local clouds"), _directory: directory }
    }

    fn at(&self) -> &Endpoints {
        self.cloud.endpoints()
    }
}

async fn aws(endpoint: &str) -> Deployer {
    let builder = Aws::builder().region("us-east-1").credentials("local", "local");
    Deployer::new(builder.endpoint(endpoint).build().await.expect("a region"))
}

fn gcp(endpoint: &str) -> Deployer {
    let builder = Gcp::builder().project("local").region("us-central1").endpoint(endpoint);
    let builder = builder.credentials(GcpCredentials::Token("local".to_owned()));
    Deployer::new(builder.build().expect("a project and a region"))
}

fn deployment(function: &str, code: Code, triggers: &Value) -> Deployment {
    let settings: Settings = serde_json::from_value(json!({ "triggers": triggers })).expect("some");
    let scope = Scope::new("shop", "bench", function).expect("a name");
    Deployment::new(scope, settings, code).expect("settings that fit")
}

async fn deploy(deployer: &Deployer, deployment: &Deployment) {
    let deployed = deployer.deploy(deployment, &Silent).await;
    deployed.unwrap_or_else(|error| panic!("{}: {error:?}", deployment.scope));
}

async fn plans_nothing(deployer: &Deployer, deployment: &Deployment) {
    let plan = deployer.plan(deployment).await;
    let plan = plan.unwrap_or_else(|error| panic!("{}: {error:?}", deployment.scope));
    assert!(plan.is_empty(), "{plan:?}");
}

/// The shortest: what other programs on the machine cost is in all others.
fn best(times: &[Duration]) -> f64 {
    times.iter().min().map_or(f64::NAN, Duration::as_secs_f64)
}

/// A copy of a program without some of what debuggers want.
fn stripped(program: &Path, option: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("bootstrap");
    fs::copy(program, &path).expect("the program");
    let status = Command::new("strip").arg(option).arg(&path).status();
    assert!(status.expect("`strip` is installed").success());
    (folder, path)
}

/// The same program by us and by `zip -9`, in turns.
fn packing(program: &Path) {
    const ROUNDS: usize = 9;
    // With its symbols it is about as large as is asked for.
    let (folder, path) = stripped(program, "--strip-debug");
    let zipped = folder.path().join("bootstrap.zip");
    let (mut ours, mut theirs, mut sizes) = (Vec::new(), Vec::new(), (0, 0));
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let artifact = Program::new(&path).pack(&Target::aws(Architecture::X86_64));
        ours.push(start.elapsed());
        let _ = fs::remove_file(&zipped);
        let start = Instant::now();
        let status =
            Command::new("zip").args(["-9", "-q", "-X", "-j"]).arg(&zipped).arg(&path).status();
        theirs.push(start.elapsed());
        assert!(status.expect("`zip` is installed").success());
        let size = artifact.expect("the program is a good one").size;
        sizes = (size, zipped.metadata().expect("zip's archive").len());
    }
    let megabytes = |bytes: u64| f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / 1e3;
    let (ours, theirs) = (best(&ours), best(&theirs));
    println!("| work | ours | compared with | ratio | goal |\n|---|---|---|---|---|");
    println!(
        "| packing a program of {:.1} MB, verified | {:.0} ms | `zip -9`: {:.0} ms | {:.2} | <= 1.3 |",
        megabytes(path.metadata().expect("the program").len()),
        ours * 1e3,
        theirs * 1e3,
        ours / theirs
    );
    println!(
        "| its archive | {:.3} MB | `zip -9`: {:.3} MB | {:.3} | <= 1 |",
        megabytes(sizes.0),
        megabytes(sizes.1),
        megabytes(sizes.0) / megabytes(sizes.1)
    );
}

/// A function with a URL, made on clouds that are empty each time.
async fn both_clouds(program: &Path) {
    const ROUNDS: usize = 9;
    let http = json!({ "url": { "type": "http", "auth": "none" } });
    let (_folder, program) = stripped(program, "--strip-all");
    let packed = |target: &Target| -> Code {
        Program::new(&program).pack(target).expect("the program is a good one").into()
    };
    let google = Target::gcp(Kind::Source).expect("a kind of Google's");
    // What builds a program asks it which functions it has; here it is known.
    let entry = |code: Code| {
        let mut deployment = deployment("create", code, &http);
        deployment.entry = Some("create".to_owned());
        deployment
    };
    let to_aws = entry(packed(&Target::aws(Architecture::X86_64)));
    let to_gcp = entry(packed(&google));
    let (mut only_aws, mut only_gcp, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (one, other, third) = (Cloud::start(), Cloud::start(), Cloud::start());
        let deployer = aws(&one.at().aws).await;
        let start = Instant::now();
        deploy(&deployer, &to_aws).await;
        only_aws.push(start.elapsed());
        let deployer = gcp(&other.at().gcp);
        let start = Instant::now();
        deploy(&deployer, &to_gcp).await;
        only_gcp.push(start.elapsed());
        let (on_aws, on_gcp) = (aws(&third.at().aws).await, gcp(&third.at().gcp));
        let start = Instant::now();
        tokio::join!(deploy(&on_aws, &to_aws), deploy(&on_gcp, &to_gcp));
        both.push(start.elapsed());
    }
    let (only_aws, only_gcp, both) = (best(&only_aws), best(&only_gcp), best(&both));
    println!(
        "| deploying to both clouds at the same time | {both:.2} s | AWS alone: {only_aws:.2} s, Google alone: {only_gcp:.2} s | {:.2} of the slower one | <= 1.2 |",
        both / only_aws.max(only_gcp)
    );
}

/// Fifty functions, planned one after the other: first none of them is there, then all are.
async fn many_functions() {
    const FUNCTIONS: usize = 50;
    const AT_ONCE: usize = 5;
    let cloud = Cloud::start();
    let clouds = [
        ("AWS", aws(&cloud.at().aws).await, Provider::Aws),
        ("Google", gcp(&cloud.at().gcp), Provider::Gcp),
    ];
    for (name, deployer, provider) in clouds {
        let code = testing::archive(provider, "first");
        let functions = (1..=FUNCTIONS).map(|number| format!("f{number}"));
        let all: Vec<_> =
            functions.map(|function| deployment(&function, code.clone(), &json!({}))).collect();
        let start = Instant::now();
        for deployment in &all {
            deployer.plan(deployment).await.expect("a plan");
        }
        let first = start.elapsed().as_secs_f64();
        for some in all.chunks(AT_ONCE) {
            let mut deploying = JoinSet::new();
            for deployment in some {
                let (deployer, deployment) = (deployer.clone(), deployment.clone());
                deploying.spawn(async move { deploy(&deployer, &deployment).await });
            }
            deploying.join_all().await;
        }
        let start = Instant::now();
        for deployment in &all {
            plans_nothing(&deployer, deployment).await;
        }
        let second = start.elapsed().as_secs_f64();
        println!(
            "| a plan for {FUNCTIONS} functions on {name} | nothing there: {first:.2} s | all there, nothing to do: {second:.2} s | | < 5 s |"
        );
    }
}

/// A kind of trigger, with what it is on each cloud.
fn triggers() -> Vec<(&'static str, Value, Value)> {
    let same = |kind, value: Value| (kind, value.clone(), value);
    vec![
        same("none", json!({})),
        same("http", json!({ "t": { "type": "http", "auth": "none" } })),
        same("queue", json!({ "orders": { "type": "queue" } })),
        same("timer", json!({ "t": { "type": "timer", "schedule": "0 3 * * *" } })),
        same("storage", json!({ "photos": { "type": "storage" } })),
        (
            "event",
            json!({ "t": { "type": "event", "pattern": { "source": ["shop"] } } }),
            json!({ "t": { "type": "event", "filters": {
                "type": "google.cloud.audit.log.v1.written",
                "serviceName": "compute.googleapis.com",
                "methodName": "v1.compute.instances.insert",
            } } }),
        ),
        same(
            "three timers",
            json!({
                "a": { "type": "timer", "schedule": "0 3 * * *" },
                "b": { "type": "timer", "schedule": "0 4 * * *" },
                "c": { "type": "timer", "schedule": "0 5 * * *" },
            }),
        ),
    ]
}

/// How often each cloud is asked for a plan that finds no difference.
async fn reads() {
    println!("\n| trigger | calls on AWS | calls on Google | of them writes |\n|---|---|---|---|");
    for (kind, on_aws, on_gcp) in triggers() {
        let cloud = Cloud::start();
        prepare(cloud.at()).await;
        let proxy = async |url: &str| {
            let address = url.trim_start_matches("http://").parse().expect("an address");
            Proxy::start(address, None).await
        };
        let (aws_proxy, gcp_proxy) = (proxy(&cloud.at().aws).await, proxy(&cloud.at().gcp).await);
        let (mut counts, mut writes) = ([0; 2], 0);
        let clouds = [(&aws_proxy, Provider::Aws, on_aws), (&gcp_proxy, Provider::Gcp, on_gcp)];
        for (count, (proxy, provider, triggers)) in counts.iter_mut().zip(clouds) {
            // Each knows nothing yet of who is asking.
            let deployer = async || match provider {
                Provider::Aws => aws(&proxy.endpoint()).await,
                _ => gcp(&proxy.endpoint()),
            };
            let deployment = deployment("f", testing::archive(provider, "first"), &triggers);
            deploy(&deployer().await, &deployment).await;
            let before = proxy.count();
            plans_nothing(&deployer().await, &deployment).await;
            *count = proxy.count() - before;
            writes += proxy.sent()[before..].iter().filter(|sent| is_write(sent)).count();
        }
        println!("| {kind} | {} | {} | {writes} |", counts[0], counts[1]);
    }
}

/// Whether it may change anything. AWS has services whose every call is a POST, which names what it does.
fn is_write(sent: &testing::Sent) -> bool {
    let is_read =
        |name: &str| ["Get", "List", "Describe"].iter().any(|verb| name.starts_with(verb));
    let target = sent.headers.iter().find(|(name, _)| name == "x-amz-target");
    let target = target.and_then(|(_, target)| target.rsplit_once('.')).map(|(_, name)| name);
    let form = sent.body.as_deref().and_then(|body| body.strip_prefix("Action="));
    !matches!(sent.method.as_str(), "GET" | "HEAD") && !target.or(form).is_some_and(is_read)
}

/// What the triggers name.
async fn prepare(at: &Endpoints) {
    let client = reqwest::Client::new();
    let signed = |service: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=local/20261125/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let queue = client
        .post(&at.aws)
        .header("authorization", signed("sqs"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AmazonSQS.CreateQueue")
        .body(
            json!({ "QueueName": "orders", "Attributes": { "VisibilityTimeout": "600" } })
                .to_string(),
        );
    let bucket = client
        .request(Method::PUT, format!("{}/photos", at.aws))
        .header("authorization", signed("s3"));
    let topic = client
        .put(format!("{}/v1/projects/local/topics/orders", at.gcp))
        .bearer_auth("local")
        .json(&json!({}));
    let photos = client
        .post(format!("{}/storage/v1/b?project=local", at.gcp))
        .bearer_auth("local")
        .json(&json!({ "name": "photos", "location": "US-CENTRAL1" }));
    for request in [queue, bucket, topic, photos] {
        let answer = request.send().await.expect("the local cloud answers");
        let (url, status) = (answer.url().clone(), answer.status());
        assert!(status.is_success(), "{url}: {}", answer.text().await.unwrap_or_default());
    }
}
