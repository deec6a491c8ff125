//! The clients, and what their errors mean.

use super::NAME;
use crate::{Error, Identity, Result};
use aws_config::SdkConfig;
use aws_sdk_lambda::{
    config::{
        ProvideCredentials as _,
        http::HttpResponse,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction, RetryConfig},
    },
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// One client for each service.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    config: SdkConfig,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) iam: aws_sdk_iam::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    pub(super) events: aws_sdk_eventbridge::Client,
    pub(super) scheduler: aws_sdk_scheduler::Client,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) secrets: aws_sdk_secretsmanager::Client,
    pub(super) sns: aws_sdk_sns::Client,
    pub(super) sts: aws_sdk_sts::Client,
}

/// Whoever answers 429 is asked again, whatever else is in the answer: the SDK looks at codes only, and does not know all of them,
/// such as SNS's `Throttled`.
#[derive(Debug)]
struct Busy;

impl ClassifyRetry for Busy {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "status 429"
    }
}

/// How long it may take to find out whether there are credentials, and whose.
const CREDENTIALS: Duration = Duration::from_secs(2);

/// Where the SDK looks, in its order.
const SOURCES: &str = "tried the environment (`AWS_ACCESS_KEY_ID`), the profile (`AWS_PROFILE`, `~/.aws/credentials` and `~/.aws/config`), web \
     identity (`AWS_WEB_IDENTITY_TOKEN_FILE`), the container's and the instance's own; set one of these, and try `aws sts \
     get-caller-identity`";

impl Clients {
    pub(super) fn new(config: SdkConfig, has_own_endpoint: bool) -> Self {
        /// What every client has beside the configuration.
        macro_rules! client {
            ($service:ident) => {{
                let builder = $service::config::Builder::from(&config).retry_classifier(Busy);
                $service::Client::from_conf(builder.build())
            }};
        }
        // Buckets have names below the endpoint's only at AWS itself.
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(has_own_endpoint);
        Self {
            lambda: client!(aws_sdk_lambda),
            iam: client!(aws_sdk_iam),
            logs: client!(aws_sdk_cloudwatchlogs),
            events: client!(aws_sdk_eventbridge),
            scheduler: client!(aws_sdk_scheduler),
            s3: aws_sdk_s3::Client::from_conf(s3.retry_classifier(Busy).build()),
            secrets: client!(aws_sdk_secretsmanager),
            sns: client!(aws_sdk_sns),
            sts: client!(aws_sdk_sts),
            config,
        }
    }

    /// Who is asking. Without credentials that is known before anything is sent.
    pub(super) async fn identity(&self, region: &str) -> Result<Identity> {
        let none = |source: Option<crate::Source>| Error::Credentials {
            provider: NAME,
            message: SOURCES.to_owned(),
            source,
        };
        let provider = self.config.credentials_provider().ok_or_else(|| none(None))?;
        let end = Instant::now() + CREDENTIALS;
        match timeout_at(end, provider.provide_credentials()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(none(Some(error.into()))),
            Err(late) => return Err(none(Some(late.into()))),
        }
        // Of a region that does not exist nobody answers: it is to be seen which was asked.
        let operation = format!("GetCallerIdentity in {region}");
        let answer = timeout_at(end, self.sts.get_caller_identity().send()).await;
        let answer = answer.map_err(|late| Error::Unreachable {
            provider: NAME,
            operation: operation.clone(),
            source: late.into(),
        })?;
        let answer = answer.map_err(|error| match failed(&operation, error) {
            Error::Credentials { provider, message, source } => {
                Error::Credentials { provider, message: format!("{message}; {SOURCES}"), source }
            }
            other => other,
        })?;
        let account = answer.account().ok_or_else(|| Error::Unexpected {
            provider: NAME,
            operation,
            message: "it names no account".to_owned(),
        })?;
        let mut identity = Identity::new(account, region);
        identity.principal = answer.arn().map(str::to_owned);
        Ok(identity)
    }
}

/// Codes that say who is asking is not let in: signatures, tokens, keys (docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html).
const CREDENTIAL_CODES: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes after which the same call may succeed.
const TRANSIENT_CODES: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "InternalError",
    "InternalException",
    "InternalServerException",
    "OperationAbortedException",
    "RequestTimeout",
    "ResourceConflictException",
    "ResourceInUseException",
    "ServiceException",
    "ServiceUnavailable",
    "SlowDown",
    "Throttled",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// What a failed call means.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(super) fn failed<E>(operation: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if let Some(service) = error.as_service_error() {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        // Some say no more than the status, as to a HEAD.
        let code = service.code().map_or_else(|| status.to_string(), str::to_owned);
        let message = service.message().unwrap_or("it does not say why").trim_end_matches('.');
        if CREDENTIAL_CODES.contains(&code.as_str()) {
            return Error::Credentials {
                provider: NAME,
                message: format!("{operation}: {message} ({code})"),
                source: None,
            };
        }
        let is_transient =
            TRANSIENT_CODES.contains(&code.as_str()) || status == 429 || status >= 500;
        let (operation, message) = (operation.to_owned(), message.to_owned());
        return Error::Refused { provider: NAME, operation, code, message, is_transient };
    }
    let text = DisplayErrorContext(&error).to_string();
    let is_credentials =
        text.contains("CredentialsNotLoaded") || text.contains("no providers in chain");
    if is_credentials {
        let source = Some(text.into());
        return Error::Credentials { provider: NAME, message: SOURCES.to_owned(), source };
    }
    Error::Unreachable { provider: NAME, operation: operation.to_owned(), source: text.into() }
}

/// Whether there is no such thing.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(
            "ResourceNotFoundException"
                | "NoSuchEntity"
                | "NoSuchBucket"
                | "NotFound"
                | "NotFoundException"
                | "ProvisionedConcurrencyConfigNotFoundException"
                | "404"
        )
    )
}

/// Whether it is there already: made by a call whose answer was lost, as a rule.
pub(super) fn is_there_already(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(
            "ResourceConflictException"
                | "EntityAlreadyExists"
                | "ResourceAlreadyExistsException"
                | "ConflictException"
                | "BucketAlreadyOwnedByYou"
        )
    )
}

/// Whether it has changed since its revision was read.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.code() == Some("PreconditionFailedException")
}

/// Somebody else changes it at the same time.
pub(super) fn stale(what: &str) -> Error {
    Error::Stale { differences: vec![format!("somebody else changed {what} in the meantime")] }
}

/// What there is, or nothing where there is no such thing.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gone, or never there.
pub(super) fn gone<T>(result: Result<T>) -> Result<()> {
    found(result).map(drop)
}

/// For calls that make something, and would make it twice: a try whose answer was lost may have made it already, so the SDK must not
/// try again by itself.
pub(super) fn once() -> aws_sdk_lambda::config::Builder {
    aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled())
}
