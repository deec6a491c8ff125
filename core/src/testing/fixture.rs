use super::{describe, describe_context, outcome};
use crate::{Codec, Trigger};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde_json::{Value, value::RawValue};

/// A document as the module's page describes it.
#[derive(Clone, Debug)]
pub struct Fixture {
    name: String,
    document: Value,
    /// The body's own text: order of members and blanks are part of a message.
    body: Option<Box<RawValue>>,
}

#[derive(serde::Deserialize)]
struct Document {
    request: DocumentRequest,
}

#[derive(serde::Deserialize)]
struct DocumentRequest {
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let document =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        let Document { request } =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        Self { name: String::new(), document, body: request.body }
    }

    /// Gives it a name, such as its file's, to appear in what [`check`](Self::check) says.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The message as the provider sends it.
    ///
    /// # Panics
    /// When the fixture does not hold a request.
    #[track_caller]
    pub fn request(&self) -> http::Request<Bytes> {
        let request = &self.document["request"];
        let text = |name: &str, default: &str| request[name].as_str().unwrap_or(default).to_owned();
        let mut builder =
            http::Request::builder().method(text("method", "POST").as_str()).uri(text("path", "/"));
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for value in values {
                builder = builder.header(name, value.as_str().expect("a header's value is text"));
            }
        }
        let body = if let Some(text) = request["body_text"].as_str() {
            Bytes::from(text.to_owned())
        } else if let Some(text) = request["body_base64"].as_str() {
            BASE64_STANDARD.decode(text).expect("`body_base64` is base64").into()
        } else {
            self.body.as_ref().map(|body| Bytes::from(body.get().to_owned())).unwrap_or_default()
        };
        builder.body(body).expect("a fixture's request is valid")
    }

    /// What the message means, in the form of [`describe`].
    pub fn event(&self) -> &Value {
        &self.document["event"]
    }

    /// Decodes the message and compares the event, the context and the answers with what the fixture says.
    /// `describe_reply` turns what the codec sends back into JSON.
    ///
    /// # Panics
    /// When something differs.
    #[track_caller]
    pub fn check<C: Codec>(
        &self,
        codec: &C,
        trigger: Trigger,
        describe_reply: impl Fn(C::Reply) -> Value,
    ) {
        let name = &self.name;
        let decode = || {
            let (parts, body) = self.request().into_parts();
            codec.decode(trigger, parts, body.into())
        };
        let reply = |reply| describe_reply(reply);
        if let Some(reason) = self.document["refused"].as_str() {
            let Err(refused) = decode() else {
                panic!("{name}: decoded, but must be refused: {reason}")
            };
            let message = refused.error.to_string();
            assert!(
                message.contains(reason),
                "{name}: refused with: {message}\nbut must say: {reason}"
            );
            if let Some(expected) = self.document.get("reply") {
                assert_same(
                    name,
                    &reply(codec.encode(refused.origin, Err(refused.error))),
                    expected,
                );
            }
            return;
        }
        let decoded =
            decode().unwrap_or_else(|refused| panic!("{name}: refused: {}", refused.error));
        assert_same(name, &describe(decoded.event), self.event());
        if let Some(expected) = self.document.get("context") {
            let mut found = describe_context(&decoded.context);
            found.retain(|name, _| expected.get(name).is_some());
            assert_same(name, &Value::Object(found), expected);
        }
        for answer in self.document["answers"].as_array().into_iter().flatten() {
            let decoded =
                decode().unwrap_or_else(|refused| panic!("{name}: refused: {}", refused.error));
            let found = reply(codec.encode(decoded.origin, outcome(&answer["outcome"])));
            assert_same(name, &found, &answer["reply"]);
        }
    }
}

#[track_caller]
fn assert_same(name: &str, found: &Value, expected: &Value) {
    assert!(found == expected, "{name}\nfound:    {found:#}\nexpected: {expected:#}");
}
