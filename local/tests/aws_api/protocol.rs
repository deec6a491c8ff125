//! Which service is meant, and how each refuses.

use crate::client::{Cloud, send};
use http::{Method, Request};
use serde_json::{Value, json};

#[tokio::test]
async fn a_request_without_a_signature_is_refused_in_the_words_of_its_service() {
    let cloud = Cloud::start();
    for (request, expected) in [
        (Request::get("/2015-03-31/functions"), "\"message\":\"Missing Authentication Token"),
        (Request::post("/"), "<Code>MissingAuthenticationToken</Code>"),
        (Request::get("/bucket"), "<Code>MissingAuthenticationToken</Code>"),
        (
            Request::post("/").header("x-amz-target", "AmazonSQS.SendMessage"),
            "\"__type\":\"MissingAuthenticationToken\"",
        ),
    ] {
        let answer = send(&cloud.aws.endpoint(), request.body(String::new()).unwrap()).await;
        assert_eq!(answer.status(), 403);
        assert!(answer.text().contains(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn an_unknown_call_names_those_that_there_are() {
    let cloud = Cloud::start();
    for (service, method, path, target, code, known) in [
        (
            "lambda",
            Method::GET,
            "/2020-01-01/layers",
            "",
            "UnknownOperationException",
            "CreateFunction",
        ),
        ("iam", Method::POST, "/?Action=CreateUser", "", "InvalidAction", "CreateRole"),
        ("sns", Method::POST, "/?Action=CreatePlatform", "", "InvalidAction", "Subscribe"),
        ("s3", Method::GET, "/bucket?acl", "", "NotImplemented", "PutObject"),
        (
            "sqs",
            Method::POST,
            "/",
            "AmazonSQS.StartMessageMoveTask",
            "UnknownOperationException",
            "SendMessage",
        ),
        (
            "events",
            Method::POST,
            "/",
            "AWSEvents.CreateArchive",
            "UnknownOperationException",
            "PutRule",
        ),
        (
            "logs",
            Method::POST,
            "/",
            "Logs_20140328.StartQuery",
            "UnknownOperationException",
            "FilterLogEvents",
        ),
        ("scheduler", Method::GET, "/nothing", "", "UnknownOperationException", "CreateSchedule"),
    ] {
        let headers = if target.is_empty() { vec![] } else { vec![("x-amz-target", target)] };
        let answer = cloud.send(service, method, path, &headers, String::new()).await;
        assert_eq!(answer.code(), code, "{answer:?}");
        assert!(answer.text().contains(known), "{answer:?}");
        assert!(answer.status() >= 400);
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let cloud = Cloud::start();
    for body in ["{", "[]", "null", "\u{0}"] {
        let answer =
            cloud.send("lambda", Method::POST, "/2015-03-31/functions", &[], body.to_owned()).await;
        assert_eq!((answer.status(), answer.code()), (400, "SerializationException"), "{body}");
    }
    let answer =
        cloud.lambda(Method::POST, "/2015-03-31/functions", json!({"FunctionName": 5})).await;
    assert_eq!((answer.status(), answer.code()), (400, "ValidationException"));
    let add = crate::client::function("add", "add");
    for (member, value) in
        [("LoggingConfig", json!("text")), ("Layers", json!({})), ("VpcConfig", json!([]))]
    {
        let cloud = Cloud::with_role().await;
        let mut add = add.clone();
        add[member] = value;
        let answer = cloud.lambda(Method::POST, "/2015-03-31/functions", add).await;
        assert_eq!((answer.status(), answer.code()), (400, "SerializationException"), "{member}");
    }
    cloud.send("s3", Method::PUT, "/bucket", &[], String::new()).await.ok();
    for xml in [
        "<NotificationConfiguration>".repeat(100_000),
        format!("{}{}", "<a>".repeat(30), "</a>".repeat(30)),
        "<a><QueueConfiguration/></a>".to_owned(),
        "<a><QueueConfiguration>text</QueueConfiguration></a>".to_owned(),
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(),
    ] {
        let answer = cloud.send("s3", Method::PUT, "/bucket?notification", &[], xml).await;
        assert_eq!((answer.status(), answer.code()), (400, "MalformedXML"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_object_is_stored_at_a_path_and_at_a_host() {
    let cloud = Cloud::start();
    cloud.send("s3", Method::PUT, "/bucket", &[], String::new()).await.ok();
    cloud
        .send("s3", Method::PUT, "/bucket/a%20b", &[("content-type", "text/plain")], "hello".into())
        .await
        .ok();
    let answer = cloud
        .send("s3", Method::GET, "/a%20b", &[("host", "bucket.localhost")], String::new())
        .await
        .ok();
    assert_eq!((answer.text().as_str(), answer.header("content-type")), ("hello", "text/plain"));
    assert_eq!(answer.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    let wrong = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    let answer = cloud.send("s3", Method::PUT, "/bucket/b", &wrong, "hello".into()).await;
    assert_eq!(answer.code(), "BadDigest");
    let answer = cloud.send("s3", Method::GET, "/bucket/b", &[], String::new()).await;
    assert_eq!((answer.status(), answer.code()), (404, "NoSuchKey"));
}

#[tokio::test]
async fn a_role_is_guarded_while_it_has_policies() {
    let cloud = Cloud::with_role().await;
    let answer = cloud.iam("Action=GetRole&RoleName=SHOP").await.ok();
    assert!(answer.text().contains("<Arn>arn:aws:iam::000000000000:role/shop</Arn>"), "{answer:?}");
    assert!(answer.text().contains("<AssumeRolePolicyDocument>%7B%22Version%22"), "{answer:?}");
    cloud.iam("Action=AttachRolePolicy&RoleName=shop&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess").await.ok();
    let answer = cloud.iam("Action=DeleteRole&RoleName=shop").await;
    assert_eq!((answer.status(), answer.code()), (409, "DeleteConflict"));
    cloud.iam("Action=DetachRolePolicy&RoleName=shop&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess").await.ok();
    cloud.iam("Action=DeleteRole&RoleName=shop").await.ok();
    let answer = cloud.iam("Action=GetRole&RoleName=shop").await;
    assert_eq!((answer.status(), answer.code()), (404, "NoSuchEntity"));
    let answer = cloud.lambda(Method::GET, "/2015-03-31/functions/none", Value::Null).await;
    assert_eq!((answer.status(), answer.code()), (404, "ResourceNotFoundException"));
}
