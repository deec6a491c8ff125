//! What is there of a function on Google.

use super::{Gcp, apply_service, invoker, names, service::Service, wire};
use crate::{
    Error, Found, Identity, Owner, Properties, Resource, ResourceId, Result, Scope, TRAFFIC,
};
use serde_json::Value;

/// A label of services that the Functions API made.
const MANAGED_BY: &str = "goog-managed-by";
/// The property by which triggers say as whom they call.
const SERVICE_ACCOUNT: &str = "service-account";

impl Gcp {
    pub(super) async fn read_all(
        &self,
        scope: &Scope,
        wanted: &[Resource],
        identity: &Identity,
    ) -> Result<Vec<Found>> {
        let name = names::service(scope);
        let is_wanted = |id: &ResourceId| wanted.iter().any(|resource| resource.id == *id);
        let (service, subscriptions, eventarc, jobs, beside) = tokio::try_join!(
            self.find_service(&name),
            self.find_subscriptions(scope, is_wanted),
            self.find_eventarc(scope, is_wanted),
            self.find_jobs(scope, is_wanted),
            self.read_wanted(wanted, identity),
        )?;
        let function = self.read_function(scope, wanted, service.as_ref(), identity).await?;
        check_path(wanted, service.as_ref(), function.as_ref())?;
        let triggers: Vec<Found> = [subscriptions, eventarc, jobs].concat();
        let mut found = beside;
        if let Some(service) = &service {
            if let Some(function) = function {
                found.push(function);
            } else {
                found.extend(found_service(scope, &name, service, identity));
            }
            // Whoever triggers of ours come as, was let in by us.
            let mut members: Vec<String> = triggers
                .iter()
                .filter(|trigger| trigger.owner == Owner::Ours)
                .filter_map(|trigger| trigger.properties.get(SERVICE_ACCOUNT)?.as_str())
                .map(invoker::service_account)
                .collect();
            let prefix = format!("{name}/");
            let wanted = wanted.iter().filter(|resource| resource.id.kind == names::INVOKER);
            members.extend(
                wanted
                    .filter_map(|resource| resource.id.name.strip_prefix(&prefix))
                    .map(str::to_owned),
            );
            members.sort();
            members.dedup();
            members.retain(|member| member != names::EVERYBODY);
            found.extend(triggers);
            if names::is_ours(&service.labels, scope) {
                found.extend(self.find_invokers(service, &name, &members).await?);
            }
        } else {
            found.extend(function);
            found.extend(triggers);
        }
        if wanted.is_empty() {
            found.extend(self.read_programs(scope, &name, service.as_ref()).await?);
        }
        Ok(found)
    }

    /// What others may share, or what its name says all of: looked for where it is wanted.
    async fn read_wanted(&self, wanted: &[Resource], identity: &Identity) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for resource in wanted {
            let name = &resource.id.name;
            let there = match resource.id.kind.as_str() {
                names::BUCKET => self.find_bucket(name, identity).await?,
                names::SOURCE => {
                    // Nothing is in a bucket that is not there.
                    self.find_source(name).await?
                }
                names::REPOSITORY => self.find_repository(name).await?,
                names::IMAGE => {
                    let digest = resource.properties.get("digest").and_then(Value::as_str);
                    self.find_image(name, digest.unwrap_or_default()).await?
                }
                _ => None,
            };
            found.extend(there);
        }
        Ok(found)
    }

    /// A function of the Functions API, where there may be one.
    async fn read_function(
        &self,
        scope: &Scope,
        wanted: &[Resource],
        service: Option<&wire::Service>,
        identity: &Identity,
    ) -> Result<Option<Found>> {
        let is_wanted = wanted.iter().any(|resource| resource.id.kind == names::FUNCTION_KIND);
        let is_managed = service.is_some_and(is_managed);
        let may_be_left = wanted.is_empty() && service.is_none();
        if !(is_wanted || is_managed || may_be_left) {
            return Ok(None);
        }
        let name = names::service(scope);
        match self.find_function(scope, &name, identity).await {
            // Who never deploys by this API needs no right to it.
            Err(Error::Refused { code, .. }) if code == "PERMISSION_DENIED" && may_be_left => {
                Ok(None)
            }
            result => result,
        }
    }

    /// Every archive and image of a function that is to go.
    async fn read_programs(
        &self,
        scope: &Scope,
        name: &str,
        service: Option<&wire::Service>,
    ) -> Result<Vec<Found>> {
        let container = service
            .filter(|service| names::is_ours(&service.labels, scope))
            .and_then(|service| service.template.as_ref()?.containers.first());
        let source = container
            .and_then(|container| container.source_code.as_ref())
            .map(|code| code.cloud_storage_source.bucket.clone());
        let own = names::bucket(&self.project, &self.region);
        let mut found = Vec::new();
        if let Some(bucket) = source.as_ref().filter(|bucket| **bucket != own) {
            found.extend(self.find_sources(bucket, name).await?);
        }
        found.extend(self.find_sources(&own, name).await?);
        let image = container.map(|container| container.image.as_str()).unwrap_or_default();
        let ours = format!("{}-docker.pkg.dev/{}/", self.region, self.project);
        if let Some((image, digest)) = image.split_once('@').filter(|_| image.starts_with(&ours)) {
            found.extend(self.find_image(image, digest).await?);
        }
        Ok(found)
    }
}

/// The service, with its traffic.
fn found_service(
    scope: &Scope,
    name: &str,
    service: &wire::Service,
    identity: &Identity,
) -> Vec<Found> {
    let id = ResourceId::new(names::SERVICE, name);
    let template = service.template.clone().unwrap_or_default();
    let owner = names::owner(&service.labels, scope);
    let mut found = vec![Found {
        outputs: apply_service::outputs(service, &template.revision),
        owner,
        etag: service.etag.clone(),
        ..Found::new(id, Service::from_wire(name, service, identity))
    }];
    if owner == Owner::Ours {
        let shares: Properties = apply_service::shares(service)
            .into_iter()
            .map(|(revision, percent)| (revision, Value::from(percent)))
            .collect();
        let traffic = Found::new(ResourceId::new(TRAFFIC, name), shares);
        found.push(Found { owner: Owner::Part, ..traffic });
    }
    found
}

pub(super) fn is_managed(service: &wire::Service) -> bool {
    service.labels.get(MANAGED_BY).is_some_and(|by| by == "cloudfunctions")
}

/// A function and a service of the same name cannot be there at once.
fn check_path(
    wanted: &[Resource],
    service: Option<&wire::Service>,
    function: Option<&Found>,
) -> Result<()> {
    let is_wanted = |kind: &str| wanted.iter().any(|resource| resource.id.kind == kind);
    let message = if is_wanted(names::FUNCTION_KIND) && service.is_some() && function.is_none() {
        "it was deployed by another path than `functions`"
    } else if is_wanted(names::SERVICE) && service.is_some_and(is_managed) {
        "it was deployed by the path `functions`"
    } else {
        return Ok(());
    };
    Err(Error::setting(
        "gcp.path",
        format!("{message}: remove the function first, or keep its path"),
    ))
}
