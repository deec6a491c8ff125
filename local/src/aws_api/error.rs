//! Refusals, in the words of the service that refuses.

use super::{
    request::{Call, Service},
    xml,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use std::fmt;

/// What a service answers instead of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// 400.
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404.
    pub(super) fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 409.
    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// Lambda's word for a value that it does not take.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterValueException", message)
    }

    /// What this machine could not do, which is never the caller's fault.
    pub(super) fn internal(cause: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", cause.to_string())
    }

    /// A call that the service may have, but that this one has not.
    pub(super) fn unknown_call(service: Service, asked: &str, supported: &[&str]) -> Self {
        let code = match service {
            Service::Iam | Service::Sts | Service::Sns => "InvalidAction",
            Service::S3 => "NotImplemented",
            _ => "UnknownOperationException",
        };
        let status = match service {
            Service::Lambda | Service::Scheduler => StatusCode::NOT_FOUND,
            Service::S3 => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        };
        let message = format!(
            "{asked} is not a call that the local {service} answers; it knows {}",
            supported.join(", ")
        );
        Self::new(status, code, message)
    }

    /// In the protocol of the service.
    pub(super) fn answer(&self, call: &Call) -> Response<Bytes> {
        let is_ours = self.status.is_server_error();
        let (content_type, body) = match call.service {
            Service::Iam | Service::Sts | Service::Sns => {
                ("text/xml", xml::error(self.code, &self.message, is_ours, &call.request_id))
            }
            Service::S3 => (
                "application/xml",
                xml::s3_error(self.code, &self.message, &call.path, &call.request_id),
            ),
            Service::Sqs | Service::Events | Service::Logs | Service::Secrets => (
                "application/x-amz-json-1.1",
                json!({"__type": self.code, "message": self.message}).to_string(),
            ),
            Service::Lambda | Service::Scheduler => (
                "application/json",
                json!({
                    "Type": if is_ours { "Service" } else { "User" },
                    "Message": self.message,
                    "message": self.message,
                })
                .to_string(),
            ),
        };
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(content_type));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code));
        if call.service == Service::Sqs {
            // SDKs made before the JSON protocol knew errors by these names.
            let old = match self.code {
                "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
                "QueueNameExists" => "QueueAlreadyExists",
                code => code,
            };
            if let Ok(value) = HeaderValue::try_from(format!("{old};Sender")) {
                headers.insert("x-amzn-query-error", value);
            }
        }
        answer
    }
}
