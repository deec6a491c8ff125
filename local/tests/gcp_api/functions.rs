use crate::support::{Google, PARENT, bare, get, request_url};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::io::{Cursor, Write as _};
use zip::{ZipWriter, write::SimpleFileOptions};

fn zip() -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (name, mode, bytes) in
        [("go.mod", 0o644, b"module example.com/fn\n".to_vec()), ("bootstrap", 0o755, bare())]
    {
        writer.start_file(name, options.unix_permissions(mode)).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// As a client would, without a token.
async fn upload(url: &str, kind: &str, bytes: Vec<u8>) -> u16 {
    let request = Request::put(url).header("content-type", kind).body(Bytes::from(bytes)).unwrap();
    request_url(request).await.status().as_u16()
}

#[tokio::test]
async fn a_function_is_a_service_with_the_program_of_the_shim() {
    let google = Google::start();
    let functions = format!("/v2/{PARENT}/functions");
    let place = google
        .ok("POST", &format!("{functions}:generateUploadUrl"), &json!({"environment": 2}))
        .await;
    let url = place["uploadUrl"].as_str().unwrap();
    assert_eq!(upload(url, "text/plain", zip()).await, 403);
    assert_eq!(upload(url, "application/zip", zip()).await, 200);
    assert_eq!(upload(url, "application/zip", zip()).await, 403);

    google.ok("PUT", "/v1/projects/local/topics/orders", &json!({})).await;
    let mut function = json!({
        "environment": "GEN_2",
        "buildConfig": {"runtime": "go126", "entryPoint": "Handler", "source": {"storageSource": place["storageSource"]}},
        "serviceConfig": {"environmentVariables": {"OMNIFN_FUNCTION": "greet"}, "availableMemory": "256Mi"},
        "eventTrigger": {
            "eventType": "google.cloud.pubsub.topic.v1.messagePublished",
            "pubsubTopic": "projects/local/topics/orders",
            "retryPolicy": "RETRY_POLICY_RETRY",
        },
    });
    let operation = google.ok("POST", &format!("{functions}?functionId=greet"), &function).await;
    assert_eq!(operation["metadata"]["verb"], "create");
    let done = google.wait(&operation).await;
    let made = &done["response"];
    assert_eq!(made["state"], "ACTIVE", "{done:#}");
    assert_eq!(made["serviceConfig"]["service"], format!("{PARENT}/services/greet"));
    assert_eq!(
        get(made["url"].as_str().unwrap(), "/x", Some("any")).await,
        (200, "hello, /x".to_owned())
    );
    let service = google.ok("GET", &format!("/v2/{PARENT}/services/greet"), &Value::Null).await;
    assert_eq!(service["template"]["maxInstanceRequestConcurrency"], 1);
    let trigger = made["eventTrigger"]["trigger"].as_str().unwrap();
    let trigger = google.ok("GET", &format!("/v1/{trigger}"), &Value::Null).await;
    assert_eq!(trigger["destination"]["cloudRun"]["service"], "greet");

    let change = json!({"serviceConfig": {"timeoutSeconds": 9}});
    let operation = google
        .ok(
            "PATCH",
            &format!("{functions}/greet?updateMask=service_config.timeout_seconds"),
            &change,
        )
        .await;
    let changed = google.wait(&operation).await;
    assert_eq!(changed["response"]["serviceConfig"]["timeoutSeconds"], 9, "{changed:#}");
    assert_eq!(changed["response"]["serviceConfig"]["availableMemory"], "256Mi");
    assert_ne!(changed["response"]["serviceConfig"]["revision"], made["serviceConfig"]["revision"]);

    function["buildConfig"]["runtime"] = "rust1".into();
    Google::refused(
        &google.send("POST", &format!("{functions}?functionId=other"), &function).await,
        400,
        "runtimes.list",
    );
    let operation = google.ok("DELETE", &format!("{functions}/greet"), &Value::Null).await;
    google.wait(&operation).await;
    for path in [format!("{functions}/greet"), format!("/v2/{PARENT}/services/greet")] {
        assert_eq!(google.send("GET", &path, &Value::Null).await.0, 404);
    }
}
