//! Events of a WebSocket API, as API Gateway sends them: the inverse of `event::websocket`.

use super::json::{object, text};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Result, testing::Answer};
use serde_json::{Map, Value};
use std::time::UNIX_EPOCH;

const TYPES: &str = "aws.apigateway.websocket.";

/// Whether this is an event of a WebSocket API, by its type.
pub(super) fn is_websocket(event: &CloudEvent) -> bool {
    event.ty.starts_with(TYPES)
}

/// What API Gateway makes of an answer: the payload is what the client gets over a route response.
pub(super) fn unwrap_websocket(document: &[u8]) -> Answer {
    let failed = |message: String| Answer::Failed { error_type: None, message };
    let document: Value = match serde_json::from_slice(document) {
        Ok(document) => document,
        Err(error) => return failed(error.to_string()),
    };
    if document["statusCode"] != 200 {
        return failed(format!("`statusCode` is {}", document["statusCode"]));
    }
    let payload = match document["body"].as_str() {
        Some(body) if document["isBase64Encoded"] == true => match BASE64_STANDARD.decode(body) {
            Ok(body) => Some(body.into()),
            Err(error) => return failed(format!("`body` is no base64: {error}")),
        },
        body => body.map(|body| Bytes::from(body.to_owned())),
    };
    Answer::Done { payload }
}

/// The event for what a client of a WebSocket API did.
///
/// # Errors
/// When it is no such event: the envelope has no place for others.
pub(super) fn wrap_websocket(event: &CloudEvent) -> Result<Bytes> {
    let kind = event.ty.strip_prefix(TYPES).unwrap_or_default();
    let (event_type, id) = match kind {
        "connect" => ("CONNECT", "requestId"),
        "message" => ("MESSAGE", "messageId"),
        "disconnect" => ("DISCONNECT", "requestId"),
        _ => {
            return Err(Error::from(format!(
                "a WebSocket API sends no events of type `{}`, but `aws.apigateway.websocket.message` and the like",
                event.ty
            )));
        }
    };
    let source = event.source.strip_prefix("//").and_then(|rest| rest.split_once('/'));
    let (domain, stage) = source.ok_or_else(|| {
        Error::from(format!("`source` is `{}`, but must be //DOMAIN/STAGE", event.source))
    })?;
    let extension = |name: &str| event.extensions.get(name).map_or("", String::as_str);
    let mut context: Map<String, Value> = Map::new();
    for (name, value) in [
        ("requestId", "ABCD1234="),
        ("connectionId", extension("connectionid")),
        ("apiId", extension("apiid")),
        ("domainName", domain),
        ("stage", stage),
        ("routeKey", event.subject.as_deref().unwrap_or_default()),
        ("eventType", event_type),
        ("messageDirection", "IN"),
        (id, &event.id),
    ] {
        context.insert(name.to_owned(), value.into());
    }
    context.insert("identity".to_owned(), serde_json::json!({"sourceIp": extension("sourceip")}));
    if let Some(since) = event.time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        context.insert("requestTimeEpoch".to_owned(), milliseconds.into());
    }
    if let Some(reason) = event.extensions.get("disconnectreason") {
        context.insert("disconnectReason".to_owned(), reason.as_str().into());
    }
    if let Ok(status) = extension("disconnectstatuscode").parse::<u64>() {
        context.insert("disconnectStatusCode".to_owned(), status.into());
    }
    let mut members = vec![("requestContext", Value::Object(context).to_string())];
    let mut is_base64 = false;
    if let Some(data) = &event.data {
        let body = std::str::from_utf8(data).map_or_else(
            |_| {
                is_base64 = true;
                text(&BASE64_STANDARD.encode(data))
            },
            text,
        );
        members.push(("body", body));
    }
    members.push(("isBase64Encoded", is_base64.to_string()));
    Ok(object(members).into())
}

#[cfg(test)]
mod tests {
    use super::{unwrap_websocket, wrap_websocket};
    use crate::AwsCodec;
    use bytes::Bytes;
    use http::Request;
    use omnifn_core::{
        Codec as _, Trigger,
        testing::{Fixture, Sample, losses},
    };

    #[test]
    fn an_answer_is_what_the_client_gets() {
        for (document, expected) in [
            (r#"{"statusCode":200}"#, "Done { payload: None }"),
            (
                r#"{"statusCode":200,"body":"a","isBase64Encoded":false}"#,
                r#"Done { payload: Some(b"a") }"#,
            ),
            (
                r#"{"statusCode":200,"body":"YQ==","isBase64Encoded":true}"#,
                r#"Done { payload: Some(b"a") }"#,
            ),
            (
                r#"{"statusCode":403}"#,
                r#"Failed { error_type: None, message: "`statusCode` is 403" }"#,
            ),
        ] {
            assert_eq!(format!("{:?}", unwrap_websocket(document.as_bytes())), expected);
        }
    }

    #[test]
    fn what_is_wrapped_is_read_again() {
        for name in ["connect", "message", "text", "binary", "disconnect"] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/aws/event");
            let text = std::fs::read_to_string(format!("{folder}/websocket_{name}.json")).unwrap();
            let sample = Sample::parse(Fixture::parse(&text).event()).unwrap();
            let Sample::Cloud(event) = &sample else { panic!("{name} is no CloudEvent") };
            let body: Bytes = wrap_websocket(event).unwrap();
            let (parts, ()) = Request::new(()).into_parts();
            let decoded = AwsCodec::default().decode(Trigger::Event, parts, body.into()).unwrap();
            assert_eq!(losses(&sample, vec![decoded.event]), [], "{name}");
        }
    }
}
