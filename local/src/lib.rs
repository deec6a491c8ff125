//! A small cloud on the loopback interface.
//!
//! It starts a function's program as a cloud would and speaks the cloud's own protocol with it: [`Lambda`] the
//! Runtime API and the function URL's events, [`CloudRun`] HTTP on `PORT`. [`parity`] sends both the
//! same samples and compares the answers. `cargo omnifn dev` stands on this crate; so may tests of your own.
//!
//! ```no_run
//! use omnifn_local::{Binary, Lambda, Options};
//!
//! # async fn example() -> omnifn_local::Result<()> {
//! let binary = Binary::new("target/debug/orders");
//! for function in binary.manifest().await?.functions {
//!     let lambda = Lambda::start(&binary, &function, Options::default())?;
//!     lambda.ready().await?;
//!     println!("{} is at {}", function.name, lambda.url());
//! }
//! # Ok(()) }
//! ```
//!
//! Everything listens on 127.0.0.1 only, and nothing here prints: what functions write goes to
//! [`Options::listener`]. Dropping a value ends its processes at once; `stop` ends them as the cloud does.

pub mod answer;
mod aws_api;
mod binary;
mod cloud;
mod cloud_run;
mod error;
mod front_door;
mod gcp_api;
mod http_v2;
mod identity;
mod lambda;
mod notice;
mod options;
pub mod parity;
mod process;
mod provider;
mod running;
pub mod runtime_api;
pub mod sample;
mod supervisor;
mod wire;

pub use answer::Answer;
pub use aws_api::{AwsApi, AwsApiOptions};
pub use binary::Binary;
pub use bytes::Bytes;
pub use cloud::{Endpoints, LocalCloud};
pub use cloud_run::CloudRun;
pub use error::{Error, Result};
pub use gcp_api::{GcpApi, GcpApiOptions};
pub use lambda::Lambda;
pub use notice::{Line, Listener, Notice, Stream, What};
pub use omnifn_core::{Manifest, ManifestFunction, Trigger};
pub use options::Options;
pub use provider::Provider;
pub use running::Running;
pub use sample::Sample;
