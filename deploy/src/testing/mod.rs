//! What tests of a provider need: conformance functions that every provider passes, and archives to deploy.
//!
//! A provider outside this crate runs the same ones:
//!
//! ```no_run
//! use omnifn_deploy::{memory::InMemory, testing};
//! # async fn example() {
//! let deployment = testing::deployment(omnifn_deploy::package::Provider::Aws, "orders");
//! testing::conformance(|| InMemory::default(), &deployment).await;
//! # }
//! ```

mod archive;
mod conformance;
mod converge;
mod proxy;
mod throttling;

pub use archive::{archive, archive_for, deployment};
pub use conformance::{chain, conformance};
pub use converge::{Run, converges};
pub use proxy::{Cut, Proxy, Sent};
