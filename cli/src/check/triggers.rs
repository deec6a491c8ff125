//! The rules for what invokes a function.

use super::{rules, target::Findings};
use omnifn_deploy::{
    cron::Cron,
    package::Provider,
    settings::{Binding, QueueBinding, StorageBinding},
};

/// How long Google gives a function for an event, in seconds.
const LONGEST_EVENT: u64 = 540;

pub(super) fn check(findings: &mut Findings<'_>) {
    let target = findings.target;
    let is_google = target.provider == Provider::Gcp;
    for (name, binding) in &target.settings.triggers {
        let key = format!("triggers.{name}");
        match binding {
            Binding::Queue(queue) => check_queue(findings, &key, name, queue),
            Binding::Timer(timer) => schedule(findings, &key, &timer.schedule),
            Binding::Storage(storage) if is_google => names(findings, &key, name, storage),
            Binding::Database(database) => {
                let (is_there, remedy) = if is_google {
                    (database.document.is_some(), "add `document`, such as \"users/{user}\"")
                } else {
                    (database.stream.is_some(), "add `stream`, the ARN of the table's stream")
                };
                if !is_there {
                    no_source(findings, &key, name, remedy);
                } else if let Some(stream) = database
                    .stream
                    .as_ref()
                    .filter(|stream| !is_google && !stream.starts_with("arn:"))
                {
                    findings.add(
                        rules::ARN,
                        &format!("{key}.stream"),
                        format!("`{stream}` is no ARN"),
                        "`aws dynamodb describe-table` tells it as LatestStreamArn",
                    );
                }
            }
            Binding::Event(event) => {
                let (is_there, remedy) = if is_google {
                    (event.filters.contains_key("type"), "add `filters` with a `type`")
                } else {
                    (event.pattern.is_some(), "add `pattern`, a pattern of EventBridge")
                };
                if !is_there {
                    no_source(findings, &key, name, remedy);
                }
            }
            _ => {}
        }
        let is_event = !matches!(binding, Binding::Http(_) | Binding::Direct(_));
        if is_google && is_event && target.settings.timeout.seconds() > LONGEST_EVENT {
            findings.warn(
                rules::ACKNOWLEDGE,
                "timeout",
                format!(
                    "`timeout` is {}, but events are delivered again after 540s",
                    target.settings.timeout
                ),
                "set `timeout = \"540s\"` or less in `[functions.<name>.gcp]`",
            );
        }
    }
}

fn no_source(findings: &mut Findings<'_>, key: &str, name: &str, remedy: &str) {
    findings.add(
        rules::NO_SOURCE,
        key,
        format!("trigger `{name}` does not say where its events come from"),
        remedy,
    );
}

fn schedule(findings: &mut Findings<'_>, key: &str, schedule: &str) {
    let read = Cron::parse(schedule).and_then(|cron| match findings.target.provider {
        Provider::Gcp => Ok(cron.to_unix()),
        _ => cron.to_aws(),
    });
    if let Err(error) = read {
        findings.add(
            rules::CRON,
            &format!("{key}.schedule"),
            error.to_string(),
            "five fields: minute, hour, day of month, month, day of week, such as \"0 3 * * *\"",
        );
    }
}

fn names(findings: &mut Findings<'_>, key: &str, name: &str, storage: &StorageBinding) {
    for (member, value) in [("prefix", &storage.prefix), ("suffix", &storage.suffix)] {
        if value.is_some() {
            findings.warn(
                rules::NAME_FILTER,
                &format!("{key}.{member}"),
                format!("gcp does not look at names: trigger `{name}` sends every object"),
                "look at the object's name in the function",
            );
        }
    }
}

fn check_queue(findings: &mut Findings<'_>, key: &str, name: &str, queue: &QueueBinding) {
    let sources = [
        ("queue", queue.queue.is_some()),
        ("topic", queue.topic.is_some()),
        ("stream", queue.stream.is_some()),
        ("kafka", queue.kafka.is_some()),
    ];
    let told: Vec<&str> = sources.iter().filter(|source| source.1).map(|source| source.0).collect();
    if told.len() > 1 {
        findings.add(
            rules::SEVERAL_SOURCES,
            key,
            format!("trigger `{name}` has {}", told.join(" and ")),
            "make a trigger for each",
        );
        return;
    }
    let source = told.first().copied().unwrap_or("queue");
    if findings.target.provider == Provider::Gcp {
        if matches!(source, "stream" | "kafka") {
            findings.add(
                rules::NO_SOURCE,
                &format!("{key}.{source}"),
                format!("gcp has no `{source}` to deliver from"),
                "take gcp out of `providers`, or give the trigger a `topic` there",
            );
        }
        return;
    }
    let size = queue.batch_size.unwrap_or(10);
    if queue.partial_failures == Some(true) && matches!(source, "topic" | "kafka") {
        findings.add(
            rules::PARTIAL_FAILURES,
            &format!("{key}.partial-failures"),
            format!("a `{source}` on aws takes no partial failures"),
            "leave `partial-failures` out",
        );
    } else if queue.partial_failures == Some(false) && size > 1 && source != "topic" {
        findings.warn(
            rules::PARTIAL_FAILURES,
            &format!("{key}.partial-failures"),
            format!("one failed message of `{name}` brings its whole batch back"),
            "leave `partial-failures` out, then failed messages alone come again",
        );
    }
    let is_waiting = queue.batch_window.is_some_and(|window| window.seconds() > 0);
    if queue.batch_size.is_some_and(|size| !(1..=10_000).contains(&size)) {
        let remedy = "choose 1 to 10000";
        findings.add(
            rules::BATCH_SIZE,
            &format!("{key}.batch-size"),
            format!("`batch-size` of `{name}` is {size}"),
            remedy,
        );
    } else if source == "queue" && size > 10 && !is_waiting {
        findings.add(
            rules::BATCH_SIZE,
            &format!("{key}.batch-size"),
            format!("more than 10 messages of SQS at once need a window, but `{name}` has {size} and none"),
            "add `batch-window = \"1s\"` or more",
        );
    }
    if let Some(window) = queue.batch_window.filter(|window| window.seconds() > 300) {
        let message = format!("`batch-window` of `{name}` is {window}, but aws waits 300s at most");
        findings.add(
            rules::BATCH_WINDOW,
            &format!("{key}.batch-window"),
            message,
            "choose \"300s\" or less",
        );
    }
    if source == "queue"
        && let Some(most) = queue.max_concurrency.filter(|most| !(2..=1_000).contains(most))
    {
        let message = format!("`max-concurrency` of `{name}` is {most}");
        findings.add(
            rules::MAX_CONCURRENCY,
            &format!("{key}.max-concurrency"),
            message,
            "choose 2 to 1000",
        );
    }
}
