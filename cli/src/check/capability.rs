//! What each cloud can do, as far as it is known without asking it.

use omnifn_deploy::{
    Capability, Measure,
    package::{Architecture, Provider},
};

/// The cloud's limits and reserved names.
pub(crate) fn of(provider: Provider) -> Capability {
    let mut capability = Capability::new(provider);
    if provider == Provider::Gcp {
        capability = capability
            .limit(Measure::Memory, 128..=32_768, "Cloud Run's documentation; known")
            .limit(Measure::Timeout, 1..=3_600, "Google's quota page for functions, read 2026-11");
        capability.architectures = vec![Architecture::X86_64];
        // `K_*` comes from Knative's runtime contract, the rest from Cloud Run's.
        capability.reserved_names =
            vec!["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "X_GOOGLE_*"];
    } else {
        capability = capability
            .limit(
                Measure::Memory,
                128..=10_240,
                "AWS Lambda Developer Guide, \"Lambda quotas\", read 2026-11",
            )
            .limit(
                Measure::Timeout,
                1..=900,
                "AWS Lambda Developer Guide, \"Lambda quotas\", read 2026-11",
            )
            .limit(
                Measure::Environment,
                0..=4_096,
                "AWS Lambda Developer Guide, \"Lambda quotas\", read 2026-11",
            );
        capability.reserved_names = vec![
            "AWS_LAMBDA_*",
            "_HANDLER",
            "_X_AMZN_TRACE_ID",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_EXECUTION_ENV",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "LAMBDA_TASK_ROOT",
            "LAMBDA_RUNTIME_DIR",
        ];
    }
    capability
}
