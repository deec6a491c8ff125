//! Service accounts, and who may do what: the policies of every resource.

use super::{
    Cloud, ProjectPath,
    error::{Failure, Kind, Outcome},
    request::{self, Call},
    schema::{Api, read},
    text,
};
use crate::{
    identity,
    wire::{self, Reply},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const ROLE_OF_INVOKERS: &[&str] =
    &["roles/run.invoker", "roles/run.admin", "roles/owner", "roles/editor"];

fn policy_key(resource: &str) -> String {
    format!("policy/{resource}")
}

/// The policy of a resource; an empty one has a version and an etag, too.
pub(super) fn get(cloud: &Cloud, resource: &str) -> Value {
    let stored = cloud.store.get(&policy_key(resource));
    stored.unwrap_or_else(|| json!({"version": 1, "etag": "ACAB"}))
}

pub(super) fn forget(cloud: &Cloud, resource: &str) {
    cloud.store.remove(&policy_key(resource));
}

/// Puts the policy in place of the resource's, unless that has changed since it was read.
pub(super) fn set(cloud: &Cloud, resource: &str, mut policy: Value) -> Outcome<Value> {
    let current = get(cloud, resource);
    if policy["etag"].as_str().is_some_and(|etag| current["etag"] != etag) {
        let message = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.";
        return Err(Failure::new(Kind::Aborted, message));
    }
    let bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
    for (index, binding) in bindings.iter().enumerate() {
        let role = binding["role"].as_str().unwrap_or_default();
        if !role.starts_with("roles/") && !role.contains("/roles/") {
            let place = format!("policy.bindings[{index}].role");
            return Err(Failure::field(
                place,
                format!("Role {role} is not supported for this resource."),
            ));
        }
        for member in binding["members"].as_array().into_iter().flatten() {
            check_member(cloud, member.as_str().unwrap_or_default())?;
        }
    }
    policy["version"] = policy["version"].as_i64().unwrap_or(1).max(1).into();
    let etag = text::sha256(identity::uuid().as_bytes());
    policy["etag"] = text::to_base64(&etag.as_bytes()[..8]).into();
    cloud.store.put(&policy_key(resource), &policy)?;
    Ok(policy)
}

fn check_member(cloud: &Cloud, member: &str) -> Outcome<()> {
    const KINDS: &[&str] = &[
        "user",
        "group",
        "domain",
        "principal",
        "principalSet",
        "projectOwner",
        "projectEditor",
        "projectViewer",
        "deleted",
    ];
    let kind = member.split(':').next().unwrap_or_default();
    match member.strip_prefix("serviceAccount:") {
        Some(email) if has_account(cloud, email) => Ok(()),
        Some(email) => Err(Failure::invalid(format!("Service account {email} does not exist."))),
        None if matches!(member, "allUsers" | "allAuthenticatedUsers") => Ok(()),
        None if KINDS.contains(&kind) && member.len() > kind.len() + 1 => Ok(()),
        None => Err(Failure::invalid(format!("The member {member} is of an unknown type."))),
    }
}

/// Whether there is such a service account. Those of other projects and of Google itself are taken to be there.
pub(super) fn has_account(cloud: &Cloud, email: &str) -> bool {
    let own = format!("@{}.iam.gserviceaccount.com", cloud.options.project);
    if !email.ends_with(&own) {
        return email.contains('@');
    }
    cloud.store.get(&account_key(cloud, email)).is_some()
}

/// Refuses to deploy as one that is not there, in Google's words.
pub(super) fn check_account(cloud: &Cloud, email: &str) -> Outcome<()> {
    if has_account(cloud, email) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Denied,
        format!(
            "Permission 'iam.serviceaccounts.actAs' denied on service account {email} (or it may not exist)."
        ),
    ))
}

pub(super) fn default_account(cloud: &Cloud) -> String {
    format!("{}-compute@developer.gserviceaccount.com", cloud.options.project_number)
}

/// Whether the account may invoke the service. The default account counts as an editor of the project.
pub(super) fn may_invoke(cloud: &Cloud, service: &str, email: &str) -> bool {
    let member = format!("serviceAccount:{email}");
    let project = format!("projects/{}", cloud.options.project);
    email == default_account(cloud)
        || is_bound(cloud, service, &member)
        || is_bound(cloud, &project, &member)
        || is_bound(cloud, service, "allAuthenticatedUsers")
}

/// Whether anyone may invoke it.
pub(super) fn is_public(cloud: &Cloud, service: &str) -> bool {
    is_bound(cloud, service, "allUsers")
}

fn is_bound(cloud: &Cloud, resource: &str, member: &str) -> bool {
    let policy = get(cloud, resource);
    let mut bindings = policy["bindings"].as_array().into_iter().flatten();
    bindings.any(|binding| {
        binding["role"].as_str().is_some_and(|role| ROLE_OF_INVOKERS.contains(&role))
            && binding["members"]
                .as_array()
                .is_some_and(|members| members.iter().any(|one| one == member))
    })
}

/// `:getIamPolicy`, `:setIamPolicy` and `:testIamPermissions` of a resource that is there.
pub(super) async fn policy(
    cloud: &Cloud,
    call: &mut Call,
    api: Api,
    resource: &str,
) -> Outcome<Reply> {
    let message = match api {
        Api::Run => "GoogleIamV1SetIamPolicyRequest",
        _ => "SetIamPolicyRequest",
    };
    call.allow(&["options.requestedPolicyVersion", "optionsRequestedPolicyVersion"])?;
    let answer = match call.verb.as_deref() {
        Some("getIamPolicy") => {
            call.document().await?;
            get(cloud, resource)
        }
        Some("setIamPolicy") => {
            let asked = call.message(api, message).await?;
            let Some(policy) = asked.get("policy") else {
                return Err(Failure::field("policy", "it is missing"));
            };
            let _alone = cloud.changing.lock().await;
            set(cloud, resource, policy.clone())?
        }
        Some("testIamPermissions") => {
            let asked = call.document().await?;
            json!({"permissions": asked["permissions"]})
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

fn account_key(cloud: &Cloud, email: &str) -> String {
    format!("iam/projects/{}/serviceAccounts/{email}", cloud.options.project)
}

/// Service accounts (cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts).
pub(super) async fn accounts(
    cloud: &Cloud,
    call: &mut Call,
    project: &ProjectPath,
    rest: &[&str],
) -> Outcome<Reply> {
    let find = |email: &str| {
        let key = account_key(cloud, email);
        let missing = || {
            Failure::new(
                Kind::NotFound,
                format!(
                    "Service account projects/{}/serviceAccounts/{email} does not exist.",
                    cloud.options.project
                ),
            )
        };
        cloud.store.get(&key).map(|account| (key, account)).ok_or_else(missing)
    };
    let answer = match (call.method.clone(), rest, call.verb.as_deref()) {
        (Method::POST, [], None) => {
            let asked = call.message(Api::Iam, "CreateServiceAccountRequest").await?;
            let id = asked["accountId"].as_str().unwrap_or_default();
            if !text::is_label(id, 30) || id.len() < 6 {
                return Err(Failure::field(
                    "account_id",
                    format!(
                        "\"{id}\" must have 6 to 30 lower-case letters, digits and hyphens, and begin with a letter"
                    ),
                ));
            }
            project.check(cloud)?;
            let email = format!("{id}@{}.iam.gserviceaccount.com", cloud.options.project);
            let mut account = asked.get("serviceAccount").cloned().unwrap_or_else(|| json!({}));
            for (field, value) in [
                ("name", format!("projects/{}/serviceAccounts/{email}", cloud.options.project)),
                ("projectId", cloud.options.project.clone()),
                ("uniqueId", cloud.generation()),
                ("email", email.clone()),
                ("etag", "MDEwMjE5MjA=".to_owned()),
                ("oauth2ClientId", cloud.generation()),
            ] {
                account[field] = value.into();
            }
            let _alone = cloud.changing.lock().await;
            if has_account(cloud, &email) {
                let message = format!(
                    "Service account {id} already exists within project projects/{}.",
                    cloud.options.project
                );
                return Err(Failure::new(Kind::Exists, message));
            }
            cloud.store.put(&account_key(cloud, &email), &account)?;
            account
        }
        (Method::GET, [], None) => {
            let found = cloud.store.list(&account_key(cloud, ""));
            call.page("accounts", found.into_iter().map(|(_, account)| account).collect())?
        }
        (Method::GET, [email], None) => find(email)?.1,
        (Method::DELETE, [email], None) => {
            let _alone = cloud.changing.lock().await;
            cloud.store.remove(&find(email)?.0);
            json!({})
        }
        (Method::PATCH, [email], None) => {
            let asked = call.message(Api::Iam, "PatchServiceAccountRequest").await?;
            let _alone = cloud.changing.lock().await;
            let (key, mut account) = find(email)?;
            let paths = request::mask(asked["updateMask"].as_str(), Api::Iam, "ServiceAccount")?;
            let paths = paths
                .unwrap_or_else(|| vec![vec!["displayName".into()], vec!["description".into()]]);
            let wanted = read(Api::Iam, "ServiceAccount", asked["serviceAccount"].clone())?;
            request::merge(&mut account, &wanted, &paths);
            cloud.store.put(&key, &account)?;
            account
        }
        (Method::POST, [email], Some("generateAccessToken")) => {
            call.document().await?;
            let expires = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
            json!({"accessToken": format!("local-{email}"), "expireTime": omnifn_core::rfc3339::format(expires)})
        }
        (Method::POST, [email], Some("generateIdToken")) => {
            let asked = call.document().await?;
            let audience = asked["audience"].as_str().unwrap_or_default();
            json!({"token": super::token::identity(email, audience)})
        }
        (Method::POST, [email], Some(_)) => {
            let (_, account) = find(email)?;
            let name = account["name"].as_str().unwrap_or_default().to_owned();
            return policy(cloud, call, Api::Iam, &name).await;
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}
