//! What a deployer must be allowed to do: the actions of the calls that are made, by the service authorization reference of each
//! (docs.aws.amazon.com/service-authorization/latest/reference, read 2026-11). Whether they are enough was not tried on a real account.

use super::{
    event_invoke, function, log_group, mapping, names::last, notification, permission, provisioned,
    reserved, role, rule, schedule, subscription, traffic, url,
};
use crate::{Permission, Resource};
use serde_json::Value;

/// Of all that the resources take to be made, changed, read and removed.
pub(super) fn of(resources: &[Resource]) -> Vec<Permission> {
    let name = resources
        .iter()
        .find(|resource| resource.id.kind == function::KIND)
        .map(|resource| resource.id.name.as_str());
    let function = format!("arn:*:lambda:*:*:function:{}", name.unwrap_or("*"));
    let mut permissions = vec![
        Permission::new("sts:GetCallerIdentity", "*"),
        Permission::new("lambda:ListFunctions", "*"),
    ];
    for resource in resources {
        let (actions, on) = actions(resource, &function);
        permissions.extend(actions.iter().map(|action| Permission::new(*action, &on)));
        // A role is handed to the service that assumes it.
        if resource.id.kind == function::KIND {
            let role = resource.properties.get("role").and_then(Value::as_str).unwrap_or("*");
            permissions.push(Permission::new("iam:PassRole", role));
        }
        if resource.id.kind == schedule::KIND {
            let role = resource.properties.get("role").and_then(Value::as_str).unwrap_or("*");
            permissions.push(Permission::new("iam:PassRole", role));
        }
    }
    permissions
}

const ROLE: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
];
const LOG_GROUP: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:DeleteLogGroup",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];
const FUNCTION: &[&str] = &[
    "lambda:CreateFunction",
    "lambda:DeleteFunction",
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:GetFunctionUrlConfig",
    "lambda:GetPolicy",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "lambda:PublishVersion",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
];
const MAPPING: &[&str] = &[
    "lambda:CreateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    "lambda:ListEventSourceMappings",
    "lambda:UpdateEventSourceMapping",
];
const SUBSCRIPTION: &[&str] = &[
    "sns:GetSubscriptionAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:SetSubscriptionAttributes",
    "sns:Subscribe",
    "sns:Unsubscribe",
];
const RULE: &[&str] = &[
    "events:DeleteRule",
    "events:ListRules",
    "events:ListTagsForResource",
    "events:ListTargetsByRule",
    "events:PutRule",
    "events:PutTargets",
    "events:RemoveTargets",
    "events:TagResource",
    "events:UntagResource",
];
const SCHEDULE: &[&str] = &[
    "scheduler:CreateSchedule",
    "scheduler:DeleteSchedule",
    "scheduler:GetSchedule",
    "scheduler:ListSchedules",
    "scheduler:UpdateSchedule",
];

fn actions(resource: &Resource, function: &str) -> (&'static [&'static str], String) {
    let name = resource.id.name.as_str();
    match resource.id.kind.as_str() {
        role::KIND => (ROLE, format!("arn:*:iam::*:role/{name}")),
        log_group::KIND => (LOG_GROUP, format!("arn:*:logs:*:*:log-group:{name}:*")),
        function::KIND => (FUNCTION, function.to_owned()),
        traffic::KIND => (
            &["lambda:CreateAlias", "lambda:DeleteAlias", "lambda:GetAlias", "lambda:UpdateAlias"],
            function.to_owned(),
        ),
        reserved::KIND => (
            &["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"],
            function.to_owned(),
        ),
        provisioned::KIND => (
            &[
                "lambda:DeleteProvisionedConcurrencyConfig",
                "lambda:PutProvisionedConcurrencyConfig",
            ],
            format!("{function}:*"),
        ),
        event_invoke::KIND => (
            &["lambda:DeleteFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig"],
            function.to_owned(),
        ),
        permission::KIND => {
            (&["lambda:AddPermission", "lambda:RemovePermission"], function.to_owned())
        }
        url::KIND => (
            &[
                "lambda:CreateFunctionUrlConfig",
                "lambda:DeleteFunctionUrlConfig",
                "lambda:UpdateFunctionUrlConfig",
            ],
            function.to_owned(),
        ),
        mapping::KIND => (MAPPING, "*".to_owned()),
        subscription::KIND => (SUBSCRIPTION, name.to_owned()),
        notification::KIND => (
            &["s3:GetBucketNotification", "s3:PutBucketNotification"],
            format!("arn:*:s3:::{}", name.split('/').next().unwrap_or(name)),
        ),
        rule::KIND => (RULE, format!("arn:*:events:*:*:rule/*{}", last(name))),
        schedule::KIND => (SCHEDULE, format!("arn:*:scheduler:*:*:schedule/default/{name}")),
        _ => (&[], String::new()),
    }
}
