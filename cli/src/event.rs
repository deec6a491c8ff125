//! `cargo omnifn event`: the sample events, and what each cloud sends for them.

mod http;
mod set;

use crate::{
    answers::{lines, table},
    args::{Event, EventShow, Format},
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
    suggest,
};
use ::http::Request;
use omnifn_local::{Provider, Sample, Trigger, sample};
use serde_json::{Value, json};

pub(crate) fn run(command: &Event, shell: &Shell) -> Result<Exit> {
    match command {
        Event::List(_) => Shell::print(&list(shell.format())),
        Event::Show(options) => Shell::write(&show(options, shell.format())?),
    }
    Ok(Exit::Done)
}

fn all() -> impl Iterator<Item = Sample> {
    Trigger::ALL.iter().flat_map(|trigger| sample::of(*trigger))
}

fn kind(sample: &Sample) -> String {
    format!("{}/{}", sample.trigger(), sample.name())
}

/// Every sample, with the envelopes in which each cloud sends it.
fn list(format: Format) -> String {
    let kinds = all().map(|sample| {
        let envelopes = Provider::ALL
            .map(|provider| (provider.to_string(), json!(provider.envelopes(sample.trigger()))));
        json!({
            "kind": kind(&sample),
            "trigger": sample.trigger().as_str(),
            "sample": sample.name(),
            "envelopes": envelopes.into_iter().collect::<serde_json::Map<_, _>>(),
        })
    });
    match format {
        Format::Text => {
            let mut head = vec!["kind".to_owned()];
            head.extend(Provider::ALL.map(|provider| provider.to_string()));
            let mut cells = vec![head];
            cells.extend(all().map(|sample| {
                let mut line = vec![kind(&sample)];
                line.extend(Provider::ALL.map(|provider| {
                    let envelopes = provider.envelopes(sample.trigger());
                    if envelopes.is_empty() { "-".to_owned() } else { envelopes.join(", ") }
                }));
                line
            }));
            table(&cells)
        }
        Format::Json => format!("{}\n", json!({"kinds": kinds.collect::<Vec<_>>()})),
        Format::Ndjson => lines(kinds),
    }
}

/// The event as whoever was asked for sends it.
fn show(options: &EventShow, format: Format) -> Result<Vec<u8>> {
    let mut sample = find(&options.kind)?;
    if let Some(data) = &options.data {
        sample = sample.with_data(data)?;
    }
    if !options.set.is_empty() {
        sample = set::members(&sample, &options.set)?;
    }
    let Some(provider) = options.who.provider() else {
        if options.envelope.is_some() || options.http {
            return Err(Error::usage("a neutral event has no envelope")
                .help("print it `--as` a cloud, or leave `--envelope` and `--http` out"));
        }
        return Ok(document(&sample.event().describe(), format).into_bytes());
    };
    let messages = wrapped(&sample, provider, options.envelope.as_deref())?;
    let mut shown = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if index > 0 && format == Format::Text {
            shown.push(b'\n');
        }
        shown.extend(match (provider, format) {
            (Provider::Aws, _) if !options.http => event(message.body(), format).into_bytes(),
            (Provider::Aws, Format::Text) => http::runtime_api_message(message),
            (_, Format::Text) => http::request(message),
            (Provider::Aws, _) => document(&http::headers_and_body(message), format).into_bytes(),
            _ => document(&http::as_json(message), format).into_bytes(),
        });
    }
    Ok(shown)
}

/// The sample of a kind: the last of a trigger, which has data, or the one that is named.
pub(crate) fn find(wanted: &str) -> Result<Sample> {
    let found = all().filter(|sample| {
        wanted == sample.trigger().as_str()
            || wanted == kind(sample)
            || wanted == format!("{} {}", sample.trigger(), sample.name())
    });
    found.last().ok_or_else(|| {
        let kinds: Vec<_> = all().map(|sample| kind(&sample)).collect();
        let triggers = Trigger::ALL.iter().map(|trigger| trigger.as_str());
        let names = triggers.chain(kinds.iter().map(String::as_str));
        let error = Error::usage(format!("no kind of event is called `{wanted}`"))
            .details([format!("kinds: {}", kinds.join(", "))]);
        suggest::add(error, wanted, names)
    })
}

pub(crate) fn wrapped(
    sample: &Sample,
    provider: Provider,
    envelope: Option<&str>,
) -> Result<Vec<Request<omnifn_local::Bytes>>> {
    let envelopes = provider.envelopes(sample.trigger());
    let trigger = sample.trigger();
    let Some(usual) = envelopes.first() else {
        return Err(Error::usage(format!("{provider} has no {trigger} events")));
    };
    let envelope = envelope.unwrap_or(usual);
    if !envelopes.contains(&envelope) {
        let error = Error::usage(format!(
            "{provider} sends no {trigger} events in an envelope called `{envelope}`"
        ))
        .details([format!("envelopes: {}", envelopes.join(", "))]);
        return Err(suggest::add(error, envelope, envelopes.iter().copied()));
    }
    provider.wrap(sample.event(), envelope).map_err(|error| {
        Error::usage(format!("{provider} cannot send this event in the envelope `{envelope}`"))
            .details([error.to_string()])
    })
}

/// The event that a function on Lambda is invoked with.
fn event(json: &[u8], format: Format) -> String {
    let Ok(text) = std::str::from_utf8(json) else {
        return String::from_utf8_lossy(json).into_owned();
    };
    match format {
        Format::Ndjson => format!("{}\n", http::compact(text)),
        _ => format!("{}\n", http::pretty(text)),
    }
}

fn document(value: &Value, format: Format) -> String {
    match format {
        Format::Ndjson => format!("{value}\n"),
        _ => format!("{value:#}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::{all, find, list, show};
    use crate::args::{EventShow, Format, Who};
    use omnifn_local::Sample;
    use serde_json::Value;

    fn options(kind: &str, who: Who) -> EventShow {
        let (envelope, data, set) = (None, None, Vec::new());
        EventShow { kind: kind.to_owned(), who, envelope, data, set, http: false }
    }

    fn shown(options: &EventShow, format: Format) -> String {
        String::from_utf8(show(options, format).unwrap()).unwrap()
    }

    #[test]
    fn a_neutral_event_that_is_shown_can_be_read() {
        for sample in all() {
            let options = options(&super::kind(&sample), Who::Neutral);
            for format in [Format::Text, Format::Json, Format::Ndjson] {
                let text = shown(&options, format);
                let read = Sample::parse("read", &text).unwrap();
                assert_eq!(read.event().describe(), sample.event().describe());
            }
        }
    }

    #[test]
    fn a_kind_is_a_trigger_or_a_sample_of_it() {
        for (wanted, name) in
            [("http", "post"), ("http/get", "get"), ("http get", "get"), ("direct", "call")]
        {
            assert_eq!(find(wanted).unwrap().name(), name, "{wanted}");
        }
    }

    #[test]
    fn members_and_data_are_replaced() {
        let mut wanted = options("queue", Who::Neutral);
        wanted.data = Some("{\"id\":9}".to_owned());
        wanted.set = vec![
            ("order_key".to_owned(), "acme".to_owned()),
            ("data.item".to_owned(), "pen".to_owned()),
        ];
        let event: Value = serde_json::from_str(&shown(&wanted, Format::Json)).unwrap();
        assert_eq!(event["queue"][0]["order_key"], "acme");
        assert_eq!(event["queue"][0]["data"].to_string(), "{\"id\":9,\"item\":\"pen\"}");
    }

    #[test]
    fn google_sends_a_request() {
        let text = shown(&options("timer", Who::Gcp), Format::Text);
        assert!(text.starts_with("POST / HTTP/1.1\n"), "{text}");
        assert!(text.contains("\nx-cloudscheduler-jobname: nightly\n"), "{text}");
        let json: Value =
            serde_json::from_str(&shown(&options("http", Who::Gcp), Format::Json)).unwrap();
        assert_eq!(json["path"], "/orders");
        assert_eq!(json["body"]["item"], "book");
    }

    #[test]
    fn lambda_is_invoked_with_an_event() {
        let mut wanted = options("http/post", Who::Aws);
        let event: Value = serde_json::from_str(&shown(&wanted, Format::Text)).unwrap();
        assert_eq!(event["rawPath"], "/orders");
        assert_eq!(shown(&wanted, Format::Ndjson).lines().count(), 1);
        wanted.http = true;
        let message = shown(&wanted, Format::Text);
        assert!(message.starts_with("HTTP/1.1 200 OK\n"), "{message}");
        assert!(message.contains("\nlambda-runtime-aws-request-id: "), "{message}");
    }

    #[test]
    fn every_kind_is_listed() {
        let text = list(Format::Text);
        assert_eq!(text.lines().count(), 1 + all().count());
        assert!(text.contains("http/get"), "{text}");
        assert_eq!(list(Format::Ndjson).lines().count(), all().count());
    }
}
