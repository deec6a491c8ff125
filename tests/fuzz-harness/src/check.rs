//! What must be true of a codec, whatever it is sent.

use crate::{Judged, outcomes};
use bytes::Bytes;
use http::Request;
use omnifn_core::{DocumentChange, Event, Item, Outcome, Result, Trigger};

/// Decodes a message and encodes every kind of outcome of it.
#[track_caller]
pub(crate) fn codec<C: Judged>(codec: &C, trigger: Trigger, request: &Request<Bytes>) {
    let decoded = match codec.read(trigger, request) {
        Ok(decoded) => decoded,
        Err(refused) => {
            assert!(
                refused.error.is_refusal(),
                "a refusal says whose fault it is: {}",
                refused.error
            );
            let reply = codec.encode(refused.origin, Err(refused.error));
            assert!(!C::is_success(trigger, reply), "what was refused is answered as a success");
            return;
        }
    };
    assert_eq!(decoded.event.trigger(), trigger);
    // What looks at the message again must not trip over it either.
    let _ = decoded.context.raw();
    let ids = look(&decoded.event);
    let answer = |outcome: Result<Outcome>| {
        let again = codec.read(trigger, request);
        let Ok(again) = again else { panic!("what was read once is refused") };
        C::is_success(trigger, codec.encode(again.origin, outcome))
    };
    for outcome in outcomes::successes(trigger) {
        let told = format!("{outcome:?}");
        // A queue's message that is no notification of a bucket fails by itself, whatever the handler says.
        let is_answered = answer(Ok(outcome)) || trigger == Trigger::Storage;
        assert!(is_answered, "a success is not answered as one: {told}");
    }
    for error in outcomes::failures() {
        let told = error.to_string();
        assert!(!answer(Err(error)), "a failure is answered as a success: {told}");
    }
    let is_event = !matches!(trigger, Trigger::Http | Trigger::Direct);
    if trigger != Trigger::Storage {
        assert_eq!(answer(Err(outcomes::given_up())), is_event, "given up");
    }
    if !ids.is_empty() {
        assert!(!answer(Ok(outcomes::all_failed(&ids))), "a failed batch is answered as a success");
    }
}

/// Reads an event as a handler would. Returns the ids of its items.
fn look(event: &Event) -> Vec<String> {
    match event {
        Event::Queue(batch) => batch
            .items
            .iter()
            .map(|message| {
                let _ = (message.raw(), message.json::<serde_json::Value>());
                id(message)
            })
            .collect(),
        Event::Storage(batch) => batch
            .items
            .iter()
            .map(|object| {
                let _ = object.raw();
                id(object)
            })
            .collect(),
        Event::Database(batch) => batch
            .items
            .iter()
            .map(|change| {
                look_at_documents(change);
                id(change)
            })
            .collect(),
        Event::Timer(timer) => {
            let _ = timer.raw();
            Vec::new()
        }
        Event::Cloud(event) => {
            let _ = (event.raw(), event.to_structured());
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn id(item: &impl Item) -> String {
    item.id().to_owned()
}

fn look_at_documents(change: &DocumentChange) {
    let _ = change.raw();
    for document in
        [Some(&change.key), change.old.as_ref(), change.new.as_ref()].into_iter().flatten()
    {
        let json = document.to_json();
        serde_json::from_str::<serde::de::IgnoredAny>(&json).expect("a document as JSON is JSON");
        let _ = document.deserialize::<serde_json::Value>();
    }
}
