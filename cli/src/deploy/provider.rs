//! The one place where the clouds' own providers are made.

use super::test_cloud::TestCloud;
use crate::error::{Error, Result};
use omnifn_deploy::{Deployer, package::Provider};
use std::{env, path::PathBuf};

/// Where a cloud is, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) provider: Provider,
    pub(crate) region: Option<String>,
    pub(crate) project: Option<String>,
    /// Another address than the cloud's own.
    pub(crate) endpoint: Option<String>,
    /// It is the cloud on this machine.
    pub(crate) is_local: bool,
    /// Where that keeps its files.
    pub(crate) target_directory: PathBuf,
}

/// For tests of this program alone: a folder that stands in for the clouds.
const TEST_CLOUD: &str = "OMNIFN_TEST_MEMORY";

/// What speaks with the cloud at `location`.
#[expect(
    clippy::unused_async,
    reason = "the clouds' own are made by asking the environment for credentials"
)]
pub(crate) async fn deployer(location: &Location) -> Result<Deployer> {
    if let Some(folder) = env::var_os(TEST_CLOUD) {
        return Ok(Deployer::new(TestCloud::new(location, folder.into())));
    }
    let Location { provider, region, project, endpoint, is_local, target_directory } = location;
    let place = match (is_local, endpoint, region, project) {
        (true, ..) => format!("the local cloud below {}", target_directory.display()),
        (_, Some(endpoint), ..) => endpoint.clone(),
        (_, _, region, project) => {
            [region, project].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ")
        }
    };
    Err(Error::failed(format!("this build of cargo-omnifn cannot deploy to {provider} ({place})"))
        .help("build it with the providers of omnifn-deploy"))
}
