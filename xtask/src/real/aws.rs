//! AWS's Runtime Interface Emulator with `examples/orders`, and with the functions that misbehave.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::emulator::Emulator;
use super::tally::Tally;
use super::{Binaries, events};

/// `{bad`, which is no JSON, in base64.
const MALFORMED_CONTEXT: &str = "e2JhZA==";

/// What is checked, by the name that is printed.
type Check = fn(&Lambda<'_>) -> Result<()>;
const CHECKS: &[(&str, Check)] = &[
    ("an HTTP API's request is answered, and state is kept", http_api),
    ("a REST API's request is answered", rest_api),
    ("a load balancer's request is answered", load_balancer),
    ("a request of VPC Lattice is answered", lattice),
    ("answers are streamed where that is set", streams),
    ("a batch is answered partially where its mapping honours that", partial_batch),
    ("a batch with a failed message fails where its mapping may not", whole_batch),
    ("a timer's event is answered", timer),
    ("another trigger's event is refused, and the next one is served", wrong_event),
    ("a payload that is no JSON is refused", no_json),
    ("a handler that panics fails its invocation, and the next one runs", panics),
    ("an answer beyond 6 MB is an error that names the limit", too_large),
    ("a malformed client context does not end the function", malformed_context),
    ("a name that no function has is told at start", unknown_function),
];

pub(super) fn run(emulator: &Path, binaries: &Binaries, tally: &mut Tally) {
    let lambda = Lambda { emulator, binaries };
    for (name, check) in CHECKS {
        tally.check(&format!("aws emulator: {name}"), check(&lambda));
    }
}

/// What it takes to start a function as Lambda would.
#[derive(Debug)]
struct Lambda<'a> {
    emulator: &'a Path,
    binaries: &'a Binaries,
}

impl Lambda<'_> {
    fn orders(&self, function: &str, environment: &[(&str, &str)]) -> Result<Emulator> {
        let environment = [&[("OMNIFN_FUNCTION", function)], environment].concat();
        Emulator::start(self.emulator, &self.binaries.orders, &environment)
    }

    fn conformance(&self, function: &str) -> Result<Emulator> {
        self.conformance_with(function, &[])
    }

    fn conformance_with(&self, function: &str, environment: &[(&str, &str)]) -> Result<Emulator> {
        let environment = [&[("OMNIFN_FUNCTION", function)], environment].concat();
        Emulator::start(self.emulator, &self.binaries.conformance, &environment)
    }
}

const ORDER: &str = r#"{"id":7,"item":"book","quantity":2}"#;
const NOTHING_TO_SHIP: &str = r#"{"id":8,"item":"book","quantity":0}"#;

fn http_api(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("create", &[])?;
    let answer = emulator.invoke(&events::http_api("POST", "/orders", ORDER))?.json()?;
    equals(&emulator, &answer["statusCode"], &json!(201))?;
    equals(&emulator, &answer["headers"]["content-type"], &json!("application/json"))?;
    equals(&emulator, &answer["body"], &json!(ORDER))?;
    let answer = emulator.invoke(&events::http_api("GET", "/orders", ""))?.json()?;
    equals(&emulator, &answer["body"], &json!(format!("[{ORDER}]")))
}

fn rest_api(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("create", &[])?;
    let answer = emulator.invoke(&events::rest_api("POST", "/orders", ORDER))?.json()?;
    equals(&emulator, &answer["statusCode"], &json!(201))?;
    equals(&emulator, &answer["multiValueHeaders"]["content-type"], &json!(["application/json"]))?;
    equals(&emulator, &answer["body"], &json!(ORDER))
}

fn load_balancer(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("create", &[])?;
    let answer = emulator.invoke(&events::load_balancer("POST", "/orders", "no order"))?.json()?;
    equals(&emulator, &answer["statusCode"], &json!(400))?;
    let answer = emulator.invoke(&events::load_balancer("POST", "/orders", ORDER))?.json()?;
    equals(&emulator, &answer["statusCode"], &json!(201))?;
    equals(&emulator, &answer["body"], &json!(ORDER))
}

fn lattice(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("create", &[])?;
    let answer = emulator.invoke(&events::lattice("POST", "/orders", ORDER))?.json()?;
    equals(&emulator, &answer["statusCode"], &json!(201))?;
    equals(&emulator, &answer["statusDescription"], &json!("201 Created"))?;
    equals(&emulator, &answer["body"], &json!(ORDER))
}

/// The emulator joins the stream; what a URL would take apart stays visible.
fn streams(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.conformance_with("events", &[("OMNIFN_RESPONSE_STREAM", "1")])?;
    // It knows no trailers: all that can be seen here of a failure is that the next event is served.
    for (path, payload) in [
        ("/", "data: 1\n\ndata: 2\n\n"),
        ("/error", "data: 1\n\n"),
        ("/panic", "data: 1\n\n"),
        ("/", "data: 1\n\ndata: 2\n\n"),
    ] {
        let reply = emulator.invoke(&events::http_api("GET", path, ""))?;
        let prelude = "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/event-stream\"}}";
        let expected = format!("{prelude}{}{payload}", "\0".repeat(8));
        if reply.body != expected.as_bytes() {
            bail!("{path}: {reply}\n{}", emulator.log());
        }
    }
    Ok(())
}

fn partial_batch(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("ship", &[("OMNIFN_PARTIAL_BATCH", "*")])?;
    let answer =
        emulator.invoke(&events::queue(&[("good", ORDER), ("bad", NOTHING_TO_SHIP)]))?.json()?;
    equals(&emulator, &answer, &json!({"batchItemFailures": [{"itemIdentifier": "bad"}]}))?;
    let answer = emulator.invoke(&events::queue(&[("good", ORDER)]))?.json()?;
    equals(&emulator, &answer, &json!({"batchItemFailures": []}))
}

fn whole_batch(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("ship", &[])?;
    let answer =
        emulator.invoke(&events::queue(&[("good", ORDER), ("bad", NOTHING_TO_SHIP)]))?.json()?;
    expect(&emulator, &answer, "/errorMessage", "bad")
}

fn timer(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("report", &[])?;
    let answer = emulator.invoke(&events::timer())?.json()?;
    equals(&emulator, &answer, &Value::Null)
}

fn wrong_event(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.orders("create", &[])?;
    let answer = emulator.invoke(&events::queue(&[("good", ORDER)]))?.json()?;
    expect(&emulator, &answer, "/errorMessage", "http")?;
    let answer = emulator.invoke(&events::http_api("GET", "/orders", ""))?.json()?;
    equals(&emulator, &answer["statusCode"], &json!(200))
}

fn no_json(lambda: &Lambda<'_>) -> Result<()> {
    for (function, event) in [("create", "{\"version\":\"2.0\""), ("ship", "hello"), ("report", "")]
    {
        let emulator = lambda.orders(function, &[])?;
        let answer = emulator.invoke(event.as_bytes())?.json()?;
        equals(&emulator, &answer["errorType"], &json!("MalformedEvent"))?;
    }
    Ok(())
}

fn panics(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.conformance("panic")?;
    for _ in 0..2 {
        let answer = emulator.invoke(&events::http_api("GET", "/", ""))?.json()?;
        equals(&emulator, &answer["statusCode"], &json!(500))?;
    }
    if !emulator.log().contains("the handler panicked: it was asked to") {
        bail!("the log does not tell of the panic\n{}", emulator.log());
    }
    Ok(())
}

fn too_large(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.conformance("large")?;
    let answer = emulator.invoke(&events::http_api("GET", "/?bytes=10000000", ""))?.json()?;
    expect(&emulator, &answer, "/errorMessage", "6 MB")?;
    let answer = emulator.invoke(&events::http_api("GET", "/?bytes=5", ""))?.json()?;
    expect(&emulator, &answer, "/body", "xxxxx")
}

fn malformed_context(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.conformance("large")?;
    let event = events::http_api("GET", "/?bytes=5", "");
    for header in [&[("X-Amz-Client-Context", MALFORMED_CONTEXT)][..], &[]] {
        let answer = emulator.invoke_with(header, &event)?.json()?;
        expect(&emulator, &answer, "/body", "xxxxx")?;
    }
    Ok(())
}

fn unknown_function(lambda: &Lambda<'_>) -> Result<()> {
    let emulator = lambda.conformance("nobody")?;
    let answer = emulator.invoke(b"{}")?.json()?;
    expect(&emulator, &answer, "/errorMessage", "there is no function `nobody`")
}

/// The text at a place of the answer must hold this one.
fn expect(emulator: &Emulator, answer: &Value, pointer: &str, text: &str) -> Result<()> {
    match answer.pointer(pointer).and_then(Value::as_str) {
        Some(found) if found.contains(text) => Ok(()),
        _ => bail!("`{pointer}` does not hold `{text}`: {answer}\n{}", emulator.log()),
    }
}

fn equals(emulator: &Emulator, answer: &Value, expected: &Value) -> Result<()> {
    if answer != expected {
        bail!("the answer is {answer}, not {expected}\n{}", emulator.log());
    }
    Ok(())
}
