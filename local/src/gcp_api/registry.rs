//! Artifact Registry: repositories, and the registry's own protocol below them
//! (cloud.google.com/artifact-registry/docs/reference/rest; github.com/opencontainers/distribution-spec).

use super::{
    Cloud, Location,
    error::{Failure, Kind, Outcome},
    iam, operation,
    request::Call,
    schema::Api,
    text,
};
use crate::{
    identity,
    wire::{self, Reply},
};
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;

const LARGEST_BLOB: u64 = 1024 * 1024 * 1024;
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;
const KIND: &str = "google.devtools.artifactregistry.v1.OperationMetadata";

fn repository_key(name: &str) -> String {
    format!("artifactregistry/{name}")
}

/// `/v1/projects/P/locations/R/repositories`.
pub(super) async fn repositories(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
    rest: &[&str],
) -> Outcome<Reply> {
    let name = |id: &str| format!("{}/repositories/{id}", location.parent());
    let find = |id: &str| {
        let name = name(id);
        cloud
            .store
            .get(&repository_key(&name))
            .ok_or_else(|| Failure::not_found("repository", &name))
    };
    let answer = match (call.method.clone(), rest, call.verb.as_deref()) {
        (Method::POST, [], None) => {
            call.allow(&["repositoryId"])?;
            let id = call.query("repositoryId").unwrap_or_default().to_owned();
            if !text::is_label(&id, 63) {
                return Err(Failure::field(
                    "repository_id",
                    format!(
                        "\"{id}\" must have lower-case letters, digits and hyphens, and begin with a letter"
                    ),
                ));
            }
            let mut repository = call.message(Api::ArtifactRegistry, "Repository").await?;
            if repository["format"] != "DOCKER" {
                return Err(Failure::field(
                    "repository.format",
                    "the local control plane has repositories of the format DOCKER only",
                ));
            }
            let now = text::now();
            for (field, value) in [
                ("name", name(&id)),
                ("createTime", now.clone()),
                ("updateTime", now),
                ("mode", "STANDARD_REPOSITORY".to_owned()),
                (
                    "registryUri",
                    format!("{}-docker.pkg.dev/{}/{id}", location.region, cloud.options.project),
                ),
            ] {
                repository[field] = value.into();
            }
            let _alone = cloud.changing.lock().await;
            if find(&id).is_ok() {
                return Err(Failure::new(Kind::Exists, "the repository already exists"));
            }
            cloud.store.put(&repository_key(&name(&id)), &repository)?;
            let metadata = json!({"@type": format!("type.googleapis.com/{KIND}")});
            let mut response = repository;
            response["@type"] =
                "type.googleapis.com/google.devtools.artifactregistry.v1.Repository".into();
            operation::start(cloud, &location.parent(), &metadata, async move { Ok(response) })?
        }
        (Method::GET, [], None) => {
            let found =
                cloud.store.list(&repository_key(&format!("{}/repositories/", location.parent())));
            call.page(
                "repositories",
                found.into_iter().map(|(_, repository)| repository).collect(),
            )?
        }
        (Method::GET, [id], None) => find(id)?,
        (Method::DELETE, [id], None) => {
            find(id)?;
            cloud.store.remove(&repository_key(&name(id)));
            let images = format!("registry/{}/{id}/", cloud.options.project);
            for (key, _) in cloud.store.list(&images) {
                cloud.store.remove(&key);
            }
            let metadata = json!({"@type": format!("type.googleapis.com/{KIND}")});
            let response = json!({"@type": "type.googleapis.com/google.protobuf.Empty"});
            operation::start(cloud, &location.parent(), &metadata, async move { Ok(response) })?
        }
        // All versions of an image.
        (Method::DELETE, [id, "packages", package], None) => {
            find(id)?;
            let images =
                cloud.store.list(&format!("registry/{}/{id}/{package}/", cloud.options.project));
            if images.is_empty() {
                let name = format!("{}/packages/{package}", name(id));
                return Err(Failure::not_found("package", &name));
            }
            for (key, _) in images {
                cloud.store.remove(&key);
            }
            let metadata = json!({"@type": format!("type.googleapis.com/{KIND}")});
            let response = json!({"@type": "type.googleapis.com/google.protobuf.Empty"});
            operation::start(cloud, &location.parent(), &metadata, async move { Ok(response) })?
        }
        (_, [id], Some(_)) => {
            find(id)?;
            return iam::policy(cloud, call, Api::ArtifactRegistry, &name(id)).await;
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

/// 64 hexadecimal digits.
pub(super) fn is_digest(digest: &str) -> bool {
    digest.len() == 64
        && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The manifest of an image: `HOST/PROJECT/REPOSITORY/IMAGE@sha256:...`, or with a tag.
pub(super) fn resolve(cloud: &Cloud, image: &str) -> Option<Value> {
    let (_, path) = image.split_once('/')?;
    let (name, reference) = match path.split_once('@') {
        Some((name, digest)) => (name, digest),
        None => path.rsplit_once(':').unwrap_or((path, "latest")),
    };
    // A tag beside a digest says nothing.
    let name = name.split(':').next().unwrap_or(name);
    let (_, bytes) = manifest(cloud, name, reference)?;
    serde_json::from_slice(&bytes).ok()
}

fn manifest_key(name: &str, reference: &str) -> String {
    format!("registry/{name}/manifests/{reference}")
}

/// Its media type and its bytes.
fn manifest(cloud: &Cloud, name: &str, reference: &str) -> Option<(Value, Vec<u8>)> {
    let stored = cloud.store.get(&manifest_key(name, reference))?;
    let bytes = cloud.blobs.read(stored["sha256"].as_str()?).ok()?;
    Some((stored, bytes))
}

/// `/v2/PROJECT/REPOSITORY/IMAGE/...`: names of images may have more parts.
pub(super) async fn route(cloud: &Arc<Cloud>, call: &mut Call) -> Outcome<Reply> {
    let path = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if matches!(path.as_slice(), ["v2"] | ["v2", ""]) {
        return Ok(wire::json(StatusCode::OK, &json!({})));
    }
    let unknown = super::unknown(call);
    let Some(at) = path.iter().rposition(|part| matches!(*part, "blobs" | "manifests" | "tags"))
    else {
        return Err(unknown);
    };
    let name = path[1..at].join("/");
    check_repository(cloud, &name)?;
    match (call.method.clone(), path[at], &path[at + 1..]) {
        (Method::HEAD | Method::GET, "blobs", [digest]) => blob(cloud, call, &name, digest),
        (Method::POST, "blobs", ["uploads" | "uploads/"] | ["uploads", ""]) => {
            upload(cloud, call, &name).await
        }
        (Method::PUT, "blobs", ["uploads", _]) => finish(cloud, call, &name).await,
        (Method::PUT, "manifests", [reference]) => {
            put_manifest(cloud, call, &name, reference).await
        }
        (Method::HEAD | Method::GET, "manifests", [reference]) => {
            let missing =
                || Failure::new(Kind::NotFound, format!("manifest unknown: {name}:{reference}"));
            let (stored, bytes) = manifest(cloud, &name, reference).ok_or_else(missing)?;
            let digest = format!("sha256:{}", stored["sha256"].as_str().unwrap_or_default());
            Ok(found(call, stored["mediaType"].as_str().unwrap_or_default(), &digest, bytes))
        }
        (Method::GET, "tags", ["list"]) => {
            let prefix = manifest_key(&name, "");
            let tags: Vec<_> = cloud
                .store
                .list(&prefix)
                .into_iter()
                .filter_map(|(key, _)| Some(key.strip_prefix(&prefix)?.to_owned()))
                .filter(|reference| !reference.contains(':'))
                .collect();
            Ok(wire::json(StatusCode::OK, &json!({"name": name, "tags": tags})))
        }
        _ => Err(unknown),
    }
}

fn check_repository(cloud: &Cloud, name: &str) -> Outcome<()> {
    let parts: Vec<&str> = name.splitn(3, '/').collect();
    let [project, repository, _] = parts.as_slice() else {
        return Err(Failure::new(
            Kind::NotFound,
            format!("name unknown: {name} is not PROJECT/REPOSITORY/IMAGE"),
        ));
    };
    // The host tells the region on Google; here all have the same.
    let known = cloud
        .store
        .list("artifactregistry/")
        .iter()
        .any(|(key, _)| key.ends_with(&format!("/repositories/{repository}")));
    if cloud.is_project(project) && known {
        return Ok(());
    }
    Err(Failure::new(
        Kind::NotFound,
        format!("name unknown: Repository \"{repository}\" not found"),
    ))
}

fn sha256_of(digest: &str) -> Outcome<&str> {
    digest.strip_prefix("sha256:").filter(|digest| is_digest(digest)).ok_or_else(|| {
        Failure::invalid(format!("digest invalid: `{}` is no sha256", digest.escape_debug()))
    })
}

fn blob_key(name: &str, sha256: &str) -> String {
    format!("registry/{name}/blobs/{sha256}")
}

fn blob(cloud: &Cloud, call: &Call, name: &str, digest: &str) -> Outcome<Reply> {
    let sha256 = sha256_of(digest)?;
    let missing = || Failure::new(Kind::NotFound, format!("blob unknown: {digest}"));
    let stored = cloud.store.get(&blob_key(name, sha256)).ok_or_else(missing)?;
    if call.method == Method::HEAD {
        let mut reply = Response::new(wire::full(""));
        describe(&mut reply, "application/octet-stream", digest);
        let size = stored["size"].as_u64().unwrap_or_default();
        reply.headers_mut().insert(header::CONTENT_LENGTH, size.into());
        return Ok(reply);
    }
    Ok(found(call, "application/octet-stream", digest, cloud.blobs.read(sha256)?))
}

fn found(call: &Call, kind: &str, digest: &str, bytes: Vec<u8>) -> Reply {
    let length = bytes.len();
    let head = call.method == Method::HEAD;
    let mut reply = Response::new(if head { wire::full("") } else { wire::full(bytes) });
    describe(&mut reply, kind, digest);
    reply.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    reply
}

fn describe(reply: &mut Reply, kind: &str, digest: &str) {
    for (name, text) in [
        ("content-type", kind),
        ("docker-content-digest", digest),
        ("docker-distribution-api-version", "registry/2.0"),
    ] {
        if let Ok(value) = HeaderValue::from_str(text) {
            reply.headers_mut().insert(name, value);
        }
    }
}

fn created(location: &str, digest: &str) -> Outcome<Reply> {
    let mut reply = Response::new(wire::full(""));
    *reply.status_mut() = StatusCode::CREATED;
    let value = HeaderValue::from_str(location).map_err(|error| Failure::internal(&error))?;
    reply.headers_mut().insert(header::LOCATION, value);
    describe(&mut reply, "text/plain", digest);
    Ok(reply)
}

async fn upload(cloud: &Arc<Cloud>, call: &mut Call, name: &str) -> Outcome<Reply> {
    call.allow(&["digest", "mount", "from"])?;
    if call.query("digest").is_some() {
        return finish(cloud, call, name).await;
    }
    let mut reply = Response::new(wire::full(""));
    *reply.status_mut() = StatusCode::ACCEPTED;
    let location = format!("{}/v2/{name}/blobs/uploads/{}", cloud.endpoint, identity::uuid());
    let value = HeaderValue::from_str(&location).map_err(|error| Failure::internal(&error))?;
    reply.headers_mut().insert(header::LOCATION, value);
    Ok(reply)
}

/// The whole blob in one request.
async fn finish(cloud: &Arc<Cloud>, call: &mut Call, name: &str) -> Outcome<Reply> {
    call.allow(&["digest", "mount", "from"])?;
    let digest = call.query("digest").unwrap_or_default().to_owned();
    let wanted = sha256_of(&digest)?;
    let body = call.body()?;
    let received = cloud.blobs.receive(body, LARGEST_BLOB).await?;
    let kept = cloud.blobs.keep(received.file)?;
    if kept.sha256 != wanted {
        return Err(Failure::invalid(format!(
            "digest invalid: provided digest did not match uploaded content: it has sha256:{}",
            kept.sha256
        )));
    }
    cloud.store.put(&blob_key(name, wanted), &json!({"size": kept.size}))?;
    created(&format!("/v2/{name}/blobs/{digest}"), &digest)
}

async fn put_manifest(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    name: &str,
    reference: &str,
) -> Outcome<Reply> {
    let kind = call.header("content-type").unwrap_or_default().to_owned();
    let body = call.body()?;
    let received = cloud.blobs.receive(body, LARGEST_MANIFEST).await?;
    let kept = cloud.blobs.keep(received.file)?;
    let manifest: Value = serde_json::from_slice(&cloud.blobs.read(&kept.sha256)?)
        .map_err(|error| Failure::invalid(format!("manifest invalid: {error}")))?;
    if manifest["schemaVersion"] != 2
        || manifest["mediaType"].as_str().is_some_and(|own| own != kind)
    {
        return Err(Failure::invalid(
            "manifest invalid: schemaVersion must be 2, and mediaType as Content-Type",
        ));
    }
    let layers = manifest["layers"].as_array().into_iter().flatten();
    for descriptor in layers.chain([&manifest["config"]]) {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let stored = cloud.store.get(&blob_key(name, sha256_of(digest)?));
        match stored {
            None => return Err(Failure::invalid(format!("manifest blob unknown: {digest}"))),
            Some(stored) if stored["size"] != descriptor["size"] => {
                return Err(Failure::invalid(format!(
                    "manifest invalid: {digest} has another size"
                )));
            }
            Some(_) => {}
        }
    }
    let digest = format!("sha256:{}", kept.sha256);
    if reference.contains(':') && reference != digest {
        return Err(Failure::invalid(format!("digest invalid: the manifest has {digest}")));
    }
    let stored = json!({"sha256": kept.sha256, "mediaType": kind});
    for reference in [reference, &digest] {
        cloud.store.put(&manifest_key(name, reference), &stored)?;
    }
    created(&format!("/v2/{name}/manifests/{digest}"), &digest)
}
