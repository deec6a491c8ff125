//! The one place where the clouds' own providers are made.

use super::test_cloud::TestCloud;
use crate::{
    error::{Error, Result},
    local,
    shell::Shell,
};
use omnifn_deploy::{
    Deployer,
    aws::Aws,
    gcp::{Gcp, GcpCredentials},
    package::Provider,
};
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
/// The local cloud has one region and one project of each; whatever is configured is not there.
const LOCAL_REGION: (&str, &str) = ("us-east-1", "us-central1");
const LOCAL_PROJECT: &str = "local";
/// It takes any key and any token.
const LOCAL_KEY: &str = "local";

/// What speaks with the cloud at `location`.
pub(crate) async fn deployer(location: &Location, shell: &Shell) -> Result<Deployer> {
    if let Some(folder) = env::var_os(TEST_CLOUD) {
        return Ok(Deployer::new(TestCloud::new(location, folder.into())));
    }
    let Location { provider, region, project, endpoint, is_local, target_directory } = location;
    let local = if *is_local && endpoint.is_none() {
        Some(local::find_or_start(&local::directory(target_directory), shell).await?)
    } else {
        None
    };
    match provider {
        Provider::Aws => {
            let endpoint = endpoint.clone().or_else(|| local.map(|local| local.aws));
            let mut builder = Aws::builder();
            if let Some(endpoint) = endpoint {
                builder = builder.endpoint(endpoint);
            }
            if *is_local {
                builder = builder.region(LOCAL_REGION.0).credentials(LOCAL_KEY, LOCAL_KEY);
            } else if let Some(region) = region {
                builder = builder.region(region);
            }
            Ok(Deployer::new(builder.build().await?))
        }
        Provider::Gcp => {
            let endpoint = endpoint.clone().or_else(|| local.map(|local| local.gcp));
            let mut builder = Gcp::builder();
            if let Some(endpoint) = endpoint {
                builder = builder.endpoint(endpoint);
            }
            if *is_local {
                let token = GcpCredentials::Token(LOCAL_KEY.to_owned());
                builder = builder.region(LOCAL_REGION.1).project(LOCAL_PROJECT).credentials(token);
            } else {
                builder = region.iter().fold(builder, omnifn_deploy::gcp::GcpBuilder::region);
                builder = project.iter().fold(builder, omnifn_deploy::gcp::GcpBuilder::project);
            }
            Ok(Deployer::new(builder.build()?))
        }
        other => Err(Error::failed(format!("this build of cargo-omnifn cannot deploy to {other}"))),
    }
}
