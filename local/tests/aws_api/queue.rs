//! Queues, and the functions that are fed from them.

use crate::client::{Cloud, until};
use http::Method;
use serde_json::{Value, json};

async fn queue(cloud: &Cloud, name: &str, attributes: Value) -> (String, String) {
    let made = cloud.sqs("CreateQueue", json!({"QueueName": name, "Attributes": attributes})).await;
    let url = made.ok().json()["QueueUrl"].as_str().unwrap().to_owned();
    (url, format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
}

async fn received(cloud: &Cloud, url: &str) -> Vec<String> {
    let body = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let answer = cloud.sqs("ReceiveMessage", body).await.ok().json();
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_message_is_hidden_and_comes_back() {
    let cloud = Cloud::start();
    let (url, _) = queue(&cloud, "q", json!({"VisibilityTimeout": "1"})).await;
    cloud.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "hello"})).await.ok();
    assert_eq!(received(&cloud, &url).await, ["hello"]);
    assert!(received(&cloud, &url).await.is_empty());
    until(async || received(&cloud, &url).await == ["hello"]).await;
    let refused =
        cloud.sqs("SendMessage", json!({"QueueUrl": "http://x/none", "MessageBody": "a"})).await;
    assert_eq!(refused.code(), "QueueDoesNotExist");
    assert_eq!(
        refused.header("x-amzn-query-error"),
        "AWS.SimpleQueueService.NonExistentQueue;Sender"
    );
}

#[tokio::test]
async fn a_mapping_feeds_a_function_and_deletes_what_it_has_done() {
    let cloud = Cloud::with_role().await;
    cloud.create("add", "add").await;
    let (url, arn) = queue(&cloud, "q", json!({})).await;
    let wanted = json!({"FunctionName": "add", "EventSourceArn": arn});
    let mapping =
        cloud.lambda(Method::POST, "/2015-03-31/event-source-mappings", wanted).await.ok().json();
    assert_eq!(mapping["State"], "Creating");
    cloud.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "hello"})).await.ok();
    until(async || {
        let body = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let found = cloud.sqs("GetQueueAttributes", body).await.ok().json();
        found["Attributes"]["ApproximateNumberOfMessages"] == "0"
            && found["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_fails_goes_to_the_dead_letters_in_the_end() {
    let cloud = Cloud::with_role().await;
    let (dead, dead_arn) = queue(&cloud, "dead", json!({})).await;
    let redrive = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}).to_string();
    let (url, arn) =
        queue(&cloud, "q", json!({"VisibilityTimeout": "5", "RedrivePolicy": redrive})).await;
    // Its answer to a batch is no failure; that of a function which does not start is.
    let mut broken = crate::client::function("broken", "greet");
    broken["Environment"]["Variables"]["BARE_START"] = "fail".into();
    cloud.lambda(Method::POST, "/2015-03-31/functions", broken).await.ok();
    cloud.settled("broken").await;
    let wanted = json!({"FunctionName": "broken", "EventSourceArn": arn});
    cloud.lambda(Method::POST, "/2015-03-31/event-source-mappings", wanted).await.ok();
    cloud.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "poison"})).await.ok();
    until(async || received(&cloud, &dead).await == ["poison"]).await;
}

#[tokio::test]
async fn an_event_that_fails_is_told_of_after_its_retries() {
    let cloud = Cloud::with_role().await;
    cloud.create("greet", "greet").await;
    let (url, arn) = queue(&cloud, "failures", json!({})).await;
    let config = json!({"DestinationConfig": {"OnFailure": {"Destination": arn}}});
    cloud.lambda(Method::PUT, "/2019-09-25/functions/greet/event-invoke-config", config).await.ok();
    let path = "/2015-03-31/functions/greet/invocations";
    let event = [("x-amz-invocation-type", "Event")];
    let sent =
        cloud.send("lambda", Method::POST, path, &event, "{\"rawPath\":\"/error\"}".into()).await;
    assert_eq!(sent.status(), 202);
    let mut found = Vec::new();
    until(async || {
        found = received(&cloud, &url).await;
        !found.is_empty()
    })
    .await;
    let record: Value = serde_json::from_str(&found[0]).unwrap();
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(record["responsePayload"]["errorMessage"], "refused");
}
