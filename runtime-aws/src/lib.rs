//! Runs omnifn functions on AWS Lambda.
//!
//! Depend on this crate only to build another facade; to write a function, depend on `omnifn`.
//!
//! What is particular to Lambda:
//! - One instance handles one invocation at a time, except on Managed Instances (`AWS_LAMBDA_MAX_CONCURRENCY`).
//! - An event and its answer are one JSON document each, of at most 6 MB: a larger answer is a function error
//!   that says so. Bytes that are not UTF-8 travel in base64, which takes a third more.
//! - HTTP answers are streamed where [`env::OMNIFN_RESPONSE_STREAM`] says so; else a stream is read to its end first.
//! - An SQS batch is answered partially only where [`env::OMNIFN_PARTIAL_BATCH`] says that its event source
//!   mapping honours that; else one failed message fails the batch, because Lambda deletes all of them when the
//!   mapping does not report partial failures.
//! - So it is for the streams of Kinesis and `DynamoDB`. There Lambda goes on from the lowest item that failed: what comes
//!   behind it in the batch is delivered again even if it was done, whatever its key. SNS, Kafka, Amazon MQ, S3 and
//!   EventBridge deliver an event again as a whole.
//! - An HTTP function sees the path without the API's stage, so that one router serves every cloud.
//! - Between invocations the process is frozen: work after the answer belongs into `Context::defer`.
//!
//! The loop is this crate's own, and so is its HTTP client; the module `lambda_runtime` (a feature of the same name) runs the same
//! functions on AWS's crate. `ARCHITECTURE.md` says why.

mod api;
mod connection;
pub mod env;
mod event;
mod extension;
#[cfg(feature = "lambda-runtime")]
pub mod lambda_runtime;
mod run;
mod secret;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;

pub use event::{
    AwsCodec, BatchOrigin, Envelope, LambdaInvocation, MAX_RESPONSE_BYTES, Origin, PartialBatch,
    Reply,
};

use omnifn_core::{App, BoxFuture, Environment, Host, Platform, Result, Secret};

/// AWS Lambda.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLambda;

impl Platform for AwsLambda {
    fn name(&self) -> &'static str {
        "aws_lambda"
    }

    fn detect(&self, environment: &Environment) -> bool {
        environment.get(env::AWS_LAMBDA_RUNTIME_API).is_some()
    }

    fn is_concurrent(&self, environment: &Environment) -> bool {
        env::max_concurrency(environment).is_ok_and(|limit| limit > 1)
    }

    fn run(&self, app: App, host: Host) -> BoxFuture<'_, Result<()>> {
        Box::pin(run::run(app, host))
    }

    fn secret<'a>(
        &'a self,
        name: &'a str,
        environment: &'a Environment,
    ) -> BoxFuture<'a, Result<Secret>> {
        Box::pin(secret::secret(name, environment))
    }
}
