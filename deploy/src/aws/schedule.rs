//! Schedules of EventBridge Scheduler that invoke the alias.

use super::{
    Call,
    api::{failed, found, gone, is_there_already},
};
use crate::{Error, Found, Outputs, Owner, ResourceId, Result, Step};
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) const KIND: &str = "schedule";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Schedule {
    /// `cron(0 8 ? * MON-FRI *)`.
    pub(super) expression: String,
    /// A name of the IANA database.
    pub(super) timezone: String,
    /// What the function is invoked with.
    pub(super) input: Value,
    /// The ARN of the alias.
    pub(super) target: String,
    /// The ARN of the role by which Scheduler invokes it.
    pub(super) role: String,
}

/// An event as EventBridge sends it by itself, with the schedule's name and time in it, which our timers read
/// (docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html, read 2026-11).
pub(super) fn input(detail: Option<&Value>) -> Value {
    json!({
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "time": "<aws.scheduler.scheduled-time>",
        "resources": ["<aws.scheduler.schedule-arn>"],
        "detail": detail.cloned().unwrap_or_else(|| json!({})),
    })
}

/// Reads: `ListSchedules`; for each schedule: `GetSchedule`.
pub(super) async fn read(call: Call<'_>) -> Result<Vec<Found>> {
    let scheduler = &call.aws.clients.scheduler;
    let list = scheduler.list_schedules().name_prefix(call.names.trigger_prefix());
    let mut pages = list.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(schedule) = pages.next().await {
        let schedule = schedule.map_err(|error| failed("ListSchedules", error))?;
        let Some(name) = schedule.name() else { continue };
        // Another function's, whose name begins with this one's.
        let target = schedule.target().map(aws_sdk_scheduler::types::TargetSummary::arn);
        let is_other = target.is_some_and(|target| target != call.names.alias_arn());
        let get = scheduler.get_schedule().name(name).send().await;
        let Some(there) = found(get.map_err(|error| failed("GetSchedule", error)))? else {
            continue;
        };
        let target = there.target();
        let input = target
            .and_then(|target| target.input())
            .and_then(|input| serde_json::from_str(input).ok());
        let properties = Schedule {
            expression: there.schedule_expression().unwrap_or_default().to_owned(),
            timezone: there.schedule_expression_timezone().unwrap_or("UTC").to_owned(),
            input: input.unwrap_or_default(),
            target: target.map(|target| target.arn().to_owned()).unwrap_or_default(),
            role: target.map(|target| target.role_arn().to_owned()).unwrap_or_default(),
        };
        let mut found = Found::new(ResourceId::new(KIND, name), properties);
        found.owner = if is_other { Owner::Other } else { Owner::Part };
        all.push(found);
    }
    Ok(all)
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: Schedule = super::desired::read(step)?;
    let (scheduler, name) = (&call.aws.clients.scheduler, step.id.name.as_str());
    let target = Target::builder()
        .arn(&wanted.target)
        .role_arn(&wanted.role)
        .input(wanted.input.to_string());
    let target = target.build().map_err(|error| Error::setting("triggers", error.to_string()))?;
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build();
    let window = window.map_err(|error| Error::setting("triggers", error.to_string()))?;
    if step.action == crate::Action::Create {
        let attempt = || async {
            let create =
                scheduler.create_schedule().name(name).schedule_expression(&wanted.expression);
            let create =
                create.schedule_expression_timezone(&wanted.timezone).target(target.clone());
            let create = create
                .flexible_time_window(window.clone())
                .description("Made by omnifn")
                .send()
                .await;
            create.map_err(|error| failed(&format!("CreateSchedule {name}"), error))
        };
        match call.aws.budget.run(is_unready_role, attempt).await {
            Ok(_) => return Ok(Outputs::new()),
            // The answer to an earlier try was lost: it is as it was asked for, or is changed now.
            Err(error) if is_there_already(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let attempt = || async {
        let update = scheduler.update_schedule().name(name).schedule_expression(&wanted.expression);
        let update = update.schedule_expression_timezone(&wanted.timezone).target(target.clone());
        let update =
            update.flexible_time_window(window.clone()).description("Made by omnifn").send().await;
        update.map_err(|error| failed(&format!("UpdateSchedule {name}"), error))
    };
    call.aws.budget.run(is_unready_role, attempt).await?;
    Ok(Outputs::new())
}

/// A role that was made a moment ago is not known everywhere.
fn is_unready_role(error: &Error) -> bool {
    matches!(error, Error::Refused { code, message, .. }
        if code == "ValidationException" && message.contains("role") && message.contains("assume"))
}

pub(super) async fn delete(call: Call<'_>, name: &str) -> Result<Outputs> {
    let deleted = call.aws.clients.scheduler.delete_schedule().name(name).send().await;
    gone(deleted.map_err(|error| failed(&format!("DeleteSchedule {name}"), error)))?;
    Ok(Outputs::new())
}
