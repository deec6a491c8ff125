//! Statements of the policy of the function's alias: who may invoke it. Each carries in its id the trigger that it is for, and in itself
//! the source: so what is not wanted any more is found without a state file.

use super::{
    Call,
    api::{self, failed, found, gone, is_there_already},
    names::ALIAS,
};
use crate::{Error, Found, Outputs, Owner, ResourceId, Result, Step};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) const KIND: &str = "permission";
/// Ids of our statements begin so.
pub(super) const PREFIX: &str = "omnifn-";
/// Everybody may call the URL ...
pub(super) const URL: &str = "omnifn-url";
/// ... and, since October 2025, invoke through it: docs.aws.amazon.com/lambda/latest/dg/urls-auth.html, read 2026-11.
pub(super) const URL_INVOKE: &str = "omnifn-url-invoke";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Permission {
    pub(super) action: String,
    /// A service's name, or `*`.
    pub(super) principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source_arn: Option<String>,
    /// Where the ARN names no account, as a bucket's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source_account: Option<String>,
}

/// A source that may invoke the function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) principal: String,
    pub(super) arn: String,
}

/// Reads: `GetPolicy`.
pub(super) async fn read(call: Call<'_>) -> Result<Vec<Found>> {
    let get =
        call.aws.clients.lambda.get_policy().function_name(&call.names.function).qualifier(ALIAS);
    let answer = found(get.send().await.map_err(|error| failed("GetPolicy", error)))?;
    let Some(answer) = answer else { return Ok(Vec::new()) };
    let policy: Value =
        serde_json::from_str(answer.policy().unwrap_or_default()).unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let ours = statements.iter().filter_map(|statement| {
        let sid = statement["Sid"].as_str().filter(|sid| sid.starts_with(PREFIX))?;
        let mut found = Found::new(ResourceId::new(KIND, sid), from_statement(statement));
        found.owner = Owner::Part;
        found.etag = answer.revision_id().map(str::to_owned);
        Some(found)
    });
    Ok(ours.collect())
}

fn from_statement(statement: &Value) -> Permission {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let principal = &statement["Principal"];
    let principal = ["Service", "AWS"]
        .iter()
        .find_map(|kind| text(&principal[*kind]))
        .or_else(|| text(principal));
    let condition = &statement["Condition"];
    // Names of keys are compared without case.
    let of = |operator: &str, key: &str| {
        let keys = condition[operator].as_object().into_iter().flatten();
        keys.filter(|(name, _)| name.eq_ignore_ascii_case(key)).find_map(|(_, value)| text(value))
    };
    let any = |key: &str| {
        ["ArnLike", "StringEquals", "ArnEquals"].iter().find_map(|operator| of(operator, key))
    };
    Permission {
        action: text(&statement["Action"]).unwrap_or_default(),
        principal: principal.unwrap_or_default(),
        source_arn: any("AWS:SourceArn"),
        source_account: any("AWS:SourceAccount"),
    }
}

/// The sources of these statements.
pub(super) fn sources(permissions: &[Found]) -> Vec<Source> {
    let read = permissions.iter().filter_map(|found| {
        let text =
            |name: &str| found.properties.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Source { principal: text("principal")?, arn: text("source-arn")? })
    });
    read.collect()
}

/// A statement cannot be changed: what is there under this id goes first.
pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: Permission = super::desired::read(step)?;
    let sid = step.id.name.as_str();
    if step.action == crate::Action::Update {
        delete(call, sid).await?;
    }
    let attempt = || async {
        let add = call.aws.clients.lambda.add_permission().qualifier(ALIAS);
        let add = add.function_name(&call.names.function).statement_id(sid);
        let add = add.action(&wanted.action).principal(&wanted.principal);
        let add = add.set_source_arn(wanted.source_arn.clone());
        let add = add.set_source_account(wanted.source_account.clone());
        let add = match sid {
            URL => add.function_url_auth_type(FunctionUrlAuthType::None),
            URL_INVOKE => add.invoked_via_function_url(true),
            _ => add,
        };
        let added = add.customize().config_override(api::once()).send().await;
        let added = added.map_err(|error| failed(&format!("AddPermission {sid}"), error));
        let Err(error) = added else { return Ok(()) };
        let is_there = (error.is_transient() || is_there_already(&error))
            && read(call).await?.iter().any(|there| there.id.name == sid);
        if is_there { Ok(()) } else { Err(error) }
    };
    call.aws.budget.run(Error::is_transient, attempt).await?;
    Ok(Outputs::new())
}

pub(super) async fn delete(call: Call<'_>, sid: &str) -> Result<Outputs> {
    let remove = call.aws.clients.lambda.remove_permission().function_name(&call.names.function);
    let removed = remove.qualifier(ALIAS).statement_id(sid).send().await;
    gone(removed.map_err(|error| failed(&format!("RemovePermission {sid}"), error)))?;
    Ok(Outputs::new())
}

#[cfg(test)]
mod tests {
    use super::from_statement;
    use serde_json::json;

    #[test]
    fn statements_are_read_in_either_spelling() {
        let statement = json!({
            "Sid": "omnifn-t-photos", "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "lambda:InvokeFunction", "Resource": "arn",
            "Condition": {
                "StringEquals": { "AWS:SourceAccount": "123456789012" },
                "ArnLike": { "aws:SourceArn": "arn:aws:s3:::photos" },
            },
        });
        let read = from_statement(&statement);
        assert_eq!(
            (read.principal.as_str(), read.action.as_str()),
            ("s3.amazonaws.com", "lambda:InvokeFunction")
        );
        assert_eq!(read.source_arn.as_deref(), Some("arn:aws:s3:::photos"));
        assert_eq!(read.source_account.as_deref(), Some("123456789012"));
        assert_eq!(from_statement(&json!({ "Principal": "*", "Action": "a" })).principal, "*");
        assert_eq!(from_statement(&json!({ "Principal": { "AWS": "*" } })).principal, "*");
        assert_eq!(from_statement(&json!(7)).principal, "");
    }
}
