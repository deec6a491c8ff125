//! The images that functions run on: what their C library is, and what else programs find there.

use crate::{Kind, Provider, elf::GlibcVersion};
use serde::{Serialize, Serializer};

/// An image of a cloud's below the function.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Base {
    /// As the cloud calls it.
    pub name: &'static str,
    /// Whose it is.
    pub provider: Provider,
    /// The archives that run on it.
    pub kinds: &'static [Kind],
    /// The version of its C library: programs that need a later one do not start.
    pub glibc: GlibcVersion,
    /// Shared libraries that it is known to have, beside those of [`GLIBC_LIBRARIES`].
    pub libraries: &'static [&'static str],
    /// Where this comes from.
    pub source: &'static str,
}

/// What belongs to glibc, so that every image has it.
pub const GLIBC_LIBRARIES: &[&str] = &[
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
];

/// AWS Lambda on Amazon Linux 2023.
pub static PROVIDED_AL2023: Base = Base {
    name: "provided.al2023",
    provider: Provider::Aws,
    kinds: &[Kind::Bootstrap],
    glibc: GlibcVersion::new(2, 34),
    libraries: &["libgcc_s.so.1"],
    source: "Amazon Linux 2023 has glibc 2.34 and libgcc; generally known, not verified on the image",
};

/// AWS Lambda on Amazon Linux 2.
pub static PROVIDED_AL2: Base = Base {
    name: "provided.al2",
    provider: Provider::Aws,
    kinds: &[Kind::Bootstrap],
    glibc: GlibcVersion::new(2, 26),
    libraries: &["libgcc_s.so.1"],
    source: "Amazon Linux 2 has glibc 2.26 and libgcc; generally known, not verified on the image",
};

/// Google Cloud Run's os-only image: Ubuntu 24.04.
pub static OSONLY24: Base = Base {
    name: "osonly24",
    provider: Provider::Gcp,
    kinds: &[Kind::Source, Kind::Image],
    glibc: GlibcVersion::new(2, 39),
    libraries: &[
        "libcrypto.so.3",
        "libcurl.so.4",
        "libgcc_s.so.1",
        "libssl.so.3",
        "libstdc++.so.6",
        "libz.so.1",
    ],
    source: "GoogleCloudPlatform/buildpacks stacks/google_24/run.Dockerfile and run-packages.txt, 2026-08",
};

/// What the Cloud Functions API runs Go on: Ubuntu 22.04 or later. Which one is not documented for each runtime, so the
/// older one decides.
pub static GOOGLE_22: Base = Base {
    name: "google-22",
    provider: Provider::Gcp,
    kinds: &[Kind::Functions],
    glibc: GlibcVersion::new(2, 35),
    libraries: &["libcrypto.so.3", "libgcc_s.so.1", "libssl.so.3", "libstdc++.so.6", "libz.so.1"],
    source: "Ubuntu 22.04 has glibc 2.35; that no Go runtime of the API stands on an older one is not verified",
};

/// All of them.
pub static BASES: &[&Base] = &[&PROVIDED_AL2023, &PROVIDED_AL2, &OSONLY24, &GOOGLE_22];

impl Base {
    /// Whether a program finds the library `name` there. Of what is not listed this is not known.
    pub fn has(&self, name: &str) -> bool {
        GLIBC_LIBRARIES.contains(&name) || self.libraries.contains(&name)
    }
}

/// Its name.
impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}
