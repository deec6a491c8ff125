//! The rules for archives that were built already.

use super::{
    rules,
    target::{Finding, Findings},
};
use crate::config::Target;
use omnifn_deploy::package::{Inspection, Kind};
use std::path::{Path, PathBuf};

/// Where `build` and `deploy` put the archive.
pub(crate) fn path(target: &Target, target_directory: &Path) -> PathBuf {
    let folder = target_directory.join("omnifn").join(&target.known.binary);
    folder.join(target.provider.as_str()).join(kind(target).file_name())
}

/// The form of the archive that the target wants.
pub(crate) fn kind(target: &Target) -> Kind {
    use omnifn_deploy::{package::Provider, settings::GcpPath};
    match (target.provider, target.settings.gcp.path) {
        (Provider::Gcp, Some(GcpPath::Image)) => Kind::Image,
        (Provider::Gcp, Some(GcpPath::Functions)) => Kind::Functions,
        (Provider::Gcp, _) => Kind::Source,
        _ => Kind::Bootstrap,
    }
}

/// What is wrong with the target's archive, if there is one.
pub(super) fn check(target: &Target, path: &Path) -> Vec<Finding> {
    let mut findings = Findings { target, found: Vec::new() };
    if !path.is_file() {
        return findings.found;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match Inspection::of(path) {
        Err(error) => findings.add(
            rules::UNFIT,
            "",
            format!("`{name}` cannot be read: {error}"),
            "build it again: `cargo omnifn build`",
        ),
        Ok(inspection) => {
            let fits = inspection.fits.iter().filter(|fit| fit.provider == target.provider);
            let problems: Vec<_> = fits.map(|fit| fit.problem.clone()).collect();
            // One image that takes it is enough.
            if let (Some(Some(problem)), true) =
                (problems.first(), problems.iter().all(Option::is_some))
            {
                let rule = if problem.contains("bytes") { rules::TOO_LARGE } else { rules::UNFIT };
                findings.add(
                    rule,
                    "",
                    format!("`{name}`: {problem}"),
                    "build it again: `cargo omnifn build --help` tells how",
                );
            }
            let wanted = super::target::architecture(target);
            if let Some(found) = inspection.architecture.filter(|found| *found != wanted) {
                findings.add(
                    rules::UNFIT,
                    "architecture",
                    format!("`{name}` is for {found}, but {wanted} is wanted"),
                    &format!("build it again: `cargo omnifn build --arch {wanted}`"),
                );
            }
        }
    }
    findings.found
}
