//! Who may invoke a service.

use super::{Gcp, apply_service::missing, names, rest::Call, wire};
use crate::{Found, Outputs, Owner, ResourceId, Result, Step, plan::Action};
use serde_json::json;

const ROLE: &str = "roles/run.invoker";
/// The mask of a patch that only changes whether IAM is asked.
const IAM_DISABLED: &str = "invokerIamDisabled";

/// The name of the resource: the service, and who may invoke it.
pub(super) fn id(service: &str, member: &str) -> ResourceId {
    ResourceId::new(names::INVOKER, format!("{service}/{member}"))
}

pub(super) fn properties(member: &str) -> serde_json::Value {
    json!({ "role": ROLE, "member": member })
}

/// As IAM names a service account.
pub(super) fn service_account(email: &str) -> String {
    format!("serviceAccount:{email}")
}

impl Gcp {
    /// Those of `members` that may invoke it. Others may have been given the right by somebody else, and are left alone.
    pub(super) async fn find_invokers(
        &self,
        service: &wire::Service,
        name: &str,
        members: &[String],
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let mut add = |member: &str| {
            let part = Found::new(id(name, member), properties(member));
            found.push(Found { owner: Owner::Part, ..part });
        };
        if service.invoker_iam_disabled {
            add(names::EVERYBODY);
        }
        if members.iter().any(|member| member != names::EVERYBODY) {
            let policy = self.policy(name).await?.unwrap_or_default();
            let bound = |member: &&String| has(&policy, member);
            members.iter().filter(bound).for_each(|member| add(member));
        }
        Ok(found)
    }

    async fn policy(&self, name: &str) -> Result<Option<wire::Policy>> {
        let url = format!("{}:getIamPolicy", self.service_url(name));
        let call = Call::get(url, format!("GetIamPolicy {name}"))
            .query("options.requestedPolicyVersion", "3");
        Ok(self.rest.find(call).await?)
    }

    pub(super) async fn apply_invoker(&self, step: &Step) -> Result<Outputs> {
        let (name, member) = step.id.name.split_once('/').unwrap_or((&step.id.name, ""));
        let is_wanted = step.action != Action::Delete;
        if !is_wanted && self.find_service(name).await?.is_none() {
            return Ok(Outputs::new());
        }
        if member == names::EVERYBODY {
            self.patch_service(name, IAM_DISABLED, |_| wire::Service {
                invoker_iam_disabled: is_wanted,
                ..wire::Service::default()
            })
            .await?;
        } else {
            self.bind(name, member, is_wanted).await?;
        }
        Ok(Outputs::new())
    }

    /// Reads, changes and writes the policy; once more when somebody else did so in between.
    async fn bind(&self, name: &str, member: &str, is_wanted: bool) -> Result<()> {
        let mut conflicts = 0;
        loop {
            let policy = self.policy(name).await?.ok_or_else(|| missing(name))?;
            if has(&policy, member) == is_wanted {
                return Ok(());
            }
            let policy = if is_wanted { with(policy, member) } else { without(policy, member) };
            let url = format!("{}:setIamPolicy", self.service_url(name));
            let body = json!({ "policy": policy });
            let call = Call::post(url, format!("SetIamPolicy {name}"), &body).with_etag();
            match self.rest.send(call).await {
                Err(failure) if failure.is(409) && conflicts < 5 => conflicts += 1,
                Err(failure) if failure.is(400) && is_wanted => {
                    return Err(explain(failure.error, member));
                }
                result => {
                    result?;
                    return Ok(());
                }
            }
        }
    }
}

/// Google does not say why it does not like a member.
fn explain(error: crate::Error, member: &str) -> crate::Error {
    match error {
        crate::Error::Refused { provider, operation, code, message, is_transient } => {
            let message = format!(
                "{message} (is there a `{member}`? `gcp.trigger-service-account` names another one)"
            );
            crate::Error::Refused { provider, operation, code, message, is_transient }
        }
        other => other,
    }
}

fn is_plain(binding: &wire::PolicyBinding) -> bool {
    binding.role == ROLE && binding.condition.is_none()
}

fn has(policy: &wire::Policy, member: &str) -> bool {
    policy
        .bindings
        .iter()
        .filter(|binding| is_plain(binding))
        .any(|binding| binding.members.iter().any(|it| it == member))
}

fn with(mut policy: wire::Policy, member: &str) -> wire::Policy {
    if let Some(binding) = policy.bindings.iter_mut().find(|binding| is_plain(binding)) {
        binding.members.push(member.to_owned());
    } else {
        policy.bindings.push(wire::PolicyBinding {
            role: ROLE.to_owned(),
            members: vec![member.to_owned()],
            condition: None,
        });
    }
    policy
}

fn without(mut policy: wire::Policy, member: &str) -> wire::Policy {
    for binding in policy.bindings.iter_mut().filter(|binding| is_plain(binding)) {
        binding.members.retain(|it| it != member);
    }
    policy.bindings.retain(|binding| !binding.members.is_empty());
    policy
}

#[cfg(test)]
mod tests {
    use super::{has, wire, with, without};
    use serde_json::json;

    #[test]
    fn a_member_comes_and_goes_and_the_rest_of_the_policy_stays() {
        let before = json!({
            "bindings": [
                { "role": "roles/run.admin", "members": ["user:a@example.com"] },
                { "role": "roles/run.invoker", "members": ["user:b@example.com"], "condition": { "expression": "true" } },
            ],
            "etag": "BwX=",
            "version": 3,
        });
        let policy: wire::Policy = serde_json::from_value(before.clone()).unwrap();
        assert!(!has(&policy, "user:b@example.com"), "a condition is another right");
        let added = with(with(policy, "serviceAccount:x"), "serviceAccount:y");
        assert!(has(&added, "serviceAccount:x") && has(&added, "serviceAccount:y"));
        let removed = without(without(added, "serviceAccount:x"), "serviceAccount:y");
        assert_eq!(serde_json::to_value(removed).unwrap(), before);
    }
}
