//! `cargo omnifn iam`: what whoever deploys must be allowed to do.

use super::{BuildOptions, Clouds, Reach, artifacts, interruptible, load, located};
use crate::{args::Format, config::Choice, error::Result, exit::Exit, shell::Shell};
use clap::{Args, Subcommand};
use omnifn_deploy::{Permission, package::Provider};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What must be allowed in the clouds
#[derive(Debug, Subcommand)]
pub(crate) enum Iam {
    Deployer(Deployer),
}

/// Show what a deploy must be allowed to do
///
/// For AWS as a policy document of IAM, for Google as the list of permissions of a role.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Deployer {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    build: BuildOptions,
}

const EXAMPLES: &str = "\
Example:
  cargo omnifn iam deployer --stage prod --provider aws --format json > policy.json";

pub(crate) fn run(command: &Iam, shell: &Shell) -> Result<Exit> {
    let Iam::Deployer(options) = command;
    let (project, configuration) = load(&options.choice, &options.functions)?;
    let deployments = artifacts::deployments(&project, &configuration, &options.build, shell)?;
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let mut needed: BTreeMap<Provider, Vec<Permission>> = BTreeMap::new();
        for (target, deployment) in &deployments {
            let permissions = clouds.deployer(target)?.permissions(deployment).await;
            let permissions = permissions.map_err(|error| located(error, target))?;
            needed.entry(target.provider).or_default().extend(permissions);
        }
        for permissions in needed.values_mut() {
            permissions.sort();
            permissions.dedup();
        }
        // A policy is a document by itself: where one cloud is asked for, it is all there is.
        let document = match needed.len() {
            1 => needed.iter().next().map(|(provider, all)| document(*provider, all)),
            _ => Some(
                needed
                    .iter()
                    .map(|(provider, all)| (provider.to_string(), document(*provider, all)))
                    .collect(),
            ),
        };
        let document = document.unwrap_or_default();
        Shell::print(&match shell.format() {
            Format::Text => format!("{document:#}\n"),
            _ => format!("{document}\n"),
        });
        Ok(Exit::Done)
    })
}

fn document(provider: Provider, permissions: &[Permission]) -> Value {
    if provider == Provider::Gcp {
        let mut names: Vec<&str> = permissions.iter().map(|one| one.action.as_str()).collect();
        names.dedup();
        return json!({ "title": "omnifn deployer", "includedPermissions": names });
    }
    let mut by_resource: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Permission { action, resource, .. } in permissions {
        by_resource.entry(resource).or_default().push(action);
    }
    let statements = by_resource.into_iter().map(
        |(resource, actions)| json!({ "Effect": "Allow", "Action": actions, "Resource": resource }),
    );
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}
