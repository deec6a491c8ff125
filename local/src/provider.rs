use omnifn_core::{
    Result, Trigger,
    testing::{AnyInverse, Loss, Sample},
};
use omnifn_runtime_aws::{AwsCodec, PartialBatch};
use omnifn_runtime_gcp::GcpCodec;
use std::{fmt, str::FromStr};

/// A cloud whose manners a function can be run with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// AWS Lambda.
    Aws,
    /// Google Cloud Run functions.
    Gcp,
}

impl Provider {
    /// Every provider, in the order in which answers are shown.
    pub const ALL: [Self; 2] = [Self::Aws, Self::Gcp];

    /// The name on the command line: `aws`, `gcp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }

    /// The envelopes in which it sends events of this trigger, the usual one first; empty if it has no such events.
    ///
    /// ```
    /// use omnifn_local::{Provider, Trigger};
    ///
    /// assert_eq!(Provider::Aws.envelopes(Trigger::Http)[0], "function-url");
    /// ```
    pub fn envelopes(self, trigger: Trigger) -> &'static [&'static str] {
        self.inverse().envelopes(trigger)
    }

    /// What it sends for an event in one of its envelopes: on AWS the messages of the Runtime API, whose body is the event, on
    /// Google HTTP requests.
    ///
    /// # Errors
    /// When the envelope is none of these, or cannot carry the event.
    pub fn wrap(self, event: &Sample, envelope: &str) -> Result<Vec<http::Request<bytes::Bytes>>> {
        self.inverse().wrap(event, envelope)
    }

    /// What of an event does not arrive in that envelope.
    ///
    /// # Errors
    /// When the envelope cannot carry it at all.
    pub fn losses(self, event: &Sample, envelope: &str) -> Result<Vec<Loss>> {
        self.inverse().losses(event, envelope)
    }

    /// Whether a batch that fails in part is delivered again as a whole in that envelope.
    ///
    /// # Errors
    /// When the envelope cannot carry the event.
    pub fn fails_whole(self, event: &Sample, envelope: &str) -> Result<bool> {
        self.inverse().fails_whole(event, envelope)
    }

    fn inverse(self) -> Box<dyn AnyInverse> {
        match self {
            Self::Aws => Box::new(aws_codec()),
            Self::Gcp => Box::new(GcpCodec),
        }
    }
}

/// As functions here run: every queue has `ReportBatchItemFailures`.
pub(crate) fn aws_codec() -> AwsCodec {
    AwsCodec::new(PartialBatch::Always)
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or_else(|| format!("no provider is called `{name}`: there are aws and gcp"))
    }
}
