//! Every variable that `omnifn` itself reads. What belongs to one cloud stands in its runtime's `env.rs`.

/// Started with this variable set to `1`, a binary prints the functions that it holds, as JSON, and ends.
pub(crate) const OMNIFN_MANIFEST: &str = "OMNIFN_MANIFEST";
/// Worker threads of the async runtime. Wins over `App::threads`.
pub(crate) const OMNIFN_THREADS: &str = "OMNIFN_THREADS";
/// A folder with one file for each secret, for use outside a cloud.
pub(crate) const OMNIFN_SECRETS: &str = "OMNIFN_SECRETS";
/// Which log lines are written: levels by the beginning of a target, the longest counts, such as
/// `info,my_crate=debug,hyper=off`; `info` unless set.
pub(crate) const RUST_LOG: &str = "RUST_LOG";
/// Set and not `0`, panics are told as Rust does it, with a backtrace, and do not become log lines.
pub(crate) const RUST_BACKTRACE: &str = "RUST_BACKTRACE";
/// `trace` to `error`, `fatal` or `off`. Set by Lambda; wins over `RUST_LOG`.
pub(crate) const AWS_LAMBDA_LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
/// `JSON` for lines in Lambda's own form, else text. Set by Lambda.
pub(crate) const AWS_LAMBDA_LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
/// The project in a log line's trace on Google, so that Cloud Logging joins them. Without it, or `GCP_PROJECT`, the trace's id
/// stands alone.
pub(crate) const GOOGLE_CLOUD_PROJECT: &str = "GOOGLE_CLOUD_PROJECT";
/// The same, where `GOOGLE_CLOUD_PROJECT` is not set.
pub(crate) const GCP_PROJECT: &str = "GCP_PROJECT";
/// Whether a log line on Google carries its execution's id: yes unless set to something that does not mean yes.
pub(crate) const LOG_EXECUTION_ID: &str = "LOG_EXECUTION_ID";
/// Where spans are sent: the whole address, such as `http://localhost:4318/v1/traces`.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Where the collector is: `http://localhost:4318`. Spans are sent to `/v1/traces` there.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_EXPORTER_OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// `http/protobuf` if set: it is what we speak.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
/// The same, where the variable for traces is not set.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_EXPORTER_OTLP_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// `true` switches the export off.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_SDK_DISABLED: &str = "OTEL_SDK_DISABLED";
/// `none` switches it off too.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_TRACES_EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// Which traces are sent, as OpenTelemetry says. On Lambda all of them, unless set.
#[cfg(feature = "otlp")]
pub(crate) const OTEL_TRACES_SAMPLER: &str = "OTEL_TRACES_SAMPLER";
/// The function's name, for spans. Set by Lambda.
#[cfg(feature = "otlp")]
pub(crate) const AWS_LAMBDA_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// Its memory in MiB, for spans. Set by Lambda.
#[cfg(feature = "otlp")]
pub(crate) const AWS_LAMBDA_FUNCTION_MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// Its instance, for spans. Set by Lambda.
#[cfg(feature = "otlp")]
pub(crate) const AWS_LAMBDA_LOG_STREAM_NAME: &str = "AWS_LAMBDA_LOG_STREAM_NAME";
