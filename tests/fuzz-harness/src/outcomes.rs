//! What a handler may make of an event.

use omnifn_core::{
    BatchOutcome, Body, CloudEvent, Error, ErrorKind, Outcome, Response, Trigger, discard,
    retry_after,
};
use std::time::Duration;

/// Handlers that did what they were asked, each by the kind of answer that it gives.
pub(crate) fn successes(trigger: Trigger) -> Vec<Outcome> {
    match trigger {
        Trigger::Http => vec![Outcome::Response(Response::new(Body::from("ok \u{fc}")))],
        Trigger::Queue | Trigger::Storage | Trigger::Database => {
            vec![Outcome::Batch(BatchOutcome::success())]
        }
        Trigger::Direct => vec![Outcome::Payload("{}".into())],
        Trigger::Event => {
            let event = CloudEvent::new("1", "//omnifn", "answer").with_json("[1]");
            vec![Outcome::Done, Outcome::Event(Box::new(event))]
        }
        _ => vec![Outcome::Done],
    }
}

/// Handlers that did not.
pub(crate) fn failures() -> [Error; 4] {
    [
        Error::from("no database"),
        retry_after(Duration::from_secs(7), "busy").into(),
        Error::new(ErrorKind::Panicked, "Panic", "the handler panicked: boom"),
        Error::new(ErrorKind::TimedOut, "Timeout", "the handler did not answer in time"),
    ]
}

/// A handler that gives up on an event, and wants no more of it.
pub(crate) fn given_up() -> Error {
    discard("no such order").into()
}

/// A handler of a batch that failed on all of it.
pub(crate) fn all_failed(ids: &[String]) -> Outcome {
    let mut outcome = BatchOutcome::success();
    for id in ids {
        outcome.fail(id);
    }
    Outcome::Batch(outcome)
}
