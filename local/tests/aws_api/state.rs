//! What is still there after a restart.

use crate::client::{Cloud, options};
use http::Method;
use omnifn_local::AwsApi;
use serde_json::{Value, json};

#[tokio::test]
async fn a_restart_serves_the_same_functions_and_messages() {
    let Cloud { aws, folder } = {
        let cloud = Cloud::with_role().await;
        cloud.create("add", "add").await;
        cloud.sqs("CreateQueue", json!({"QueueName": "q"})).await.ok();
        let url = format!("{}/000000000000/q", cloud.aws.endpoint());
        cloud.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "kept"})).await.ok();
        cloud.invoke("add", json!({"a": 1, "b": 1})).await.ok();
        cloud
    };
    aws.stop().await;
    let aws = AwsApi::start(options(folder.path())).unwrap();
    let cloud = Cloud { aws, folder };
    assert_eq!(cloud.invoke("add", json!({"a": 2, "b": 2})).await.ok().text(), "4");
    let received = cloud.sqs("ReceiveMessage", json!({"QueueUrl": "q"})).await.ok().json();
    assert_eq!(received["Messages"][0]["Body"], "kept");
    cloud.lambda(Method::DELETE, "/2015-03-31/functions/add", Value::Null).await.ok();
    let code: Vec<_> = std::fs::read_dir(cloud.folder.path().join("code")).unwrap().collect();
    assert!(code.is_empty(), "code that nobody has is kept: {code:?}");
}
