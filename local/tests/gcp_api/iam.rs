use crate::support::{Google, get, request_url};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

#[tokio::test]
async fn a_project_tells_its_number_and_keeps_a_policy() {
    let google = Google::start();
    let project = google.ok("GET", "/v3/projects/local", &Value::Null).await;
    assert_eq!(
        (&project["name"], &project["projectId"]),
        (&json!("projects/123456789012"), &json!("local"))
    );
    let other = google.send("GET", "/v3/projects/other", &Value::Null).await;
    Google::refused(&other, 403, "Permission denied on resource project other");

    let email = "runner@local.iam.gserviceaccount.com";
    let bindings = json!([{"role": "roles/eventarc.eventReceiver", "members": [format!("serviceAccount:{email}")]}]);
    let policy = json!({"policy": {"bindings": bindings}});
    let early = google.send("POST", "/v3/projects/local:setIamPolicy", &policy).await;
    Google::refused(&early, 400, "does not exist");
    let accounts = "/v1/projects/local/serviceAccounts";
    let made = google
        .ok(
            "POST",
            accounts,
            &json!({"accountId": "runner", "serviceAccount": {"displayName": "R"}}),
        )
        .await;
    assert_eq!((&made["email"], &made["displayName"]), (&json!(email), &json!("R")));
    Google::refused(
        &google.send("POST", accounts, &json!({"accountId": "runner"})).await,
        409,
        "already exists",
    );
    google.ok("POST", "/v3/projects/local:setIamPolicy", &policy).await;
    let read = google.ok("POST", "/v3/projects/local:getIamPolicy", &json!({})).await;
    assert_eq!(read["bindings"], bindings);
    google.ok("DELETE", &format!("{accounts}/{email}"), &Value::Null).await;
    Google::refused(
        &google.send("GET", &format!("{accounts}/{email}"), &Value::Null).await,
        404,
        "does not exist",
    );
}

#[tokio::test]
async fn every_kind_of_credentials_finds_its_token() {
    let google = Google::start();
    let post = |path: &str, kind: &str, body: &'static str| {
        let request =
            Request::post(format!("{}{path}", google.api.endpoint())).header("content-type", kind);
        request_url(request.body(Bytes::from(body)).unwrap())
    };
    for (path, kind, body) in [
        ("/token", "application/json", "{\"grant_type\":\"refresh_token\"}"),
        (
            "/v1/token",
            "application/x-www-form-urlencoded",
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
        ),
    ] {
        let answer: Value = serde_json::from_slice(post(path, kind, body).await.body()).unwrap();
        assert_eq!(
            (&answer["token_type"], &answer["expires_in"]),
            (&json!("Bearer"), &json!(3599))
        );
    }
    let metadata = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!(get(&google.api.endpoint(), metadata, None).await.0, 403);
    let request = Request::get(format!("{}{metadata}", google.api.endpoint()))
        .header("metadata-flavor", "Google");
    let answer = request_url(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["metadata-flavor"]),
        (200, &"Google".parse().unwrap())
    );
    let impersonated =
        "/v1/projects/-/serviceAccounts/a@local.iam.gserviceaccount.com:generateAccessToken";
    let token =
        google.ok("POST", impersonated, &json!({"scope": ["x"], "lifetime": "3600s"})).await;
    assert!(token["expireTime"].is_string(), "{token}");
}
