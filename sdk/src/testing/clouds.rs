use super::Sample;
#[cfg(any(feature = "aws", feature = "gcp"))]
use crate::Platform as _;
use crate::{Bytes, Error, Result, Trigger, http::Request};
use omnifn_core::testing::AnyInverse;

/// The clouds of this build whose events can be made up: `aws` and `gcp`, with the features of these names.
pub const PROVIDERS: &[&str] = &[
    #[cfg(feature = "aws")]
    "aws",
    #[cfg(feature = "gcp")]
    "gcp",
];

/// What makes up a cloud's events, and what its functions see as their platform.
pub(super) struct Cloud {
    pub(super) platform: &'static str,
    pub(super) inverse: Box<dyn AnyInverse>,
}

pub(super) fn cloud(provider: &str) -> Result<Cloud> {
    match provider {
        #[cfg(feature = "aws")]
        "aws" => {
            use omnifn_runtime_aws::{AwsCodec, AwsLambda, PartialBatch};
            // As where `deploy` has made the event source mapping.
            let inverse = Box::new(AwsCodec::new(PartialBatch::Always));
            Ok(Cloud { platform: AwsLambda.name(), inverse })
        }
        #[cfg(feature = "gcp")]
        "gcp" => {
            use omnifn_runtime_gcp::{CloudRun, GcpCodec};
            Ok(Cloud { platform: CloudRun.name(), inverse: Box::new(GcpCodec) })
        }
        other => Err(Error::from(format!(
            "`{other}` is not a provider of this build; there are {}",
            PROVIDERS.join(", ")
        ))),
    }
}

/// The envelopes in which a provider sends events of this trigger, the usual one first; empty if it has none.
///
/// ```
/// # #[cfg(feature = "gcp")]
/// assert_eq!(omnifn::testing::envelopes("gcp", omnifn::Trigger::Http)?, ["http"]);
/// # omnifn::Result::<_>::Ok(())
/// ```
///
/// # Errors
/// When the provider is none of [`PROVIDERS`].
pub fn envelopes(provider: &str, trigger: Trigger) -> Result<&'static [&'static str]> {
    Ok(cloud(provider)?.inverse.envelopes(trigger))
}

/// A neutral event as a cloud sends it: a [`Sample`], and whatever builds one.
///
/// ```
/// # #[cfg(feature = "gcp")] {
/// use omnifn::testing::{self, AsSentBy as _};
///
/// let requests = testing::timer("nightly").as_sent_by("gcp")?;
/// assert_eq!(requests[0].headers()["x-cloudscheduler-jobname"], "nightly");
/// # }
/// # omnifn::Result::<_>::Ok(())
/// ```
pub trait AsSentBy: Clone + Into<Sample> {
    /// What the provider sends in its usual envelope: on AWS messages of the Runtime API, whose body is the event, on Google
    /// HTTP requests. One, or one for each item of a batch where the provider sends no batches.
    ///
    /// # Errors
    /// When the provider is none of [`PROVIDERS`], has no such events, or cannot carry this one.
    fn as_sent_by(&self, provider: &str) -> Result<Vec<Request<Bytes>>> {
        let (cloud, sample) = (cloud(provider)?, self.clone().into());
        let envelopes = cloud.inverse.envelopes(sample.trigger());
        let usual = envelopes.first().ok_or_else(|| {
            Error::from(format!("`{provider}` has no {} events", sample.trigger()))
        })?;
        cloud.inverse.wrap(&sample, usual)
    }

    /// As [`as_sent_by`](Self::as_sent_by), in one of the provider's [`envelopes`].
    ///
    /// # Errors
    /// As there, and when the provider has no such envelope.
    fn as_sent_by_in(&self, provider: &str, envelope: &str) -> Result<Vec<Request<Bytes>>> {
        cloud(provider)?.inverse.wrap(&self.clone().into(), envelope)
    }
}

impl<T: Clone + Into<Sample>> AsSentBy for T {}
