use crate::{Capability, Measure};
use omnifn_package::Provider;

const QUOTAS: &str =
    "docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, read 2026-11";

/// What Lambda takes. Reserved names: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, read 2026-11.
pub fn capability() -> Capability {
    let mut capability = Capability::new(Provider::Aws)
        .limit(Measure::Memory, 128..=10_240, QUOTAS)
        .limit(Measure::Timeout, 1..=900, QUOTAS)
        .limit(Measure::Environment, 0..=LARGEST_ENVIRONMENT as u64, QUOTAS);
    capability.reserved_names = vec![
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_*",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "OMNIFN_FUNCTION",
        "OMNIFN_PARTIAL_BATCH",
        "OMNIFN_RESPONSE_STREAM",
        "_*",
    ];
    capability
}

/// Names and values of all environment variables, in bytes. Source: [`QUOTAS`].
pub(super) const LARGEST_ENVIRONMENT: usize = 4_096;
/// The largest archive that is sent with a call; a larger one goes through a bucket. In bytes. Source: [`QUOTAS`].
pub(super) const LARGEST_DIRECT: u64 = 50 * 1024 * 1024;
