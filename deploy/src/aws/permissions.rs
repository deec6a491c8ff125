//! What a deployer must be allowed to do: the actions of the calls that are made. Those of Lambda are called like its calls
//! (docs.aws.amazon.com/service-authorization/latest/reference/list_lambda.html, read 2026-11), that of a bucket's notifications is named in
//! its API reference; that the other services' are called like their calls, and that all of them are enough, is not verified.
//!
//! An archive of more than 50 MB goes through a bucket: that takes `s3:CreateBucket`, `s3:ListBucket`, `s3:GetObject`,
//! `s3:PutObject` and `s3:AbortMultipartUpload` on `omnifn-<account>-<region>`, too.

use super::{
    event_invoke, function, log_group, mapping, names::scheduler_role_of, notification, permission,
    provisioned, reserved, role, rule, schedule, secrets, subscription, traffic, url,
};
use crate::{Permission, Resource};
use serde_json::Value;

/// Read whatever is wanted, since what is not wanted any more must be found. None of these can be told which resource.
const LISTS: &[&str] = &[
    "events:ListRules",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "scheduler:ListSchedules",
    "sts:GetCallerIdentity",
];
const ROLE: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
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
    "logs:FilterLogEvents",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];
const FUNCTION: &[&str] = &[
    "lambda:CreateFunction",
    "lambda:DeleteFunction",
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
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
const TRAFFIC: &[&str] = &["lambda:CreateAlias", "lambda:DeleteAlias", "lambda:UpdateAlias"];
const RESERVED: &[&str] = &["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"];
const PROVISIONED: &[&str] =
    &["lambda:DeleteProvisionedConcurrencyConfig", "lambda:PutProvisionedConcurrencyConfig"];
const EVENT_INVOKE: &[&str] =
    &["lambda:DeleteFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig"];
const PERMISSION: &[&str] = &["lambda:AddPermission", "lambda:RemovePermission"];
const FUNCTION_URL: &[&str] = &[
    "lambda:CreateFunctionUrlConfig",
    "lambda:DeleteFunctionUrlConfig",
    "lambda:UpdateFunctionUrlConfig",
];
const MAPPING: &[&str] = &["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"];
const TOPIC: &[&str] = &["sns:ListSubscriptionsByTopic", "sns:Subscribe"];
const SUBSCRIPTION: &[&str] =
    &["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"];
const NOTIFICATION: &[&str] = &["s3:GetBucketNotification", "s3:PutBucketNotification"];
const RULE: &[&str] = &[
    "events:DeleteRule",
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
    "scheduler:UpdateSchedule",
];
/// What Lambda looks up on behalf of who connects a function to a network, to files and to layers.
const NETWORK: &[&str] = &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"];
const FILES: &str = "elasticfilesystem:DescribeMountTargets";
const LAYER: &str = "lambda:GetLayerVersion";
const SECRET: &str = "secretsmanager:DescribeSecret";

/// Of all that the resources take to be made, changed, read and removed.
pub(super) fn of(region: &str, resources: &[Resource]) -> Vec<Permission> {
    let mut all = All { permissions: Vec::new() };
    all.add(LISTS, "*");
    let Some(function) = resources.iter().find(|resource| resource.id.kind == function::KIND)
    else {
        return all.permissions;
    };
    let name = function.id.name.as_str();
    let own_role = text(function, "role");
    let place = Place::new(region, own_role);
    for role in [name, &scheduler_role_of(name)] {
        all.add(&["iam:GetRole"], &place.role(role));
    }
    for resource in resources {
        all.resource(resource, &place, name);
    }
    all.permissions
}

/// Where the resources are: the partition and the account stand in the ARN of the function's role.
struct Place<'a> {
    region: &'a str,
    partition: &'a str,
    account: &'a str,
}

impl<'a> Place<'a> {
    fn new(region: &'a str, role: &'a str) -> Self {
        let part = |number: usize| role.split(':').nth(number).filter(|part| !part.is_empty());
        Self { region, partition: part(1).unwrap_or("aws"), account: part(4).unwrap_or("*") }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self { region, partition, account } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    fn role(&self, role: &str) -> String {
        format!("arn:{}:iam::{}:role/{role}", self.partition, self.account)
    }
}

fn text<'a>(resource: &'a Resource, name: &str) -> &'a str {
    resource.properties.get(name).and_then(Value::as_str).unwrap_or("*")
}

struct All {
    permissions: Vec<Permission>,
}

impl All {
    fn add(&mut self, actions: &[&str], on: &str) {
        self.permissions.extend(actions.iter().map(|action| Permission::new(*action, on)));
    }

    fn resource(&mut self, resource: &Resource, place: &Place<'_>, function: &str) {
        let name = resource.id.name.as_str();
        // Versions and aliases have ARNs of their own below the function's.
        let arn = place.arn("lambda", &format!("function:{function}"));
        let mut on_function = |actions: &[&str]| {
            self.add(actions, &arn);
            self.add(actions, &format!("{arn}:*"));
        };
        match resource.id.kind.as_str() {
            function::KIND => {
                on_function(FUNCTION);
                self.surroundings(resource);
                for (_, secret) in secrets::of(resource) {
                    self.add(
                        &[SECRET],
                        &secrets::arn(secret, |name| place.arn("secretsmanager", name)),
                    );
                }
            }
            traffic::KIND => on_function(TRAFFIC),
            reserved::KIND => on_function(RESERVED),
            provisioned::KIND => on_function(PROVISIONED),
            event_invoke::KIND => on_function(EVENT_INVOKE),
            permission::KIND => on_function(PERMISSION),
            url::KIND => on_function(FUNCTION_URL),
            role::KIND => self.add(ROLE, &place.role(name)),
            log_group::KIND => {
                let group = place.arn("logs", &format!("log-group:{name}"));
                self.add(LOG_GROUP, &group);
                self.add(LOG_GROUP, &format!("{group}:*"));
            }
            mapping::KIND => {
                self.add(&["lambda:CreateEventSourceMapping"], "*");
                self.add(MAPPING, &place.arn("lambda", "event-source-mapping:*"));
            }
            subscription::KIND => {
                self.add(TOPIC, name);
                self.add(SUBSCRIPTION, "*");
            }
            notification::KIND => {
                let bucket = name.split('/').next().unwrap_or(name);
                self.add(NOTIFICATION, &format!("arn:{}:s3:::{bucket}", place.partition));
            }
            rule::KIND => {
                let path = name.strip_prefix("default/").unwrap_or(name);
                self.add(RULE, &place.arn("events", &format!("rule/{path}")));
            }
            schedule::KIND => {
                let path = format!("schedule/default/{name}");
                self.add(SCHEDULE, &place.arn("scheduler", &path));
                self.add(&["iam:PassRole"], text(resource, "role"));
            }
            _ => {}
        }
    }

    /// What a function is connected to.
    fn surroundings(&mut self, function: &Resource) {
        // A role is handed to the service that assumes it.
        self.add(&["iam:PassRole"], text(function, "role"));
        let is_set = |name: &str| function.properties.contains_key(name);
        if is_set("subnets") {
            self.add(NETWORK, "*");
        }
        if is_set("file-systems") {
            self.add(&[FILES], "*");
        }
        let layers = function.properties.get("layers").and_then(Value::as_array);
        for layer in layers.into_iter().flatten().filter_map(Value::as_str) {
            self.add(&[LAYER], layer);
        }
    }
}
