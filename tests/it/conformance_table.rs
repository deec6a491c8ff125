//! The conformance table: provider x trigger x envelope, each with a fixture. The README's table of platforms is made from it
//! by `cargo xtask docs`.

use omnifn_core::{
    Trigger,
    testing::{AnyInverse, Fixture},
};
use omnifn_runtime_aws::AwsCodec;
use omnifn_runtime_gcp::GcpCodec;
use std::{fs, path::Path};

/// One envelope in which a provider sends events of a trigger.
struct Cell {
    provider: &'static str,
    trigger: Trigger,
    /// As `Inverse::envelopes` has it; none for what is read, but never made up.
    envelope: Option<&'static str>,
    /// What people call it.
    name: &'static str,
    /// A message in that envelope, in `fixtures/<provider>/<trigger>/`.
    fixture: &'static str,
}

macro_rules! cells {
    ($($provider:literal $trigger:ident $envelope:expr, $name:literal, $fixture:literal;)*) => {
        &[$(Cell {
            provider: $provider,
            trigger: Trigger::$trigger,
            envelope: $envelope,
            name: $name,
            fixture: $fixture,
        }),*]
    };
}

const CELLS: &[Cell] = cells! {
    "aws" Http Some("function-url"), "function URL", "get";
    "aws" Http Some("http-api"), "HTTP API (formats 2.0 and 1.0)", "http_api_stage";
    "aws" Http Some("rest"), "REST API", "rest";
    "aws" Http Some("alb"), "load balancer", "alb";
    "aws" Http Some("alb-multi"), "load balancer with multi-value headers", "alb_multi_value";
    "aws" Http Some("lattice"), "VPC Lattice", "lattice";
    "aws" Http Some("lattice-v1"), "VPC Lattice version 1.0", "lattice_v1";
    "aws" Queue Some("sqs"), "SQS", "one";
    "aws" Queue Some("sqs-fifo"), "SQS FIFO", "fifo";
    "aws" Queue Some("sns"), "SNS", "sns";
    "aws" Queue Some("kinesis"), "Kinesis", "kinesis";
    "aws" Queue Some("msk"), "MSK", "msk";
    "aws" Queue Some("kafka"), "self-managed Kafka", "kafka";
    "aws" Queue Some("activemq"), "Amazon MQ (ActiveMQ)", "activemq";
    "aws" Queue Some("rabbitmq"), "Amazon MQ (RabbitMQ)", "rabbitmq";
    "aws" Timer Some("eventbridge"), "EventBridge rule", "nightly";
    "aws" Timer Some("scheduler"), "EventBridge Scheduler", "scheduler";
    "aws" Timer Some("custom-input"), "either with an input of its own", "custom_input";
    "aws" Storage Some("s3"), "S3", "s3_many_partial";
    "aws" Storage Some("s3-eventbridge"), "S3 through EventBridge", "eventbridge";
    "aws" Storage Some("s3-sqs"), "S3 through SQS", "sqs";
    "aws" Storage Some("s3-sns"), "S3 through SNS", "sns";
    "aws" Database Some("dynamodb"), "DynamoDB Streams", "two";
    "aws" Event Some("eventbridge"), "EventBridge", "order_placed";
    "aws" Event Some("websocket"), "WebSocket API", "websocket_message";
    "aws" Direct Some("invoke"), "Invoke", "greeting";
    "gcp" Http Some("http"), "any HTTP", "get";
    "gcp" Queue Some("eventarc"), "Pub/Sub through Eventarc", "eventarc_binary";
    "gcp" Queue Some("eventarc-structured"), "Pub/Sub through Eventarc in structured mode", "eventarc_structured";
    "gcp" Queue Some("push"), "Pub/Sub push", "push_wrapped";
    "gcp" Queue Some("push-unwrapped"), "Pub/Sub push without wrapping", "push_unwrapped";
    "gcp" Queue Some("tasks"), "Cloud Tasks", "cloud_task";
    "gcp" Timer Some("scheduler"), "Cloud Scheduler by HTTP", "scheduler_http";
    "gcp" Timer Some("scheduler-pubsub"), "Cloud Scheduler by Pub/Sub", "pubsub_push";
    "gcp" Storage Some("eventarc"), "Cloud Storage through Eventarc", "eventarc_finalized";
    "gcp" Storage Some("pubsub-notification"), "Cloud Storage through Pub/Sub", "notification_push";
    "gcp" Database Some("eventarc"), "Firestore (protobuf)", "created";
    "gcp" Database Some("eventarc-json"), "Firestore (JSON)", "json";
    "gcp" Event Some("binary"), "CloudEvents in binary mode", "audit_log_written";
    "gcp" Event Some("structured"), "in structured mode", "structured";
    "gcp" Event Some("batch"), "in batched mode", "batch";
    "gcp" Event None, "first-generation background events", "legacy_auth";
    "gcp" Direct Some("call"), "typed function", "call";
};

/// The columns: a provider, and what people call it.
const PROVIDERS: [(&str, &str); 2] = [("aws", "AWS Lambda"), ("gcp", "Google Cloud Run functions")];

fn inverse(provider: &str) -> Box<dyn AnyInverse> {
    match provider {
        "aws" => Box::new(AwsCodec::default()),
        _ => Box::new(GcpCodec),
    }
}

/// What a handler of this trigger takes.
fn takes(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Http => "`Request`",
        Trigger::Queue => "`Message` through `each`, `Batch<Message>`",
        Trigger::Timer => "`TimerEvent`",
        Trigger::Storage => "`ObjectEvent` through `each`, `Batch<ObjectEvent>`",
        Trigger::Database => "`DocumentChange` through `each`, `Batch<DocumentChange>`",
        Trigger::Event => "`CloudEvent`",
        Trigger::Direct => "`Payload<T>`",
        _ => "",
    }
}

/// The table as Markdown, if it is right.
///
/// # Errors
/// What is wrong with it, one line each.
pub(crate) fn markdown() -> Result<String, String> {
    let wrong = wrong();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    let mut lines = vec![
        format!("| a handler takes | {} |", PROVIDERS.map(|(_, name)| name).join(" | ")),
        format!("|---|{}", "---|".repeat(PROVIDERS.len())),
    ];
    for trigger in Trigger::ALL {
        let column = |(provider, _): (&str, &str)| {
            let cells =
                CELLS.iter().filter(|cell| cell.provider == provider && cell.trigger == *trigger);
            cells.map(|cell| cell.name).collect::<Vec<_>>().join(", ")
        };
        lines.push(format!("| {} | {} |", takes(*trigger), PROVIDERS.map(column).join(" | ")));
    }
    Ok(lines.join("\n") + "\n")
}

/// Envelopes without a cell, cells without an envelope or a fixture.
pub(crate) fn wrong() -> Vec<String> {
    let mut wrong = Vec::new();
    for (provider, _) in PROVIDERS {
        for trigger in Trigger::ALL {
            let sent = inverse(provider).envelopes(*trigger);
            if sent.is_empty() {
                wrong.push(format!("{provider} sends no {trigger} events"));
            }
            let listed = CELLS
                .iter()
                .filter(|cell| cell.provider == provider && cell.trigger == *trigger)
                .filter_map(|cell| cell.envelope);
            let listed: Vec<_> = listed.collect();
            if listed != sent {
                wrong.push(format!("{provider} {trigger}: the envelopes are {sent:?}, but the table lists {listed:?}"));
            }
        }
    }
    wrong.extend(CELLS.iter().filter_map(|cell| {
        let place = format!("fixtures/{}/{}/{}.json", cell.provider, cell.trigger, cell.fixture);
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&place));
        match text {
            Err(error) => Some(format!("{}: {place}: {error}", cell.name)),
            Ok(text) if Fixture::parse(&text).event().get(cell.trigger.as_str()).is_none() => {
                Some(format!("{}: {place} holds no {} event", cell.name, cell.trigger))
            }
            Ok(_) => None,
        }
    }));
    wrong
}

#[cfg(test)]
mod tests {
    use super::{markdown, wrong};
    use omnifn_core::Trigger;

    #[test]
    fn every_envelope_has_a_name_and_a_fixture() {
        let wrong = wrong();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_table_has_a_row_for_each_trigger() {
        let table = markdown().unwrap();
        assert_eq!(table.lines().count(), 2 + Trigger::ALL.len());
        assert!(table.lines().all(|line| line.matches('|').count() == 4), "{table}");
    }
}
