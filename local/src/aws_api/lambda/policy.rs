//! Who may invoke a function: the statements of its resource policy.

use super::{body, check_revision, name::Name, unknown, validate};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call},
    identity,
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// In bytes.
const LONGEST_POLICY: usize = 20_480;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Policy {
    revision: String,
    statements: Vec<Value>,
}

pub(super) fn answer(
    cloud: &Cloud,
    call: &Call,
    name: &Name,
    rest: &[&str],
) -> Result<(u16, Value), Fault> {
    name.check(cloud)?;
    match (&call.method, rest) {
        (&Method::POST, []) => Ok((201, add(cloud, name, &body(call)?)?)),
        (&Method::GET, []) => {
            let policy = cloud.policies.get(&name.key()).ok_or_else(no_policy)?;
            let document = document(&policy.statements).to_string();
            Ok((200, json!({"Policy": document, "RevisionId": policy.revision})))
        }
        (&Method::DELETE, [statement]) => {
            let revision = call.query.get("RevisionId").map(String::as_str);
            remove(cloud, name, statement, revision)?;
            Ok((204, Value::Null))
        }
        _ => Err(unknown(call)),
    }
}

/// Whether `principal` (`s3.amazonaws.com`) may invoke this on behalf of `source`.
pub(in crate::aws_api) fn allows(
    cloud: &Cloud,
    name: &Name,
    principal: &str,
    source: &str,
) -> bool {
    let Some(policy) = cloud.policies.get(&name.key()) else { return false };
    policy.statements.iter().any(|statement| {
        let given = &statement["Principal"];
        let is_principal = given["Service"] == principal || *given == "*";
        let action = statement["Action"].as_str().unwrap_or_default();
        let pattern = statement["Condition"]["ArnLike"]["AWS:SourceArn"].as_str();
        let account = statement["Condition"]["StringEquals"]["AWS:SourceAccount"].as_str();
        is_principal
            && matches!(action, "lambda:InvokeFunction" | "lambda:*")
            && pattern.is_none_or(|pattern| matches(pattern, source))
            && account.is_none_or(|account| account == cloud.account)
    })
}

/// Whether anyone may call the function's URL: both statements are needed (dg/urls-auth.html).
pub(super) fn opens_url(cloud: &Cloud, name: &Name) -> bool {
    let Some(policy) = cloud.policies.get(&name.key()) else { return false };
    let has = |action: &str, condition: &str, field: &str, value: &str| {
        policy.statements.iter().any(|statement| {
            let condition = &statement["Condition"][condition][field];
            statement["Principal"] == "*"
                && statement["Action"] == action
                && (condition.is_null() || *condition == value)
        })
    };
    has("lambda:InvokeFunctionUrl", "StringEquals", "lambda:FunctionUrlAuthType", "NONE")
        && has("lambda:InvokeFunction", "Bool", "lambda:InvokedViaFunctionUrl", "true")
}

fn add(cloud: &Cloud, name: &Name, body: &Map<String, Value>) -> Result<Value, Fault> {
    let required = |field: &str, longest: usize| {
        let text = validate::text(body, field, 1, longest)?;
        text.ok_or_else(|| validate::constraint(field, "null", "Member must not be null"))
    };
    let id = required("StatementId", 100)?;
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        let pattern = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
        return Err(validate::constraint("statementId", &id, pattern));
    }
    let action = required("Action", 256)?;
    if action != "*" && !action.starts_with("lambda:") {
        let pattern =
            "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])";
        return Err(validate::constraint("action", &action, pattern));
    }
    let statement = statement(cloud, name, &id, &action, &required("Principal", 256)?, body)?;
    let given = body.get("RevisionId").and_then(Value::as_str);
    let mut policy = cloud.policies.get(&name.key()).unwrap_or_else(|| Policy {
        revision: name.version(cloud).map(|it| it.revision().to_owned()).unwrap_or_default(),
        statements: Vec::new(),
    });
    check_revision(given, &policy.revision)?;
    if policy.statements.iter().any(|statement| statement["Sid"] == *id) {
        let message = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        return Err(Fault::conflict("ResourceConflictException", message));
    }
    policy.statements.push(statement.clone());
    if document(&policy.statements).to_string().len() > LONGEST_POLICY {
        let message = format!("The final policy size is bigger than the limit ({LONGEST_POLICY}).");
        return Err(Fault::bad("PolicyLengthExceededException", message));
    }
    policy.revision = identity::uuid();
    cloud.policies.put(&name.key(), policy)?;
    Ok(json!({"Statement": statement.to_string()}))
}

fn statement(
    cloud: &Cloud,
    name: &Name,
    id: &str,
    action: &str,
    principal: &str,
    body: &Map<String, Value>,
) -> Result<Value, Fault> {
    let principal = match principal {
        "*" => json!("*"),
        service if service.ends_with(".amazonaws.com") => json!({"Service": service}),
        arn if arn.starts_with("arn:aws:iam::") => json!({"AWS": arn}),
        account if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!({"AWS": format!("arn:aws:iam::{account}:root")})
        }
        _ => {
            return Err(Fault::parameter(
                "The provided principal was invalid. Please check the principal and try again.",
            ));
        }
    };
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": name.arn(cloud),
    });
    let mut condition = json!({});
    if let Some(source) = validate::text(body, "SourceArn", 1, 1024)? {
        if !source.starts_with("arn:") {
            return Err(validate::constraint("sourceArn", &source, "an ARN"));
        }
        condition["ArnLike"]["AWS:SourceArn"] = source.into();
    }
    if let Some(account) = validate::text(body, "SourceAccount", 12, 12)? {
        condition["StringEquals"]["AWS:SourceAccount"] = account.into();
    }
    if let Some(auth) = validate::text(body, "FunctionUrlAuthType", 1, 16)? {
        if action != "lambda:InvokeFunctionUrl" {
            return Err(Fault::parameter(
                "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
            ));
        }
        condition["StringEquals"]["lambda:FunctionUrlAuthType"] = auth.into();
    }
    if let Some(Value::Bool(via)) = body.get("InvokedViaFunctionUrl") {
        if action != "lambda:InvokeFunction" {
            return Err(Fault::parameter(
                "InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action",
            ));
        }
        condition["Bool"]["lambda:InvokedViaFunctionUrl"] = via.to_string().into();
    }
    if condition.as_object().is_some_and(|condition| !condition.is_empty()) {
        statement["Condition"] = condition;
    }
    Ok(statement)
}

fn remove(cloud: &Cloud, name: &Name, id: &str, revision: Option<&str>) -> Result<(), Fault> {
    let removed = cloud.policies.update(&name.key(), |policy| {
        check_revision(revision, &policy.revision)?;
        let before = policy.statements.len();
        policy.statements.retain(|statement| statement["Sid"] != *id);
        policy.revision = identity::uuid();
        if policy.statements.len() == before {
            let message = format!("Statement {id} is not found in resource policy.");
            return Err(Fault::missing("ResourceNotFoundException", message));
        }
        Ok(policy.statements.is_empty())
    });
    if removed.unwrap_or_else(|| Err(no_policy()))? {
        cloud.policies.remove(&name.key());
    }
    Ok(())
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Id": "default", "Statement": statements})
}

fn no_policy() -> Fault {
    Fault::missing("ResourceNotFoundException", "The resource you requested does not exist.")
}

/// `*` and `?` as in `ArnLike`.
pub(in crate::aws_api) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((before, from)) => {
                    star = Some((before, from + 1));
                    (at, seen) = (before + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_source_matches_a_pattern() {
        #[track_caller]
        fn check(pattern: &str, text: &str, expected: bool) {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        check("arn:aws:s3:::b", "arn:aws:s3:::b", true);
        check("arn:aws:s3:::b", "arn:aws:s3:::bc", false);
        check("arn:aws:s3:::*", "arn:aws:s3:::bc", true);
        check("*a*b", "xaxb", true);
        check("*a*b", "xaxbx", false);
        check("?", "", false);
        check("", "", true);
    }
}
