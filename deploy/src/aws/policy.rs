//! Policies with the least that is needed.

use super::names::Names;
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
        // Secrets Manager puts a hyphen and six characters behind a name.
        let secrets = settings.secrets.values().map(|secret| {
            if secret.starts_with("arn:") {
                secret.clone()
            } else {
                names.arn("secretsmanager", &format!("secret:{secret}-??????"))
            }
        });
        statements.push(allow(
            "Secrets",
            &["secretsmanager:GetSecretValue"],
            &secrets.collect::<Vec<_>>(),
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
    json!({ "Version": "2012-10-17", "Statement": statements })
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
    Some(allow(sid, &[action], &[arn.to_owned()]))
}
