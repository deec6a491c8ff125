use super::{
    Call,
    api::{failed, found, gone, is_missing, is_there_already},
    tags::{self, Tags},
};
use crate::{Error, Found, Outputs, ResourceId, Result, Step};
use aws_sdk_iam::types::Tag;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const KIND: &str = "role";
/// The name of the policy in it.
const POLICY: &str = "omnifn";

/// A role that a service assumes, with one policy of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Role {
    /// Who may assume it.
    pub(super) trust: Value,
    /// What it may do.
    pub(super) policy: Value,
    /// ARNs of managed policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) managed: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: Tags,
}

/// Reads: `GetRole`, `GetRolePolicy`, `ListAttachedRolePolicies`.
pub(super) async fn read(call: Call<'_>, name: &str) -> Result<Option<Found>> {
    let iam = &call.aws.clients.iam;
    let Some(there) = get(call, name).await? else { return Ok(None) };
    let policy = iam.get_role_policy().role_name(name).policy_name(POLICY).send().await;
    let policy = found(policy.map_err(|error| failed("GetRolePolicy", error)))?;
    let policy = policy.map_or(Value::Null, |policy| document(policy.policy_document()));
    let role = Role {
        trust: there.trust,
        policy,
        managed: managed(call, name).await?,
        labels: tags::labels(&there.tags),
    };
    let mut found = Found::new(ResourceId::new(KIND, name), role);
    found.owner = tags::owner(call, &there.tags);
    Ok(Some(found))
}

struct There {
    trust: Value,
    tags: Tags,
}

async fn get(call: Call<'_>, name: &str) -> Result<Option<There>> {
    let answer = call.aws.clients.iam.get_role().role_name(name).send().await;
    let answer = found(answer.map_err(|error| failed("GetRole", error)))?;
    let Some(role) = answer.and_then(|answer| answer.role) else { return Ok(None) };
    let trust = document(role.assume_role_policy_document().unwrap_or_default());
    let tags =
        role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    Ok(Some(There { trust, tags }))
}

async fn managed(call: Call<'_>, name: &str) -> Result<Vec<String>> {
    let pages = call.aws.clients.iam.list_attached_role_policies().role_name(name).into_paginator();
    let mut pages = pages.items().send();
    let mut arns = Vec::new();
    while let Some(policy) = pages.next().await {
        let policy = policy.map_err(|error| failed("ListAttachedRolePolicies", error))?;
        arns.extend(policy.policy_arn().map(str::to_owned));
    }
    arns.sort_unstable();
    Ok(arns)
}

/// IAM writes policies with percent-encoding.
fn document(text: &str) -> Value {
    let decoded = percent_decode(text);
    serde_json::from_str(&decoded).unwrap_or(Value::String(decoded))
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Makes it or changes what differs.
pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let role: Role = super::desired::read(step)?;
    let (iam, name) = (&call.aws.clients.iam, step.id.name.as_str());
    let tags = tags::all(call, &role.labels);
    let trust = role.trust.to_string();
    if get(call, name).await?.is_none() {
        let create = iam.create_role().role_name(name).assume_role_policy_document(&trust);
        let create =
            create.set_tags(Some(to_tags(&tags)?)).description("Made by omnifn").send().await;
        let create = create.map(drop).map_err(|error| failed(&format!("CreateRole {name}"), error));
        // It is there already where the answer to an earlier try was lost.
        create.or_else(|error| if is_there_already(&error) { Ok(()) } else { Err(error) })?;
    }
    let as_made = There { trust: role.trust.clone(), tags: tags.clone() };
    let there = get(call, name).await?.unwrap_or(as_made);
    if there.trust != role.trust {
        let update =
            iam.update_assume_role_policy().role_name(name).policy_document(&trust).send().await;
        update.map_err(|error| failed(&format!("UpdateAssumeRolePolicy {name}"), error))?;
    }
    let (set, untag) = tags::changes(&there.tags, &tags);
    if !set.is_empty() {
        let tagged = iam.tag_role().role_name(name).set_tags(Some(to_tags(&set)?)).send().await;
        tagged.map_err(|error| failed(&format!("TagRole {name}"), error))?;
    }
    if !untag.is_empty() {
        let untagged = iam.untag_role().role_name(name).set_tag_keys(Some(untag)).send().await;
        untagged.map_err(|error| failed(&format!("UntagRole {name}"), error))?;
    }
    let attempt = || async {
        let put = iam.put_role_policy().role_name(name).policy_name(POLICY);
        let put = put.policy_document(role.policy.to_string()).send().await;
        put.map_err(|error| failed(&format!("PutRolePolicy {name}"), error))
    };
    // A role that was made a moment ago is not known everywhere.
    call.aws.budget.run(is_missing, attempt).await?;
    let attached = managed(call, name).await?;
    for arn in role.managed.iter().filter(|arn| !attached.contains(arn)) {
        let attach = iam.attach_role_policy().role_name(name).policy_arn(arn).send().await;
        attach.map_err(|error| failed(&format!("AttachRolePolicy {name} {arn}"), error))?;
    }
    for arn in attached.iter().filter(|arn| !role.managed.contains(arn)) {
        detach(call, name, arn).await?;
    }
    Ok(Outputs::new())
}

fn to_tags(tags: &Tags) -> Result<Vec<Tag>> {
    let tags = tags.iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| Error::setting("labels", error.to_string()))
}

async fn detach(call: Call<'_>, name: &str, arn: &str) -> Result<()> {
    let detach =
        call.aws.clients.iam.detach_role_policy().role_name(name).policy_arn(arn).send().await;
    gone(detach.map_err(|error| failed(&format!("DetachRolePolicy {name} {arn}"), error)))
}

/// With its policies, which IAM wants gone first.
pub(super) async fn delete(call: Call<'_>, name: &str) -> Result<Outputs> {
    let iam = &call.aws.clients.iam;
    if get(call, name).await?.is_none() {
        return Ok(Outputs::new());
    }
    for arn in managed(call, name).await? {
        detach(call, name, &arn).await?;
    }
    let mut pages = iam.list_role_policies().role_name(name).into_paginator().items().send();
    while let Some(policy) = pages.next().await {
        let policy = policy.map_err(|error| failed("ListRolePolicies", error))?;
        let deleted = iam.delete_role_policy().role_name(name).policy_name(policy).send().await;
        gone(deleted.map_err(|error| failed(&format!("DeleteRolePolicy {name}"), error)))?;
    }
    let deleted = iam.delete_role().role_name(name).send().await;
    gone(deleted.map_err(|error| failed(&format!("DeleteRole {name}"), error)))?;
    Ok(Outputs::new())
}

#[cfg(test)]
mod tests {
    use super::document;
    use serde_json::json;

    #[test]
    fn policies_are_percent_encoded() {
        assert_eq!(document("%7B%22a%22%3A%20%22b%25c%22%7D"), json!({ "a": "b%c" }));
        assert_eq!(document("%zz%"), json!("%zz%"));
    }
}
