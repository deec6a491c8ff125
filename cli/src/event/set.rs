//! `--set`: members of a neutral event.

use crate::error::{Error, Result};
use omnifn_local::Sample;
use serde_json::{Map, Value};

/// The sample with these members set, in the first item if it is a batch.
pub(super) fn members(sample: &Sample, members: &[(String, String)]) -> Result<Sample> {
    members.iter().try_fold(sample.clone(), |sample, (path, value)| set(&sample, path, value))
}

fn set(sample: &Sample, path: &str, text: &str) -> Result<Sample> {
    let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let is_text = parsed.is_string();
    let changed = with(sample, path, parsed).or_else(|error| {
        // What looks like a number may be an id.
        if is_text { Err(error) } else { with(sample, path, text.into()).map_err(|_| error) }
    });
    changed.map_err(|reason| {
        Error::usage(format!("`--set {path}={text}` is not possible: {reason}")).help(format!(
            "`cargo omnifn event show {} --as neutral` shows the event's members",
            sample.trigger()
        ))
    })
}

fn with(sample: &Sample, path: &str, value: Value) -> Result<Sample, String> {
    let trigger = sample.trigger().as_str();
    let mut event = sample.event().describe();
    let is_removed = value.is_null();
    *reach(&mut event[trigger], path)? = value;
    let changed =
        Sample::parse(sample.name(), &event.to_string()).map_err(|error| match error {
            omnifn_local::Error::Sample { reason, .. } => reason,
            error => error.to_string(),
        })?;
    let mut after = changed.event().describe();
    let before = after.clone();
    let is_there = reach(&mut after[trigger], path).is_ok_and(|found| !found.is_null());
    if is_there || is_removed || before == event {
        Ok(changed)
    } else {
        Err(format!("{trigger} events have no such member"))
    }
}

/// The place that the path leads to, made where it is not there.
fn reach<'a>(event: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    let mut place = match event {
        Value::Array(items) => items.first_mut().ok_or("the batch is empty")?,
        event => event,
    };
    for name in path.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            return Err(format!("what is before `{name}` is not an object"));
        };
        place = members.entry(name).or_insert(Value::Null);
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::members;
    use omnifn_local::{Sample, Trigger, sample};
    use serde_json::json;

    fn set(trigger: Trigger, path: &str, value: &str) -> Result<Sample, String> {
        let sample = sample::of(trigger).pop().unwrap();
        members(&sample, &[(path.to_owned(), value.to_owned())]).map_err(|error| error.to_string())
    }

    #[test]
    fn members_are_set_whatever_their_type() {
        let changed = |trigger, path, value| set(trigger, path, value).unwrap().event().describe();
        assert_eq!(changed(Trigger::Queue, "id", "42")["queue"][0]["id"], "42");
        assert_eq!(changed(Trigger::Queue, "attempt", "3")["queue"][0]["attempt"], 3);
        assert_eq!(changed(Trigger::Queue, "attempt", "null")["queue"][0].get("attempt"), None);
        assert_eq!(
            changed(Trigger::Queue, "data.quantity", "5")["queue"][0]["data"]["quantity"],
            5
        );
        assert_eq!(
            changed(Trigger::Http, "headers.x-a", "1")["http"]["headers"]["x-a"],
            json!(["1"])
        );
        assert_eq!(changed(Trigger::Event, "tenant", "acme")["event"]["tenant"], "acme");
        assert_eq!(changed(Trigger::Direct, "name", "Bob")["direct"]["name"], "Bob");
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        for (trigger, path, value, reason) in [
            (Trigger::Queue, "colour", "red", "queue events have no such member"),
            (Trigger::Timer, "time", "soon", "`timer.time` must be a time in RFC 3339"),
            (Trigger::Queue, "id.x", "1", "what is before `x` is not an object"),
            (Trigger::Storage, "change", "lost", "`storage[0].change` must be created"),
        ] {
            let error = set(trigger, path, value).unwrap_err();
            assert!(error.contains(reason), "{error}");
            assert!(error.starts_with(&format!("`--set {path}={value}`")), "{error}");
        }
    }
}
