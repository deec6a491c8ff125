use super::{Filter, Format, LineSubscriber, Lines, fields::CUT, filter, format};
use omnifn_core::{
    Context, Environment, Event, InvocationSpan, SpanDetails, TraceContext, Trigger,
};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tracing::{Instrument as _, level_filters::LevelFilter};

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().copied().collect()
}

#[track_caller]
fn check(pairs: &[(&str, &str)], expected: &Format, level: LevelFilter) {
    let environment = environment(pairs);
    assert_eq!(&format(&environment), expected);
    assert_eq!(filter(&environment).0.most(), level);
}

const LAMBDA: (&str, &str) = ("AWS_LAMBDA_RUNTIME_API", "x");
const GOOGLE: (&str, &str) = ("K_SERVICE", "shop");

#[test]
fn the_platform_says_the_form_and_the_level() {
    check(&[], &Format::Text { id: "id" }, LevelFilter::INFO);
    check(&[LAMBDA], &Format::Text { id: "requestId" }, LevelFilter::INFO);
    let json = ("AWS_LAMBDA_LOG_FORMAT", "JSON");
    check(&[LAMBDA, json, ("AWS_LAMBDA_LOG_LEVEL", "WARN")], &Format::Lambda, LevelFilter::WARN);
    check(
        &[("AWS_LAMBDA_LOG_FORMAT", "json"), ("AWS_LAMBDA_LOG_LEVEL", "fatal")],
        &Format::Lambda,
        LevelFilter::ERROR,
    );
    check(
        &[LAMBDA, ("AWS_LAMBDA_LOG_LEVEL", "debug"), ("RUST_LOG", "warn")],
        &Format::Text { id: "requestId" },
        LevelFilter::DEBUG,
    );
    let google = |project: Option<&str>, has_execution_id| Format::Google {
        project: project.map(str::to_owned),
        has_execution_id,
    };
    check(&[GOOGLE, ("RUST_LOG", "debug")], &google(None, true), LevelFilter::DEBUG);
    check(&[GOOGLE, ("GCP_PROJECT", "p")], &google(Some("p"), true), LevelFilter::INFO);
    check(
        &[GOOGLE, ("GCP_PROJECT", "p"), ("GOOGLE_CLOUD_PROJECT", "q"), ("RUST_LOG", "a=trace")],
        &google(Some("q"), true),
        LevelFilter::TRACE,
    );
    for (value, expected) in
        [("y", true), ("Yes", true), ("T", true), ("true", true), ("on", true), ("1", true)]
            .into_iter()
            .chain([("false", false), ("0", false), ("off", false), ("no", false), ("x", false)])
    {
        check(&[GOOGLE, ("LOG_EXECUTION_ID", value)], &google(None, expected), LevelFilter::INFO);
    }
}

/// A subscriber, and what it has written.
fn capture(format: Format, directives: &str) -> (LineSubscriber, Arc<Mutex<String>>) {
    let written = Arc::new(Mutex::new(String::new()));
    let write = written.clone();
    let lines = Lines {
        filter: Filter::parse(directives).0,
        format,
        write: Box::new(move |line| write.lock().unwrap().push_str(line)),
    };
    (LineSubscriber::new(Arc::new(lines)), written)
}

fn open(id: &str) -> InvocationSpan {
    let mut context = Context::new(id);
    context.function = "shop".into();
    context.trace =
        TraceContext::from_xray("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419");
    let event = Event::Direct("1".into());
    InvocationSpan::open(Trigger::Direct, Some(&event), &context, SpanDetails::default())
}

#[test]
fn lines_carry_the_spans_that_they_are_inside_of() {
    let (subscriber, written) = capture(Format::Text { id: "id" }, "info");
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("before");
        let invocation = open("1");
        let kept = invocation.in_scope(|| {
            tracing::info!(order = 7, "inside");
            let span = tracing::info_span!("checkout", order = 7, total = tracing::field::Empty);
            let entered = span.enter();
            tracing::debug!("not at this level");
            let hidden = tracing::debug_span!("hidden").entered();
            span.record("total", 9);
            tracing::warn!("deep");
            drop(hidden);
            tracing::error!(parent: None, "elsewhere");
            drop(entered);
            tracing::Span::current()
        });
        tracing::info!("outside");
        drop(invocation);
        tracing::info!(parent: &kept, "later");
    });
    assert_eq!(
        *written.lock().unwrap(),
        " INFO before\n\
         \x20INFO inside order=7 id=1\n\
         \x20WARN checkout{order=7 total=9}: deep id=1\n\
         ERROR elsewhere\n\
         \x20INFO outside\n\
         \x20INFO later id=1\n"
    );
}

#[test]
fn an_invocation_is_named_whatever_the_level() {
    let (subscriber, written) = capture(Format::Lambda, "error");
    tracing::subscriber::with_default(subscriber, || {
        open("1").in_scope(|| {
            tracing::warn!("not at this level");
            tracing::error!("failed");
        });
    });
    let line: Value = serde_json::from_str(&written.lock().unwrap()).unwrap();
    assert_eq!(line["requestId"], "1");
    assert_eq!(line["xrayTraceId"], "1-5bef4de7-ad49b0e87f6ef6c87fc2e700");
    let (subscriber, written) = capture(Format::Lambda, "off");
    tracing::subscriber::with_default(subscriber, || {
        open("1").in_scope(|| tracing::error!("failed"));
    });
    assert_eq!(*written.lock().unwrap(), "");
}

#[test]
fn what_an_event_carries_has_a_limit() {
    let (subscriber, written) = capture(Format::Lambda, "info");
    tracing::subscriber::with_default(subscriber, || {
        let huge = "x".repeat(1_000_000);
        let id = "i".repeat(100_000);
        let span = tracing::info_span!("span", huge).entered();
        open(&id).in_scope(|| tracing::info!(huge, debug = ?huge, "{huge}"));
        drop(span);
    });
    let written = written.lock().unwrap();
    assert!(written.len() < 256 * 1024, "{}", written.len());
    let line: Value = serde_json::from_str(&written).unwrap();
    for text in [&line["message"], &line["huge"], &line["requestId"], &line["spans"][0]["huge"]] {
        assert!(text.as_str().unwrap().ends_with(CUT), "{text}");
    }
}

/// Two at a time, on threads that take turns with both.
#[test]
fn invocations_at_the_same_time_keep_their_lines_apart() {
    let (subscriber, written) = capture(Format::Text { id: "id" }, "info");
    let dispatch = tracing::Dispatch::new(subscriber);
    let with = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .on_thread_start(move || {
            // For as long as the thread is there.
            std::mem::forget(tracing::dispatcher::set_default(&with));
        })
        .build()
        .unwrap();
    let invoke = |id: &'static str| async move {
        let span = open(id);
        let work = async {
            for _ in 0..50 {
                tracing::info!("by {id}");
                tokio::time::sleep(Duration::from_micros(50)).await;
                let work = async move { tracing::info!("spawned by {id}") };
                tokio::spawn(work.in_current_span()).await.unwrap();
            }
        };
        span.run(std::pin::pin!(work)).await;
    };
    runtime.block_on(async {
        let running: Vec<_> = ["a", "b", "c"].map(|id| tokio::spawn(invoke(id))).into();
        for task in running {
            task.await.unwrap();
        }
    });
    let written = written.lock().unwrap();
    assert_eq!(written.lines().count(), 300);
    for line in written.lines() {
        let (said, known) = line.split_once(" id=").expect("every line has an id");
        assert!(said.ends_with(&format!("by {known}")), "{line}");
    }
}
