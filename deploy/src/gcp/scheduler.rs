//! Schedules: jobs of Cloud Scheduler that send a request to a service.

use super::{
    Gcp, limits, names,
    rest::Call,
    subscription::{OidcToken, duration, duration_of},
};
use crate::{
    Deployment, Error, Found, Outputs, Owner, Resource, ResourceId, Result, Scope, Step, URL,
    cron::Cron, plan::Action, reference, settings::TimerBinding,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A job in its normal form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    schedule: String,
    timezone: String,
    endpoint: String,
    /// The request's body: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    service_account: String,
    audience: String,
    /// In seconds.
    deadline: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    name: String,
    /// Jobs carry no labels: this says whose it is.
    description: String,
    schedule: String,
    time_zone: String,
    attempt_deadline: String,
    http_target: HttpTarget,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HttpTarget {
    uri: String,
    http_method: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    oidc_token: OidcToken,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    jobs: Vec<Wire>,
    next_page_token: Option<String>,
}

const MASK: &str = "description,schedule,timeZone,attemptDeadline,httpTarget";

/// What a trigger of type `timer` becomes.
pub(super) fn wanted(
    deployment: &Deployment,
    service: &ResourceId,
    trigger: &str,
    binding: &TimerBinding,
    account: &str,
) -> Result<Resource> {
    let timeout = deployment.settings.timeout;
    if timeout.seconds() > limits::LONGEST_ATTEMPT {
        return Err(Error::setting(
            "timeout",
            format!("it is {timeout}, but Cloud Scheduler waits 30m at most"),
        ));
    }
    let cron = Cron::parse(&binding.schedule).map_err(|error| match error {
        Error::Setting { key, message } => {
            Error::Setting { key: format!("triggers.{trigger}.{key}"), message }
        }
        other => other,
    })?;
    let job = Job {
        schedule: cron.to_unix(),
        timezone: binding.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
        endpoint: reference(service, URL),
        input: binding.input.as_ref().map(ToString::to_string),
        service_account: account.to_owned(),
        audience: reference(service, URL),
        deadline: timeout.seconds().max(15),
    };
    let name = names::trigger(&service.name, trigger, "");
    Ok(Resource::new(ResourceId::new(names::JOB, name), job))
}

impl Gcp {
    fn scheduler(&self, path: &str) -> String {
        format!("{}/v1/{}/jobs{path}", self.rest.at.scheduler, self.location())
    }

    /// Those that are ours, and those of a wanted name.
    pub(super) async fn find_jobs(
        &self,
        scope: &Scope,
        is_wanted: impl Fn(&ResourceId) -> bool,
    ) -> Result<Vec<Found>> {
        let call = Call::get(self.scheduler(""), "ListJobs").query("pageSize", "500");
        let all = self.rest.pages(call, |page: Page| (page.jobs, page.next_page_token)).await?;
        let description = names::description(scope);
        Ok(all
            .into_iter()
            .filter_map(|wire| {
                let id = ResourceId::new(names::JOB, wire.name.rsplit('/').next()?);
                let is_ours = wire.description == description;
                let owner = if is_ours { Owner::Ours } else { Owner::Other };
                (is_ours || is_wanted(&id))
                    .then(|| Found { owner, ..Found::new(id, Job::from_wire(wire)) })
            })
            .collect())
    }

    pub(super) async fn apply_job(&self, step: &Step, scope: &Scope) -> Result<Outputs> {
        let name = &step.id.name;
        let url = self.scheduler(&format!("/{name}"));
        if step.action == Action::Delete {
            match self.rest.send(Call::delete(url, format!("DeleteJob {name}"))).await {
                Err(failure) if failure.is(404) => {}
                result => _ = result?,
            }
            return Ok(Outputs::new());
        }
        let wanted: Job = super::properties(&step.properties, scope)?;
        let full = format!("{}/jobs/{name}", self.location());
        let wire = wanted.to_wire(full, names::description(scope));
        if step.action == Action::Create {
            let create = Call::post(self.scheduler(""), format!("CreateJob {name}"), &wire);
            match self.rest.send(create).await {
                Err(failure) if failure.is(409) => {}
                result => {
                    result?;
                    return Ok(Outputs::new());
                }
            }
        }
        let patch = Call::patch(url, format!("UpdateJob {name}"), &wire).query("updateMask", MASK);
        self.rest.send(patch).await?;
        Ok(Outputs::new())
    }
}

impl Job {
    fn to_wire(&self, name: String, description: String) -> Wire {
        let media_type = ("Content-Type".to_owned(), "application/json".to_owned());
        Wire {
            name,
            description,
            schedule: self.schedule.clone(),
            time_zone: self.timezone.clone(),
            attempt_deadline: duration(self.deadline),
            http_target: HttpTarget {
                uri: self.endpoint.clone(),
                http_method: "POST".to_owned(),
                headers: self.input.iter().map(|_| media_type.clone()).collect(),
                body: self.input.as_ref().map(|input| STANDARD.encode(input)).unwrap_or_default(),
                oidc_token: OidcToken {
                    service_account_email: self.service_account.clone(),
                    audience: self.audience.clone(),
                },
            },
        }
    }

    fn from_wire(wire: Wire) -> Self {
        let target = wire.http_target;
        let input = STANDARD.decode(&target.body).unwrap_or_default();
        Self {
            schedule: wire.schedule,
            timezone: wire.time_zone,
            // Google adds the slash of an address without a path.
            endpoint: target.uri.trim_end_matches('/').to_owned(),
            input: (!input.is_empty()).then(|| String::from_utf8_lossy(&input).into_owned()),
            service_account: target.oidc_token.service_account_email,
            audience: target.oidc_token.audience,
            deadline: duration_of(&wire.attempt_deadline),
        }
    }
}
