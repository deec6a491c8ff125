use super::{CUT, Exported, Fields, Format, Invocation, Line, MOST_BYTES, OtherSpan};
use serde_json::{Value, json};
use std::{sync::Arc, time::UNIX_EPOCH};
use tracing::Level;

fn google() -> Format {
    Format::Google { project: Some("shop-1".to_owned()), has_execution_id: true }
}

fn fields(message: &str, others: &[(&'static str, Value)]) -> Fields {
    let mut fields = Fields::default();
    fields.message = message.to_owned();
    fields.others = others.to_vec();
    fields
}

fn line(fields: &Fields) -> Line<'_> {
    Line {
        time: UNIX_EPOCH,
        level: Level::WARN,
        fields,
        invocation: None,
        exported: None,
        spans: &[],
        file: None,
        line: None,
        module: None,
    }
}

const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn invocation() -> Invocation {
    Invocation {
        id: "8476a536".to_owned(),
        tenant: "blue".to_owned(),
        traceparent: W3C.to_owned(),
        bare_trace: String::new(),
    }
}

#[test]
fn an_event_is_one_line() {
    let fields = fields(
        "failed\nagain",
        &[
            ("error", "a\n  caused by: \"b\"".into()),
            ("order", 7.into()),
            ("time", "soon".into()),
            ("logging.googleapis.com/trace", "mine".into()),
        ],
    );
    let line = line(&fields);
    assert_eq!(
        line.write(&Format::Text { id: "id" }),
        " WARN failed |again error=a |  caused by: \"b\" order=7 time=soon logging.googleapis.com/trace=mine"
    );
    assert_eq!(
        line.write(&Format::Lambda),
        r#"{"timestamp":"1970-01-01T00:00:00Z","level":"WARN","message":"failed\nagain","error":"a\n  caused by: \"b\"","order":7,"time":"soon","logging.googleapis.com/trace":"mine"}"#
    );
    // A field of the user's must not take the place of one that the platform reads.
    assert_eq!(
        line.write(&google()),
        r#"{"time":"1970-01-01T00:00:00Z","severity":"WARNING","message":"failed\nagain","error":"a\n  caused by: \"b\"","order":7}"#
    );
}

#[test]
fn a_line_says_of_which_invocation_it_is() {
    let fields = fields("m", &[]);
    let invocation = invocation();
    let spans = [
        OtherSpan { name: "checkout", fields: vec![("order", 7.into()), ("by", "x\ny".into())] },
        OtherSpan { name: "pay", fields: vec![] },
    ]
    .map(Arc::new);
    let mut line = Line {
        invocation: Some(&invocation),
        spans: &spans,
        file: Some("src/main.rs"),
        line: Some(12),
        module: Some("shop"),
        ..line(&fields)
    };
    assert_eq!(
        line.write(&Format::Text { id: "requestId" }),
        " WARN checkout{order=7 by=x |y}:pay{}: m requestId=8476a536"
    );
    assert_eq!(
        line.write(&Format::Lambda),
        r#"{"timestamp":"1970-01-01T00:00:00Z","level":"WARN","message":"m","requestId":"8476a536","tenantId":"blue","xrayTraceId":"1-4bf92f35-77b34da6a3ce929d0e0e4736","spans":[{"name":"checkout","order":7,"by":"x\ny"},{"name":"pay"}]}"#
    );
    assert_eq!(
        line.write(&google()),
        concat!(
            r#"{"time":"1970-01-01T00:00:00Z","severity":"WARNING","message":"m","#,
            r#""logging.googleapis.com/trace":"projects/shop-1/traces/4bf92f3577b34da6a3ce929d0e0e4736","#,
            r#""logging.googleapis.com/spanId":"00f067aa0ba902b7","logging.googleapis.com/trace_sampled":true,"#,
            r#""logging.googleapis.com/labels":{"execution_id":"8476a536"},"#,
            r#""logging.googleapis.com/sourceLocation":{"file":"src/main.rs","line":"12","function":"shop"},"#,
            r#""spans":[{"name":"checkout","order":7,"by":"x\ny"},{"name":"pay"}]}"#
        )
    );
    line.spans = &[];
    line.level = Level::INFO;
    assert_eq!(
        line.write(&Format::Google { project: None, has_execution_id: false }),
        concat!(
            r#"{"time":"1970-01-01T00:00:00Z","severity":"INFO","message":"m","#,
            r#""logging.googleapis.com/trace":"4bf92f3577b34da6a3ce929d0e0e4736","#,
            r#""logging.googleapis.com/spanId":"00f067aa0ba902b7","logging.googleapis.com/trace_sampled":true}"#
        )
    );
}

#[test]
fn a_span_of_this_process_comes_before_the_callers() {
    let (fields, invocation) = (fields("m", &[]), invocation());
    let exported = Exported { trace: "a".repeat(32), span: "b".repeat(16), is_sampled: false };
    let line = Line { invocation: Some(&invocation), exported: Some(&exported), ..line(&fields) };
    let written: Value = serde_json::from_str(&line.write(&google())).unwrap();
    assert_eq!(
        written["logging.googleapis.com/trace"],
        format!("projects/shop-1/traces/{}", exported.trace)
    );
    assert_eq!(written["logging.googleapis.com/spanId"], exported.span);
    assert_eq!(written["logging.googleapis.com/trace_sampled"], false);
}

#[test]
fn a_trace_without_a_span_is_still_named() {
    let fields = fields("m", &[]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736".to_owned();
    let invocation = Invocation { bare_trace: trace.clone(), ..Invocation::default() };
    let line = Line { invocation: Some(&invocation), ..line(&fields) };
    let written: Value = serde_json::from_str(&line.write(&google())).unwrap();
    assert_eq!(written["logging.googleapis.com/trace"], format!("projects/shop-1/traces/{trace}"));
    assert_eq!(written.get("logging.googleapis.com/spanId"), None);
    assert_eq!(written.get("logging.googleapis.com/labels"), None);
}

#[test]
fn no_line_is_larger_than_the_platforms_take() {
    // The worst of characters, each six bytes in JSON.
    let huge = "\u{1}".repeat(100_000);
    let fields = fields(&huge, &[("a", huge.as_str().into()), ("b", "small".into())]);
    for format in [Format::Text { id: "id" }, Format::Lambda, google()] {
        let text = line(&fields).write(&format);
        assert!(text.len() < MOST_BYTES + 1024, "{format:?}: {}", text.len());
        assert!(text.contains(CUT), "{format:?}");
        if let Ok(written) = serde_json::from_str::<Value>(&text) {
            assert!(written["message"].as_str().unwrap().starts_with('\u{1}'));
        } else {
            assert!(matches!(format, Format::Text { .. }));
        }
    }
}

#[test]
fn a_cut_falls_between_characters() {
    let huge = "ü€𝄞".repeat(100_000);
    let fields = fields(&huge, &[("flag", json!(true))]);
    let written: Value = serde_json::from_str(&line(&fields).write(&Format::Lambda)).unwrap();
    assert!(written["message"].as_str().unwrap().ends_with(CUT));
    assert_eq!(written["flag"], true);
    let text = line(&fields).write(&Format::Text { id: "id" });
    assert!(text.contains(CUT) && text.ends_with("flag=true"));
}

#[test]
fn text_holds_no_control_characters() {
    let fields = fields("a\r\nb\rc\u{1b}[31m\td\u{2028}e", &[]);
    assert_eq!(
        line(&fields).write(&Format::Text { id: "id" }),
        " WARN a |b\\rc\\u{1b}[31m\td\\u{2028}e"
    );
}
