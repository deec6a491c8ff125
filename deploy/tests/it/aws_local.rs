//! AWS, as the control plane on this machine has it: what is deployed there runs, and gets what triggers it.

use crate::aws_cloud::{
    ACCOUNT, Cloud, Clouds, REGION, aws, deployment, is_logged, lines, running, trying, writes,
};
use omnifn_deploy::{
    Deployer, Deployment, Invocation, Silent,
    package::Provider,
    testing::{self, Cut, Proxy},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Everything that is no trigger, and queues.
fn queues() -> Deployment {
    let settings = json!({
        "description": "ships orders",
        "memory": "512MiB",
        "env": { "RUST_LOG": "info" },
        "labels": { "team": "shop" },
        "triggers": {
            "orders": { "type": "queue", "batch-size": 100, "batch-window": "1s", "max-concurrency": 10 },
            "fifo": { "type": "queue", "queue": "orders.fifo", "partial-failures": false },
            "returns": { "type": "queue", "topic": "returns", "filter": "{\"kind\":[\"book\"]}", "dead-letter": "failed" },
        },
        "aws": {
            "policies": ["arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"],
            "ephemeral-storage": "1GiB",
            "tracing": true,
            "log-retention": "30d",
            "reserved-concurrency": 5,
            "provisioned-concurrency": 1,
            "max-retries": 1,
            "max-event-age": "1h",
            "on-failure": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:failed"),
        },
    });
    deployment("orders", settings)
}

/// One function for each other kind of trigger.
fn others() -> Vec<Deployment> {
    let of = |function, triggers: Value| deployment(function, json!({ "triggers": triggers }));
    let cors = json!({ "origins": ["https://example.com"], "methods": ["GET"], "max-age": "1h" });
    let night = json!({ "type": "timer", "schedule": "30 2 * * 1-5", "timezone": "Europe/Berlin", "input": { "a": 1 } });
    let photos = json!({ "type": "storage", "prefix": "in/", "suffix": ".jpg", "changes": ["created", "deleted", "archived"] });
    vec![
        of(
            "create",
            json!({ "url": { "type": "http", "auth": "none", "stream": true, "cors": cors } }),
        ),
        of("report", json!({ "nightly": night })),
        of("resize", json!({ "photos": photos })),
        of("audit", json!({ "shop": { "type": "event", "pattern": { "source": ["shop"] } } })),
        of("call", json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_keep_what_every_provider_promises() {
    conforms(&queues()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_trigger_keeps_what_every_provider_promises() {
    for deployment in others() {
        conforms(&deployment).await;
    }
}

/// Each promise is tried on a cloud of its own.
async fn conforms(deployment: &Deployment) {
    let clouds = Clouds::new().await;
    let mut providers = VecDeque::new();
    let mut started = Vec::new();
    for _ in 0..7 {
        let cloud = clouds.start();
        providers.push_back(aws(&cloud.api.endpoint()).await);
        started.push(cloud);
    }
    let providers = Mutex::new(providers);
    let next = || providers.lock().unwrap().pop_front().expect("seven promises");
    testing::conformance(next, deployment).await;
}

#[expect(clippy::print_stdout, reason = "a table for those who read the test's output")]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_deploy_sends_no_code_and_only_reads() {
    let clouds = Clouds::new().await;
    for deployment in std::iter::once(queues()).chain(others()) {
        let cloud = clouds.start();
        let proxy = cloud.proxy().await;
        let deployer = Deployer::new(aws(&proxy.endpoint()).await);
        let (plan, _) = deployer.deploy(&deployment, &Silent).await.unwrap();
        let first = proxy.sent().len();
        deployer.deploy(&deployment, &Silent).await.unwrap();
        let again = proxy.sent().split_off(first);
        assert_eq!(writes(&again), [], "{}", deployment.scope);
        println!(
            "{}: {} steps in {first} calls; a second deploy in {} reads",
            deployment.scope.function,
            plan.steps.len(),
            again.len()
        );
        assert!(again.len() <= 25, "{}: {} reads", deployment.scope, again.len());
    }
}

/// Deployed, with what runs it.
async fn deployed(function: &str, settings: Value) -> (Cloud, Deployer, Deployment) {
    let cloud = Cloud::start().await;
    let deployer = cloud.deployer().await;
    let deployment = running(function, settings);
    deployer.deploy(&deployment, &Silent).await.unwrap();
    (cloud, deployer, deployment)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_answers_through_its_alias_and_each_release_by_its_name() {
    let (_cloud, deployer, mut deployment) =
        deployed("call", json!({ "env": { "A1": "b" } })).await;
    let scope = deployment.scope.clone();
    let invoked = deployer.invoke(&scope, &Invocation::new(r#"{"a":1}"#)).await.unwrap();
    assert_eq!((invoked.status, invoked.is_failure), (200, false), "{invoked:?}");
    assert_eq!(&*invoked.payload, br#"{"a":1}"#);
    assert_eq!(invoked.release.as_deref(), Some("1"));
    deployment.settings.description = Some("another one".to_owned());
    deployer.deploy(&deployment, &Silent).await.unwrap();
    let invoked = deployer.invoke(&scope, &Invocation::new("{}")).await.unwrap();
    assert_eq!(invoked.release.as_deref(), Some("2"));
    let mut invocation = Invocation::new("{}");
    invocation.release = Some("1".to_owned());
    let invoked = deployer.invoke(&scope, &invocation).await.unwrap();
    assert_eq!(invoked.release.as_deref(), Some("1"));
    assert!(is_logged(&deployer, &scope, r#"{"a":1}"#).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_answers_whom_it_may() {
    let settings = json!({ "triggers": { "url": { "type": "http", "auth": "none" } } });
    let (cloud, deployer, deployment) = deployed("create", settings).await;
    let status = deployer.status(&deployment.scope).await.unwrap();
    let url = status.iter().find_map(|found| found.outputs.get("url")).unwrap().clone();
    let answer = reqwest::get(&url).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "hello"));

    // Somebody takes the permissions away: the next deploy mends that, and nothing else.
    for statement in ["omnifn-url", "omnifn-url-invoke"] {
        let path =
            format!("/2015-03-31/functions/shop-test-create/policy/{statement}?Qualifier=live");
        cloud.send("lambda", Method::DELETE, &path, &[], "").await;
    }
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 403);
    let (plan, _) = deployer.deploy(&deployment, &Silent).await.unwrap();
    assert!(plan.steps.iter().all(|step| step.id.kind == "permission"), "{plan:?}");
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);

    let mut private = deployment.clone();
    private.settings =
        crate::aws_cloud::settings(json!({ "triggers": { "url": { "type": "http" } } }));
    deployer.deploy(&private, &Silent).await.unwrap();
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_drained_by_what_was_deployed() {
    let triggers = json!({ "orders": { "type": "queue" } });
    let (cloud, deployer, deployment) = deployed("orders", json!({ "triggers": triggers })).await;
    let url = format!("{}/{ACCOUNT}/orders", cloud.api.endpoint());
    cloud.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "order 4711" })).await;
    assert!(is_logged(&deployer, &deployment.scope, "order 4711").await);
    let begun = Instant::now();
    loop {
        let all = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        let left = cloud.sqs("GetQueueAttributes", all).await;
        if left["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0" {
            assert_eq!(left["Attributes"]["ApproximateNumberOfMessages"], "0");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{left}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_tells_what_its_filter_lets_through() {
    let topic = json!({ "type": "queue", "topic": "returns", "filter": "{\"kind\":[\"book\"]}" });
    let settings = json!({ "triggers": { "returns": topic } });
    let (cloud, deployer, deployment) = deployed("orders", settings).await;
    let publish = |message: &str, kind: &str| {
        let attribute = format!(
            "MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue={kind}"
        );
        let arn = format!("arn:aws:sns:{REGION}:{ACCOUNT}:returns");
        format!("Action=Publish&TopicArn={arn}&Message={message}&{attribute}")
    };
    cloud.sns(&publish("unwanted", "pen")).await;
    cloud.sns(&publish("wanted", "book")).await;
    assert!(is_logged(&deployer, &deployment.scope, "\"wanted\"").await);
    assert!(!lines(&deployer, &deployment.scope).await.contains("unwanted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_tells_of_the_objects_that_are_asked_for() {
    let photos = json!({ "type": "storage", "prefix": "in/", "suffix": ".jpg", "changes": ["created", "deleted"] });
    let settings = json!({ "triggers": { "photos": photos } });
    let (cloud, deployer, deployment) = deployed("resize", settings).await;
    for object in ["/photos/out/a.jpg", "/photos/in/b.png", "/photos/in/c.jpg"] {
        cloud.send("s3", Method::PUT, object, &[], "x").await;
    }
    assert!(is_logged(&deployer, &deployment.scope, "in/c.jpg").await);
    let lines = lines(&deployer, &deployment.scope).await;
    assert!(!lines.contains("a.jpg") && !lines.contains("b.png"), "{lines}");
    cloud.send("s3", Method::DELETE, "/photos/in/c.jpg", &[], "").await;
    assert!(is_logged(&deployer, &deployment.scope, "ObjectRemoved:Delete").await);
    let kept = cloud.send("s3", Method::GET, "/photos?notification", &[], "").await;
    assert!(kept.contains("<Id>other</Id>") && kept.contains("shop-test-resize"), "{kept}");
    deployer.remove(&deployment.scope, &Silent).await.unwrap();
    let kept = cloud.send("s3", Method::GET, "/photos?notification", &[], "").await;
    assert!(kept.contains("<Id>other</Id>") && !kept.contains("shop-test-resize"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_passes_on_the_events_of_its_pattern() {
    let shop = json!({ "type": "event", "pattern": { "source": ["shop"] } });
    let (cloud, deployer, deployment) =
        deployed("audit", json!({ "triggers": { "shop": shop } })).await;
    let entry = |source: &str, id: &str| json!({ "Source": source, "DetailType": "Sold", "Detail": json!({ "id": id }).to_string() });
    let entries = json!({ "Entries": [entry("bank", "unwanted"), entry("shop", "wanted")] });
    let put = cloud.json("events", "AWSEvents.PutEvents", entries).await;
    assert_eq!(put["FailedEntryCount"], 0, "{put}");
    assert!(is_logged(&deployer, &deployment.scope, "\"wanted\"").await);
    assert!(!lines(&deployer, &deployment.scope).await.contains("unwanted"));
}

/// What an error in each form looks like where no service gives one of its own.
const BROKEN: &str = r#"{"message":"An error occurred"}"#;

fn broken() -> Cut {
    let headers = [("content-type", "application/json"), ("x-amzn-errortype", "ServiceException")];
    Cut::answer(500, &headers, BROKEN)
}

/// Each call goes wrong once; with one try that needs another deploy, with more it is mended at once.
#[expect(clippy::print_stdout, reason = "a table for those who read the test's output")]
async fn converges(deployment: &Deployment, kind: &str, cut: Cut, tries: u32) {
    let clouds = Clouds::new().await;
    let begun = Instant::now();
    let start = |call: Option<usize>| {
        let (cloud, cut) = (clouds.start(), cut.clone());
        async move {
            let proxy = Proxy::start(cloud.address(), call.map(|call| (call, cut))).await;
            let deployer = trying(&proxy.endpoint(), tries).await;
            // Both last as long as this.
            (deployer, move || {
                let _kept = &cloud;
                proxy.count() > call.unwrap_or_default()
            })
        }
    };
    let runs = testing::converges(start, deployment).await;
    let failures: usize = runs.iter().map(|run| run.failures).sum();
    let calls = runs.len();
    println!(
        "{}, {kind}, {tries} tries: {calls} calls, {calls} runs, {failures} deploys failed; {:?}",
        deployment.scope.function,
        begun.elapsed()
    );
    assert!(runs.iter().all(|run| run.failures <= 1), "{runs:?}");
    if tries > 1 {
        assert_eq!(failures, 0, "{runs:?}");
    } else {
        assert!(failures * 2 > calls, "{runs:?}");
    }
    if deployment.scope.function == "orders" {
        assert!(calls >= 25, "{calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_converges_whichever_call_is_refused() {
    converges(&queues(), "refused", Cut::Refused, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_converges_whichever_answer_is_lost() {
    converges(&queues(), "answer lost", Cut::AnswerLost, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_converges_whichever_call_fails() {
    converges(&queues(), "500", broken(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_need_not_be_run_again_for_a_throttled_call() {
    converges(&queues(), "429", Cut::Throttled, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_need_not_be_run_again_for_a_lost_answer() {
    converges(&queues(), "answer lost", Cut::AnswerLost, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_converges_whichever_answer_is_lost() {
    converges(&others()[0], "answer lost", Cut::AnswerLost, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_converges_whichever_answer_is_lost() {
    converges(&others()[1], "answer lost", Cut::AnswerLost, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_converges_whichever_answer_is_lost() {
    converges(&others()[2], "answer lost", Cut::AnswerLost, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_converges_whichever_answer_is_lost() {
    converges(&others()[3], "answer lost", Cut::AnswerLost, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_archive_goes_with_the_call() {
    let cloud = Cloud::empty();
    let proxy = cloud.proxy().await;
    let deployer = Deployer::new(aws(&proxy.endpoint()).await);
    deployer.deploy(&testing::deployment(Provider::Aws, "plain"), &Silent).await.unwrap();
    let to_bucket = proxy.calls().into_iter().find(|call| call.contains("omnifn-"));
    assert_eq!(to_bucket, None);
}
