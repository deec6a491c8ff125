//! What becomes of an event: `docs/delivery.md`, row for row.
//!
//! The page's tables are made here, by sending every envelope of every provider to a function that succeeds, fails,
//! discards, asks for time, panics and hangs, through the provider's own codec. The test fails when the page says
//! anything else; `OMNIFN_UPDATE_DOCS=1` has it written anew. What the provider then does with the reply is the word of
//! the provider's documentation, and stands beside it in `delivery/rules.rs` with its source.

mod rules;

use futures_util::future::join_all;
use omnifn::{
    BoxFuture, CloudEvent, Context, Deadline, DocumentChange, DocumentValue, Function, Message,
    ObjectEvent, Payload, Request, Result, TimerEvent, Trigger, discard, each, retry_after,
    within_deadline,
};
use omnifn_core::testing::{Inverse, Sample};
use omnifn_runtime_aws::{AwsCodec, PartialBatch, Reply};
use omnifn_runtime_gcp::GcpCodec;
use rules::{Partial, RULES, Rule};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

/// What a handler does: with the event, or with the first item of a batch; the second item always succeeds.
const DEEDS: [&str; 6] = ["success", "error", "discard", "retry_after(5 s)", "panic", "timeout"];

/// How long an invocation has in this test: long enough for a loaded machine, short enough to wait for.
const TIME: Duration = Duration::from_millis(600);

async fn act(deed: &str) -> Result<()> {
    match deed {
        "success" => Ok(()),
        "error" => Err("the database is down")?,
        "discard" => Err(discard("no such order"))?,
        "retry_after(5 s)" => Err(retry_after(Duration::from_secs(5), "busy"))?,
        "panic" => panic!("expected in the test's output"),
        _ => std::future::pending().await,
    }
}

/// Does `deed` with the first item, and handles the others at the same time.
fn item<T>(
    deed: &'static str,
    is_first: fn(&T) -> bool,
) -> impl Fn(T, Context) -> BoxFuture<'static, Result<()>> {
    move |item, _| {
        let is_first = is_first(&item);
        Box::pin(async move { if is_first { act(deed).await } else { Ok(()) } })
    }
}

fn function(trigger: Trigger, deed: &'static str) -> Function {
    match trigger {
        Trigger::Http => {
            Function::new(
                move |_: Request, _: Context| async move { act(deed).await.map(|()| "done") },
            )
        }
        Trigger::Queue => {
            let first = |message: &Message| message.data.ends_with(b"1}");
            Function::new(each(item(deed, first)).concurrency(2))
        }
        Trigger::Timer => Function::new(move |_: TimerEvent, _: Context| act(deed)),
        Trigger::Storage => {
            let first = |object: &ObjectEvent| object.key == "1.jpg";
            Function::new(each(item(deed, first)).concurrency(2))
        }
        Trigger::Database => {
            let first =
                |change: &DocumentChange| change.key.get("id") == Some(&DocumentValue::from("1"));
            Function::new(each(item(deed, first)).concurrency(2))
        }
        Trigger::Event => Function::new(move |_: CloudEvent, _: Context| act(deed)),
        Trigger::Direct => Function::new(move |_: Payload<Value>, _: Context| async move {
            act(deed).await.map(|()| Payload("done"))
        }),
        other => panic!("{other} events have no row yet"),
    }
}

/// Two items where an event is a batch, so that a partial answer shows.
fn sample(trigger: Trigger, envelope: &str) -> Sample {
    let time = "2026-03-04T05:06:07.089Z";
    let both = |item: fn(&str) -> Value| json!([item("1"), item("2")]);
    let described = match trigger {
        Trigger::Http => {
            json!({"http": {"method": "GET", "uri": "https://example.com/", "headers": {"host": "example.com"}}})
        }
        Trigger::Queue => json!({"queue": both(|n| json!({
            "id": n, "source": "orders", "data": format!("{{\"n\":{n}}}"), "order_key": n,
        }))}),
        Trigger::Timer => json!({"timer": {"name": "nightly", "time": time}}),
        Trigger::Storage => json!({"storage": both(|n| json!({
            "id": n, "bucket": "photos", "key": format!("{n}.jpg"), "change": "created",
        }))}),
        Trigger::Database => json!({"database": both(|n| json!({
            "id": n, "collection": "orders", "key": {"id": n}, "kind": "created", "new": {"id": n},
        }))}),
        Trigger::Event if envelope == "websocket" => json!({"event": {
            "specversion": "1.0", "id": "1", "source": "//example.com/prod", "type": "aws.apigateway.websocket.message",
            "subject": "$default", "time": time, "connectionid": "c", "data": {},
        }}),
        Trigger::Event => json!({"event": {
            "specversion": "1.0", "id": "1", "source": "shop", "type": "shipped", "time": time,
            "datacontenttype": "application/json", "data": {},
        }}),
        Trigger::Direct => json!({"direct": {}}),
        other => panic!("{other} events have no row yet"),
    };
    Sample::parse(&described).unwrap()
}

/// One codec's replies to all messages of a sample, from a function that does `deed`.
async fn replies<C: Inverse>(
    codec: &C,
    trigger: Trigger,
    envelope: &str,
    deed: &'static str,
) -> Vec<C::Reply> {
    let function = function(trigger, deed);
    let messages = codec
        .wrap(&sample(trigger, envelope), envelope)
        .unwrap_or_else(|error| panic!("{trigger} {envelope}: {error}"));
    let invocations = messages.into_iter().map(|message| async {
        let (parts, body) = message.into_parts();
        let mut decoded = codec.decode(trigger, parts, body.into()).unwrap_or_else(|refused| {
            panic!("{trigger} {envelope}: refused: {}", refused.error);
        });
        decoded.context.deadline = Some(SystemTime::now() + TIME);
        let deadline = Deadline::from(&decoded.context);
        let work = function.invoke(decoded.event, decoded.context);
        let outcome = within_deadline(&deadline, work, tokio::time::sleep).await;
        codec.encode(decoded.origin, outcome)
    });
    join_all(invocations).await
}

/// A reply of Lambda in a few words.
fn of_lambda(trigger: Trigger, reply: &Reply) -> String {
    let document = match reply {
        Reply::Error { .. } => return "function error".to_owned(),
        Reply::Response(document) => document,
        other => panic!("{other:?}"),
    };
    let document: Value = serde_json::from_slice(document).unwrap();
    match (trigger, &document["statusCode"], &document["batchItemFailures"]) {
        (_, Value::Number(status), _) => format!("{status}"),
        (_, _, Value::Array(failures)) if failures.is_empty() => "none failed".to_owned(),
        (_, _, Value::Array(failures)) => match failures.len() {
            1 => "first failed".to_owned(),
            many => format!("{many} failed"),
        },
        (Trigger::Direct, ..) => format!("the result, `{document}`"),
        _ => "success".to_owned(),
    }
}

/// A reply to Google in a few words.
fn of_cloud_run(reply: &omnifn::Response) -> String {
    let status = reply.status().as_u16().to_string();
    match reply.headers().get("retry-after") {
        Some(after) => format!("{status}, `Retry-After: {}`", after.to_str().unwrap()),
        None => status,
    }
}

async fn cells(rule: &Rule) -> Vec<String> {
    let deeds = DEEDS.map(|deed| async move {
        if rule.provider == "gcp" {
            let replies = replies(&GcpCodec, rule.trigger, rule.envelope, deed).await;
            return of_cloud_run(&replies[0]);
        }
        let partial = if rule.partial == Partial::Reported {
            PartialBatch::Always
        } else {
            PartialBatch::Never
        };
        let replies = replies(&AwsCodec::new(partial), rule.trigger, rule.envelope, deed).await;
        of_lambda(rule.trigger, &replies[0])
    });
    join_all(deeds).await
}

async fn tables() -> String {
    let rows = join_all(RULES.iter().map(cells)).await;
    let mut page = String::new();
    for (provider, title) in [("aws", "AWS Lambda"), ("gcp", "Google Cloud Run")] {
        writeln!(page, "### {title}\n").unwrap();
        writeln!(
            page,
            "| sent by | {} | what happens then | order, duplicates |",
            DEEDS.map(|deed| format!("`{deed}`")).join(" | ")
        )
        .unwrap();
        writeln!(page, "|{}", "---|".repeat(DEEDS.len() + 3)).unwrap();
        for (rule, cells) in RULES.iter().zip(&rows).filter(|(rule, _)| rule.provider == provider) {
            writeln!(
                page,
                "| {} | {} | {} | {} |",
                rule.name,
                cells.join(" | "),
                rule.then,
                rule.order
            )
            .unwrap();
        }
        page.push('\n');
    }
    page.push_str("Sources:\n\n");
    let mut sources: Vec<&str> = RULES.iter().map(|rule| rule.source).collect();
    sources.sort_unstable();
    sources.dedup();
    for source in sources {
        writeln!(page, "- {source}").unwrap();
    }
    page
}

const BEGIN: &str = "<!-- tables: written by a test, see tests/it/delivery/mod.rs -->\n";
const END: &str = "<!-- end of tables -->";

#[tokio::test(flavor = "current_thread")]
async fn the_page_says_what_every_trigger_answers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/delivery.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the tables");
    let (found, after) = rest.split_once(END).expect("the tables have an end");
    let expected = format!("\n{}\n", tables().await);
    if std::env::var_os("OMNIFN_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "docs/delivery.md: OMNIFN_UPDATE_DOCS=1 writes it anew");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "docs/delivery.md");
}

#[test]
fn every_envelope_has_its_row() {
    fn check(provider: &str, codec: &impl Inverse) {
        for trigger in Trigger::ALL {
            for envelope in codec.envelopes(*trigger) {
                let is_there = RULES.iter().any(|rule| {
                    (rule.provider, rule.trigger, rule.envelope) == (provider, *trigger, *envelope)
                });
                assert!(
                    is_there,
                    "{provider} {trigger} {envelope} has no row in delivery/rules.rs"
                );
            }
        }
    }
    check("aws", &AwsCodec::default());
    check("gcp", &GcpCodec);
}

/// The promise that stands above all: nothing is acknowledged that did not succeed, unless it was discarded.
#[tokio::test(flavor = "current_thread")]
async fn nothing_is_acknowledged_that_did_not_succeed() {
    for rule in RULES.iter().filter(|rule| !matches!(rule.trigger, Trigger::Http | Trigger::Direct))
    {
        let cells = cells(rule).await;
        let is_acknowledged =
            |cell: &str| matches!(cell, "none failed" | "success") || cell.starts_with('2');
        for (deed, cell) in DEEDS.iter().zip(&cells) {
            let expected = matches!(*deed, "success" | "discard");
            assert_eq!(
                is_acknowledged(cell),
                expected,
                "{}: {deed} is answered: {cell}",
                rule.name
            );
        }
    }
}
