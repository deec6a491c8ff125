//! Google's requests and the answers to them: which file reads which trigger's.

mod cloud;
mod database;
mod direct;
mod firestore;
mod http;
mod legacy;
mod members;
mod pubsub;
mod queue;
mod reply;
mod storage;
mod tasks;
mod timer;
mod wrong;

#[cfg(feature = "testing")]
pub(crate) use cloud::percent_encode;
pub use legacy::{BackgroundContext, BackgroundEvent, BackgroundResource};
pub(crate) use reply::{GOOGLE_STATUS, Status, text as text_reply};

use ::http::{HeaderMap, HeaderName, Method, Uri, request::Parts};
use bytes::Bytes;
use omnifn_core::{
    Batch, Body, Codec, Context, Decoded, Error, ErrorKind, Event, Outcome, Raw, Refused, Response,
    Result, TraceContext, Trigger,
};
use std::borrow::Cow;

/// Translates what Google sends and takes: HTTP requests and responses.
#[derive(Clone, Copy, Debug, Default)]
pub struct GcpCodec;

/// What kind of event a request was, and so in what shape its answer goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// An HTTP request of anybody's: the answer is the function's response.
    Http,
    /// A message of Pub/Sub or a task of Cloud Tasks: the status acknowledges it, or not.
    Queue,
    /// A job of Cloud Scheduler: the status says whether it is done.
    Timer,
    /// A change in a bucket: the status acknowledges it, or not.
    Storage,
    /// A change in Firestore: the status acknowledges it, or not.
    Database,
    /// CloudEvents: the status acknowledges them, or not; an event in answer is in binary mode, events in answer to a batch
    /// are a batch.
    Event,
    /// A typed function's call: JSON in answer.
    Direct,
}

impl Origin {
    /// That of every event of a trigger.
    pub(crate) fn of(trigger: Trigger) -> Option<Self> {
        match trigger {
            Trigger::Http => Some(Self::Http),
            Trigger::Queue => Some(Self::Queue),
            Trigger::Timer => Some(Self::Timer),
            Trigger::Storage => Some(Self::Storage),
            Trigger::Database => Some(Self::Database),
            Trigger::Event => Some(Self::Event),
            Trigger::Direct => Some(Self::Direct),
            _ => None,
        }
    }

    /// The methods that such a request may have, as the `Allow` header lists them; every one if `None`.
    fn allow(self) -> Option<&'static str> {
        match self {
            Self::Http => None,
            Self::Timer => Some("GET, POST"),
            _ => Some("POST"),
        }
    }

    fn allows(self, parts: &Parts) -> bool {
        match self {
            _ if parts.method == Method::POST => true,
            Self::Http => true,
            Self::Timer => parts.method == Method::GET,
            Self::Queue => tasks::is_task(&parts.headers),
            _ => false,
        }
    }
}

impl Codec for GcpCodec {
    type Origin = Origin;
    type Reply = Response;

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
        let Some(origin) = Origin::of(trigger) else {
            let error = Error::malformed(format!("{trigger} events do not exist on Google yet"));
            return Err(Refused { error, origin: Origin::Http });
        };
        decode(origin, parts, body).map_err(|error| Refused { error, origin })
    }

    #[expect(
        clippy::inline_always,
        reason = "as `decode`: where the origin is known, so are the answers"
    )]
    #[inline(always)]
    fn encode(&self, origin: Origin, outcome: Result<Outcome>) -> Response {
        reply::encode(origin, outcome)
    }
}

#[expect(
    clippy::inline_always,
    reason = "where the trigger is known, so is which decoders are of use; it has one caller"
)]
#[inline(always)]
fn decode(origin: Origin, parts: Parts, body: Body) -> Result<Decoded<Origin>> {
    let trace = TraceContext::from_headers(&parts.headers);
    let execution_id = execution_id(&parts.headers);
    if origin == Origin::Http {
        let mut context = Context::new(execution_id);
        context.trace = trace;
        let event = Event::Http(http::decode(parts, body)?);
        return Ok(Decoded { event, context, origin });
    }
    if !origin.allows(&parts) {
        return Err(wrong::method(origin, &parts.method));
    }
    let body = body
        .into_whole()
        .map_err(|_| Error::malformed("an event of Google's is read whole before it is decoded"))?;
    let (event, context) = match origin {
        Origin::Queue => {
            let message = queue::decode(&parts, &body)?.with_raw(Raw::whole(body.clone()));
            let mut context = Context::new(message.id.as_str());
            context.attempt = message.attempt;
            (Event::Queue(Batch::new(vec![message])), context)
        }
        Origin::Timer => {
            let timer = timer::decode(&parts, &body)?.with_raw(Raw::whole(body.clone()));
            (Event::Timer(timer), Context::new(execution_id))
        }
        Origin::Storage => {
            let object = storage::decode(&parts, &body)?.with_raw(Raw::whole(body.clone()));
            let mut context = Context::new(object.id.as_str());
            context.attempt = object.attempt;
            (Event::Storage(Batch::new(vec![object])), context)
        }
        Origin::Database => {
            let change = database::decode(&parts, &body)?;
            let context = Context::new(change.id.as_str());
            (Event::Database(Batch::new(vec![change])), context)
        }
        Origin::Event => {
            let event = cloud::decode(&parts, &body)?;
            let context = match &event {
                Event::Cloud(event) => Context::new(event.id.as_str()),
                _ => Context::new(execution_id),
            };
            (event, context)
        }
        Origin::Direct | Origin::Http => {
            (Event::Direct(direct::decode(&body)?), Context::new(execution_id))
        }
    };
    let mut decoded = Decoded { event, context, origin };
    decoded.context.trace = trace;
    let Parts { method, uri, headers, .. } = parts;
    decoded.context.set_raw(Raw::whole(body.clone()));
    decoded.context.extensions_mut().insert(CloudRunRequest { method, uri, headers, body });
    Ok(decoded)
}

/// The request that an event came in, for those who need more than the neutral types hold. It is in the
/// extensions of the [`Context`], but for an HTTP function's, whose event is the request itself.
///
/// ```
/// use omnifn_core::{CloudEvent, Context};
/// use omnifn_runtime_gcp::CloudRunRequest;
///
/// async fn audit(_: CloudEvent, context: Context) {
///     let request = context.extensions().get::<CloudRunRequest>();
///     let raw = request.and_then(|request| request.headers().get("ce-subject"));
/// #   let _ = raw;
/// }
/// # let _ = omnifn_core::Function::new(audit);
/// ```
#[derive(Clone, Debug)]
pub struct CloudRunRequest {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl CloudRunRequest {
    /// Its method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// What it asked for, such as `/projects/p/topics/t`.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its headers, as they came.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Its body, as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// What Google's front end calls this execution, where it says so. Any client can send the header, so what is no short
/// text is left out, and the runtime makes an id.
fn execution_id(headers: &HeaderMap) -> String {
    static NAME: HeaderName = HeaderName::from_static("function-execution-id");
    let id = headers.get(&NAME).and_then(|value| value.to_str().ok());
    id.filter(|id| id.len() <= 64).unwrap_or_default().to_owned()
}

/// A header as text; an empty one counts as none. Called from many places: once in a binary is enough.
#[inline(never)]
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(_) => Err(Error::malformed(format!("the header `{name}` is not UTF-8"))),
    }
}

/// Whether a media type is this one, in any case and with any parameters.
fn is_media_type(found: &str, wanted: &str) -> bool {
    found.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::UnsupportedMediaType, "UnsupportedMediaType", message)
}

/// Text that points into the body where it holds no escapes.
#[derive(Clone, Debug, serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
