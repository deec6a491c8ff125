use omnifn_core::{Environment, Platform};

/// The clouds that this build can run on, in the order in which they are looked for.
pub static PLATFORMS: &[&dyn Platform] = &[
    #[cfg(feature = "aws")]
    &omnifn_runtime_aws::AwsLambda,
    #[cfg(feature = "gcp")]
    &omnifn_runtime_gcp::CloudRun,
];

/// The platform that the environment is of, if any.
///
/// ```
/// # #[cfg(feature = "aws")] {
/// let environment = omnifn::Environment::from_iter([("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")]);
/// let platform = omnifn::detect(&environment).expect("the variable says that it is Lambda");
/// assert_eq!(platform.name(), "aws_lambda");
/// # }
/// ```
pub fn detect(environment: &Environment) -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.detect(environment))
}

/// What serves a function outside a cloud: plain HTTP, as Cloud Run's.
pub(crate) fn local() -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.serves_locally())
}
