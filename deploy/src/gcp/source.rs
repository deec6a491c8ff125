//! The archive in Cloud Storage that Cloud Run takes a program from.

use super::{
    Gcp, names,
    rest::{Call, PROVIDER, escape},
    source_properties,
};
use crate::{
    ApplyContext, Code, Error, Event, Found, Identity, Outputs, Owner, Resource, ResourceId,
    Result, Step, plan::Action,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub(super) const GENERATION: &str = "generation";
/// Rights on a bucket that was just made take their time to get around.
const PATIENCE: Duration = Duration::from_secs(20);
/// How Cloud Storage says so.
const FORBIDDEN: &str = "does not have storage.objects";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Bucket {
    project_number: String,
    location: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Object {
    name: String,
    generation: String,
    size: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Objects {
    items: Vec<Object>,
    next_page_token: Option<String>,
}

impl Gcp {
    /// The bucket for sources; nothing when it is not there.
    pub(super) async fn find_bucket(
        &self,
        bucket: &str,
        identity: &Identity,
    ) -> Result<Option<Found>> {
        let Some(found) = self.bucket(bucket).await? else { return Ok(None) };
        check_owner(bucket, &found, identity)?;
        let id = ResourceId::new(names::BUCKET, bucket);
        Ok(Some(Found { owner: Owner::Part, ..Found::new(id, bucket_properties(&self.region)) }))
    }

    async fn bucket(&self, bucket: &str) -> Result<Option<Bucket>> {
        let url = format!("{}/storage/v1/b/{}", self.rest.at.storage, escape(bucket));
        match self.rest.find(Call::get(url, format!("buckets.get {bucket}"))).await {
            // Names of buckets are the whole world's: that of a stranger is forbidden.
            Err(failure) if failure.is(403) => Err(Error::Refused {
                provider: PROVIDER,
                operation: format!("buckets.get {bucket}"),
                code: "PERMISSION_DENIED".to_owned(),
                message: format!(
                    "{}; either the permission `storage.buckets.get` is missing, or the bucket is another project's: then set `gcp.bucket` to one of your own",
                    refusal(&failure.error)
                ),
                is_transient: false,
            }),
            result => Ok(result?),
        }
    }

    /// Where a bucket is, in small letters: events of it come from there.
    pub(super) async fn bucket_location(&self, bucket: &str) -> Result<String> {
        let found = self.bucket(bucket).await?.ok_or_else(|| Error::Missing {
            what: format!("bucket `{bucket}`"),
            remedy: Some("make it first, or name another one".to_owned()),
        })?;
        Ok(found.location.to_ascii_lowercase())
    }

    pub(super) async fn apply_bucket(
        &self,
        step: &Step,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs> {
        let bucket = &step.id.name;
        if step.action == Action::Delete {
            return Ok(Outputs::new());
        }
        let body = json!({
            "name": bucket,
            "location": self.region,
            "labels": { "used-by": "cloudrun" },
            "iamConfiguration": {
                "uniformBucketLevelAccess": { "enabled": true },
                "publicAccessPrevention": "enforced",
            },
        });
        let url = format!("{}/storage/v1/b", self.rest.at.storage);
        let call = Call::post(url, format!("buckets.insert {bucket}"), &body)
            .query("project", self.project.clone());
        match self.rest.send(call).await {
            // Ours by an earlier try, or a stranger's.
            Err(failure) if failure.is(409) => {
                let found = self.bucket(bucket).await?.ok_or(failure.error)?;
                check_owner(bucket, &found, context.identity)?;
            }
            result => _ = result?,
        }
        Ok(Outputs::new())
    }

    /// What is there of an object: `bucket/object`.
    async fn object(&self, source: &str) -> Result<Option<Object>> {
        let (bucket, object) = source.split_once('/').unwrap_or((source, ""));
        let base = &self.rest.at.storage;
        let url = format!("{base}/storage/v1/b/{}/o/{}", escape(bucket), escape(object));
        Ok(self.rest.find(Call::get(url, format!("objects.get {object}"))).await?)
    }

    pub(super) async fn find_source(&self, source: &str) -> Result<Option<Found>> {
        let found = self.object(source).await?;
        Ok(found.map(|object| found_source(source, &object)))
    }

    /// Every source of a service, in a bucket that may not be there.
    pub(super) async fn find_sources(&self, bucket: &str, service: &str) -> Result<Vec<Found>> {
        let folder = names::folder(service);
        let url = format!("{}/storage/v1/b/{}/o", self.rest.at.storage, escape(bucket));
        let call = Call::get(url, format!("objects.list {folder}")).query("prefix", &*folder);
        let objects =
            self.rest.pages(call, |page: Objects| (page.items, page.next_page_token)).await;
        let objects: Vec<Object> = match objects {
            // A stranger's bucket holds nothing of ours.
            Err(failure) if failure.is(403) => Vec::new(),
            objects => objects?,
        };
        Ok(objects
            .iter()
            // gcloud's own archives lie there, too, under other names.
            .filter(|object| is_sha256(&object.name, &folder))
            .map(|object| found_source(&format!("{bucket}/{}", object.name), object))
            .collect())
    }

    pub(super) async fn generation(&self, source: &str) -> Result<String> {
        let found = self.object(source).await?.ok_or_else(|| Error::Missing {
            what: format!("the archive `{source}`"),
            remedy: Some("deploy again: it was there a moment ago".to_owned()),
        })?;
        Ok(found.generation)
    }

    pub(super) async fn apply_source(
        &self,
        step: &Step,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs> {
        let source = step.id.name.as_str();
        let (bucket, object) = source.split_once('/').unwrap_or((source, ""));
        let base = &self.rest.at.storage;
        if step.action == Action::Delete {
            let url = format!("{base}/storage/v1/b/{}/o/{}", escape(bucket), escape(object));
            let call = Call::delete(url, format!("objects.delete {object}"));
            match self.rest.send(call).await {
                Err(failure) if failure.is(404) => {}
                result => _ = result?,
            }
            return Ok(Outputs::new());
        }
        let code = super::code(context)?;
        let all = code.artifact().size;
        tell(context, 0, all);
        let url = format!("{base}/upload/storage/v1/b/{}/o", escape(bucket));
        // Only if nothing is there yet, or what is there is what was read.
        let there = step.etag.clone().unwrap_or_else(|| "0".to_owned());
        let call = Call::post(url, format!("objects.insert {object}"), &())
            .bytes("application/gzip", Bytes::from(code.artifact().archive.clone()))
            .query("uploadType", "media")
            .query("name", object)
            .query("ifGenerationMatch", there)
            .patience(PATIENCE, FORBIDDEN);
        match self.rest.json::<Object>(call).await {
            Ok(object) => {
                tell(context, all, all);
                Ok(Outputs::from([(GENERATION.to_owned(), object.generation)]))
            }
            // The name says what is in it.
            Err(failure) if failure.is(412) => {
                Ok(Outputs::from([(GENERATION.to_owned(), self.generation(source).await?)]))
            }
            Err(failure) if failure.is(404) => Err(Error::Missing {
                what: format!("bucket `{bucket}`"),
                remedy: Some("make it first, or leave `gcp.bucket` out".to_owned()),
            }),
            Err(failure) => Err(failure.error),
        }
    }
}

/// The resource for an archive in `bucket`.
pub(super) fn wanted(bucket: &str, service: &str, code: &Code) -> Resource {
    let name = format!("{bucket}/{}", names::object(service, code.sha256()));
    Resource::new(ResourceId::new(names::SOURCE, name), source_properties(code.artifact().size))
        .volatile(&[GENERATION])
}

pub(super) fn bucket_properties(region: &str) -> serde_json::Value {
    json!({ "location": region })
}

fn found_source(source: &str, object: &Object) -> Found {
    let id = ResourceId::new(names::SOURCE, source);
    let size = object.size.parse().unwrap_or_default();
    Found {
        owner: Owner::Part,
        outputs: Outputs::from([(GENERATION.to_owned(), object.generation.clone())]),
        etag: Some(object.generation.clone()),
        ..Found::new(id, source_properties(size))
    }
}

fn is_sha256(object: &str, folder: &str) -> bool {
    let name = object.strip_prefix(folder).and_then(|name| name.strip_suffix(".tar.gz"));
    name.is_some_and(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A bucket of that name may be anybody's, who would then be given the programs.
fn check_owner(bucket: &str, found: &Bucket, identity: &Identity) -> Result<()> {
    if identity.number.as_deref() == Some(&found.project_number) {
        return Ok(());
    }
    Err(Error::setting(
        "gcp.bucket",
        format!("the bucket `{bucket}` belongs to another project: set this to one of your own"),
    ))
}

fn refusal(error: &Error) -> String {
    match error {
        Error::Refused { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn tell(context: &ApplyContext<'_>, sent: u64, all: u64) {
    context.progress.on(Event::Uploaded { provider: PROVIDER, scope: context.scope, sent, all });
}

#[cfg(test)]
mod tests {
    use super::{Bucket, check_owner, is_sha256};
    use crate::Identity;

    #[test]
    fn a_strangers_bucket_gets_no_programs() {
        let identity = Identity { number: Some("1".into()), ..Identity::new("p", "r") };
        let bucket = |number: &str| Bucket { project_number: number.into(), location: "R".into() };
        check_owner("b", &bucket("1"), &identity).unwrap();
        let error = check_owner("b", &bucket("2"), &identity).unwrap_err();
        assert!(error.to_string().contains("belongs to another project"), "{error}");
        check_owner("b", &bucket(""), &Identity::new("p", "r")).unwrap_err();
    }

    #[test]
    fn archives_of_others_in_the_folder_are_not_ours() {
        let folder = "services/s/";
        assert!(is_sha256(&format!("{folder}{}.tar.gz", "a".repeat(64)), folder));
        for other in ["1795.00-abc.tar.gz", "x", ""] {
            assert!(!is_sha256(&format!("{folder}{other}"), folder), "{other}");
        }
        assert!(!is_sha256(&format!("services/t/{}.tar.gz", "a".repeat(64)), folder));
    }
}
