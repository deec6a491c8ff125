//! What the nearest peer, cargo-lambda 1.9, gets wrong and this must not: D1 to D12 of the table in `docs/deploy-aws.md`, as far as
//! `aws_local.rs`, `aws_slow.rs` and the conformance functions do not have it already.

use crate::aws_cloud::{
    ACCOUNT, Cloud, REGION, aws, builder, deployment, pack, program, running, settings, trying,
    writes,
};
use omnifn_deploy::{
    Action, Deployer, Deployment, Invocation, Provider as _, Silent,
    package::Provider,
    testing::{self, Cut, Proxy},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    io::Write as _,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

fn plain() -> Deployment {
    testing::deployment(Provider::Aws, "plain")
}

/// The changes of one deploy after others, through a proxy.
async fn changes(
    proxy: &Proxy,
    deployer: &Deployer,
    deployment: &Deployment,
) -> Vec<(String, Value)> {
    let before = proxy.sent().len();
    deployer.deploy(deployment, &Silent).await.unwrap();
    assert!(deployer.plan(deployment).await.unwrap().is_empty());
    let writes = writes(&proxy.sent()[before..]).into_iter();
    writes.map(|(call, body)| (call, serde_json::from_str(&body).unwrap_or_default())).collect()
}

fn calls(changes: &[(String, Value)]) -> Vec<&str> {
    changes.iter().map(|(call, _)| call.rsplit('/').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_alone_is_taken_without_the_code() {
    let cloud = Cloud::empty();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let form = format!("Action=CreateRole&RoleName=other&AssumeRolePolicyDocument={trust}");
    cloud.send("iam", Method::POST, "/", &[], &form).await;
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    deployer.deploy(&plain(), &Silent).await.unwrap();
    let mut changed = plain();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/other");
    changed.settings.aws.role = Some(role.clone());
    let changes = changes(&proxy, &deployer, &changed).await;
    let configured = changes.iter().find(|(call, _)| call.ends_with("/configuration")).unwrap();
    assert_eq!(configured.1["Role"], json!(role));
    assert!(!calls(&changes).contains(&"code"), "{changes:?}");
    // The role that nobody has any more goes.
    assert!(calls(&changes).contains(&"DeleteRole"), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_shown_in_the_plan_and_mended() {
    let cloud = Cloud::empty();
    let deployer = cloud.deployer().await;
    deployer.deploy(&plain(), &Silent).await.unwrap();
    let path = "/2015-03-31/functions/shop-test-plain/configuration";
    let body = r#"{"Runtime":"provided.al2","Handler":"other"}"#;
    cloud.send("lambda", Method::PUT, path, &[], body).await;
    let plan = deployer.plan(&plain()).await.unwrap();
    let changed = plan.steps[0].changes.iter().map(|change| change.path.as_str());
    assert_eq!(changed.collect::<Vec<_>>(), ["handler", "is-published", "runtime"], "{plan:?}");
    deployer.deploy(&plain(), &Silent).await.unwrap();
    assert!(deployer.plan(&plain()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn code_goes_before_configuration_and_names_its_architecture() {
    let cloud = Cloud::empty();
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    deployer.deploy(&plain(), &Silent).await.unwrap();
    let mut changed = plain();
    changed.code = testing::archive(Provider::Aws, "second");
    changed.settings.description = Some("another one".to_owned());
    let changes = changes(&proxy, &deployer, &changed).await;
    assert_eq!(calls(&changes), ["code", "configuration", "versions", "live"]);
    assert_eq!(changes[0].1["Architectures"], json!(["x86_64"]));
    assert_eq!(changes[2].1["CodeSha256"], json!(changed.code.artifact().code_sha256));
    // Whoever else deploys at the same time is noticed.
    assert!(changes[0].1["RevisionId"].is_string() && changes[1].1["RevisionId"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deploy_with_a_description_has_its_alias() {
    let cloud = Cloud::empty();
    let deployer = cloud.deployer().await;
    let described = running("call", json!({ "description": "ships orders" }));
    deployer.deploy(&described, &Silent).await.unwrap();
    let invoked = deployer.invoke(&described.scope, &Invocation::new("{}")).await.unwrap();
    assert_eq!((invoked.is_failure, invoked.release.as_deref()), (false, Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_lambda_does_not_know_yet_is_waited_for_and_not_for_long() {
    let cloud = Cloud::with_slow_roles(Duration::from_millis(400));
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    let begun = Instant::now();
    deployer.deploy(&plain(), &Silent).await.unwrap();
    let took = begun.elapsed();
    let tries = proxy.calls().iter().filter(|call| *call == "POST /2015-03-31/functions").count();
    assert!(tries > 1, "{tries} tries");
    // The peer pauses for 5 s and more.
    assert!(took > Duration::from_millis(400) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deploy_that_failed_has_made_is_found_and_removed() {
    let cloud = Cloud::empty();
    let proxy = cloud.proxy().await;
    Deployer::new(aws(&proxy.endpoint()).await).deploy(&plain(), &Silent).await.unwrap();
    let calls = proxy.calls();
    let creation = calls.iter().position(|call| call == "POST /2015-03-31/functions").unwrap();

    let cloud = Cloud::empty();
    let headers = [("x-amzn-errortype", "InvalidParameterValueException")];
    let cut = Cut::answer(400, &headers, r#"{"message":"no"}"#);
    let proxy = Proxy::start(cloud.address(), Some((creation, cut))).await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    let failed = deployer.deploy(&plain(), &Silent).await.unwrap_err();
    assert_eq!(failed.code(), Some("InvalidParameterValueException"), "{failed:?}");
    assert!(failed.to_string().contains("running again is safe"), "{failed}");
    let removed = deployer.remove(&plain().scope, &Silent).await.unwrap();
    let removed = removed.steps.iter().map(|step| step.id.kind.as_str());
    assert_eq!(removed.collect::<Vec<_>>(), ["log-group", "role"]);
    assert_eq!(deployer.status(&plain().scope).await.unwrap(), []);
    let roles = cloud.send("iam", Method::POST, "/", &[], "Action=ListRoles").await;
    assert!(!roles.contains("<RoleName>"), "{roles}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_gets_the_authorization_the_origins_and_the_mode_that_are_asked_for() {
    let cloud = Cloud::empty();
    let deployer = cloud.deployer().await;
    let mut deployment = deployment("create", json!({ "triggers": { "url": { "type": "http" } } }));
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let path = "/2021-10-31/functions/shop-test-create/url?Qualifier=live";
    let url = async || -> Value {
        serde_json::from_str(&cloud.send("lambda", Method::GET, path, &[], "").await).unwrap()
    };
    let private = url().await;
    assert_eq!(
        (&private["AuthType"], &private["InvokeMode"]),
        (&json!("AWS_IAM"), &json!("BUFFERED"))
    );
    assert!(private["Cors"]["AllowOrigins"].is_null(), "{private}");

    let cors = json!({ "origins": ["https://example.com"], "methods": ["GET"], "headers": ["x-a"], "credentials": true, "max-age": "1h" });
    let public = json!({ "url": { "type": "http", "auth": "none", "stream": true, "cors": cors } });
    deployment.settings = settings(json!({ "triggers": public }));
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let public = url().await;
    assert_eq!(
        (&public["AuthType"], &public["InvokeMode"]),
        (&json!("NONE"), &json!("RESPONSE_STREAM"))
    );
    assert_eq!(public["Cors"]["AllowOrigins"], json!(["https://example.com"]));
    assert_eq!(public["Cors"]["MaxAge"], json!(3600));
    assert_eq!(public["FunctionUrl"], private["FunctionUrl"], "it is the same URL");

    // What somebody changed by hand is mended, and origins that are not wanted any more go.
    cloud.send("lambda", Method::PUT, path, &[], r#"{"InvokeMode":"BUFFERED"}"#).await;
    deployment.settings = settings(
        json!({ "triggers": { "url": { "type": "http", "auth": "none", "stream": true } } }),
    );
    deployer.deploy(&deployment, &Silent).await.unwrap();
    assert_eq!(url().await["InvokeMode"], json!("RESPONSE_STREAM"));
    assert!(deployer.plan(&deployment).await.unwrap().is_empty());
}

/// A program of so many MiB that do not become smaller.
fn large(mebibytes: usize) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&std::fs::read(program()).unwrap()).unwrap();
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let noise = (0..mebibytes * 131_072).flat_map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()
    });
    file.write_all(&noise.collect::<Vec<_>>()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_more_than_50_mb_goes_through_a_bucket_in_parts_and_once() {
    let code = pack(large(52).path()).unwrap();
    let (size, sha256) = (code.artifact().size, code.sha256().to_owned());
    assert!(size > 50 * 1024 * 1024, "{size}");
    let deployment = crate::aws_cloud::of("call", json!({}), code);
    let cloud = Cloud::empty();
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let object = format!("/omnifn-{ACCOUNT}-{REGION}/{sha256}.zip");
    let all = proxy.calls();
    let to = |method: &str| {
        all.iter().filter(|call| call.starts_with(&format!("{method} {object}"))).count()
    };
    assert_eq!((to("PUT"), to("POST")), (4, 2), "four parts, a beginning and an end: {all:?}");
    let sent = proxy.sent();
    let created =
        sent.iter().find(|sent| sent.method == "POST" && sent.uri == "/2015-03-31/functions");
    let created: Value = serde_json::from_str(created.unwrap().body.as_deref().unwrap()).unwrap();
    assert_eq!(created["Code"]["S3Key"], json!(format!("{sha256}.zip")));
    assert!(created["Code"]["ZipFile"].is_null());
    let invoked = deployer.invoke(&deployment.scope, &Invocation::new("7")).await.unwrap();
    assert_eq!(&*invoked.payload, b"7");

    // It is there already, for whichever function.
    let mut other = deployment.clone();
    other.scope.function = "other".to_owned();
    let before = proxy.count();
    deployer.deploy(&other, &Silent).await.unwrap();
    let again = proxy.calls().split_off(before);
    assert!(again.iter().all(|call| !call.starts_with(&format!("PUT {object}"))), "{again:?}");

    // The last answer is lost: it is not sent again either.
    let end = all.iter().rposition(|call| call.starts_with(&format!("POST {object}"))).unwrap();
    let cloud = Cloud::empty();
    let proxy = Proxy::start(cloud.address(), Some((end, Cut::AnswerLost))).await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let parts =
        proxy.calls().iter().filter(|call| call.starts_with(&format!("PUT {object}"))).count();
    assert_eq!(parts, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_deployed_at_the_same_time_by_one_deployer() {
    let cloud = Cloud::empty();
    let deployer = cloud.deployer().await;
    let functions = ["a", "b", "c"].map(|function| deployment(function, json!({})));
    let [a, b, c] = &functions;
    let (a, b, c) = tokio::join!(
        deployer.deploy(a, &Silent),
        deployer.deploy(b, &Silent),
        deployer.deploy(c, &Silent)
    );
    for (plan, _) in [a, b, c].map(Result::unwrap) {
        assert!(plan.steps.iter().all(|step| step.action == Action::Create), "{plan:?}");
    }
    assert_eq!(deployer.list("shop", "test").await.unwrap().len(), 3);
    for function in &functions {
        assert!(deployer.plan(function).await.unwrap().is_empty());
    }
}

/// Always too busy; how often it was asked.
async fn busy() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut vec![0; 65_536]).await;
            let answer = "HTTP/1.1 429 x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (endpoint, asked)
}

#[tokio::test]
async fn a_call_is_tried_as_often_as_was_set() {
    for (tries, expected) in [(None, 6), (Some(1), 1), (Some(4), 4)] {
        let (endpoint, asked) = busy().await;
        let mut builder = builder(&endpoint);
        if let Some(tries) = tries {
            builder = builder.tries(NonZeroU32::new(tries).unwrap());
        }
        let error = builder.build().await.unwrap().list("shop", "test").await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(asked.load(Ordering::SeqCst), expected);
    }
    // Through a deployer, too.
    let (endpoint, asked) = busy().await;
    trying(&endpoint, 2).await.list("shop", "test").await.unwrap_err();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn each_weakness_of_the_peer_names_tests_that_are_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("../docs/deploy-aws.md")).unwrap();
    for number in 1..=12 {
        let row = page.lines().find(|line| line.starts_with(&format!("| D{number} |"))).unwrap();
        let tests: Vec<_> = row
            .split('`')
            .filter_map(|code| code.split_once("::"))
            .filter(|(module, _)| module.starts_with("aws_"))
            .collect();
        assert!(!tests.is_empty(), "{row}");
        for (module, test) in tests {
            let source =
                std::fs::read_to_string(folder.join(format!("tests/it/{module}.rs"))).unwrap();
            assert!(source.contains(&format!("fn {test}(")), "{module}::{test}");
        }
    }
}
