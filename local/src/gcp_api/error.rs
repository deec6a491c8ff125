//! What Google answers when it refuses, in the three shapes that its APIs have.

use crate::wire::{self, Reply};
use http::StatusCode;
use serde_json::{Value, json};

pub(super) type Outcome<T> = Result<T, Failure>;

/// A refused call.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
    violations: Vec<Violation>,
}

/// A field that is not as it must be.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) field: String,
    pub(super) description: String,
}

/// The canonical codes (google/rpc/code.proto) with the statuses that HTTP has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    Unauthenticated,
    Denied,
    NotFound,
    Exists,
    Aborted,
    Precondition,
    /// A condition of the request itself, such as `ifGenerationMatch`, does not hold. Cloud Storage only.
    Unmatched,
    TooLarge,
    Unimplemented,
    Internal,
    Unavailable,
    /// In operations only.
    NotReady,
}

impl Kind {
    /// The status of HTTP, the name, the number, and the reason of the JSON API of Cloud Storage.
    const fn parts(self) -> (u16, &'static str, i64, &'static str) {
        match self {
            Self::Invalid => (400, "INVALID_ARGUMENT", 3, "invalid"),
            Self::Unauthenticated => (401, "UNAUTHENTICATED", 16, "required"),
            Self::Denied => (403, "PERMISSION_DENIED", 7, "forbidden"),
            Self::NotFound => (404, "NOT_FOUND", 5, "notFound"),
            Self::Exists => (409, "ALREADY_EXISTS", 6, "conflict"),
            Self::Aborted => (409, "ABORTED", 10, "conflict"),
            Self::Precondition | Self::NotReady => (400, "FAILED_PRECONDITION", 9, "invalid"),
            Self::Unmatched => (412, "FAILED_PRECONDITION", 9, "conditionNotMet"),
            Self::TooLarge => (413, "INVALID_ARGUMENT", 3, "uploadTooLarge"),
            Self::Unimplemented => (501, "UNIMPLEMENTED", 12, "notImplemented"),
            Self::Internal => (500, "INTERNAL", 13, "internalError"),
            Self::Unavailable => (503, "UNAVAILABLE", 14, "backendError"),
        }
    }
}

/// Whose manners an error is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// `google.rpc.Status`.
    Rpc,
    /// The JSON API of Cloud Storage.
    Storage,
    /// The registry's, as the OCI's distribution specification has it.
    Registry,
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), violations: Vec::new() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// An argument that breaks a rule, with the field that it stands in.
    pub(super) fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        let message = format!("{field}: {description}");
        Self { kind: Kind::Invalid, message, violations: vec![Violation { field, description }] }
    }

    pub(super) fn violations(message: impl Into<String>, violations: Vec<Violation>) -> Self {
        Self { kind: Kind::Invalid, message: message.into(), violations }
    }

    pub(super) fn not_found(what: &str, name: &str) -> Self {
        Self::new(Kind::NotFound, format!("{what} \"{name}\" not found"))
    }

    pub(super) fn exists(what: &str, name: &str) -> Self {
        Self::new(Kind::Exists, format!("{what} \"{name}\" already exists"))
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        Self::new(Kind::Internal, format!("the local control plane failed: {error}"))
    }

    /// The answer.
    pub(super) fn reply(&self, manner: Manner) -> Reply {
        let (status, name, _, reason) = self.kind.parts();
        let body = match manner {
            Manner::Rpc => {
                let mut error = json!({"code": status, "message": self.message, "status": name});
                if !self.violations.is_empty() {
                    error["details"] = json!([self.bad_request()]);
                }
                json!({"error": error})
            }
            Manner::Storage => json!({"error": {
                "code": status,
                "message": self.message,
                "errors": [{"message": self.message, "domain": "global", "reason": reason}],
            }}),
            Manner::Registry => json!({"errors": [{"code": name, "message": self.message}]}),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        wire::json(status, &body)
    }

    /// As the `error` of an operation: a `google.rpc.Status` with its canonical code.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({"code": self.kind.parts().2, "message": self.message});
        if !self.violations.is_empty() {
            status["details"] = json!([self.bad_request()]);
        }
        status
    }

    fn bad_request(&self) -> Value {
        let violations = self.violations.iter();
        json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations
                .map(|Violation { field, description }| json!({"field": field, "description": description}))
                .collect::<Vec<_>>(),
        })
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(&error)
    }
}
