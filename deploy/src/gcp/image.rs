//! The program as an image in Artifact Registry, by the Registry HTTP API: no Docker has a part in it.

use super::{
    Gcp, names,
    rest::{Call, Operation, escape, unexpected},
};
use crate::{ApplyContext, Found, Outputs, Owner, ResourceId, Result, Step, plan::Action};
use http::header::{ACCEPT, LOCATION};
use omnifn_package::{Blob, Image};
use serde_json::{Value, json};

const DIGEST: &str = "digest";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Gcp {
    fn repository_url(&self, repository: &str) -> String {
        let base = &self.rest.at.artifactregistry;
        format!("{base}/v1/{}/repositories/{repository}", self.location())
    }

    pub(super) async fn find_repository(&self, repository: &str) -> Result<Option<Found>> {
        let call =
            Call::get(self.repository_url(repository), format!("GetRepository {repository}"));
        let found: Option<Value> = self.rest.find(call).await?;
        let id = ResourceId::new(names::REPOSITORY, repository);
        Ok(found.map(|_| Found { owner: Owner::Part, ..Found::new(id, repository_properties()) }))
    }

    pub(super) async fn apply_repository(&self, step: &Step) -> Result<Outputs> {
        if step.action == Action::Delete {
            return Ok(Outputs::new());
        }
        let base = format!("{}/v1", self.rest.at.artifactregistry);
        let what = format!("CreateRepository {}", step.id.name);
        let call = Call::post(
            format!("{base}/{}/repositories", self.location()),
            what.clone(),
            &json!({ "format": "DOCKER", "description": "images of omnifn" }),
        )
        .query("repositoryId", step.id.name.clone());
        match self.rest.json::<Operation>(call).await {
            // It is all that we need of it that it is there.
            Err(failure) if failure.is(409) => {}
            operation => match self.rest.wait(&base, operation?, &what).await {
                Err(failure) if failure.error.code() == Some("ALREADY_EXISTS") => {}
                result => result?,
            },
        }
        Ok(Outputs::new())
    }

    /// `europe-west1-docker.pkg.dev/shop-live/omnifn/shop-prod-orders`, the image's name.
    pub(super) fn image_name(&self, repository: &str, service: &str) -> String {
        format!("{}-docker.pkg.dev/{}/{repository}/{service}", self.region, self.project)
    }

    /// Its address at the registry: what follows the host's name.
    fn registry_url(&self, image: &str) -> String {
        let path = image.split_once('/').map_or(image, |(_, path)| path);
        format!("{}/v2/{path}", self.rest.at.registry)
    }

    /// An image with this digest.
    pub(super) async fn find_image(&self, image: &str, digest: &str) -> Result<Option<Found>> {
        let url = format!("{}/manifests/{digest}", self.registry_url(image));
        let call = Call::new(http::Method::HEAD, url, format!("HEAD manifest of {image}"))
            .header(ACCEPT, MANIFEST)
            .for_registry();
        match self.rest.send(call).await {
            Ok(_) => Ok(Some(found_image(image, digest))),
            Err(failure) if failure.is(404) => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    pub(super) async fn apply_image(
        &self,
        step: &Step,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs> {
        if step.action == Action::Delete {
            return self.delete_image(&step.id.name).await;
        }
        let code = super::code(context)?;
        let Some(image) = &code.artifact().image else {
            return Err(super::wrong_kind(code.kind(), "image"));
        };
        self.push(&step.id.name, image).await?;
        Ok(Outputs::new())
    }

    /// What is there already is not sent again.
    pub(super) async fn push(&self, name: &str, image: &Image) -> Result<()> {
        for blob in [&image.layer, &image.config] {
            self.push_blob(name, blob).await?;
        }
        let Blob { media_type, digest, bytes, .. } = &image.manifest;
        let url = format!("{}/manifests/{digest}", self.registry_url(name));
        let call = Call::put(url, format!("PUT manifest of {name}"))
            .bytes(media_type, bytes.clone())
            .for_registry();
        self.rest.send(call).await?;
        Ok(())
    }

    async fn push_blob(&self, name: &str, blob: &Blob) -> Result<()> {
        let base = self.registry_url(name);
        let what = format!("blob {} of {name}", blob.digest);
        let head = Call::new(
            http::Method::HEAD,
            format!("{base}/blobs/{}", blob.digest),
            format!("HEAD {what}"),
        );
        match self.rest.send(head.for_registry()).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is(404) => {}
            Err(failure) => return Err(failure.error),
        }
        let what = format!("upload of {what}");
        let begin = Call::new(http::Method::POST, format!("{base}/blobs/uploads/"), what.clone());
        let answer = self.rest.send(begin.for_registry()).await?;
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or_else(|| unexpected(&what, "no `Location`".to_owned()))?;
        let location = self.location_at_registry(location, &what)?;
        let joint = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{joint}digest={}", escape(&blob.digest));
        let call = Call::put(url, what).bytes("application/octet-stream", blob.bytes.clone());
        self.rest.send(call.for_registry()).await?;
        Ok(())
    }

    /// Relative to the registry, or at it: the token goes nowhere else.
    fn location_at_registry(&self, location: &str, what: &str) -> Result<String> {
        let registry = &self.rest.at.registry;
        if location.starts_with('/') {
            return Ok(format!("{registry}{location}"));
        }
        if location.strip_prefix(registry.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            return Ok(location.to_owned());
        }
        // On this machine the registry may think that it has another name.
        match location.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
            Some((_, path)) if registry.starts_with("http://127.0.0.1") => {
                Ok(format!("{registry}/{path}"))
            }
            _ => Err(unexpected(what, "its `Location` leads away from the registry".to_owned())),
        }
    }

    /// All versions of it.
    async fn delete_image(&self, image: &str) -> Result<Outputs> {
        let mut parts = image.splitn(4, '/').skip(2);
        let (repository, package) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let base = format!("{}/v1", self.rest.at.artifactregistry);
        let what = format!("DeletePackage {package}");
        let url = format!("{}/packages/{}", self.repository_url(repository), escape(package));
        if let Some(operation) =
            self.rest.find::<Operation>(Call::delete(url, what.clone())).await?
        {
            match self.rest.wait(&base, operation, &what).await {
                Err(failure) if failure.error.code() == Some("NOT_FOUND") => {}
                result => result?,
            }
        }
        Ok(Outputs::new())
    }
}

pub(super) fn repository_properties() -> Value {
    json!({ "format": "DOCKER" })
}

pub(super) fn image_properties(digest: &str) -> Value {
    json!({ DIGEST: digest })
}

pub(super) fn found_image(image: &str, digest: &str) -> Found {
    let id = ResourceId::new(names::IMAGE, image);
    Found { owner: Owner::Part, ..Found::new(id, image_properties(digest)) }
}
