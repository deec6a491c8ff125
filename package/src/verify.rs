//! Whether a program starts on the image that it is for.

use crate::{Architecture, Error, Executable, Result, Target, Warning};
use std::path::Path;

impl Executable {
    /// Checks that this program, read from `path`, starts on the image of `target`.
    ///
    /// # Errors
    /// When its processor, its loader or its glibc is another one. The message says what to do.
    pub(crate) fn verify(&self, target: &Target, path: &Path) -> Result<Vec<Warning>> {
        let base = target.base();
        if self.architecture != target.architecture() {
            return Err(Error::WrongArchitecture {
                path: path.to_owned(),
                found: self.architecture,
                wanted: target.architecture(),
            });
        }
        let expected = expected_loader(self.architecture);
        if let Some(loader) = self.loader.as_ref().filter(|loader| *loader != expected) {
            return Err(Error::Loader {
                path: path.to_owned(),
                loader: loader.clone(),
                base: base.name,
                triple: self.architecture.triple(),
            });
        }
        if let Some(glibc) = self.glibc.as_ref().filter(|glibc| glibc.version > base.glibc) {
            return Err(Error::Glibc {
                path: path.to_owned(),
                symbol: glibc.symbol.clone(),
                needed: glibc.version,
                available: base.glibc,
                base: base.name,
                triple: self.architecture.triple(),
            });
        }
        let mut warnings = Vec::new();
        for library in self.libraries.iter().filter(|library| !base.has(library)) {
            warnings.push(Warning::Library { library: library.clone(), base: base.name });
        }
        Ok(warnings)
    }
}

/// Where the images have glibc's.
fn expected_loader(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "/lib64/ld-linux-x86-64.so.2",
        Architecture::Arm64 => "/lib/ld-linux-aarch64.so.1",
    }
}
