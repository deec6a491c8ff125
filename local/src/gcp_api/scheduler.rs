//! Cloud Scheduler: jobs that fire when they are due (cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs).

use super::{
    Cloud, Location,
    delivery::{self, Attempt},
    error::{Failure, Kind, Outcome},
    iam, pubsub,
    request::{self, Call},
    schema::Api,
    text,
};
use crate::wire::{self, Reply};
use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds, Year};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use omnifn_core::{TimerEvent, rfc3339};
use omnifn_runtime_gcp::testing;
use serde_json::{Value, json};
use std::{
    str::FromStr,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};
use tokio::time::sleep;

/// How often it is looked for jobs that are due.
const PAUSE: Duration = Duration::from_millis(200);

fn key(name: &str) -> String {
    format!("scheduler/{name}")
}

pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
    rest: &[&str],
) -> Outcome<Reply> {
    let prefix = format!("{}/jobs/", location.parent());
    let find = |id: &str| {
        cloud
            .store
            .get(&key(&format!("{prefix}{id}")))
            .ok_or_else(|| Failure::new(Kind::NotFound, "Job not found."))
    };
    let verb = call.verb.clone();
    let answer = match (call.method.clone(), rest, verb.as_deref()) {
        (Method::POST, [], None) => {
            call.allow(&[])?;
            let mut job = call.message(Api::Scheduler, "Job").await?;
            let name = job["name"].as_str().unwrap_or_default().to_owned();
            let id = name.strip_prefix(&prefix).unwrap_or_default();
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if id.is_empty() || id.len() > 500 || !id.bytes().all(good) {
                return Err(Failure::field(
                    "job.name",
                    format!("Job name must be formatted: \"{prefix}<JOB_ID>\""),
                ));
            }
            complete(cloud, &mut job)?;
            job["state"] = "ENABLED".into();
            let _alone = cloud.changing.lock().await;
            if find(id).is_ok() {
                return Err(Failure::new(Kind::Exists, format!("Job {name} already exists.")));
            }
            cloud.store.put(&key(&name), &job)?;
            job
        }
        (Method::GET, [], None) => {
            let found = cloud.store.list(&key(&prefix));
            call.page("jobs", found.into_iter().map(|(_, job)| job).collect())?
        }
        (Method::GET, [id], None) => find(id)?,
        (Method::PATCH, [id], None) => {
            call.allow(&["updateMask"])?;
            let wanted = call.message(Api::Scheduler, "Job").await?;
            let paths = call.mask(Api::Scheduler, "Job")?;
            let _alone = cloud.changing.lock().await;
            let mut job = find(id)?;
            let paths = paths.unwrap_or_else(|| {
                let names = [
                    "description",
                    "schedule",
                    "timeZone",
                    "httpTarget",
                    "pubsubTarget",
                    "retryConfig",
                    "attemptDeadline",
                ];
                names.map(|name| vec![name.to_owned()]).to_vec()
            });
            request::merge(&mut job, &wanted, &paths);
            complete(cloud, &mut job)?;
            cloud.store.put(&key(&format!("{prefix}{id}")), &job)?;
            job
        }
        (Method::DELETE, [id], None) => {
            find(id)?;
            cloud.store.remove(&key(&format!("{prefix}{id}")));
            json!({})
        }
        (Method::POST, [id], Some(verb @ ("pause" | "resume" | "run"))) => {
            call.document().await?;
            let alone = cloud.changing.lock().await;
            let mut job = find(id)?;
            match verb {
                "pause" => job["state"] = "PAUSED".into(),
                "resume" => {
                    job["state"] = "ENABLED".into();
                    complete(cloud, &mut job)?;
                }
                _ => job["lastAttemptTime"] = text::now().into(),
            }
            cloud.store.put(&key(&format!("{prefix}{id}")), &job)?;
            drop(alone);
            if verb == "run" {
                fire(cloud, &job, SystemTime::now());
            }
            job
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

fn complete(cloud: &Cloud, job: &mut Value) -> Outcome<()> {
    let zone = job["timeZone"].as_str().unwrap_or("Etc/UTC").to_owned();
    let schedule = job["schedule"].as_str().unwrap_or_default().to_owned();
    let next = next(&schedule, &zone, Utc::now()).map_err(|why| {
        Failure::field("job.schedule", format!("Schedule or time zone is invalid: {why}"))
    })?;
    job["timeZone"] = zone.into();
    job["scheduleTime"] = next.into();
    job["userUpdateTime"] = text::now().into();
    match (job.get("httpTarget"), job.get("pubsubTarget")) {
        (Some(target), None) => {
            let uri = target["uri"].as_str().unwrap_or_default();
            if !matches!(url::Url::parse(uri).as_ref().map(url::Url::scheme), Ok("http" | "https"))
            {
                return Err(Failure::field(
                    "job.http_target.uri",
                    format!("\"{uri}\" must begin with http:// or https://"),
                ));
            }
            if let Some(account) = target["oidcToken"]["serviceAccountEmail"].as_str() {
                iam::check_account(cloud, account)?;
            }
            if target["httpMethod"].is_null() {
                job["httpTarget"]["httpMethod"] = "POST".into();
            }
            if job["attemptDeadline"].is_null() {
                job["attemptDeadline"] = "180s".into();
            }
        }
        (None, Some(target)) => {
            let topic = target["topicName"].as_str().unwrap_or_default();
            pubsub::ensure_topic(cloud, topic, false)?;
            if target.get("data").is_none() && target.get("attributes").is_none() {
                return Err(Failure::field("job.pubsub_target", "it must have data or attributes"));
            }
        }
        _ => {
            return Err(Failure::field(
                "job.target",
                "one of httpTarget and pubsubTarget is required here",
            ));
        }
    }
    let count = job["retryConfig"]["retryCount"].as_i64().unwrap_or(0);
    if !(0..=5).contains(&count) {
        return Err(Failure::field(
            "job.retry_config.retry_count",
            format!("{count} is not from 0 to 5"),
        ));
    }
    for (field, value) in
        [("maxRetryDuration", "0s"), ("minBackoffDuration", "5s"), ("maxBackoffDuration", "3600s")]
    {
        if job["retryConfig"][field].is_null() {
            job["retryConfig"][field] = value.into();
        }
    }
    if job["retryConfig"]["maxDoublings"].is_null() {
        job["retryConfig"]["maxDoublings"] = 5.into();
    }
    Ok(())
}

/// When a job is due next after `now`. Five fields of cron, in a time zone of the tz database.
fn next(schedule: &str, zone: &str, now: DateTime<Utc>) -> Result<String, String> {
    let zone = chrono_tz::Tz::from_str(zone).map_err(|_| format!("\"{zone}\" is no time zone"))?;
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    if schedule.split_whitespace().count() != 5 {
        return Err(format!("\"{schedule}\" has other than the five fields of cron"));
    }
    let cron = parser.parse(schedule).map_err(|error| format!("\"{schedule}\": {error}"))?;
    let next = cron.find_next_occurrence(&now.with_timezone(&zone), false);
    let next = next.map_err(|error| format!("\"{schedule}\" never comes true: {error}"))?;
    let (seconds, nanos) = (next.timestamp(), next.timestamp_subsec_nanos());
    rfc3339::from_unix(seconds, nanos)
        .map(rfc3339::format)
        .ok_or_else(|| "it is too far away".to_owned())
}

/// Fires jobs for as long as the cloud is there.
pub(super) async fn tick(cloud: Weak<Cloud>) {
    loop {
        sleep(PAUSE).await;
        let Some(cloud) = cloud.upgrade() else { return };
        let now = SystemTime::now();
        for (key, _) in cloud.store.list("scheduler/") {
            let _alone = cloud.changing.lock().await;
            let Some(mut job) = cloud.store.get(&key) else { continue };
            let due = job["scheduleTime"].as_str().and_then(rfc3339::parse);
            let Some(due) = due.filter(|due| *due <= now && job["state"] == "ENABLED") else {
                continue;
            };
            let of = |field: &str| job[field].as_str().unwrap_or_default();
            match next(of("schedule"), of("timeZone"), Utc::now()) {
                Ok(next) => job["scheduleTime"] = next.into(),
                Err(why) => {
                    tracing::warn!(why, "a job has no next time");
                    job["state"] = "DISABLED".into();
                }
            }
            job["lastAttemptTime"] = text::now().into();
            if cloud.store.put(&key, &job).is_ok() {
                fire(&cloud, &job, due);
            }
        }
    }
}

fn fire(cloud: &Arc<Cloud>, job: &Value, due: SystemTime) {
    let (cloud, job) = (Arc::downgrade(cloud), job.clone());
    tokio::spawn(async move {
        let of = |field: &str| {
            job["retryConfig"][field].as_str().and_then(text::duration).unwrap_or_default()
        };
        let retries = job["retryConfig"]["retryCount"].as_u64().unwrap_or(0);
        for attempt in 1..=retries + 1 {
            let Some(cloud) = cloud.upgrade() else { return };
            let outcome = once(&cloud, &job, due).await;
            tell(&cloud, &job, &outcome).await;
            if outcome.is_ok() || attempt > retries {
                return;
            }
            drop(cloud);
            sleep(delivery::backoff(of("minBackoffDuration"), of("maxBackoffDuration"), attempt))
                .await;
        }
    });
}

async fn once(cloud: &Arc<Cloud>, job: &Value, due: SystemTime) -> Result<(), String> {
    if let Some(target) = job.get("pubsubTarget") {
        let mut message = json!({});
        for field in ["data", "attributes"] {
            if let Some(value) = target.get(field) {
                message[field] = value.clone();
            }
        }
        let topic = target["topicName"].as_str().unwrap_or_default();
        return pubsub::publish(cloud, topic, message).map(drop).map_err(|failure| failure.message);
    }
    let target = &job["httpTarget"];
    let name = job["name"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    let mut timer = TimerEvent::new(name, due);
    timer.data = target["body"].as_str().and_then(text::base64).map(Into::into);
    let mut request = testing::wrap_timer(&timer).map_err(|error| error.to_string())?;
    let method = target["httpMethod"].as_str().unwrap_or("POST");
    *request.method_mut() = Method::from_str(method).map_err(|error| error.to_string())?;
    for (name, value) in target["headers"].as_object().into_iter().flatten() {
        let pair = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::from_str(value.as_str().unwrap_or_default()).ok());
        if let Some((name, value)) = pair {
            request.headers_mut().insert(name, value);
        }
    }
    let uri = target["uri"].as_str().unwrap_or_default();
    let audience = target["oidcToken"]["audience"].as_str().unwrap_or(uri);
    delivery::sign(&mut request, target["oidcToken"]["serviceAccountEmail"].as_str(), audience);
    let limit = job["attemptDeadline"]
        .as_str()
        .and_then(text::duration)
        .unwrap_or(Duration::from_secs(180));
    let attempt =
        Attempt { url: uri.to_owned(), request, limit, acknowledges: |status| status.is_success() };
    match delivery::send(cloud, attempt).await? {
        status if status.is_success() => Ok(()),
        status => Err(status.to_string()),
    }
}

/// Writes down how the latest attempt went.
async fn tell(cloud: &Cloud, job: &Value, outcome: &Result<(), String>) {
    let key = key(job["name"].as_str().unwrap_or_default());
    let _alone = cloud.changing.lock().await;
    let Some(mut job) = cloud.store.get(&key) else { return };
    job["status"] = match outcome {
        Ok(()) => json!({}),
        // Unknown, as Scheduler has it for most of what a target answers.
        Err(_) => json!({"code": 2}),
    };
    if let Err(why) = outcome {
        tracing::debug!(why, "a job failed");
    }
    cloud.store.put(&key, &job).ok();
}

#[cfg(test)]
mod tests {
    use super::next;
    use chrono::{DateTime, Utc};

    #[test]
    fn a_job_is_due_in_its_own_time_zone() {
        let now: DateTime<Utc> = "2026-03-04T05:06:07Z".parse().unwrap();
        assert_eq!(next("*/5 * * * *", "Etc/UTC", now).unwrap(), "2026-03-04T05:10:00Z");
        assert_eq!(next("0 9 * * 1-5", "Europe/Berlin", now).unwrap(), "2026-03-04T08:00:00Z");
        for (schedule, zone) in [
            ("0 9 * *", "Etc/UTC"),
            ("0 9 * * *", "Mars/Base"),
            ("61 * * * *", "Etc/UTC"),
            ("cron(0 9 * * ? *)", "Etc/UTC"),
            ("0 0 30 2 *", "Etc/UTC"),
        ] {
            assert!(next(schedule, zone, now).is_err(), "{schedule} {zone}");
        }
    }
}
