use super::{
    Aws, Call,
    api::{failed, found, gone, is_there_already},
    names::function_name,
    tags::{self, Tags},
};
use crate::{
    Error, Found, LogLine, LogPage, LogQuery, Outputs, Owner, ResourceId, Result, Scope, Step,
};
use aws_sdk_cloudwatchlogs::types::LogGroup as Group;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::UNIX_EPOCH};

pub(super) const KIND: &str = "log-group";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LogGroup {
    pub(super) retention_days: Option<i32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: Tags,
}

/// The periods that `CloudWatch` Logs takes, in days (`PutRetentionPolicy` in botocore's model 1.44, read 2026-11).
pub(super) const RETENTIONS: &[u64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Reads: `DescribeLogGroups`, `ListTagsForResource`. One without tags is the function's if that is `ours`: Lambda itself makes
/// such where there is none.
pub(super) async fn read(call: Call<'_>, ours: bool) -> Result<Option<Found>> {
    let Some(group) = get(call).await? else { return Ok(None) };
    let tags = tags_of(call).await?;
    let properties =
        LogGroup { retention_days: group.retention_in_days(), labels: tags::labels(&tags) };
    let mut found = Found::new(ResourceId::new(KIND, &call.names.log_group), properties);
    found.owner = match tags::scope(&tags) {
        None if ours => Owner::Part,
        _ => tags::owner(call, &tags),
    };
    Ok(Some(found))
}

async fn get(call: Call<'_>) -> Result<Option<Group>> {
    let name = &call.names.log_group;
    let answer =
        call.aws.clients.logs.describe_log_groups().log_group_name_prefix(name).send().await;
    let answer = answer.map_err(|error| failed("DescribeLogGroups", error))?;
    // Names come in their order: the one that is the prefix itself comes first.
    Ok(answer
        .log_groups
        .unwrap_or_default()
        .into_iter()
        .find(|group| group.log_group_name() == Some(name)))
}

fn arn(call: Call<'_>) -> String {
    call.names.arn("logs", &format!("log-group:{}", call.names.log_group))
}

async fn tags_of(call: Call<'_>) -> Result<Tags> {
    let answer =
        call.aws.clients.logs.list_tags_for_resource().resource_arn(arn(call)).send().await;
    let answer = found(answer.map_err(|error| failed("ListTagsForResource", error)))?;
    Ok(tags::from_map(answer.as_ref().and_then(|answer| answer.tags())))
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: LogGroup = super::desired::read(step)?;
    let (logs, name) = (&call.aws.clients.logs, &call.names.log_group);
    let tags = tags::all(call, &wanted.labels);
    if get(call).await?.is_none() {
        let create = logs
            .create_log_group()
            .log_group_name(name)
            .set_tags(Some(tags.clone().into_iter().collect()));
        let create =
            create.send().await.map_err(|error| failed(&format!("CreateLogGroup {name}"), error));
        create
            .map(drop)
            .or_else(|error| if is_there_already(&error) { Ok(()) } else { Err(error) })?;
    }
    let (set, untag) = tags::changes(&tags_of(call).await?, &tags);
    if !set.is_empty() {
        let tagged = logs
            .tag_resource()
            .resource_arn(arn(call))
            .set_tags(Some(set.into_iter().collect()))
            .send()
            .await;
        tagged.map_err(|error| failed(&format!("TagResource {name}"), error))?;
    }
    if !untag.is_empty() {
        let untagged =
            logs.untag_resource().resource_arn(arn(call)).set_tag_keys(Some(untag)).send().await;
        untagged.map_err(|error| failed(&format!("UntagResource {name}"), error))?;
    }
    if let Some(days) = wanted.retention_days {
        let put =
            logs.put_retention_policy().log_group_name(name).retention_in_days(days).send().await;
        put.map_err(|error| failed(&format!("PutRetentionPolicy {name}"), error))?;
    }
    Ok(Outputs::new())
}

/// With all lines in it.
pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let name = &call.names.log_group;
    let deleted = call.aws.clients.logs.delete_log_group().log_group_name(name).send().await;
    gone(deleted.map_err(|error| failed(&format!("DeleteLogGroup {name}"), error)))?;
    Ok(Outputs::new())
}

/// What the function wrote.
pub(super) async fn lines(aws: &Aws, scope: &Scope, query: &LogQuery) -> Result<LogPage> {
    let name = format!("/aws/lambda/{}", function_name(scope));
    let since = query.since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
    let since = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    let filter = aws.clients.logs.filter_log_events().log_group_name(&name).set_start_time(since);
    let filter = filter.set_filter_pattern(query.filter.clone()).set_next_token(query.from.clone());
    let limit = i32::try_from(query.limit).ok().filter(|limit| *limit > 0);
    let answer = filter.set_limit(limit).send().await;
    let answer = found(answer.map_err(|error| failed(&format!("FilterLogEvents {name}"), error)))?;
    let answer = answer.ok_or_else(|| Error::Missing {
        what: format!("the log group `{name}`"),
        remedy: Some("deploy the function first".to_owned()),
    })?;
    let next = answer.next_token().map(str::to_owned);
    let lines = answer.events.unwrap_or_default().into_iter().map(|event| {
        let message = event.message().unwrap_or_default().trim_end_matches('\n');
        LogLine::new(
            event.timestamp().unwrap_or_default(),
            event.event_id().unwrap_or_default(),
            message,
        )
    });
    Ok(LogPage { lines: lines.collect(), next })
}
