//! Functions to the clouds: what is wanted and what is there, the plan between them, and the plan applied step by step.
//!
//! ```text
//! Deployment (wanted) -> Vec<Resource> -+
//!                                       +-> plan (pure) -> Plan -> apply, step by step (each safe to repeat)
//! Provider::read      -> Vec<Found>    -+
//! ```
//!
//! There is no state file: what is deployed is read from the provider, and belongs to us by its tags and labels or by its
//! name. The dry run is the plan itself; a second deploy plans nothing; one that was killed goes on from where it was.
//!
//! ```
//! use omnifn_deploy::{Deployer, Deployment, Scope, Settings, Silent, memory::InMemory, package};
//!
//! # async fn example(artifact: package::Artifact) -> omnifn_deploy::Result<()> {
//! let mut settings = Settings::default();
//! settings.env.insert("RUST_LOG".into(), "info".into());
//! let deployment = Deployment::new(Scope::new("shop", "prod", "orders")?, settings, artifact)?;
//!
//! let deployer = Deployer::new(InMemory::default());
//! let (plan, _) = deployer.deploy(&deployment, &Silent).await?;
//! println!("{} steps", plan.steps.len());
//! assert!(deployer.plan(&deployment).await?.is_empty());
//! # Ok(()) }
//! ```
//!
//! Libraries never print: what goes on is told to a [`Progress`]. Values of environment variables stand in no plan that is
//! written down, no `Debug` and no error; secrets are references to the provider's own store.
//!
//! Who should depend on this: programs that deploy, as `omnifn = { features = ["deploy"] }`. Functions themselves need
//! `omnifn` alone.

#[cfg(feature = "aws")]
pub mod aws;
mod capability;
pub mod cron;
mod deployer;
mod deployment;
mod diff;
mod digest;
mod error;
#[cfg(feature = "gcp")]
pub mod gcp;
mod invocation;
mod logs;
pub mod memory;
mod outputs;
mod plan;
mod progress;
mod provider;
mod release;
mod resource;
pub mod retry;
mod scope;
pub mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod unit;

pub use capability::{Capability, Limit, Measure};
pub use deployer::{Deployer, RELEASE, TRAFFIC, URL};
pub use deployment::{Code, Deployment, Rollout};
pub use diff::{Change, diff};
pub use error::{Error, Result, Source};
pub use invocation::{Invocation, Invoked};
pub use logs::{LogLine, LogPage, LogQuery};
pub use omnifn_package as package;
pub use outputs::{Known, Outputs, has_reference, reference};
pub use plan::{Action, Plan, Reviewed, ReviewedStep, Step, is_known_later, plan};
pub use progress::{Event, Progress, Silent};
pub use provider::{ApplyContext, Identity, Permission, Provider};
pub use release::{Release, Share};
pub use resource::{
    Found, MASKED, Owner, Properties, Resource, ResourceId, is_masked, masked, properties_of,
};
pub use scope::{APP, FUNCTION, STAGE, Scope};
pub use settings::Settings;
pub use unit::{Memory, Period};
