//! IAM: roles, their inline policies and the managed policies attached to them.
//!
//! Nothing enforces a policy; documents are only checked for being policies. Every managed policy of AWS's own is taken to
//! exist. Errors and texts as IAM's API reference and moto 5.2.5 give them.

use super::{
    Cloud,
    error::Fault,
    request::{Call, Parameters, Service},
    xml,
};
use crate::identity;
use bytes::Bytes;
use http::Response;
use omnifn_core::rfc3339;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    name: String,
    id: String,
    path: String,
    pub(super) arn: String,
    pub(super) created: SystemTime,
    pub(super) trust: String,
    description: Option<String>,
    max_session_duration: u32,
    tags: BTreeMap<String, String>,
    inline: BTreeMap<String, String>,
    attached: BTreeSet<String>,
}

const ACTIONS: &[&str] = &[
    "AttachRolePolicy",
    "CreateRole",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "PutRolePolicy",
    "TagRole",
    "UntagRole",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
];
/// The most that IAM takes of each.
const MOST_TAGS: usize = 50;
const MOST_ATTACHED: usize = 20;
const LONGEST_INLINE: usize = 10_240;
const LONGEST_TRUST: usize = 4_096;

pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<Response<Bytes>, Fault> {
    let parameters = call.parameters();
    let action = parameters.get("Action").unwrap_or_default();
    let result = match action {
        "CreateRole" => create(cloud, &parameters)?,
        "ListRoles" => {
            let roles: Vec<Value> =
                cloud.roles.all().iter().map(|(_, role)| described(role)).collect();
            json!({"Roles": roles, "IsTruncated": false})
        }
        "GetRole" => json!({"Role": described(&role(cloud, &parameters)?)}),
        "DeleteRole" => delete(cloud, &parameters)?,
        "GetRolePolicy" => {
            let role = role(cloud, &parameters)?;
            let name = parameters.required("PolicyName")?;
            let document = role.inline.get(name).ok_or_else(|| no_inline(name))?;
            json!({"RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document)})
        }
        "ListRolePolicies" => {
            let names: Vec<String> = role(cloud, &parameters)?.inline.into_keys().collect();
            json!({"PolicyNames": names, "IsTruncated": false})
        }
        "ListAttachedRolePolicies" => {
            let attached = role(cloud, &parameters)?.attached;
            let attached: Vec<Value> = attached
                .iter()
                .map(|arn| json!({"PolicyArn": arn, "PolicyName": arn.rsplit('/').next()}))
                .collect();
            json!({"AttachedPolicies": attached, "IsTruncated": false})
        }
        "ListRoleTags" => {
            json!({"Tags": tags(&role(cloud, &parameters)?), "IsTruncated": false})
        }
        action if ACTIONS.contains(&action) => change(cloud, action, &parameters)?,
        action => return Err(Fault::unknown_call(Service::Iam, action, ACTIONS)),
    };
    let namespace = "https://iam.amazonaws.com/doc/2010-05-08/";
    Ok(super::xml_answer(xml::query_answer(namespace, action, &result, &call.request_id)))
}

fn create(cloud: &Cloud, parameters: &Parameters) -> Result<Value, Fault> {
    let name = role_name(parameters)?;
    let trust = policy(parameters.required("AssumeRolePolicyDocument")?, LONGEST_TRUST)?;
    let path = parameters.get("Path").unwrap_or("/").to_owned();
    if !path.starts_with('/') || !path.ends_with('/') {
        return Err(invalid("path", &path, "Member must begin and end with /"));
    }
    let tags = parameters.pairs("Tags.member", "Key", "Value");
    check_tags(&tags)?;
    if cloud.roles.contains(&key(name)) {
        let message = format!("Role with name {name} already exists.");
        return Err(Fault::conflict("EntityAlreadyExists", message));
    }
    let id = identity::uuid().replace('-', "").to_uppercase();
    let role = Role {
        name: name.to_owned(),
        id: format!("AROA{}", &id[..17]),
        arn: format!("arn:aws:iam::{}:role{path}{name}", cloud.account),
        path,
        created: SystemTime::now(),
        trust,
        description: parameters.get("Description").map(str::to_owned),
        max_session_duration: session(parameters)?.unwrap_or(3_600),
        tags,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
    };
    let answer = json!({"Role": described(&role)});
    cloud.roles.put(&key(name), role)?;
    Ok(answer)
}

fn delete(cloud: &Cloud, parameters: &Parameters) -> Result<Value, Fault> {
    let role = role(cloud, parameters)?;
    if !role.attached.is_empty() {
        let message = "Cannot delete entity, must detach all policies first.";
        return Err(Fault::conflict("DeleteConflict", message));
    }
    if !role.inline.is_empty() {
        let message = "Cannot delete entity, must delete policies first.";
        return Err(Fault::conflict("DeleteConflict", message));
    }
    cloud.roles.remove(&key(&role.name));
    Ok(json!({}))
}

/// The calls that change a role and answer nothing.
fn change(cloud: &Cloud, action: &str, parameters: &Parameters) -> Result<Value, Fault> {
    let name = parameters.required("RoleName")?;
    let changed = cloud.roles.update(&key(name), |role| match action {
        "UpdateRole" => {
            role.description = parameters.get("Description").map(str::to_owned);
            role.max_session_duration = session(parameters)?.unwrap_or(3_600);
            Ok(())
        }
        "UpdateAssumeRolePolicy" => {
            role.trust = policy(parameters.required("PolicyDocument")?, LONGEST_TRUST)?;
            Ok(())
        }
        "PutRolePolicy" => {
            let name = parameters.required("PolicyName")?;
            if name.len() > 128 || !name.chars().all(is_name) {
                return Err(invalid("policyName", name, "[\\w+=,.@-]{1,128}"));
            }
            let document = policy(parameters.required("PolicyDocument")?, usize::MAX)?;
            role.inline.insert(name.to_owned(), document);
            // IAM counts them together, without white space.
            let length = |text: &String| text.chars().filter(|c| !c.is_whitespace()).count();
            if role.inline.values().map(length).sum::<usize>() > LONGEST_INLINE {
                let message = format!("Maximum policy size of {LONGEST_INLINE} bytes exceeded for role {}", role.name);
                return Err(Fault::conflict("LimitExceeded", message));
            }
            Ok(())
        }
        "DeleteRolePolicy" => {
            let name = parameters.required("PolicyName")?;
            role.inline.remove(name).map(|_| ()).ok_or_else(|| no_inline(name))
        }
        "AttachRolePolicy" => {
            let arn = parameters.required("PolicyArn")?;
            if arn.strip_prefix("arn:aws:iam::aws:policy/").is_none_or(str::is_empty) {
                let message = format!(
                    "Policy {arn} does not exist or is not attachable; here only arn:aws:iam::aws:policy/.. do"
                );
                return Err(Fault::missing("NoSuchEntity", message));
            }
            role.attached.insert(arn.to_owned());
            if role.attached.len() > MOST_ATTACHED {
                let message = format!("Cannot exceed quota for PoliciesPerRole: {MOST_ATTACHED}");
                return Err(Fault::conflict("LimitExceeded", message));
            }
            Ok(())
        }
        "DetachRolePolicy" => {
            let arn = parameters.required("PolicyArn")?;
            let message = || format!("Policy {arn} was not found.");
            let removed = role.attached.remove(arn);
            if removed { Ok(()) } else { Err(Fault::missing("NoSuchEntity", message())) }
        }
        "TagRole" => {
            role.tags.extend(parameters.pairs("Tags.member", "Key", "Value"));
            check_tags(&role.tags)
        }
        _ => {
            for tag in parameters.list("TagKeys.member") {
                role.tags.remove(tag.get("").map_or("", String::as_str));
            }
            Ok(())
        }
    });
    changed.unwrap_or_else(|| Err(no_role(name)))?;
    Ok(json!({}))
}

fn role(cloud: &Cloud, parameters: &Parameters) -> Result<Role, Fault> {
    let name = parameters.required("RoleName")?;
    cloud.roles.get(&key(name)).ok_or_else(|| no_role(name))
}

/// IAM does not let two names differ in case only.
pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn role_name(parameters: &Parameters) -> Result<&str, Fault> {
    let name = parameters.required("RoleName")?;
    if name.len() > 64 || !name.chars().all(is_name) {
        return Err(invalid("roleName", name, "[\\w+=,.@-]{1,64}"));
    }
    Ok(name)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn session(parameters: &Parameters) -> Result<Option<u32>, Fault> {
    let Some(text) = parameters.get("MaxSessionDuration") else { return Ok(None) };
    let seconds = text.parse().ok().filter(|seconds| (3_600..=43_200).contains(seconds));
    let refused = || invalid("maxSessionDuration", text, "Member must be from 3600 to 43200");
    seconds.map(Some).ok_or_else(refused)
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    if tags.len() > MOST_TAGS {
        let message = format!("Cannot exceed quota for TagsPerRole: {MOST_TAGS}");
        return Err(Fault::conflict("LimitExceeded", message));
    }
    let wrong = tags.iter().find(|(key, value)| {
        !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256
    });
    wrong.map_or(Ok(()), |(key, _)| Err(invalid("tags", key, "a key of 1..128, a value of 0..256")))
}

/// The document, if it is one.
fn policy(text: &str, longest: usize) -> Result<String, Fault> {
    let malformed = |why: &str| Fault::bad("MalformedPolicyDocument", why);
    if text.chars().filter(|c| !c.is_whitespace()).count() > longest {
        return Err(Fault::conflict(
            "LimitExceeded",
            format!("Cannot exceed quota for ACLSizePerRole: {longest}"),
        ));
    }
    let document: Value =
        serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.as_slice(),
        Value::Object(_) => std::slice::from_ref(&document["Statement"]),
        _ => return Err(malformed("Missing required field Statement")),
    };
    for statement in statements {
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return Err(malformed("Missing required field Effect"));
        }
        if statement.get("Action").or(statement.get("NotAction")).is_none() {
            return Err(malformed("Missing required field Action"));
        }
    }
    Ok(text.to_owned())
}

fn described(role: &Role) -> Value {
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": rfc3339::format(role.created),
        "AssumeRolePolicyDocument": encoded(&role.trust),
        "Description": role.description,
        "MaxSessionDuration": role.max_session_duration,
        "Tags": tags(role),
        "RoleLastUsed": {},
    })
}

/// IAM answers documents in the encoding of addresses (RFC 3986).
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, NON_ALPHANUMERIC).to_string()
}

fn tags(role: &Role) -> Vec<Value> {
    role.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn no_role(name: &str) -> Fault {
    Fault::missing("NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn no_inline(name: &str) -> Fault {
    Fault::missing("NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn invalid(field: &str, value: &str, constraint: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
    );
    Fault::bad("ValidationError", message)
}
