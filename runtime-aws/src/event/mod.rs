//! Lambda's events and answers: which file reads which trigger's.

mod batch;
mod cloud;
mod database;
mod direct;
mod fields;
mod http;
mod http_response;
mod large;
mod pairs;
mod queue;
mod storage;
mod text;
mod timer;
mod websocket;
mod word;
mod wrong;

use crate::api;
use ::http::{HeaderMap, request::Parts};
use bytes::Bytes;
use omnifn_core::{
    BatchOutcome, Body, Codec, Context, Decoded, Error, ErrorKind, Event, Outcome, Raw, Refused,
    Result, TraceContext, Trigger,
};
use std::{
    borrow::Cow,
    time::{Duration, UNIX_EPOCH},
};

pub use batch::BatchOrigin;
pub use http::Envelope;
#[cfg(feature = "testing")]
pub(crate) use queue::{KAFKA_KEY, KAFKA_TOPIC, MQ_QUEUE};

/// The most bytes of JSON that Lambda takes as an answer: 6 MiB and 100 bytes, beyond which the Runtime API
/// answers 413 (measured on AWS's Runtime Interface Emulator).
pub const MAX_RESPONSE_BYTES: usize = 6_291_556;

/// Translates what Lambda sends and takes.
///
/// The parts are those of a message of the Runtime API, whose headers say what the invocation is; the body is
/// the event.
#[derive(Clone, Debug, Default)]
pub struct AwsCodec {
    partial: PartialBatch,
    is_streaming: bool,
}

/// Which event source mappings report partial failures: `FunctionResponseTypes` holds
/// `ReportBatchItemFailures`. Only then does Lambda keep the failed messages of a batch that is answered. Only SQS, Kinesis
/// and `DynamoDB` are asked: an answer to another source never names what failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartialBatch {
    /// None that is known of: a failed message fails its batch.
    #[default]
    Never,
    /// All of them.
    Always,
    /// Those of these event sources, by ARN.
    Sources(Vec<String>),
}

/// What an event came in, and so in what shape its answer goes back.
#[derive(Debug)]
#[non_exhaustive]
pub enum Origin {
    /// An HTTP event.
    Http(Envelope),
    /// Messages, or changes of objects or documents.
    Batch(BatchOrigin),
    /// An event of a WebSocket API.
    WebSocket {
        /// Whether the answer decides if the client is let in.
        is_connect: bool,
    },
    /// A call whose caller waits: the answer is the document itself.
    Direct,
    /// Anything else: the answer is the document itself, if anyone reads it.
    Plain,
}

/// What is posted to the Runtime API.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// A result: one JSON document.
    Response(Bytes),
    /// A result that is sent while it is produced: the answer to an HTTP event.
    Stream {
        /// Status, headers and cookies as JSON, and eight NUL bytes.
        prelude: Bytes,
        /// What follows them.
        body: Body,
    },
    /// A function error.
    Error {
        /// `errorType`; also sent as `Lambda-Runtime-Function-Error-Type: Function.<type>`.
        error_type: String,
        /// `{"errorType", "errorMessage"}`.
        body: Bytes,
    },
}

impl AwsCodec {
    /// A codec for functions whose event source mappings report partial failures as said.
    pub fn new(partial: PartialBatch) -> Self {
        Self { partial, is_streaming: false }
    }

    /// The same codec for a function whose HTTP answers are streamed: see
    /// [`OMNIFN_RESPONSE_STREAM`](crate::env::OMNIFN_RESPONSE_STREAM).
    #[must_use]
    pub fn streaming(mut self, is_streaming: bool) -> Self {
        self.is_streaming = is_streaming;
        self
    }

    /// Whether the answer to this event is streamed.
    pub(crate) fn streams(&self, origin: &Origin) -> bool {
        self.is_streaming && matches!(origin, Origin::Http(envelope) if envelope.can_stream())
    }

    /// The answer to an HTTP event.
    pub(crate) fn encode_http(&self, envelope: Envelope, outcome: Result<Outcome>) -> Reply {
        if self.streams(&Origin::Http(envelope)) {
            return http_response::stream(outcome);
        }
        match outcome {
            Err(error) if error.kind() == ErrorKind::TooLarge => error_reply(&error),
            outcome => reply(http_response::encode(envelope, outcome)),
        }
    }

    /// Whether Lambda reads a partial answer to a batch of this event source.
    fn is_partial(&self, source: batch::Source, source_arn: &str) -> bool {
        source.reports_failures()
            && match &self.partial {
                PartialBatch::Never => false,
                PartialBatch::Always => true,
                PartialBatch::Sources(sources) => sources.iter().any(|arn| arn == source_arn),
            }
    }

    fn batch(&self, source: batch::Source, source_arn: &str, items: usize) -> BatchOrigin {
        BatchOrigin::new(source, self.is_partial(source, source_arn), items)
    }
}

impl Codec for AwsCodec {
    type Origin = Origin;
    type Reply = Reply;

    #[expect(
        clippy::inline_always,
        reason = "where the trigger is known, so is which decoders are of use; it has one caller"
    )]
    #[inline(always)]
    fn decode(
        &self,
        trigger: Trigger,
        parts: Parts,
        body: Body,
    ) -> Result<Decoded<Origin>, Refused<Origin>> {
        let refuse = |error| Refused { error, origin: Origin::Plain };
        let event = body.into_whole().map_err(|_| {
            refuse(Error::malformed("an event of Lambda is read whole before it is decoded"))
        })?;
        let (decoded, origin) = match trigger {
            Trigger::Http => http::decode(&event)?,
            Trigger::Queue => {
                let (batch, source, arn) = queue::decode(&event).map_err(refuse)?;
                let origin = self.batch(source, &arn, batch.items.len());
                (Event::Queue(batch), Origin::Batch(origin))
            }
            Trigger::Storage => {
                let is_partial = |arn: &str| self.is_partial(batch::Source::Sqs, arn);
                let found = storage::decode(&event, is_partial).map_err(refuse)?;
                for (id, error) in &found.refused {
                    // It fails without reaching the handler, so nobody else tells.
                    tracing::error!(message_id = id, ?error, "message refused");
                }
                let mut origin = self.batch(found.source, &found.arn, found.batch.items.len());
                origin.carriers = found.carriers;
                origin.refused = found.refused.into_iter().map(|(id, _)| id).collect();
                (Event::Storage(found.batch), Origin::Batch(origin))
            }
            Trigger::Database => {
                let (batch, arn) = database::decode(&event).map_err(refuse)?;
                let origin = self.batch(batch::Source::DynamoDb, &arn, batch.items.len());
                (Event::Database(batch), Origin::Batch(origin))
            }
            Trigger::Timer => {
                let timer = timer::decode(&event, &parts.headers).map_err(refuse)?;
                (Event::Timer(timer), Origin::Plain)
            }
            Trigger::Event => {
                let (event, origin) = cloud::decode(&event).map_err(refuse)?;
                (Event::Cloud(event), origin)
            }
            Trigger::Direct => {
                (Event::Direct(direct::decode(&event).map_err(refuse)?), Origin::Direct)
            }
            other => {
                return Err(refuse(Error::malformed(format!(
                    "{other} events do not exist on Lambda yet"
                ))));
            }
        };
        let context = context(parts.headers, event);
        Ok(Decoded { event: decoded, context, origin })
    }

    fn encode(&self, origin: Origin, outcome: Result<Outcome>) -> Reply {
        let document = match (origin, outcome) {
            (Origin::Http(envelope), outcome) => return self.encode_http(envelope, outcome),
            (_, Err(error)) if error.kind() == ErrorKind::TooLarge => return error_reply(&error),
            (Origin::Batch(origin), Ok(Outcome::Batch(outcome))) => {
                match batch::encode(&origin, &outcome) {
                    Ok(document) => document,
                    Err(error) => return error_reply(&error),
                }
            }
            (_, Ok(Outcome::Payload(json))) => json,
            (Origin::WebSocket { .. }, Ok(Outcome::Done)) => websocket::accepted(None),
            (Origin::WebSocket { .. }, Ok(Outcome::Event(event))) => {
                websocket::accepted(event.data.as_ref())
            }
            // API Gateway takes a function error as its own failure: it lets nobody in, and tells who sent a message.
            (Origin::WebSocket { is_connect }, Err(error)) if error.is_discard() => {
                websocket::discarded(is_connect)
            }
            (_, Ok(Outcome::Event(event))) => event.to_structured().into(),
            (_, Ok(Outcome::Done | Outcome::Batch(_))) => Bytes::from_static(b"null"),
            (Origin::Batch(origin), Err(error)) if error.is_discard() => {
                // What was discarded is the handler's batch, not the messages that never reached it.
                match batch::encode(&origin, &BatchOutcome::success()) {
                    Ok(document) => document,
                    Err(error) => return error_reply(&error),
                }
            }
            (Origin::Plain, Err(error)) if error.is_discard() => Bytes::from_static(b"null"),
            (_, Err(error)) => return error_reply(&error),
            (_, Ok(other)) => {
                let message = format!("this event cannot be answered by {other:?}");
                return error_reply(&Error::from(message));
            }
        };
        reply(document)
    }
}

/// A document that is sent, if it is not too large.
fn reply(document: Bytes) -> Reply {
    if document.len() > MAX_RESPONSE_BYTES {
        return error_reply(&too_large(&format!("{} bytes of JSON", document.len())));
    }
    Reply::Response(document)
}

/// An answer that is larger than Lambda takes.
pub(crate) fn too_large(size: &str) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "ResponseTooLarge",
        format!(
            "the answer is {size}, but Lambda takes {MAX_RESPONSE_BYTES} at most (6 MB): answer with less, or with a \
             link to where the rest is stored"
        ),
    )
}

pub(crate) fn error_reply(error: &Error) -> Reply {
    let error_type = error.type_name();
    Reply::Error {
        error_type: error_type.to_owned(),
        body: error_document(error_type, &error.to_string()).into(),
    }
}

/// What Lambda takes as the description of a failure.
pub(crate) fn error_document(error_type: &str, message: &str) -> Vec<u8> {
    let mut out = br#"{"errorMessage":"#.to_vec();
    text::write(&mut out, message);
    out.extend_from_slice(br#","errorType":"#);
    text::write(&mut out, error_type);
    out.push(b'}');
    out
}

/// What a Runtime API message says of its invocation, for those who need more than the neutral types hold. It
/// is in the extensions of the [`Context`].
///
/// ```
/// use omnifn_core::{Context, Payload, Result};
/// use omnifn_runtime_aws::LambdaInvocation;
///
/// async fn tenant(_: Payload<()>, context: Context) -> Result<Payload<Option<String>>> {
///     let lambda = context.extensions().get::<LambdaInvocation>();
///     Ok(Payload(lambda.and_then(|lambda| lambda.tenant_id()).map(str::to_owned)))
/// }
/// # let _ = omnifn_core::Function::new(tenant);
/// ```
#[derive(Clone, Debug)]
pub struct LambdaInvocation {
    headers: HeaderMap,
    event: Bytes,
}

impl LambdaInvocation {
    /// The event as it came: JSON.
    pub fn event(&self) -> &Bytes {
        &self.event
    }

    /// The ARN that was invoked: the function's, a version's or an alias's.
    pub fn invoked_function_arn(&self) -> Option<&str> {
        self.text(api::FUNCTION_ARN)
    }

    /// The tenant, of a function with tenant isolation.
    pub fn tenant_id(&self) -> Option<&str> {
        self.text(api::TENANT_ID)
    }

    /// What the caller's SDK said of itself: JSON, as it came; nothing vouches that it can be parsed.
    pub fn client_context(&self) -> Option<&str> {
        self.text(api::CLIENT_CONTEXT)
    }

    /// The Cognito identity of a mobile caller: JSON, as it came.
    pub fn cognito_identity(&self) -> Option<&str> {
        self.text(api::COGNITO_IDENTITY)
    }

    fn text(&self, name: &str) -> Option<&str> {
        let [text] = self.texts([name]);
        text
    }

    /// Of each of these headers the text, if it has one.
    pub(crate) fn texts<const N: usize>(&self, names: [&str; N]) -> [Option<&str>; N] {
        api::named(&self.headers, names).map(|value| {
            std::str::from_utf8(value?.as_bytes()).ok().filter(|text| !text.is_empty())
        })
    }
}

/// Reads the headers. One that is missing or malformed leaves its field empty: the event itself is what counts.
fn context(headers: HeaderMap, event: Bytes) -> Context {
    let names = [api::REQUEST_ID, api::DEADLINE_MS, api::TRACE_ID];
    let [id, deadline, trace] =
        api::named(&headers, names).map(|value| value.and_then(|value| value.to_str().ok()));
    let mut context = Context::new(id.unwrap_or_default());
    context.platform = "aws_lambda";
    context.deadline = deadline
        .and_then(|milliseconds| milliseconds.parse().ok())
        .and_then(|milliseconds| UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)));
    context.trace = trace.map(TraceContext::from_xray).unwrap_or_default();
    context.set_raw(Raw::whole(event.clone()));
    context.extensions_mut().insert(LambdaInvocation { headers, event });
    context
}

/// Text that points into the event where it holds no escapes.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Text<'_> {
    /// As bytes: a slice of the event, or the unescaped text, moved.
    pub(crate) fn into_bytes(self, event: &Bytes) -> Bytes {
        match self.0 {
            Cow::Borrowed(text) => event.slice_ref(text.as_bytes()),
            Cow::Owned(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AwsCodec, PartialBatch, Reply};
    use omnifn_core::{
        Trigger,
        testing::{Fixture, describe_body},
    };
    use serde_json::{Value, json};

    fn describe(reply: Reply) -> Value {
        match reply {
            Reply::Response(body) => {
                json!({"response": serde_json::from_slice::<Value>(&body).unwrap()})
            }
            Reply::Stream { prelude, body } => {
                let prelude = prelude.strip_suffix(&[0; 8]).unwrap();
                let prelude: Value = serde_json::from_slice(prelude).unwrap();
                json!({"stream": {"prelude": prelude, "body": describe_body(body)}})
            }
            Reply::Error { error_type, body } => {
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body["errorType"], error_type);
                json!({"error": body})
            }
        }
    }

    fn check(trigger: Trigger) {
        let folder = format!("{}/../tests/fixtures/aws/{trigger}", env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty());
        for file in files {
            let partial = if file.to_string_lossy().contains("partial") {
                PartialBatch::Sources(
                    [
                        "arn:aws:sqs:us-east-1:123456789012:orders",
                        "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
                        "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-03-01T00:00:00.000",
                    ]
                    .map(str::to_owned)
                    .into(),
                )
            } else {
                PartialBatch::Never
            };
            let text = std::fs::read_to_string(&file).unwrap();
            // Fixtures of functions whose answers are streamed.
            let is_streaming = file.to_string_lossy().contains("stream_");
            Fixture::parse(&text).named(file.display().to_string()).check(
                &AwsCodec::new(partial).streaming(is_streaming),
                trigger,
                describe,
            );
        }
    }

    #[test]
    fn http_fixtures() {
        check(Trigger::Http);
    }

    #[test]
    fn queue_fixtures() {
        check(Trigger::Queue);
    }

    #[test]
    fn storage_fixtures() {
        check(Trigger::Storage);
    }

    #[test]
    fn database_fixtures() {
        check(Trigger::Database);
    }

    #[test]
    fn timer_fixtures() {
        check(Trigger::Timer);
    }

    #[test]
    fn event_fixtures() {
        check(Trigger::Event);
    }

    #[test]
    fn direct_fixtures() {
        check(Trigger::Direct);
    }
}
