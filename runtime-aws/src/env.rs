//! Every variable that is read.
//!
//! Those whose names begin with `AWS` or `_` are set by Lambda
//! (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).

use crate::PartialBatch;
use omnifn_core::{Environment, Error, Result};

/// `host:port` of the Runtime API. Its presence says that this is Lambda.
pub const AWS_LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The deployed version: `$LATEST` or a number.
pub const AWS_LAMBDA_FUNCTION_VERSION: &str = "AWS_LAMBDA_FUNCTION_VERSION";
/// `snap-start` when the process is to be snapshotted after its start.
pub const AWS_LAMBDA_INITIALIZATION_TYPE: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";
/// How many invocations one instance handles at once: Managed Instances only.
pub const AWS_LAMBDA_MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";
/// The region.
pub const AWS_REGION: &str = "AWS_REGION";
/// Sent to the parameters-and-secrets extension, to show that the request comes from the function.
pub const AWS_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// The port of the parameters-and-secrets extension; 2773 unless set.
pub const PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: &str = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT";
/// The configured handler: names the function to run where a binary has several and one is called so.
pub const HANDLER: &str = "_HANDLER";
/// The function to run, of a binary that has several. Wins over [`HANDLER`].
pub const OMNIFN_FUNCTION: &str = "OMNIFN_FUNCTION";
/// The event sources whose mappings report partial failures (`FunctionResponseTypes` holds
/// `ReportBatchItemFailures`): the ARNs of SQS queues, Kinesis streams and `DynamoDB` table streams, separated by
/// commas, or `*` for all. None unless set.
pub const OMNIFN_PARTIAL_BATCH: &str = "OMNIFN_PARTIAL_BATCH";
/// `1` has the function's HTTP answers streamed: those to function URLs and REST APIs, all of them, be they whole or
/// errors. It belongs to a function URL with the invoke mode `RESPONSE_STREAM`, or to a REST API whose integration has
/// the transfer mode `STREAM` and the URI `../response-streaming-invocations`: these take every answer for a stream, and
/// anything else (a buffered function URL, an HTTP API) would take a stream for a malformed answer. Nothing in an event
/// tells which it is. Unset or `0`: answers are buffered, up to 6 MB.
pub const OMNIFN_RESPONSE_STREAM: &str = "OMNIFN_RESPONSE_STREAM";
/// `OMNIFN_SECRET_<NAME>` holds the name or the ARN of the secret that the function knows as `NAME`.
pub const OMNIFN_SECRET_PREFIX: &str = "OMNIFN_SECRET_";

pub(crate) fn max_concurrency(environment: &Environment) -> Result<usize> {
    let limit =
        environment.parse::<usize>(AWS_LAMBDA_MAX_CONCURRENCY, "a number of invocations")?;
    Ok(limit.unwrap_or(1).max(1))
}

pub(crate) fn response_stream(environment: &Environment) -> Result<bool> {
    match environment.get(OMNIFN_RESPONSE_STREAM) {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(Error::from(format!(
            "`{OMNIFN_RESPONSE_STREAM}` is `{other}`, but must be 1 to have answers streamed, or 0"
        ))),
    }
}

pub(crate) fn partial_batch(environment: &Environment) -> PartialBatch {
    match environment.get(OMNIFN_PARTIAL_BATCH) {
        None => PartialBatch::Never,
        Some("*") => PartialBatch::Always,
        Some(sources) => {
            PartialBatch::Sources(sources.split(',').map(|arn| arn.trim().to_owned()).collect())
        }
    }
}
