//! From a function crate to the archive that a cloud takes: built, verified, and byte for byte the same each time.
//!
//! ```no_run
//! use omnifn_package::{Architecture, Build, Cargo, Kind, Project, Target};
//!
//! let project = Project::load(&Cargo::new(), None)?;
//! let mut build = Build::new(&project);
//! build.package("orders")?.target(Target::aws(Architecture::X86_64)).target(Target::gcp(Kind::Source)?);
//! for artifact in build.run(&mut |_progress| {})? {
//!     let path = artifact.write_to("dist".as_ref())?;
//!     println!("{} sha256:{}", path.display(), artifact.sha256);
//! }
//! # Ok::<(), omnifn_package::Error>(())
//! ```
//!
//! | kind | archive | who takes it |
//! |---|---|---|
//! | [`Bootstrap`](Kind::Bootstrap) | zip with `bootstrap` | AWS Lambda, `provided.al2023` |
//! | [`Source`](Kind::Source) | tar.gz with `bootstrap` | Cloud Run, direct source on `osonly24` |
//! | [`Functions`](Kind::Functions) | zip with `bootstrap` and a Go program that becomes it | Cloud Functions API |
//! | [`Image`](Kind::Image) | OCI image of one layer | any registry; Cloud Run |
//!
//! # The same bytes
//!
//! An archive depends on the names, the bytes and the executable bit of its files, and on nothing else: not on time, user,
//! umask or the order of a directory. The program in it depends on its sources, `Cargo.lock`, the toolchain and the flags: source
//! paths are remapped (see [`Build`]). What stays outside: paths that `env!`, a build script or C code writes into the program, which a
//! [`Warning`] tells, and other versions of rustc, of the linker or of this crate.
//!
//! # What is verified
//!
//! That the program is one for Linux and for the wanted processor, that its loader and its glibc are there on the
//! [image](base) it is for, that nothing is larger than the cloud's [limits], and that what is included is there, inside the
//! package and a file. Libraries and functions never print: what goes on is told by [`Progress`].
//!
//! Who should depend on this: a program that builds or deploys functions. Functions themselves need `omnifn` alone.

mod archive;
mod artifact;
pub mod base;
mod build;
mod cache;
mod cancel;
mod cargo;
mod compiler;
mod digest;
mod elf;
mod error;
mod execute;
mod flags;
mod include;
mod inspect;
pub mod limits;
mod manifest;
mod profile;
mod progress;
mod project;
mod target;
mod tree;
mod unpack;
mod verify;

pub use archive::{Blob, File, Image};
pub use artifact::{Artifact, Program, Warning};
pub use base::Base;
pub use build::Build;
pub use cancel::Cancel;
pub use cargo::Cargo;
pub use compiler::Compiler;
pub use elf::{Executable, Glibc, GlibcVersion, Unfit};
pub use error::{Error, Result};
pub use inspect::{Fit, Inspection};
pub use limits::Limit;
pub use progress::Progress;
pub use project::Project;
pub use target::{Architecture, Kind, Provider, Target};
pub use tree::Tree;

/// The function that a deployment of [`Kind::Functions`] names as its `entryPoint`.
pub const ENTRY_POINT: &str = archive::ENTRY_POINT;
