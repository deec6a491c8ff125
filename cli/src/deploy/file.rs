//! Plans that are written down, reviewed, and applied just so.

use crate::{
    config::{Configuration, Release},
    error::{Error, Result},
};
use omnifn_deploy::{Plan, Reviewed};
use serde::{Deserialize, Serialize};
use std::{fs, io::Read as _, path::Path};

/// More than any plan has.
const LARGEST_PLAN: u64 = 64 * 1024 * 1024;

/// What `plan --out` writes and `deploy --plan` reads.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlanFile {
    /// The version of this format: 1.
    pub(crate) version: u32,
    pub(crate) app: String,
    pub(crate) stage: String,
    /// Whether there is anything to do.
    pub(crate) changes: bool,
    /// How new releases get traffic.
    #[serde(default)]
    pub(crate) release: Release,
    /// One for each function on each cloud.
    pub(crate) plans: Vec<Reviewed>,
}

impl PlanFile {
    pub(crate) fn new(configuration: &Configuration, release: &Release, plans: &[Plan]) -> Self {
        Self {
            version: 1,
            app: configuration.app.clone(),
            stage: configuration.stage.clone(),
            changes: plans.iter().any(|plan| !plan.is_empty()),
            release: release.clone(),
            plans: plans.iter().map(Plan::reviewed).collect(),
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut text = String::new();
        let read =
            fs::File::open(path).and_then(|file| file.take(LARGEST_PLAN).read_to_string(&mut text));
        read.map_err(|error| {
            Error::usage(format!("the plan `{shown}` cannot be read"))
                .caused_by(&error)
                .help("make one: `cargo omnifn plan --out FILE`")
        })?;
        let file: Self = serde_json::from_str(&text).map_err(|error| {
            Error::usage(format!("`{shown}` is no plan"))
                .caused_by(&error)
                .help("make one: `cargo omnifn plan --out FILE`")
        })?;
        if file.version != 1 {
            let version = file.version;
            return Err(Error::usage(format!(
                "`{shown}` is a plan of version {version}, but this program knows version 1"
            ))
            .help("make a new one with this program"));
        }
        Ok(file)
    }

    /// All of it or nothing.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
        written.map_err(|error| {
            Error::failed(format!("the plan cannot be written to `{}`", path.display()))
                .caused_by(&error)
        })
    }

    /// Whether `plans`, made now, are what was reviewed.
    pub(crate) fn check(&self, release: &Release, plans: &[Plan]) -> Result<()> {
        let mut differences = Vec::new();
        if self.release != *release {
            let (reviewed, now) = (self.release.describe(), release.describe());
            differences.push(format!("new releases get {now}, but {reviewed} was reviewed"));
        }
        let is_of = |reviewed: &Reviewed, plan: &Plan| {
            reviewed.provider == plan.provider && reviewed.scope == plan.scope
        };
        for plan in plans {
            let label = format!("{} ({})", plan.scope.function, plan.provider);
            match self.plans.iter().find(|reviewed| is_of(reviewed, plan)) {
                None => differences.push(format!("{label} is not in it")),
                Some(reviewed) => match plan.check(reviewed) {
                    Err(omnifn_deploy::Error::Stale { differences: stale }) => {
                        differences.extend(stale.iter().map(|stale| format!("{label}: {stale}")));
                    }
                    Err(error) => differences.push(format!("{label}: {error}")),
                    Ok(()) => {}
                },
            }
        }
        for reviewed in &self.plans {
            if !plans.iter().any(|plan| is_of(reviewed, plan)) {
                let label = format!("{} ({})", reviewed.scope.function, reviewed.provider);
                differences.push(format!("{label} is in it, but is not to be deployed now"));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::failed("the plan does not fit any more")
            .details(differences)
            .help("make a new one with `cargo omnifn plan --out FILE`, and have it reviewed"))
    }
}
