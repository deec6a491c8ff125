//! The programs under measurement.

/// A program under measurement.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) origin: Origin,
    pub(crate) what: &'static str,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The package of this workspace that has it.
    Package(&'static str),
    /// `examples/hello` with these features.
    Hello(&'static str),
    /// A folder of `peers/` that its own tools install.
    Go(&'static str),
    Node(&'static str),
    Python(&'static str),
}

impl Origin {
    /// Whether callgrind can count it: a Rust program.
    pub(crate) fn is_native(self) -> bool {
        matches!(self, Self::Package(_) | Self::Hello(_))
    }
}

const fn program(name: &'static str, origin: Origin, what: &'static str) -> Program {
    Program { name, origin, what }
}

use Origin::{Go, Hello, Node, Package, Python};

pub(crate) const PROGRAMS: &[Program] = &[
    program("hello", Hello("aws,gcp"), "`examples/hello`, all clouds linked"),
    program("hello-aws", Hello("aws"), "the same with the feature `aws` alone"),
    program("hello-gcp", Hello("gcp"), "the same with the feature `gcp` alone"),
    program(
        "echo-omnifn",
        Package("on-omnifn"),
        "answers the body with its content type, all clouds linked",
    ),
    program(
        "queue-omnifn",
        Package("on-omnifn"),
        "`each` over a queue's messages, each parsed: SQS on Lambda, Pub/Sub on Cloud Run",
    ),
    program(
        "floor-raw",
        Package("lean"),
        "a function on one blocking socket: it reads the event, and answers a constant",
    ),
    program(
        "lean-http",
        Package("lean"),
        "the echo written by hand for nothing but its cost; HTTP API v2 only, no errors, no context",
    ),
    program(
        "bare-lambda",
        Package("bare-lambda"),
        "a function on nothing but hyper, which does not look at the event: the lean program of the starts",
    ),
    program(
        "noop-lambda-runtime",
        Package("on-lambda-runtime"),
        "`lambda_runtime` with the event left raw and a constant answer",
    ),
    program(
        "queue-lambda-runtime",
        Package("on-lambda-runtime"),
        "`lambda_runtime`, the raw event read into borrowed structs, each message parsed",
    ),
    program(
        "echo-lambda-http",
        Package("echo-lambda-http"),
        "the echo on `lambda_http`, on one thread",
    ),
    program(
        "echo-lambda-http-template",
        Package("echo-lambda-http"),
        "the same on `#[tokio::main]`, as its template has it",
    ),
    program("echo-aws-lambda-go", Go("go-lambda"), "the echo on AWS's runtime for Go"),
    program(
        "bare-http",
        Package("bare-http"),
        "a server on nothing but hyper: a greeting to a GET, else the body",
    ),
    program(
        "bare-pubsub",
        Package("bare-http"),
        "the same for Pub/Sub: `ce-` headers into a map, base64, serde_json",
    ),
    program("echo-axum", Package("on-axum"), "a greeting to a GET, else the body, on axum"),
    program("pubsub-axum", Package("on-axum"), "Pub/Sub on axum and `cloudevents-sdk`"),
    program(
        "functions-framework-go",
        Go("go-functions"),
        "greeting and Pub/Sub on Google's framework for Go",
    ),
    program("functions-framework-node", Node("node-functions"), "the same for Node.js"),
    program(
        "functions-framework-python",
        Python("python-functions"),
        "the same for Python, on gunicorn",
    ),
];
