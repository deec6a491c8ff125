use crate::{Base, Error, Result, base};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A cloud that an archive is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Provider {
    /// AWS Lambda.
    Aws,
    /// Google Cloud Run functions.
    Gcp,
}

impl Provider {
    /// Every one of them.
    pub const ALL: &[Self] = &[Self::Aws, Self::Gcp];

    /// `aws` or `gcp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|provider| provider.as_str() == text)
            .ok_or_else(|| format!("no provider is called `{text}`: choose `aws` or `gcp`"))
    }
}

/// What a processor understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Architecture {
    /// Intel's and AMD's.
    #[serde(rename = "x86_64")]
    X86_64,
    /// Graviton; `aarch64` in the names of Rust's targets.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// Every one of them.
    pub const ALL: &[Self] = &[Self::X86_64, Self::Arm64];

    /// `x86_64` or `arm64`, as AWS writes them.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// The target of rustc that fits the clouds' systems: `x86_64-unknown-linux-gnu`.
    pub const fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// `amd64` or `arm64`, as OCI images have it.
    pub(crate) const fn as_oci(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|architecture| architecture.as_str() == text).ok_or_else(
            || format!("no architecture is called `{text}`: choose `x86_64` or `arm64`"),
        )
    }
}

/// The form of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// AWS: a zip whose `bootstrap` Lambda starts.
    Bootstrap,
    /// Google: a tar.gz that Cloud Run unpacks on its os-only image, without a build.
    Source,
    /// Google: a zip for the Cloud Functions API, which builds a small Go program that becomes ours.
    Functions,
    /// Google, or any registry: an OCI image of one layer, as the tar file of its layout.
    Image,
}

impl Kind {
    /// Its name: `bootstrap`, `source`, `functions` or `image`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Source => "source",
            Self::Functions => "functions",
            Self::Image => "image",
        }
    }

    /// The name of its file: `bootstrap.zip`, `source.tar.gz`, `functions.zip` or `image.tar`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap.zip",
            Self::Source => "source.tar.gz",
            Self::Functions => "functions.zip",
            Self::Image => "image.tar",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where an archive is to run: a cloud, a processor, the form of the archive, and the image below it.
///
/// ```
/// use omnifn_package::{Architecture, Kind, Target};
/// let lambda = Target::aws(Architecture::Arm64);
/// assert_eq!((lambda.kind(), lambda.base().name), (Kind::Bootstrap, "provided.al2023"));
/// let cloud_run = Target::gcp(Kind::Source)?;
/// assert_eq!((cloud_run.kind(), cloud_run.base().name), (Kind::Source, "osonly24"));
/// # Ok::<(), omnifn_package::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    provider: Provider,
    architecture: Architecture,
    kind: Kind,
    base: &'static Base,
}

impl Target {
    /// AWS Lambda on its image `provided.al2023`.
    pub fn aws(architecture: Architecture) -> Self {
        Self {
            provider: Provider::Aws,
            architecture,
            kind: Kind::Bootstrap,
            base: &base::PROVIDED_AL2023,
        }
    }

    /// Google, which runs `x86_64` only.
    ///
    /// # Errors
    /// When `kind` is that of another cloud.
    pub fn gcp(kind: Kind) -> Result<Self> {
        Self::new(Provider::Gcp, Architecture::X86_64, Some(kind))
    }

    /// Any of them; without a `kind` the cloud's usual one.
    ///
    /// # Errors
    /// When the cloud has no such processors, or does not take archives of this kind.
    pub fn new(provider: Provider, architecture: Architecture, kind: Option<Kind>) -> Result<Self> {
        match (provider, architecture, kind) {
            (Provider::Aws, _, None | Some(Kind::Bootstrap)) => Ok(Self::aws(architecture)),
            (Provider::Gcp, Architecture::Arm64, _) => Err(Error::Architecture { provider }),
            (Provider::Aws, _, Some(kind)) | (Provider::Gcp, _, Some(kind @ Kind::Bootstrap)) => {
                Err(Error::Kind { provider, kind })
            }
            (Provider::Gcp, Architecture::X86_64, kind) => {
                let kind = kind.unwrap_or(Kind::Source);
                let base = match kind {
                    Kind::Functions => &base::GOOGLE_22,
                    _ => &base::OSONLY24,
                };
                Ok(Self { provider, architecture, kind, base })
            }
        }
    }

    /// The same on another image, such as [`base::PROVIDED_AL2`].
    #[must_use]
    pub fn on(self, base: &'static Base) -> Self {
        Self { base, ..self }
    }

    /// The cloud.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The processor.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The form of the archive.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The image below the function.
    pub fn base(&self) -> &'static Base {
        self.base
    }
}

/// `aws/x86_64`, or `gcp/x86_64/image` where the kind is not the usual one.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.architecture)?;
        match self.kind {
            Kind::Bootstrap | Kind::Source => Ok(()),
            kind => write!(f, "/{kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Architecture, Kind, Provider, Target};

    #[track_caller]
    fn check(provider: Provider, architecture: Architecture, kind: Option<Kind>, expected: &str) {
        let shown = match Target::new(provider, architecture, kind) {
            Ok(target) => target.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_target_is_what_its_cloud_can_run() {
        use {Architecture::*, Provider::*};
        check(Aws, Arm64, None, "aws/arm64");
        check(Gcp, X86_64, None, "gcp/x86_64");
        check(Gcp, X86_64, Some(Kind::Image), "gcp/x86_64/image");
        check(
            Gcp,
            Arm64,
            None,
            "gcp runs x86_64 only, but arm64 is wanted: build for arm64 with `aws` alone",
        );
        check(
            Aws,
            X86_64,
            Some(Kind::Image),
            "aws takes no archive of the kind `image`: leave the kind out",
        );
        check(
            Gcp,
            X86_64,
            Some(Kind::Bootstrap),
            "gcp takes no archive of the kind `bootstrap`: leave the kind out",
        );
    }
}
