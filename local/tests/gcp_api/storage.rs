use crate::support::{Google, request_url};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

#[tokio::test]
async fn an_object_is_put_once_where_nothing_was() {
    let google = Google::start();
    let bucket = json!({
        "name": "run-sources-local", "location": "europe-west1",
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "enforced"},
        "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]},
    });
    let made = google.ok("POST", "/storage/v1/b?project=local", &bucket).await;
    assert_eq!(
        (&made["projectNumber"], &made["location"]),
        (&json!("123456789012"), &json!("EUROPE-WEST1"))
    );
    assert_eq!(made["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"], true);
    assert_eq!(made["lifecycle"], bucket["lifecycle"]);
    let again = google.send("POST", "/storage/v1/b?project=local", &bucket).await;
    Google::refused(&again, 409, "you already own it");

    let path = "/upload/storage/v1/b/run-sources-local/o?uploadType=media&name=services%2Fa.tar.gz&ifGenerationMatch=0";
    let (status, _) = google.send_bytes("POST", path, "application/gzip", "bytes").await;
    assert_eq!(status, 200);
    let (status, answer) = google.send_bytes("POST", path, "application/gzip", "bytes").await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    Google::refused(&(status, answer.clone()), 412, "pre-conditions");
    assert_eq!(answer["error"]["errors"][0]["reason"], "conditionNotMet");

    let place = "/storage/v1/b/run-sources-local/o/services%2Fa.tar.gz";
    let object = google.ok("GET", place, &Value::Null).await;
    assert_eq!(
        (&object["size"], &object["contentType"]),
        (&json!("5"), &json!("application/gzip"))
    );
    // Of the text `bytes`, by Python's hashlib and Google's crc32c.
    assert_eq!(object["crc32c"], "0G6ckg==");
    assert_eq!(object["md5Hash"], "SzpiGLs+OnMD6KFxpg/Pkg==");
    assert!(object["generation"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    let (_, bytes) = google.send_bytes("GET", &format!("{place}?alt=media"), "", "").await;
    assert_eq!(bytes, "bytes");
    let listed =
        google.ok("GET", "/storage/v1/b/run-sources-local/o?prefix=services/", &Value::Null).await;
    assert_eq!(listed["items"][0]["name"], "services/a.tar.gz");

    let full = google.send("DELETE", "/storage/v1/b/run-sources-local", &Value::Null).await;
    Google::refused(&full, 409, "not empty");
    assert_eq!(google.send("DELETE", place, &Value::Null).await.0, 204);
    Google::refused(&google.send("GET", place, &Value::Null).await, 404, "No such object");
    assert_eq!(google.send("DELETE", "/storage/v1/b/run-sources-local", &Value::Null).await.0, 204);
}

#[tokio::test]
async fn objects_are_uploaded_with_a_description_or_in_pieces() {
    let google = Google::start();
    google.ok("POST", "/storage/v1/b?project=local", &json!({"name": "bucket"})).await;
    let body = "--x\r\nContent-Type: application/json\r\n\r\n{\"name\":\"a\",\"metadata\":{\"k\":\"v\"}}\r\n--x\r\nContent-Type: \
                text/plain\r\n\r\nsome\r\n--x-bytes\r\n--x--\r\n";
    let path = "/upload/storage/v1/b/bucket/o?uploadType=multipart";
    let (status, object) =
        google.send_bytes("POST", path, "multipart/related; boundary=x", body).await;
    let object: Value = serde_json::from_slice(&object).unwrap();
    assert_eq!(status, 200, "{object}");
    assert_eq!((&object["size"], &object["metadata"]["k"]), (&json!("15"), &json!("v")));
    for cut in [0, 40, 90, body.len() - 6] {
        let (status, _) =
            google.send_bytes("POST", path, "multipart/related; boundary=x", &body[..cut]).await;
        assert_eq!(status, 400, "{cut}");
    }

    let begin = Request::post(format!(
        "{}/upload/storage/v1/b/bucket/o?uploadType=resumable&name=b",
        google.api.endpoint()
    ))
    .header("authorization", "Bearer test")
    .body(Bytes::from("{}"))
    .unwrap();
    let location = request_url(begin).await.headers()["location"].to_str().unwrap().to_owned();
    let piece = |range: &str, bytes: &'static str| {
        let request = Request::put(&location)
            .header("authorization", "Bearer test")
            .header("content-range", range);
        request_url(request.body(Bytes::from(bytes)).unwrap())
    };
    let first = piece("bytes 0-2/*", "abc").await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["range"]),
        (308, &"bytes=0-2".parse().unwrap())
    );
    assert_eq!(piece("bytes 7-8/9", "xy").await.status(), 400);
    let last = piece("bytes 3-4/5", "de").await;
    assert_eq!(last.status(), 200);
    let (_, bytes) = google.send_bytes("GET", "/storage/v1/b/bucket/o/b?alt=media", "", "").await;
    assert_eq!(bytes, "abcde");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let google = Google::start();
    let call = google.send("POST", "/storage/v1/b?project=other", &json!({"name": "bucket"})).await;
    Google::refused(&call, 400, "Unknown project id");
    let call = google.send("POST", "/storage/v1/b?project=local", &json!({"name": "A"})).await;
    Google::refused(&call, 400, "Invalid bucket name");
    let call = google.send("GET", "/storage/v1/b/none", &Value::Null).await;
    Google::refused(&call, 404, "bucket does not exist");
    let call = google.send("GET", "/compute/v1/projects/local", &Value::Null).await;
    Google::refused(&call, 501, "/compute/v1/projects/local");
    let bare = Request::get(format!("{}/storage/v1/b/none", google.api.endpoint()));
    let response = request_url(bare.body(Bytes::new()).unwrap()).await;
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key("www-authenticate"));
}
