use crate::support::{Google, PARENT, service};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVENTS: &str = "events@local.iam.gserviceaccount.com";

/// A private service `greet`, and an account that may invoke it.
async fn with_service(google: &Google) -> String {
    let wanted = service(&google.source().await);
    let operation =
        google.ok("POST", &format!("/v2/{PARENT}/services?serviceId=greet"), &wanted).await;
    let done = google.wait(&operation).await;
    google.ok("POST", "/v1/projects/local/serviceAccounts", &json!({"accountId": "events"})).await;
    allow(google, EVENTS).await;
    done["response"]["uri"].as_str().unwrap().to_owned()
}

async fn allow(google: &Google, account: &str) {
    let members = [format!("serviceAccount:{account}")];
    let policy =
        json!({"policy": {"bindings": [{"role": "roles/run.invoker", "members": members}]}});
    google.ok("POST", &format!("/v2/{PARENT}/services/greet:setIamPolicy"), &policy).await;
}

/// The lines that the service printed, once there is one with this text.
async fn lines(google: &Google, text: &str) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = json!({"resourceNames": ["projects/local"], "filter": "textPayload:POST", "pageSize": 1000});
        let answer = google.ok("POST", "/v2/entries:list", &log).await;
        let entries = answer["entries"].as_array().cloned().unwrap_or_default();
        let lines: Vec<_> = entries
            .iter()
            .filter_map(|entry| Some(entry["textPayload"].as_str()?.to_owned()))
            .collect();
        if lines.iter().any(|line| line.contains(text)) {
            return lines;
        }
        assert!(Instant::now() < deadline, "nothing with {text}: {lines:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn publish(google: &Google, topic: &str, data: &str) -> String {
    let message = json!({"messages": [{"data": data, "attributes": {"k": "v"}}]});
    let path = format!("/v1/projects/local/topics/{topic}:publish");
    let answer = google.ok("POST", &path, &message).await;
    answer["messageIds"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_message_is_pushed_again_until_it_is_a_dead_letter() {
    let google = Google::start();
    let uri = with_service(&google).await;
    for topic in ["orders", "dead"] {
        google.ok("PUT", &format!("/v1/projects/local/topics/{topic}"), &json!({})).await;
    }
    let pushed = |path: &str| {
        json!({
            "topic": "projects/local/topics/orders",
            "pushConfig": {"pushEndpoint": format!("{uri}{path}"), "oidcToken": {"serviceAccountEmail": EVENTS}},
            "deadLetterPolicy": {"deadLetterTopic": "projects/local/topics/dead", "maxDeliveryAttempts": 5},
            "retryPolicy": {"minimumBackoff": "0.01s", "maximumBackoff": "0.05s"},
        })
    };
    let subscriptions = "/v1/projects/local/subscriptions";
    google.ok("PUT", &format!("{subscriptions}/good"), &pushed("/take")).await;
    google.ok("PUT", &format!("{subscriptions}/bad"), &pushed("/error")).await;
    google
        .ok(
            "PUT",
            &format!("{subscriptions}/graveyard"),
            &json!({"topic": "projects/local/topics/dead"}),
        )
        .await;
    let id = publish(&google, "orders", "aGVsbG8=").await;

    let taken = lines(&google, "/take").await;
    let taken = taken.iter().find(|line| line.starts_with("POST /take")).unwrap();
    let body: Value = serde_json::from_str(taken.split_once(" - ").unwrap().1).unwrap();
    assert_eq!(body["message"]["messageId"], id.as_str());
    assert_eq!(
        (&body["message"]["data"], &body["message"]["attributes"]["k"]),
        (&json!("aGVsbG8="), &json!("v"))
    );
    assert_eq!(
        (&body["subscription"], &body["deliveryAttempt"]),
        (&json!("projects/local/subscriptions/good"), &json!(1))
    );

    let deadline = Instant::now() + Duration::from_secs(20);
    let letter = loop {
        let pulled = google
            .ok("POST", &format!("{subscriptions}/graveyard:pull"), &json!({"maxMessages": 5}))
            .await;
        if let Some(letter) = pulled["receivedMessages"].get(0) {
            break letter.clone();
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let attributes = &letter["message"]["attributes"];
    assert_eq!(attributes["CloudPubSubDeadLetterSourceSubscription"], "bad");
    assert_eq!(attributes["CloudPubSubDeadLetterSourceDeliveryCount"], "5");
    let attempts = lines(&google, "/error").await;
    assert_eq!(attempts.iter().filter(|line| line.starts_with("POST /error")).count(), 5);
    google
        .ok(
            "POST",
            &format!("{subscriptions}/graveyard:acknowledge"),
            &json!({"ackIds": [letter["ackId"]]}),
        )
        .await;
    let empty = google
        .ok("POST", &format!("{subscriptions}/graveyard:pull"), &json!({"maxMessages": 5}))
        .await;
    assert_eq!(empty, json!({}));
}

#[tokio::test]
async fn a_push_without_permission_waits_for_it() {
    let google = Google::start();
    let uri = with_service(&google).await;
    google
        .ok("POST", "/v1/projects/local/serviceAccounts", &json!({"accountId": "stranger"}))
        .await;
    let stranger = "stranger@local.iam.gserviceaccount.com";
    google.ok("PUT", "/v1/projects/local/topics/orders", &json!({})).await;
    let subscription = json!({
        "topic": "projects/local/topics/orders",
        "pushConfig": {"pushEndpoint": uri, "oidcToken": {"serviceAccountEmail": stranger}, "noWrapper": {}},
    });
    google.ok("PUT", "/v1/projects/local/subscriptions/late", &subscription).await;
    publish(&google, "orders", "aGVsbG8=").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let log = json!({"resourceNames": ["projects/local"], "filter": "textPayload:POST"});
    assert_eq!(google.ok("POST", "/v2/entries:list", &log).await, json!({}));
    // What is on its way outlives the control plane, too.
    let google = google.restart().await;
    allow(&google, stranger).await;
    assert_eq!(lines(&google, "hello").await, ["POST / - hello"]);
}

#[tokio::test]
async fn triggers_bring_messages_and_changes_of_objects() {
    let google = Google::start();
    with_service(&google).await;
    google.ok("PUT", "/v1/projects/local/topics/orders", &json!({})).await;
    google
        .ok(
            "POST",
            "/storage/v1/b?project=local",
            &json!({"name": "inbox", "location": "europe-west1"}),
        )
        .await;
    let triggers = format!("/v1/{PARENT}/triggers");
    let trigger = |filters: Value, path: &str| {
        json!({
            "eventFilters": filters,
            "destination": {"cloudRun": {"service": "greet", "region": "europe-west1", "path": path}},
            "serviceAccount": EVENTS,
        })
    };
    let published =
        json!([{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}]);
    let mut of_topic = trigger(published, "/topic");
    of_topic["transport"] = json!({"pubsub": {"topic": "projects/local/topics/orders"}});
    let operation = google.ok("POST", &format!("{triggers}?triggerId=of-topic"), &of_topic).await;
    assert_eq!(operation["metadata"]["verb"], "create");
    let finalized = json!([
        {"attribute": "type", "value": "google.cloud.storage.object.v1.finalized"},
        {"attribute": "bucket", "value": "inbox"},
    ]);
    google
        .ok(
            "PATCH",
            &format!("{triggers}/of-bucket?allowMissing=true"),
            &trigger(finalized.clone(), "/bucket"),
        )
        .await;
    let listed = google.ok("GET", &triggers, &Value::Null).await;
    assert_eq!(listed["triggers"].as_array().unwrap().len(), 2);

    publish(&google, "orders", "aGVsbG8=").await;
    let heard = lines(&google, "POST /topic").await;
    assert!(heard[0].contains("google.cloud.pubsub.topic.v1.messagePublished"), "{heard:?}");
    assert!(heard[0].contains("\"data\":\"aGVsbG8=\""), "{heard:?}");
    let path = "/upload/storage/v1/b/inbox/o?uploadType=media&name=a%2Fb.txt";
    google.send_bytes("POST", path, "text/plain", "bytes").await;
    let heard = lines(&google, "POST /bucket").await;
    assert!(
        heard
            .iter()
            .any(|line| line.contains("\"name\":\"a/b.txt\"") && line.contains("\"size\":\"5\"")),
        "{heard:?}"
    );

    for (change, text) in [
        (json!({"serviceAccount": null}), "service_account"),
        (json!({"eventFilters": []}), "attribute 'type' is required"),
        (json!({"destination": {"cloudRun": {"service": "none"}}}), "not found"),
        (json!({"retryPolicy": {"maxAttempts": 3}}), "it can only be 1"),
    ] {
        let mut wrong = trigger(finalized.clone(), "/");
        for (name, value) in change.as_object().unwrap() {
            wrong[name] = value.clone();
        }
        let (status, answer) =
            google.send("POST", &format!("{triggers}?triggerId=wrong"), &wrong).await;
        assert!(status == 400 || status == 404, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(text), "{answer}");
    }
    google.ok("DELETE", &format!("{triggers}/of-bucket"), &Value::Null).await;
    Google::refused(
        &google.send("GET", &format!("{triggers}/of-bucket"), &Value::Null).await,
        404,
        "was not found",
    );
}

#[tokio::test]
async fn a_job_fires_when_it_is_told_to() {
    let google = Google::start();
    let uri = with_service(&google).await;
    let jobs = format!("/v1/{PARENT}/jobs");
    let job = json!({
        "name": format!("{PARENT}/jobs/nightly"),
        "schedule": "0 3 * * *",
        "timeZone": "Europe/Berlin",
        "httpTarget": {"uri": format!("{uri}/job"), "body": "e30=", "oidcToken": {"serviceAccountEmail": EVENTS}},
    });
    let made = google.ok("POST", &jobs, &job).await;
    assert_eq!(
        (&made["state"], &made["httpTarget"]["httpMethod"]),
        (&json!("ENABLED"), &json!("POST"))
    );
    assert!(made["scheduleTime"].as_str().unwrap().contains(":00:00"), "{made}");
    Google::refused(&google.send("POST", &jobs, &job).await, 409, "already exists");
    google.ok("POST", &format!("{jobs}/nightly:run"), &json!({})).await;
    assert_eq!(lines(&google, "/job").await, ["POST /job - {}"]);
    let wrong = json!({"schedule": "cron(0 3 * * ? *)"});
    let call = google.send("PATCH", &format!("{jobs}/nightly?updateMask=schedule"), &wrong).await;
    Google::refused(&call, 400, "Schedule or time zone is invalid");
    let paused = google.ok("POST", &format!("{jobs}/nightly:pause"), &json!({})).await;
    assert_eq!(paused["state"], "PAUSED");
    google.ok("DELETE", &format!("{jobs}/nightly"), &Value::Null).await;
}
