//! What a deployment consists of on Google.

use super::{
    Gcp, eventarc, function, image, invoker, names, scheduler, service::Service, source,
    subscription,
};
use crate::{
    Deployment, Error, Identity, Resource, ResourceId, Result, Rollout, TRAFFIC, reference,
    settings::{Auth, Binding, GcpPath},
};
use omnifn_package::Kind;
use serde_json::json;

/// Where images go unless told otherwise.
const REPOSITORY: &str = "omnifn";

/// What the Functions API takes unless told otherwise (cloud.google.com/functions/docs/configuring/max-instances).
const FUNCTION_INSTANCES: u32 = 100;

impl Gcp {
    pub(super) fn resources_of(
        &self,
        deployment: &Deployment,
        identity: &Identity,
    ) -> Result<Vec<Resource>> {
        let name = names::service(&deployment.scope);
        let mut resources = self.program(deployment, identity, &name)?;
        let service = resources
            .last()
            .map_or_else(|| ResourceId::new(names::SERVICE, &name), |service| service.id.clone());
        if service.kind == names::SERVICE {
            let shares = json!({ reference(&service, names::REVISION): 100 });
            resources.push(Resource::new(ResourceId::new(TRAFFIC, &name), shares));
        }
        let gcp = &deployment.settings.gcp;
        let account = gcp
            .trigger_service_account
            .clone()
            .or_else(|| gcp.service_account.clone())
            .unwrap_or_else(|| names::default_account(identity));
        let triggers = self.triggers(deployment, &service, &account)?;
        for member in invokers(deployment, &account) {
            resources
                .push(Resource::new(invoker::id(&name, &member), invoker::properties(&member)));
        }
        resources.extend(triggers);
        Ok(resources)
    }

    /// The program and the service that runs it, which comes last.
    fn program(
        &self,
        deployment: &Deployment,
        identity: &Identity,
        name: &str,
    ) -> Result<Vec<Resource>> {
        let code = &deployment.code;
        let gcp = &deployment.settings.gcp;
        let path = gcp.path.unwrap_or_default();
        let kind = match path {
            GcpPath::Source => Kind::Source,
            GcpPath::Image => Kind::Image,
            GcpPath::Functions => Kind::Functions,
        };
        if code.kind() != kind {
            return Err(super::wrong_kind(code.kind(), kind.as_str()));
        }
        let mut service = Service::wanted(deployment, identity)?;
        let mut resources = Vec::new();
        match path {
            GcpPath::Source => {
                let bucket = gcp.bucket.clone().unwrap_or_else(|| {
                    let own = names::bucket(&self.project, &self.region);
                    let id = ResourceId::new(names::BUCKET, &own);
                    let mut bucket = Resource::new(id, source::bucket_properties(&self.region));
                    bucket.only_create = true;
                    resources.push(bucket);
                    own
                });
                let source = source::wanted(&bucket, name, code);
                service.source = Some(source.id.name.clone());
                service.base = true;
                resources.push(source);
            }
            GcpPath::Image => {
                let repository = gcp.repository.as_deref().unwrap_or(REPOSITORY);
                let image = code.artifact().image.as_ref();
                let digest = image.map(|image| image.manifest.digest.clone());
                let digest = digest.ok_or_else(|| super::wrong_kind(code.kind(), "image"))?;
                let mut own = Resource::new(
                    ResourceId::new(names::REPOSITORY, repository),
                    image::repository_properties(),
                );
                own.only_create = true;
                resources.push(own);
                let image_name = self.image_name(repository, name);
                service.image = Some(format!("{image_name}@{digest}"));
                // A program that is linked statically needs nothing below it.
                service.base = code.artifact().glibc.is_some();
                let id = ResourceId::new(names::IMAGE, image_name);
                resources.push(Resource::new(id, image::image_properties(&digest)));
            }
            GcpPath::Functions => {
                if deployment.rollout == Rollout::Hold {
                    return Err(Error::setting(
                        "gcp.path",
                        "with `functions` all traffic goes to the newest release at once: use `source` or `image` to hold it",
                    ));
                }
                if gcp.billing == Some(crate::settings::Billing::Instance) {
                    return Err(Error::setting(
                        "gcp.billing",
                        "with `gcp.path = \"functions\"` the processor is paid for by request: use `source` or `image`",
                    ));
                }
                service.sha256 = function::short_sha256(&service.sha256);
                // Nothing tells whether what is found was asked for or filled in by Google.
                service.max_instances.get_or_insert(FUNCTION_INSTANCES);
                let id = ResourceId::new(names::FUNCTION_KIND, name);
                resources.push(Resource::new(id, service).volatile(&[names::REVISION]));
                return Ok(resources);
            }
        }
        service.name_revision(name);
        let id = ResourceId::new(names::SERVICE, name);
        resources.push(Resource::new(id, service).volatile(&[names::REVISION]));
        Ok(resources)
    }

    fn triggers(
        &self,
        deployment: &Deployment,
        service: &ResourceId,
        account: &str,
    ) -> Result<Vec<Resource>> {
        let mut resources = Vec::new();
        for (trigger, binding) in &deployment.settings.triggers {
            let name = &service.name;
            match binding {
                Binding::Http(_) | Binding::Direct(_) => {}
                Binding::Queue(binding) => resources.push(subscription::wanted(
                    deployment,
                    &self.project,
                    service,
                    trigger,
                    binding,
                    account,
                )?),
                Binding::Timer(binding) => resources
                    .push(scheduler::wanted(deployment, service, trigger, binding, account)?),
                Binding::Storage(binding) => resources
                    .extend(eventarc::wanted_storage(deployment, name, trigger, binding, account)),
                Binding::Database(binding) => resources
                    .push(eventarc::wanted_database(deployment, name, trigger, binding, account)?),
                Binding::Event(binding) => resources
                    .push(eventarc::wanted_event(deployment, name, trigger, binding, account)?),
            }
        }
        Ok(resources)
    }
}

/// Who may invoke it: everybody if that is asked for, and whoever its triggers come as. Nobody else.
fn invokers(deployment: &Deployment, account: &str) -> Vec<String> {
    let bindings = || deployment.settings.triggers.values();
    let is_public =
        bindings().any(|binding| matches!(binding, Binding::Http(http) if http.auth == Auth::None));
    let is_triggered =
        bindings().any(|binding| !matches!(binding, Binding::Http(_) | Binding::Direct(_)));
    let everybody = is_public.then(|| names::EVERYBODY.to_owned());
    let account = is_triggered.then(|| invoker::service_account(account));
    everybody.into_iter().chain(account).collect()
}
