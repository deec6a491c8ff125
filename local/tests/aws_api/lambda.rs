//! Functions: how they come to be, how they change, and that they run.

use crate::client::{Cloud, architecture, archive, bare, function, send};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{Method, Request};
use serde_json::{Value, json};

const FUNCTIONS: &str = "/2015-03-31/functions";

#[tokio::test]
async fn a_function_is_started_when_it_is_invoked() {
    let cloud = Cloud::with_role().await;
    cloud.create("add", "add").await;
    let path = format!("{FUNCTIONS}/add/invocations");
    let tail = [("x-amz-log-type", "Tail")];
    let sum =
        cloud.send("lambda", Method::POST, &path, &tail, "{\"a\":1,\"b\":2}".into()).await.ok();
    assert_eq!((sum.text().as_str(), sum.header("x-amz-executed-version")), ("3", "$LATEST"));
    let log = BASE64_STANDARD.decode(sum.header("x-amz-log-result")).unwrap();
    let log = String::from_utf8(log).unwrap();
    let id = sum.header("x-amzn-requestid");
    assert!(log.contains(&format!("START RequestId: {id} Version: $LATEST\n")), "{log}");
    assert!(log.contains("add runs on Lambda\n"), "{log}");
    assert!(
        log.contains(&format!("END RequestId: {id}\nREPORT RequestId: {id}\tDuration: ")),
        "{log}"
    );
}

#[tokio::test]
async fn a_process_that_exits_or_takes_too_long_fails_its_invocation_only() {
    let cloud = Cloud::with_role().await;
    let mut greet = function("greet", "greet");
    greet["Timeout"] = 1.into();
    cloud.lambda(Method::POST, FUNCTIONS, greet).await.ok();
    cloud.settled("greet").await;
    for (path, kind) in
        [("/exit", "Runtime.ExitError"), ("/sleep", "Sandbox.Timedout"), ("/error", "Refused")]
    {
        let failed = cloud.invoke("greet", json!({"rawPath": path})).await.ok();
        assert_eq!(failed.header("x-amz-function-error"), "Unhandled");
        assert_eq!(failed.json()["errorType"], kind, "{failed:?}");
        let next = cloud.invoke("greet", json!({"rawPath": "/ada"})).await.ok();
        assert_eq!(next.json()["body"], "hello, /ada");
    }
}

#[tokio::test]
async fn code_that_lambda_could_not_start_is_told_when_it_is_invoked() {
    let cloud = Cloud::with_role().await;
    let mut other = bare();
    // `e_machine` of the ELF header: 183 is AArch64, 62 x86-64.
    other[18] = if architecture() == "arm64" { 62 } else { 183 };
    for (name, bootstrap, expected) in [
        ("no-program", b"hello".to_vec(), "Runtime.InvalidEntrypoint"),
        ("other-machine", other, "Runtime.InvalidEntrypoint"),
    ] {
        let mut wanted = function(name, "add");
        wanted["Code"] = json!({"ZipFile": BASE64_STANDARD.encode(archive(&bootstrap))});
        cloud.lambda(Method::POST, FUNCTIONS, wanted).await.ok();
        cloud.settled(name).await;
        let failed = cloud.invoke(name, json!({})).await.ok();
        assert_eq!(failed.json()["errorType"], expected, "{failed:?}");
    }
}

#[tokio::test]
async fn a_function_is_pending_at_first_and_updates_take_their_turn() {
    let cloud = Cloud::with_role().await;
    let made = cloud.lambda(Method::POST, FUNCTIONS, function("add", "add")).await;
    assert_eq!((made.status(), &made.json()["State"]), (201, &json!("Pending")));
    let early = cloud.invoke("add", json!({})).await;
    assert_eq!((early.status(), early.code()), (409, "ResourceConflictException"));
    cloud.settled("add").await;
    let path = format!("{FUNCTIONS}/add/configuration");
    let settled = cloud.lambda(Method::GET, &path, Value::Null).await.json();
    assert_ne!(
        settled["RevisionId"],
        made.json()["RevisionId"],
        "becoming active is a change, too"
    );
    let stale = json!({"Timeout": 9, "RevisionId": made.json()["RevisionId"]});
    let refused = cloud.lambda(Method::PUT, &path, stale).await;
    assert_eq!((refused.status(), refused.code()), (412, "PreconditionFailedException"));
    let changed = cloud.lambda(Method::PUT, &path, json!({"Timeout": 9})).await.ok().json();
    assert_eq!(
        (&changed["LastUpdateStatus"], &changed["Timeout"]),
        (&json!("InProgress"), &json!(9))
    );
    let second = cloud.lambda(Method::PUT, &path, json!({"Timeout": 10})).await;
    assert_eq!((second.status(), second.code()), (409, "ResourceConflictException"));
}

#[tokio::test]
async fn an_alias_shares_out_its_invocations() {
    let cloud = Cloud::with_role().await;
    cloud.create("add", "add").await;
    let versions = format!("{FUNCTIONS}/add/versions");
    for expected in ["1", "1"] {
        let published = cloud.lambda(Method::POST, &versions, json!({})).await.ok().json();
        assert_eq!(published["Version"], expected, "nothing has changed");
    }
    cloud
        .lambda(Method::PUT, &format!("{FUNCTIONS}/add/configuration"), json!({"Timeout": 4}))
        .await
        .ok();
    cloud.settled("add").await;
    assert_eq!(cloud.lambda(Method::POST, &versions, json!({})).await.ok().json()["Version"], "2");
    let weights = |weight: f64| json!({"AdditionalVersionWeights": {"2": weight}});
    let alias = json!({"Name": "live", "FunctionVersion": "1", "RoutingConfig": weights(0.5)});
    cloud.lambda(Method::POST, &format!("{FUNCTIONS}/add/aliases"), alias).await.ok();
    cloud.settled("add:2").await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = cloud.invoke("add:live", json!({})).await.ok();
        seen.insert(answer.header("x-amz-executed-version").to_owned());
    }
    assert_eq!(seen, ["1".to_owned(), "2".to_owned()].into());
    let path = format!("{FUNCTIONS}/add/aliases/live");
    let wrong = json!({"RoutingConfig": {"AdditionalVersionWeights": {"3": 0.5}}});
    assert_eq!(cloud.lambda(Method::PUT, &path, wrong).await.code(), "ResourceNotFoundException");
    let cleared = json!({"RoutingConfig": {"AdditionalVersionWeights": {}}});
    let cleared = cloud.lambda(Method::PUT, &path, cleared).await.ok().json();
    assert!(cleared.get("RoutingConfig").is_none(), "{cleared}");
}

#[tokio::test]
async fn a_url_needs_both_permissions() {
    let cloud = Cloud::with_role().await;
    cloud.create("greet", "greet").await;
    let path = "/2021-10-31/functions/greet/url";
    let url = cloud.lambda(Method::POST, path, json!({"AuthType": "NONE"})).await.ok().json();
    let url = url["FunctionUrl"].as_str().unwrap().to_owned();
    let get = || async { send(&url, Request::get("/ada").body(String::new()).unwrap()).await };
    for permission in [
        json!({"StatementId": "a", "Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}),
        json!({"StatementId": "b", "Principal": "*", "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": true}),
    ] {
        assert_eq!(get().await.status(), 403);
        cloud.lambda(Method::POST, &format!("{FUNCTIONS}/greet/policy"), permission).await.ok();
    }
    assert_eq!(get().await.ok().text(), "hello, /ada");
    cloud.lambda(Method::DELETE, path, Value::Null).await.ok();
    assert_eq!(
        cloud.lambda(Method::GET, path, Value::Null).await.code(),
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn reserved_concurrency_of_nought_stops_a_function() {
    let cloud = Cloud::with_role().await;
    cloud.create("add", "add").await;
    let path = "/2017-10-31/functions/add/concurrency";
    cloud.lambda(Method::PUT, path, json!({"ReservedConcurrentExecutions": 0})).await.ok();
    let refused = cloud.invoke("add", json!({})).await;
    assert_eq!((refused.status(), refused.code()), (429, "TooManyRequestsException"));
    cloud.lambda(Method::DELETE, path, Value::Null).await.ok();
    cloud.invoke("add", json!({})).await.ok();
}

#[tokio::test]
async fn a_function_without_its_role_is_refused_as_lambda_does() {
    let cloud = Cloud::start();
    let refused = cloud.lambda(Method::POST, FUNCTIONS, function("add", "add")).await;
    assert_eq!(refused.code(), "InvalidParameterValueException");
    assert!(
        refused.text().contains("The role defined for the function cannot be assumed by Lambda.")
    );
}

#[tokio::test]
async fn invocations_at_once_have_an_instance_each() {
    let cloud = Cloud::with_role().await;
    cloud.create("greet", "greet").await;
    let slow = || cloud.invoke("greet", json!({"rawPath": "/slow"}));
    let (one, two, three) = tokio::join!(slow(), slow(), slow());
    for answer in [one, two, three] {
        assert_eq!(answer.ok().json()["body"], "slow");
    }
    // What is free by now is used again.
    cloud.invoke("greet", json!({"rawPath": "/ada"})).await.ok();
    let target = [("x-amz-target", "Logs_20140328.DescribeLogStreams")];
    let body = json!({"logGroupName": "/aws/lambda/greet"}).to_string();
    let streams = cloud.send("logs", Method::POST, "/", &target, body).await.ok().json();
    assert_eq!(streams["logStreams"].as_array().unwrap().len(), 3, "{streams}");
}
