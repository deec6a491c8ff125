//! Policies with the least that is needed.

use super::{names::Names, secrets};
use crate::Settings;
use serde_json::{Value, json};

/// Who may assume a role.
pub(super) fn trust(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    })
}

/// Some actions on some resources.
pub(super) fn allow(sid: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// What a function may do: write its own logs, read its sources and its secrets.
pub(super) fn function(settings: &Settings, names: &Names, triggers: &[Value]) -> Value {
    let own = &settings.aws;
    let everything = ["*".to_owned()];
    let group = names.arn("logs", &format!("log-group:{}", names.log_group));
    let mut statements = vec![allow(
        "Logs",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        &[format!("{group}:*")],
    )];
    statements.extend(triggers.iter().cloned());
    if !settings.secrets.is_empty() {
        let named = settings.secrets.values();
        let named =
            named.map(|secret| secrets::arn(secret, |name| names.arn("secretsmanager", name)));
        statements.push(allow(
            "Secrets",
            &["secretsmanager:GetSecretValue"],
            &named.collect::<Vec<_>>(),
        ));
    }
    if let Some(target) = &own.on_failure {
        statements.extend(send("OnFailure", target));
    }
    if own.tracing {
        statements.push(allow(
            "Tracing",
            &["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            &everything,
        ));
    }
    if own.vpc.is_some() {
        statements.push(network());
    }
    if !own.file_systems.is_empty() {
        let files: Vec<_> = own.file_systems.iter().map(|file| file.arn.clone()).collect();
        statements.push(allow(
            "Files",
            &["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            &files,
        ));
    }
    json!({ "Version": "2012-10-17", "Statement": unique(statements) })
}

/// Each statement once, under an id of its own, as IAM wants it.
fn unique(statements: Vec<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for mut statement in statements {
        if all.contains(&statement) {
            continue;
        }
        let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
        let is_taken = |all: &[Value], sid: &str| all.iter().any(|other| other["Sid"] == sid);
        if is_taken(&all, &sid) {
            let free = (2..).map(|number| format!("{sid}{number}"));
            let free = free.into_iter().find(|sid| !is_taken(&all, sid));
            statement["Sid"] = free.into();
        }
        all.push(statement);
    }
    all
}

/// What Lambda needs to reach a network: docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, read 2026-11.
pub(super) fn network() -> Value {
    allow(
        "Network",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
        &["*".to_owned()],
    )
}

/// To put something into a queue, a topic, a bus or a function, whichever the ARN is of.
pub(super) fn send(sid: &str, arn: &str) -> Option<Value> {
    let action = match arn.split(':').nth(2)? {
        "sqs" => "sqs:SendMessage",
        "sns" => "sns:Publish",
        "events" => "events:PutEvents",
        "lambda" => "lambda:InvokeFunction",
        "s3" => "s3:PutObject",
        _ => return None,
    };
    // What is put into a bucket is an object of its own.
    let resource = if action == "s3:PutObject" { format!("{arn}/*") } else { arn.to_owned() };
    Some(allow(sid, &[action], &[resource]))
}

#[cfg(test)]
mod tests {
    use super::{allow, network, send, unique};
    use serde_json::json;

    #[test]
    fn every_statement_is_there_once_under_an_id_of_its_own() {
        let read = |arn: &str| allow("Triggerab", &["sqs:ReceiveMessage"], &[arn.to_owned()]);
        let all = unique(vec![network(), read("a"), network(), read("b"), read("a"), read("c")]);
        let ids: Vec<_> = all.iter().map(|statement| statement["Sid"].clone()).collect();
        assert_eq!(json!(ids), json!(["Network", "Triggerab", "Triggerab2", "Triggerab3"]));
        assert_eq!(all[2]["Resource"], json!(["b"]));
    }

    #[test]
    fn what_may_be_sent_follows_from_the_arn() {
        let action = |arn: &str| send("Failed", arn).map(|allowed| allowed["Action"][0].clone());
        for (arn, expected) in [
            ("arn:aws:sqs:eu-west-1:123456789012:failed", "sqs:SendMessage"),
            ("arn:aws:sns:eu-west-1:123456789012:failed", "sns:Publish"),
            ("arn:aws:events:eu-west-1:123456789012:event-bus/failed", "events:PutEvents"),
            ("arn:aws:lambda:eu-west-1:123456789012:function:failed", "lambda:InvokeFunction"),
            ("arn:aws:s3:::failed", "s3:PutObject"),
        ] {
            assert_eq!(action(arn), Some(json!(expected)), "{arn}");
        }
        for arn in ["failed", "", "arn:aws:kinesis:eu-west-1:123456789012:stream/failed"] {
            assert_eq!(action(arn), None, "{arn}");
        }
    }
}
