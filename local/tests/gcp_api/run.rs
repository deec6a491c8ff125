use crate::support::{Google, PARENT, archive, bare, get, service};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const SERVICES: &str = "/v2/projects/local/locations/europe-west1/services";

/// Creates the service `greet`, and returns it once it is there.
async fn created(google: &Google, wanted: &Value) -> Value {
    let operation = google.ok("POST", &format!("{SERVICES}?serviceId=greet"), wanted).await;
    let done = google.wait(&operation).await;
    assert_eq!(done["error"], Value::Null, "{done:#}");
    done["response"].clone()
}

async fn patched(google: &Google, query: &str, wanted: &Value) -> Value {
    let operation = google.ok("PATCH", &format!("{SERVICES}/greet?{query}"), wanted).await;
    google.wait(&operation).await
}

#[tokio::test]
async fn a_service_is_created_from_an_archive_and_runs() {
    let google = Google::start();
    let wanted = service(&google.source().await);
    let operation = google.ok("POST", &format!("{SERVICES}?serviceId=greet"), &wanted).await;
    assert_eq!(operation["done"], false);
    assert_eq!(operation["metadata"]["@type"], "type.googleapis.com/google.cloud.run.v2.Service");
    let done = google
        .ok(
            "POST",
            &format!("/v2/{}:wait", operation["name"].as_str().unwrap()),
            &json!({"timeout": "30s"}),
        )
        .await;
    let service = &done["response"];
    assert_eq!(service["terminalCondition"]["state"], "CONDITION_SUCCEEDED", "{done:#}");
    assert_eq!(service["name"], format!("{PARENT}/services/greet"));
    assert_eq!(service["latestReadyRevision"], service["latestCreatedRevision"]);
    let template = &service["template"];
    assert_eq!(
        (&template["timeout"], &template["maxInstanceRequestConcurrency"]),
        (&json!("300s"), &json!(80))
    );
    assert_eq!(template["serviceAccount"], "123456789012-compute@developer.gserviceaccount.com");
    let uri = service["uri"].as_str().unwrap();
    // Private unless said otherwise.
    assert_eq!(get(uri, "/cloud", None).await.0, 403);
    assert_eq!(get(uri, "/cloud", Some("any")).await, (200, "cloud run".to_owned()));

    let policy = format!("{SERVICES}/greet");
    let before = google.ok("GET", &format!("{policy}:getIamPolicy"), &Value::Null).await;
    let public = json!([{"role": "roles/run.invoker", "members": ["allUsers"]}]);
    let set = json!({"policy": {"bindings": public, "etag": before["etag"]}});
    google.ok("POST", &format!("{policy}:setIamPolicy"), &set).await;
    assert_eq!(get(uri, "/x", None).await, (200, "hello, /x".to_owned()));
    let late = google.send("POST", &format!("{policy}:setIamPolicy"), &set).await;
    Google::refused(&late, 409, "concurrent policy changes");

    // What it writes is in the log.
    let filter = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"greet\"";
    let log = json!({"resourceNames": ["projects/local"], "filter": filter});
    let entries = google.ok("POST", "/v2/entries:list", &log).await;
    assert_eq!(entries["entries"][0]["textPayload"], "greet runs on Cloud Run", "{entries:#}");

    let operation = google.ok("DELETE", &policy, &Value::Null).await;
    google.wait(&operation).await;
    Google::refused(&google.send("GET", &policy, &Value::Null).await, 404, "not found");
    assert_eq!(google.api.instances(), 0);
}

#[tokio::test]
async fn traffic_moves_by_percent_and_by_tag_and_back() {
    let google = Google::start();
    let mut wanted = service(&google.source().await);
    wanted["invokerIamDisabled"] = true.into();
    wanted["template"]["revision"] = "greet-one".into();
    let first = created(&google, &wanted).await;
    let uri = first["uri"].as_str().unwrap();

    wanted["template"]["revision"] = "greet-two".into();
    wanted["template"]["containers"][0]["env"][0]["value"] = "add".into();
    let target = |name: &str, percent: i64| json!({"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": name, "percent": percent});
    let mut candidate = target("greet-two", 0);
    candidate["tag"] = "candidate".into();
    wanted["traffic"] = json!([target("greet-one", 100), candidate]);
    let done = patched(&google, "updateMask=template,traffic", &wanted).await;
    let statuses = &done["response"]["trafficStatuses"];
    assert_eq!(statuses[1]["revision"], "greet-two", "{done:#}");
    let tagged = statuses[1]["uri"].as_str().unwrap().to_owned();
    assert_ne!(tagged, uri);
    assert_eq!(get(&tagged, "/x", None).await.0, 200);
    assert_eq!(
        done["response"]["latestReadyRevision"],
        format!("{PARENT}/services/greet/revisions/greet-two")
    );

    let half = json!({"traffic": [target("greet-one", 50), target("greet-two", 50)]});
    let done = patched(&google, "updateMask=traffic", &half).await;
    assert_eq!(done["error"], Value::Null);
    let listed = google.ok("GET", &format!("{SERVICES}/greet/revisions"), &Value::Null).await;
    assert_eq!(listed["revisions"].as_array().unwrap().len(), 2);

    let back = json!({"traffic": [target("greet-one", 100)]});
    let done = patched(&google, "updateMask=traffic", &back).await;
    assert_eq!(done["response"]["trafficStatuses"].as_array().unwrap().len(), 1);
    let all =
        google.ok("GET", &format!("{SERVICES}/greet/revisions/greet-two"), &Value::Null).await;
    assert_eq!(all["conditions"][0]["state"], "CONDITION_SUCCEEDED");

    for (traffic, text) in [
        (json!([target("greet-one", 60)]), "add up to 100"),
        (json!([target("greet-none", 100)]), "does not exist"),
        (
            json!([{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "revision": "greet-one", "percent": 100}]),
            "left out",
        ),
    ] {
        let call = google
            .send(
                "PATCH",
                &format!("{SERVICES}/greet?updateMask=traffic"),
                &json!({"traffic": traffic}),
            )
            .await;
        Google::refused(&call, 400, text);
    }
    // The same name for something else.
    wanted["template"]["timeout"] = "9s".into();
    let call =
        google.send("PATCH", &format!("{SERVICES}/greet?updateMask=template"), &wanted).await;
    Google::refused(&call, 409, "different configuration");
}

#[tokio::test]
async fn a_revision_that_does_not_start_takes_no_traffic() {
    let google = Google::start();
    let mut wanted = service(&google.source().await);
    wanted["invokerIamDisabled"] = true.into();
    let first = created(&google, &wanted).await;
    let uri = first["uri"].as_str().unwrap();
    wanted["template"]["containers"][0]["env"] = json!([{"name": "OMNIFN_FUNCTION", "value": "greet"}, {"name": "BARE_START", "value": "fail"}]);
    let failed = patched(&google, "", &wanted).await;
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.contains("failed to start and listen on the port"), "{message}");
    assert!(message.contains("DB_URL is not set"), "{message}");
    let service = google.ok("GET", &format!("{SERVICES}/greet"), &Value::Null).await;
    assert_eq!(service["terminalCondition"]["state"], "CONDITION_FAILED");
    assert_eq!(service["terminalCondition"]["revisionReason"], "HEALTH_CHECK_CONTAINER_ERROR");
    assert_eq!(service["latestReadyRevision"], first["latestReadyRevision"]);
    assert_ne!(service["latestCreatedRevision"], first["latestCreatedRevision"]);
    assert_eq!(get(uri, "/x", None).await, (200, "hello, /x".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_a_program_is_refused_when_it_is_imported() {
    let google = Google::start();
    let arm = {
        let mut program = bare();
        program[18] = 183;
        program
    };
    for (name, bytes, text) in [
        ("mode", archive(&bare(), 0o644), "it has mode 0644, but must have 0755"),
        ("script", archive(b"#!/bin/sh\n", 0o755), "exec format error"),
        ("arm", archive(&arm, 0o755), "it is for arm64"),
        ("damaged", b"\x1f\x8bnothing".to_vec(), "the tar is damaged"),
    ] {
        let source = google.upload(name, &bytes).await;
        let path = format!("{SERVICES}?serviceId={name}");
        let operation = google.ok("POST", &path, &service(&source)).await;
        let done = google.wait(&operation).await;
        let message = done["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{name}: {done:#}");
        assert_eq!(done["error"]["code"], 9);
    }
}

#[tokio::test]
async fn requests_that_break_a_rule_name_the_field() {
    let google = Google::start();
    let source = google.source().await;
    let good = service(&source);
    let check = async |id: &str, place: &str, value: Value, text: &str| {
        let mut wanted = good.clone();
        *wanted.pointer_mut(place).unwrap() = value;
        let call = google.send("POST", &format!("{SERVICES}?serviceId={id}"), &wanted).await;
        Google::refused(&call, 400, text);
        assert_eq!(
            call.1["error"]["details"][0]["@type"],
            "type.googleapis.com/google.rpc.BadRequest"
        );
    };
    let container = "/template/containers/0";
    check("Greet", "/labels", json!({}), "service_id").await;
    check("greet", "/labels", json!({"A b": "c"}), "label").await;
    check(
        "greet",
        "/template",
        json!({"annotations": {"run.googleapis.com/x": "y"}, "containers": []}),
        "annotation",
    )
    .await;
    check("greet", &format!("{container}/image"), json!("nginx"), "must be \"scratch\"").await;
    check("greet", &format!("{container}/baseImageUri"), Value::Null, "base_image_uri").await;
    check(
        "greet",
        &format!("{container}/env"),
        json!([{"name": "PORT", "value": "1"}]),
        "reserved env names",
    )
    .await;
    check("greet", &format!("{container}/resources/limits/cpu"), json!("3"), "or 2, 4, 6 or 8")
        .await;
    check(
        "greet",
        &format!("{container}/resources"),
        json!({"limts": {}}),
        "Unknown name \"limts\" at 'template.containers[0].resources'",
    )
    .await;
    check(
        "greet",
        "/template",
        json!({"revision": "other-1", "containers": good["template"]["containers"]}),
        "template.revision",
    )
    .await;
    let call = google.send("POST", &format!("{SERVICES}?serviceId=greet&force=true"), &good).await;
    Google::refused(&call, 400, "Cannot bind query parameter");
    let mut missing = good.clone();
    missing["template"]["serviceAccount"] = "nobody@local.iam.gserviceaccount.com".into();
    let call = google.send("POST", &format!("{SERVICES}?serviceId=greet"), &missing).await;
    Google::refused(&call, 403, "iam.serviceaccounts.actAs");
    // None of these left anything.
    assert_eq!(google.ok("GET", SERVICES, &Value::Null).await, json!({}));
}

#[tokio::test]
async fn a_dry_run_and_a_stale_etag_change_nothing() {
    let google = Google::start();
    let wanted = service(&google.source().await);
    let path = format!("{SERVICES}/greet?allowMissing=true&validateOnly=true");
    let dry = google.ok("PATCH", &path, &wanted).await;
    assert_eq!(
        (&dry["done"], &dry["response"]["template"]["timeout"]),
        (&json!(true), &json!("300s"))
    );
    // Nothing is opened for it.
    assert_eq!(dry["response"]["uri"], Value::Null);
    Google::refused(
        &google.send("GET", &format!("{SERVICES}/greet"), &Value::Null).await,
        404,
        "not found",
    );
    let missing = google.send("PATCH", &format!("{SERVICES}/greet"), &wanted).await;
    Google::refused(&missing, 404, "not found");

    let done = patched(&google, "allowMissing=true", &wanted).await;
    assert_eq!(done["error"], Value::Null, "{done:#}");
    let first = &done["response"];
    let labels = json!({"labels": {"a": "b"}, "etag": first["etag"]});
    let second = patched(&google, "updateMask=labels", &labels).await;
    // Labels alone make no revision.
    assert_eq!(second["response"]["latestCreatedRevision"], first["latestCreatedRevision"]);
    assert_eq!(second["response"]["labels"], json!({"a": "b"}));
    let stale = google.send("PATCH", &format!("{SERVICES}/greet?updateMask=labels"), &labels).await;
    Google::refused(&stale, 409, "was specified but current version is");
    assert_eq!(stale.1["error"]["status"], "ABORTED");
    let other = google.send("PATCH", &format!("{SERVICES}/greet?updateMask=lables"), &labels).await;
    Google::refused(&other, 400, "names no field");
}

#[tokio::test]
async fn a_secret_reaches_the_process_and_must_be_there() {
    let google = Google::start();
    let mut wanted = service(&google.source().await);
    wanted["template"]["containers"][0]["env"] = json!([{"name": "OMNIFN_FUNCTION", "valueSource": {"secretKeyRef": {"secret": "name", "version": "latest"}}}]);
    let operation = google.ok("POST", &format!("{SERVICES}?serviceId=greet"), &wanted).await;
    let done = google.wait(&operation).await;
    assert!(done["error"]["message"].as_str().unwrap().contains("not found"), "{done:#}");
    let service = google.ok("GET", &format!("{SERVICES}/greet"), &Value::Null).await;
    assert_eq!(service["terminalCondition"]["reason"], "SECRETS_ACCESS_CHECK_FAILED");

    let secrets = "/v1/projects/local/secrets";
    google
        .ok("POST", &format!("{secrets}?secretId=name"), &json!({"replication": {"automatic": {}}}))
        .await;
    google
        .ok(
            "POST",
            &format!("{secrets}/name:addVersion"),
            &json!({"payload": {"data": "Z3JlZXQ="}}),
        )
        .await;
    let done = patched(&google, "forceNewRevision=true&updateMask=template", &wanted).await;
    assert_eq!(done["error"], Value::Null, "{done:#}");
    let read =
        google.ok("GET", &format!("{secrets}/name/versions/latest:access"), &Value::Null).await;
    assert_eq!(read["payload"]["data"], "Z3JlZXQ=");
}

#[tokio::test]
async fn services_outlive_the_control_plane() {
    let google = Google::start();
    let mut wanted = service(&google.source().await);
    wanted["invokerIamDisabled"] = true.into();
    let before = created(&google, &wanted).await;
    let google = google.restart().await;
    let after = google.ok("GET", &format!("{SERVICES}/greet"), &Value::Null).await;
    assert_eq!(before["etag"], after["etag"]);
    assert_eq!(google.api.instances(), 0);
    assert_eq!(
        get(after["uri"].as_str().unwrap(), "/x", None).await,
        (200, "hello, /x".to_owned())
    );
    assert_eq!(google.api.instances(), 1);
    let names: BTreeSet<_> = std::fs::read_dir(google.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(names.contains(std::ffi::OsStr::new("resources")), "{names:?}");
}

#[tokio::test]
async fn what_was_under_way_is_finished_by_the_next_control_plane() {
    let google = Google::start();
    let mut wanted = service(&google.source().await);
    wanted["invokerIamDisabled"] = true.into();
    let operation = google.ok("POST", &format!("{SERVICES}?serviceId=greet"), &wanted).await;
    let google = google.restart().await;
    let name = operation["name"].as_str().unwrap();
    let interrupted = google.ok("GET", &format!("/v2/{name}"), &Value::Null).await;
    assert_eq!((&interrupted["done"], &interrupted["error"]["code"]), (&json!(true), &json!(10)));
    let deadline = Instant::now() + Duration::from_secs(20);
    let service = loop {
        let service = google.ok("GET", &format!("{SERVICES}/greet"), &Value::Null).await;
        if service["reconciling"].is_null() {
            break service;
        }
        assert!(Instant::now() < deadline, "{service:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(service["terminalCondition"]["state"], "CONDITION_SUCCEEDED", "{service:#}");
    assert_eq!(get(service["uri"].as_str().unwrap(), "/x", None).await.0, 200);
}

#[tokio::test]
async fn instances_come_with_requests_and_go_without() {
    let google = Google::start_with(|options| options.idle_limit = Duration::from_millis(300));
    let mut wanted = service(&google.source().await);
    wanted["invokerIamDisabled"] = true.into();
    wanted["template"]["timeout"] = "2s".into();
    wanted["template"]["maxInstanceRequestConcurrency"] = 1.into();
    wanted["template"]["scaling"] = json!({"maxInstanceCount": 2});
    let made = created(&google, &wanted).await;
    let uri = made["uri"].as_str().unwrap().to_owned();
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let uri = uri.clone();
            tokio::spawn(async move { get(&uri, "/slow", None).await })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), (200, "slow".to_owned()));
        assert!(google.api.instances() <= 2);
    }
    assert_eq!(get(&uri, "/sleep", None).await.0, 504);
    let deadline = Instant::now() + Duration::from_secs(20);
    while google.api.instances() > 0 {
        assert!(Instant::now() < deadline, "{} are left", google.api.instances());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(get(&uri, "/x", None).await.0, 200);
    // One that crashes takes its request along, and no other.
    assert_eq!(get(&uri, "/exit", None).await.0, 503);
    assert_eq!(get(&uri, "/x", None).await.0, 200);
}

#[tokio::test]
async fn the_services_own_scaling_bounds_its_instances() {
    let google = Google::start_with(|options| options.idle_limit = Duration::from_millis(100));
    let mut wanted = service(&google.source().await);
    wanted["invokerIamDisabled"] = true.into();
    wanted["template"]["maxInstanceRequestConcurrency"] = 1.into();
    wanted["scaling"] = json!({"minInstanceCount": 1, "maxInstanceCount": 1});
    let made = created(&google, &wanted).await;
    let uri = made["uri"].as_str().unwrap().to_owned();
    // How many there are at most while three requests come at once.
    let most = async || {
        let requests: Vec<_> = (0..3)
            .map(|_| {
                let uri = uri.clone();
                tokio::spawn(async move { get(&uri, "/slow", None).await })
            })
            .collect();
        let mut most = 0;
        while requests.iter().any(|request| !request.is_finished()) {
            most = most.max(google.api.instances());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for request in requests {
            assert_eq!(request.await.unwrap(), (200, "slow".to_owned()));
        }
        most
    };
    assert_eq!(most().await, 1);
    // The last one stays, though it has nothing to do.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(google.api.instances(), 1);
    let more = json!({"scaling": {"maxInstanceCount": 3}});
    let done = patched(&google, "updateMask=scaling", &more).await;
    assert_eq!(done["error"], Value::Null, "{done:#}");
    let most = most().await;
    assert!((2..=3).contains(&most), "{most}");
}

#[tokio::test]
async fn a_source_is_uploaded_through_cloud_run() {
    let google = Google::start();
    let mut body = b"--x\r\nContent-Type: application/json\r\n\r\n{\"service\": \"greet\"}\r\n\
                     --x\r\nContent-Type: application/gzip\r\n\r\n"
        .to_vec();
    body.extend(archive(&bare(), 0o755));
    body.extend(b"\r\n--x--\r\n");
    let path = format!("/upload/v2/{PARENT}:uploadSource?uploadType=multipart");
    let (status, answer) =
        google.send_bytes("POST", &path, "multipart/related; boundary=x", body).await;
    let source: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 200, "{source}");
    assert_eq!(source["cloudStorageSource"]["bucket"], "run-sources-local-europe-west1");
    created(&google, &service(&source)).await;
}
