use crate::support::{Google, PARENT, bare, get, service};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

fn digest(bytes: &[u8]) -> String {
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(digest, "{byte:02x}").unwrap();
    }
    digest
}

#[tokio::test]
async fn an_image_is_pushed_by_digest_and_runs() {
    let google = Google::start();
    let push = async |method: &'static str, path: &str, kind: &'static str, bytes: Vec<u8>| {
        google.send_bytes(method, &format!("/v2/local/apps/greet/{path}"), kind, bytes).await
    };
    // There is no repository yet.
    assert_eq!(push("POST", "blobs/uploads/", "", Vec::new()).await.0, 404);
    let made = google
        .ok(
            "POST",
            &format!("/v1/{PARENT}/repositories?repositoryId=apps"),
            &json!({"format": "DOCKER"}),
        )
        .await;
    google.wait(&made).await;
    let again = google
        .send(
            "POST",
            &format!("/v1/{PARENT}/repositories?repositoryId=apps"),
            &json!({"format": "DOCKER"}),
        )
        .await;
    Google::refused(&again, 409, "already exists");

    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let program = bare();
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "workspace/bootstrap", &program[..]).unwrap();
    let layer = builder.into_inner().unwrap().finish().unwrap();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ["/workspace/bootstrap"], "WorkingDir": "/workspace", "User": "33:33", "Env": ["OMNIFN_FUNCTION=other"]},
        "rootfs": {"type": "layers", "diff_ids": []},
    })
    .to_string()
    .into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(&layer), "size": layer.len()}],
    })
    .to_string()
    .into_bytes();
    const KIND: &str = "application/vnd.oci.image.manifest.v1+json";
    // Its parts come first.
    assert_eq!(push("PUT", "manifests/one", KIND, manifest.clone()).await.0, 400);
    for blob in [&layer, &config] {
        let digest = digest(blob);
        assert_eq!(push("HEAD", &format!("blobs/{digest}"), "", Vec::new()).await.0, 404);
        let wrong =
            push("PUT", &format!("blobs/uploads/x?digest={digest}"), "", b"other".to_vec()).await;
        assert_eq!(wrong.0, 400);
        let right = push(
            "PUT",
            &format!("blobs/uploads/x?digest={digest}"),
            "application/octet-stream",
            blob.clone(),
        )
        .await;
        assert_eq!(right.0, 201);
        assert_eq!(push("HEAD", &format!("blobs/{digest}"), "", Vec::new()).await.0, 200);
    }
    assert_eq!(push("PUT", "manifests/one", KIND, manifest.clone()).await.0, 201);
    let by_digest = format!("manifests/{}", digest(&manifest));
    assert_eq!(push("GET", &by_digest, "", Vec::new()).await, (200, manifest.clone().into()));

    let mut wanted = service(&Value::Null);
    let container = wanted["template"]["containers"][0].as_object_mut().unwrap();
    container.remove("sourceCode");
    container.remove("command");
    container["image"] =
        format!("europe-west1-docker.pkg.dev/local/apps/greet@{}", digest(&manifest)).into();
    let path = format!("/v2/{PARENT}/services?serviceId=greet");
    let operation = google.ok("POST", &path, &wanted).await;
    let done = google.wait(&operation).await;
    let uri = done["response"]["uri"].as_str().unwrap_or_else(|| panic!("{done:#}"));
    assert_eq!(get(uri, "/x", Some("any")).await, (200, "hello, /x".to_owned()));

    wanted["template"]["containers"][0]["image"] =
        "europe-west1-docker.pkg.dev/local/apps/greet:none".into();
    let operation = google.ok("PATCH", &format!("/v2/{PARENT}/services/greet"), &wanted).await;
    let failed = google.wait(&operation).await;
    assert!(failed["error"]["message"].as_str().unwrap().contains("not found"), "{failed:#}");
    assert_eq!(get(uri, "/x", Some("any")).await.0, 200);
}
