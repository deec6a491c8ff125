//! How large archives may be.

use crate::{Kind, Provider};
use serde::Serialize;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Measure {
    /// The archive as it is uploaded.
    Archive,
    /// All files in it.
    Unpacked,
}

impl Measure {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Unpacked => "unpacked archive",
        }
    }
}

/// What happens above a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Above {
    /// The cloud takes it only by another way.
    Detour,
    /// The cloud refuses it.
    Refused,
}

/// A cloud's limit of size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// Whose it is.
    pub provider: Provider,
    /// For archives of which kind.
    pub kind: Kind,
    /// What it measures.
    pub measure: Measure,
    /// The largest size, in bytes.
    pub bytes: u64,
    /// What happens above it.
    pub above: Above,
    /// What to do above it.
    pub remedy: &'static str,
    /// Where it is written, and when that was read.
    pub source: &'static str,
}

const MIB: u64 = 1024 * 1024;

/// All that are known. Images have none (Google's quotas for Cloud Run, as of 2026-11).
pub const LIMITS: &[Limit] = &[
    Limit {
        provider: Provider::Aws,
        kind: Kind::Bootstrap,
        measure: Measure::Archive,
        bytes: 50 * MIB,
        above: Above::Detour,
        remedy: "upload it through S3",
        source: "AWS Lambda Developer Guide, Lambda quotas, as of 2026-11",
    },
    Limit {
        provider: Provider::Aws,
        kind: Kind::Bootstrap,
        measure: Measure::Unpacked,
        bytes: 250 * MIB,
        above: Above::Refused,
        remedy: "strip the binary, or include less",
        source: "AWS Lambda Developer Guide, Lambda quotas, as of 2026-11",
    },
    Limit {
        provider: Provider::Gcp,
        kind: Kind::Source,
        measure: Measure::Archive,
        bytes: 250 * MIB,
        above: Above::Refused,
        remedy: "strip the binary, include less, or use the kind `image`",
        source: "Cloud Run Admin API v2 discovery document, uploadSource maxSize 262144000; 2026-10-31",
    },
    Limit {
        provider: Provider::Gcp,
        kind: Kind::Functions,
        measure: Measure::Unpacked,
        bytes: 512 * MIB,
        above: Above::Detour,
        remedy: "strip the binary, include less, or use the kind `image`",
        source: "gcloud 578.0.0 warns above it; Google's quotas of functions name none for the 2nd generation; 2026-07-28",
    },
];

/// Those of one kind of archive.
///
/// ```
/// use omnifn_package::{Kind, limits};
/// assert_eq!(limits::of(Kind::Bootstrap).map(|limit| limit.bytes).max(), Some(262_144_000));
/// ```
pub fn of(kind: Kind) -> impl Iterator<Item = &'static Limit> {
    LIMITS.iter().filter(move |limit| limit.kind == kind)
}
