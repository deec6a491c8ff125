use super::{Answer, Sample, describe};
use crate::{Codec, Event, Result, Trigger};
use bytes::Bytes;
use serde_json::Value;
use std::fmt;

/// The other half of a [`Codec`]: what the provider sends for an event, and what its caller sees of a reply. In no
/// function's binary.
///
/// Since both halves are ours, they prove that the clouds agree, not that they are right: that is what fixtures with a
/// stated origin are for, oracles, and the providers' own tools.
pub trait Inverse: Codec {
    /// The envelopes in which events of this trigger come, by name; the first is the usual one. Empty if the provider has
    /// none.
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str];

    /// What the provider sends for this event in that envelope: one message, or one for each item where the provider sends
    /// no batches.
    ///
    /// # Errors
    /// When the envelope is none of this trigger's, or cannot carry the event at all.
    fn wrap(&self, sample: &Sample, envelope: &str) -> Result<Vec<http::Request<Bytes>>>;

    /// What the caller gets for the replies to what [`wrap`](Self::wrap) made, one reply for each message.
    fn unwrap(&self, sample: &Sample, replies: Vec<Self::Reply>) -> Answer;
}

/// Something of an event that did not survive its envelope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Where: `queue[0].order_key`.
    pub path: String,
    /// What was sent, as JSON; `None` if nothing was.
    pub sent: Option<String>,
    /// What arrived, as JSON; `None` if nothing did.
    pub received: Option<String>,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} became {}", self.path, text(&self.sent), text(&self.received))
    }
}

/// What of a sample did not arrive: the difference between it and the events that its messages were decoded into.
///
/// ```
/// use omnifn_core::{Batch, Event, Message, testing::{Sample, losses}};
///
/// let mut message = Message::new("1", "queue", "data");
/// let arrived = Event::Queue(Batch::new(vec![message.clone()]));
/// message.order_key = Some("group".to_owned());
/// let lost = losses(&Sample::Queue(vec![message]), vec![arrived]);
/// assert_eq!(lost[0].to_string(), "queue[0].order_key: \"group\" became nothing");
/// ```
pub fn losses(sample: &Sample, arrived: Vec<Event>) -> Vec<Loss> {
    let mut found = Vec::new();
    compare(String::new(), Some(&sample.describe()), Some(&joined(arrived)), &mut found);
    found
}

/// The items of several batches as one.
fn joined(events: Vec<Event>) -> Value {
    let mut described = events.into_iter().map(describe);
    let mut first = described.next().unwrap_or_default();
    for next in described {
        let Value::Object(members) = next else { continue };
        for (name, value) in members {
            match (first[&name].as_array_mut(), value) {
                (Some(items), Value::Array(more)) => items.extend(more),
                (_, value) => first[name] = value,
            }
        }
    }
    first
}

fn compare(path: String, sent: Option<&Value>, received: Option<&Value>, found: &mut Vec<Loss>) {
    match (sent, received) {
        (Some(Value::Object(sent)), Some(Value::Object(received))) => {
            let more = received.keys().filter(|name| !sent.contains_key(*name));
            for name in sent.keys().chain(more) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(path, sent.get(name), received.get(name), found);
            }
        }
        (Some(Value::Array(sent)), Some(Value::Array(received))) => {
            for index in 0..sent.len().max(received.len()) {
                compare(format!("{path}[{index}]"), sent.get(index), received.get(index), found);
            }
        }
        (sent, received) if sent == received => {}
        (sent, received) => {
            let text = |value: Option<&Value>| value.map(ToString::to_string);
            found.push(Loss { path, sent: text(sent), received: text(received) });
        }
    }
}
