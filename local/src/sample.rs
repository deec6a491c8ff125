//! Sample events: neutral ones, which each cloud sends in its own envelopes.

use crate::{Error, Result, Trigger};
use http::Method;
use omnifn_core::testing::Sample as Neutral;
use serde_json::Value;

/// A neutral event with a name.
#[derive(Clone, Debug)]
pub struct Sample {
    name: String,
    event: Neutral,
}

macro_rules! files {
    ($($trigger:ident: $($name:literal),+;)*) => {
        &[$($((
            Trigger::$trigger,
            $name,
            include_str!(concat!("../samples/", files!(@folder $trigger), "/", $name, ".json")),
        )),+),*]
    };
    (@folder Http) => { "http" };
    (@folder Queue) => { "queue" };
    (@folder Timer) => { "timer" };
    (@folder Storage) => { "storage" };
    (@folder Database) => { "database" };
    (@folder Event) => { "event" };
    (@folder Direct) => { "direct" };
}

/// A sample of every kind, in the form that [`omnifn_core::testing::describe`] explains.
const FILES: &[(Trigger, &str, &str)] = files! {
    Http: "get", "post";
    Queue: "message";
    Timer: "nightly";
    Storage: "created";
    Database: "created";
    Event: "shipped";
    Direct: "call";
};

/// The samples of a trigger.
///
/// ```
/// use omnifn_local::{Trigger, sample};
///
/// let names: Vec<_> = sample::of(Trigger::Http).iter().map(|sample| sample.name().to_owned()).collect();
/// assert_eq!(names, ["get", "post"]);
/// ```
///
/// # Panics
/// Never: the samples are part of this crate, and its tests read them all.
pub fn of(trigger: Trigger) -> Vec<Sample> {
    let own = FILES.iter().filter(|(of, ..)| *of == trigger);
    own.map(|(_, name, text)| {
        Sample::parse(*name, text).expect("the crate's own samples are well-formed")
    })
    .collect()
}

impl Sample {
    /// An event under a name, which is what tables show.
    pub fn new(name: impl Into<String>, event: Neutral) -> Self {
        Self { name: name.into(), event }
    }

    /// Reads an event as JSON: `{"queue": [{"id": "1", "data": {"a": 1}}]}`, and so on; [`omnifn_core::testing::describe`] has
    /// every form.
    ///
    /// # Errors
    /// [`Error::Sample`] names the place that is wrong.
    pub fn parse(name: impl Into<String>, text: &str) -> Result<Self> {
        let name = name.into();
        let event = serde_json::from_str::<Value>(text)
            .map_err(|error| format!("it is not JSON: {error}"))
            .and_then(|value| Neutral::parse(&value).map_err(|error| error.to_string()));
        match event {
            Ok(event) => Ok(Self { name, event }),
            Err(reason) => Err(Error::Sample { sample: name, reason }),
        }
    }

    /// Its name, unique among the samples of its trigger.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The trigger whose functions it is for.
    pub fn trigger(&self) -> Trigger {
        self.event.trigger()
    }

    /// The event itself.
    pub fn event(&self) -> &Neutral {
        &self.event
    }

    /// The same event with other data: the body of an HTTP request that has one, the data of a message, a timer or an event,
    /// the new document of a change, the payload of a call. The change of an object has none, and stays. Where the envelope
    /// of some cloud is JSON, the data is written anew, without the spaces and in the order of its keys, and the
    /// same for every cloud.
    ///
    /// # Errors
    /// [`Error::Sample`] when some cloud's envelope holds JSON only, and `data` is not JSON.
    pub fn with_data(mut self, data: &str) -> Result<Self> {
        let json: Result<Value, _> = serde_json::from_str(data);
        let mut described = self.event.describe();
        match &mut self.event {
            Neutral::Http(request) => {
                if request.method() != Method::GET {
                    *request.body_mut() = data.to_owned().into();
                }
                return Ok(self);
            }
            Neutral::Queue(messages) => {
                for message in messages {
                    message.data = data.to_owned().into();
                }
                return Ok(self);
            }
            Neutral::Storage(_) => return Ok(self),
            _ => {}
        }
        let json = json.map_err(|error| {
            self.refused(&format!("the data of this event must be JSON: {error}"))
        })?;
        match &mut self.event {
            Neutral::Timer(timer) => timer.data = Some(json.to_string().into()),
            Neutral::Cloud(event) => *event = event.clone().with_json(json.to_string()),
            Neutral::Database(changes) => {
                for index in 0..changes.len() {
                    described["database"][index]["new"] = json.clone();
                }
                let changed = Neutral::parse(&described);
                self.event = changed.map_err(|error| self.refused(&error.to_string()))?;
            }
            _ => self.event = Neutral::Direct(json.to_string().into()),
        }
        Ok(self)
    }

    fn refused(&self, reason: &str) -> Error {
        let sample = format!("{}/{}", self.trigger(), self.name);
        Error::Sample { sample, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, of};
    use crate::{Provider, Trigger};
    use serde_json::{Value, json};

    #[test]
    fn every_trigger_has_a_sample_that_every_cloud_sends() {
        for trigger in Trigger::ALL {
            assert!(!of(*trigger).is_empty(), "{trigger}");
            for sample in of(*trigger) {
                assert_eq!(sample.trigger(), *trigger);
                for provider in Provider::ALL {
                    // Others may be for some events of the trigger only, such as a WebSocket's.
                    let usual = provider.envelopes(*trigger).first();
                    let usual = usual.unwrap_or_else(|| panic!("{provider} sends no {trigger}"));
                    if let Err(error) = provider.losses(sample.event(), usual) {
                        panic!("{provider} {usual} {}: {error}", sample.name());
                    }
                }
            }
        }
    }

    #[test]
    fn data_goes_into_the_event() {
        for trigger in Trigger::ALL {
            let sample = of(*trigger).pop().unwrap().with_data("{ \"x\": 1 }").unwrap();
            let described = sample.event().describe();
            let found = match trigger {
                Trigger::Http => &described["http"]["body"],
                Trigger::Queue => &described["queue"][0]["data"],
                Trigger::Timer => &described["timer"]["data"],
                Trigger::Database => &described["database"][0]["new"],
                Trigger::Event => &described["event"]["data"],
                Trigger::Direct => &described["direct"],
                // The change of an object has no data.
                _ => continue,
            };
            assert_eq!(*found, json!({"x": 1}), "{trigger}");
        }
        let get = of(Trigger::Http).remove(0).with_data("data").unwrap();
        assert_eq!(get.event().describe()["http"]["body"], Value::String(String::new()));
    }

    #[test]
    fn data_that_an_envelope_cannot_hold_is_refused() {
        for trigger in [Trigger::Timer, Trigger::Database, Trigger::Event, Trigger::Direct] {
            let error = of(trigger).pop().unwrap().with_data("not JSON").unwrap_err().to_string();
            assert!(error.contains("the data of this event must be JSON"), "{error}");
        }
        let error = of(Trigger::Database).pop().unwrap().with_data("[1]").unwrap_err().to_string();
        assert!(error.contains("`database[0].new` must be an object"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_an_event_is_named() {
        for (text, reason) in [
            ("{", "it is not JSON: EOF while parsing an object at line 1 column 1"),
            ("{\"queue\": [{}]}", "`queue[0].id` must be there, as text"),
            ("{\"letter\": {}}", "`letter` is not a trigger"),
        ] {
            let error = Sample::parse("order.json", text).unwrap_err().to_string();
            assert!(error.starts_with("sample `order.json`: "), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }
}
