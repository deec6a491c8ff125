//! Entries among a bucket's notifications that invoke the alias. All of them are written at once: those of others are read
//! before, and written back as they are.

use super::{
    Call,
    api::{failed, found},
    names::last,
    permission::Source,
};
use crate::{Error, Found, Outputs, Owner, Resource, ResourceId, Result, Step};
use aws_sdk_s3::{
    operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput as Notifications,
    types::{
        Event, FilterRule, FilterRuleName, LambdaFunctionConfiguration, NotificationConfiguration,
        NotificationConfigurationFilter, S3KeyFilter,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tokio::sync::Mutex;

pub(super) const KIND: &str = "notification";
pub(super) const PRINCIPAL: &str = "s3.amazonaws.com";

/// Functions that are deployed at the same time may share a bucket: one after the other reads and writes back.
static WRITING: Mutex<()> = Mutex::const_new(());

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    /// `s3:ObjectCreated:*`, in order.
    pub(super) events: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suffix: Option<String>,
}

/// `bucket/entry`: what a notification is called.
pub(super) fn id(bucket: &str, entry: &str) -> ResourceId {
    ResourceId::new(KIND, format!("{bucket}/{entry}"))
}

fn split(name: &str) -> Result<(&str, &str)> {
    name.split_once('/')
        .ok_or_else(|| Error::Missing { what: format!("the bucket of `{name}`"), remedy: None })
}

/// Reads, for each bucket: `GetBucketNotificationConfiguration`.
pub(super) async fn read(
    call: Call<'_>,
    wanted: &[Resource],
    connected: &[Source],
) -> Result<Vec<Found>> {
    let connected = connected.iter().filter(|source| source.principal == PRINCIPAL);
    let connected = connected.map(|source| last(&source.arn).to_owned());
    let wanted = wanted.iter().filter(|resource| resource.id.kind == KIND);
    let wanted = wanted.filter_map(|resource| Some(split(&resource.id.name).ok()?.0.to_owned()));
    let buckets: BTreeSet<String> = connected.chain(wanted).collect();
    let mut all = Vec::new();
    for bucket in buckets {
        let Some(there) = get(call, &bucket).await? else { continue };
        let ours =
            there.lambda_function_configurations().iter().filter(|entry| is_ours(call, entry));
        all.extend(ours.map(|entry| {
            let mut found =
                Found::new(id(&bucket, entry.id().unwrap_or_default()), from_entry(entry));
            found.owner = Owner::Part;
            found
        }));
    }
    Ok(all)
}

async fn get(call: Call<'_>, bucket: &str) -> Result<Option<Notifications>> {
    let get =
        call.aws.clients.s3.get_bucket_notification_configuration().bucket(bucket).send().await;
    found(
        get.map_err(|error| failed(&format!("GetBucketNotificationConfiguration {bucket}"), error)),
    )
}

fn is_ours(call: Call<'_>, entry: &LambdaFunctionConfiguration) -> bool {
    entry.lambda_function_arn() == call.names.alias_arn()
        && entry.id().is_some_and(|id| id.starts_with(&call.names.trigger_prefix()))
}

fn from_entry(entry: &LambdaFunctionConfiguration) -> Notification {
    let mut events: Vec<_> = entry.events().iter().map(|event| event.as_str().to_owned()).collect();
    events.sort_unstable();
    let rules = entry
        .filter()
        .and_then(|filter| filter.key())
        .map(aws_sdk_s3::types::S3KeyFilter::filter_rules)
        .unwrap_or_default();
    // Names come back as `Prefix` or `prefix`.
    let rule = |name: &str| {
        let rule = rules
            .iter()
            .find(|rule| rule.name().is_some_and(|rule| rule.as_str().eq_ignore_ascii_case(name)));
        rule.and_then(|rule| rule.value()).map(str::to_owned)
    };
    Notification { events, prefix: rule("prefix"), suffix: rule("suffix") }
}

fn to_entry(
    call: Call<'_>,
    id: &str,
    wanted: &Notification,
) -> Result<LambdaFunctionConfiguration> {
    let rules =
        [(FilterRuleName::Prefix, &wanted.prefix), (FilterRuleName::Suffix, &wanted.suffix)];
    let rules = rules.into_iter().filter_map(|(name, value)| {
        Some(FilterRule::builder().name(name).value(value.as_ref()?).build())
    });
    let rules: Vec<_> = rules.collect();
    let filter = (!rules.is_empty()).then(|| {
        let key = S3KeyFilter::builder().set_filter_rules(Some(rules)).build();
        NotificationConfigurationFilter::builder().key(key).build()
    });
    let events = wanted.events.iter().map(|event| Event::from(event.as_str())).collect();
    let entry =
        LambdaFunctionConfiguration::builder().id(id).lambda_function_arn(call.names.alias_arn());
    let entry = entry.set_events(Some(events)).set_filter(filter).build();
    entry.map_err(|error| Error::setting("changes", error.to_string()))
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: Notification = super::desired::read(step)?;
    let (bucket, id) = split(&step.id.name)?;
    let entry = to_entry(call, id, &wanted)?;
    let _alone = WRITING.lock().await;
    let there = get(call, bucket).await?.ok_or_else(|| Error::Missing {
        what: format!("the bucket `{bucket}`"),
        remedy: Some(
            "make it first: functions and their triggers are all that omnifn makes".to_owned(),
        ),
    })?;
    write(call, bucket, there, id, Some(entry)).await?;
    Ok(Outputs::new())
}

pub(super) async fn delete(call: Call<'_>, name: &str) -> Result<Outputs> {
    let (bucket, id) = split(name)?;
    let _alone = WRITING.lock().await;
    if let Some(there) = get(call, bucket).await? {
        write(call, bucket, there, id, None).await?;
    }
    Ok(Outputs::new())
}

/// All that is there, with this entry in place of that of the same id.
async fn write(
    call: Call<'_>,
    bucket: &str,
    there: Notifications,
    id: &str,
    entry: Option<LambdaFunctionConfiguration>,
) -> Result<()> {
    let mut entries = there.lambda_function_configurations.unwrap_or_default();
    entries.retain(|there| there.id() != Some(id));
    entries.extend(entry);
    let all = NotificationConfiguration::builder()
        .set_lambda_function_configurations(Some(entries))
        .set_topic_configurations(there.topic_configurations)
        .set_queue_configurations(there.queue_configurations)
        .set_event_bridge_configuration(there.event_bridge_configuration)
        .build();
    let put = || async {
        let put = call.aws.clients.s3.put_bucket_notification_configuration().bucket(bucket);
        let put = put.notification_configuration(all.clone()).send().await;
        put.map_err(|error| failed(&format!("PutBucketNotificationConfiguration {bucket}"), error))
    };
    // S3 asks Lambda whether it may invoke the alias, which is not known everywhere at once.
    let is_worth_it = |error: &Error| matches!(error, Error::Refused { code, message, .. } if code == "InvalidArgument" && message.contains("destination"));
    call.aws.budget.run(is_worth_it, put).await?;
    Ok(())
}
