use crate::{Architecture, GlibcVersion, Kind, Provider, elf::Unfit};
use std::{io, path::PathBuf};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no archive. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The cloud has no such processors.
    #[error("{provider} runs x86_64 only, but arm64 is wanted: build for arm64 with `aws` alone")]
    Architecture {
        /// The cloud.
        provider: Provider,
    },
    /// The cloud does not take such archives.
    #[error("{provider} takes no archive of the kind `{kind}`: leave the kind out")]
    Kind {
        /// The cloud.
        provider: Provider,
        /// What was asked for.
        kind: Kind,
    },

    /// It was given up, as [`Cancel`](crate::Cancel) asked.
    #[error("the build was cancelled")]
    Cancelled,
    /// A program could not be started.
    #[error("`{program}` could not be started: {remedy}")]
    Start {
        /// Which.
        program: String,
        /// What to do.
        remedy: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Cargo cannot tell about the workspace.
    #[error("cargo cannot read the workspace: {message}")]
    Metadata {
        /// What it says.
        message: String,
    },
    /// Rustc cannot tell about itself.
    #[error("rustc cannot tell about itself: {message}")]
    Rustc {
        /// What it says.
        message: String,
    },
    /// The key of a package's metadata has the wrong form.
    #[error("`{key}` of package `{package}` is not understood: {message}")]
    Setting {
        /// The package.
        package: String,
        /// The key, from its manifest's root.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// The workspace has no package of this name.
    #[error("no package is called `{name}`: the workspace has {}", known.join(", "))]
    Package {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A package has no binary, or none of this name.
    #[error("package `{package}` has no binary called `{name}`: it has {}", list(known))]
    Binary {
        /// The package.
        package: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Two binaries of one name: cargo would write both to the same file.
    #[error(
        "two packages have a binary called `{name}`: build them one after the other, or rename one"
    )]
    SameName {
        /// The name.
        name: String,
    },
    /// Nothing was chosen.
    #[error("nothing is to be built: name a package, and a target")]
    Nothing,

    /// Nothing here builds for the target.
    #[error(
        "nothing here builds for `{triple}`: install cargo-zigbuild (`pip install cargo-zigbuild`) or cross \
         (`cargo install cross`), or build on such a machine"
    )]
    Compiler {
        /// The target.
        triple: String,
    },
    /// The wanted compiler is not there.
    #[error("`{program}` is not installed: {remedy}")]
    NoCompiler {
        /// Its program.
        program: &'static str,
        /// How to get it.
        remedy: &'static str,
    },
    /// The target's standard library is not there.
    #[error(
        "the standard library for `{triple}` is not installed: run `rustup target add {triple}`"
    )]
    StandardLibrary {
        /// The target.
        triple: String,
    },
    /// It does not compile.
    #[error("`{program}` failed for `{triple}`: what it said tells why")]
    Build {
        /// The compiler.
        program: String,
        /// The target.
        triple: String,
        /// The last lines of what it said, unless they went to the terminal.
        output: Vec<String>,
    },
    /// It compiles, but there is no program.
    #[error("cargo built no program `{binary}`: is it behind `required-features`?")]
    NotBuilt {
        /// What was to be built.
        binary: String,
    },

    /// A file that no cloud could start.
    #[error("`{}` cannot be a function: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: Unfit,
    },
    /// A program for another processor.
    #[error(
        "`{}` is built for {found}, but {wanted} is wanted: build for `{}`", path.display(), wanted.triple()
    )]
    WrongArchitecture {
        /// The file.
        path: PathBuf,
        /// Its processor.
        found: Architecture,
        /// The cloud's.
        wanted: Architecture,
    },
    /// A program that is loaded by something that the image does not have.
    #[error(
        "`{}` is loaded by `{loader}`, which `{base}` does not have: build for `{triple}`, or link it statically",
        path.display()
    )]
    Loader {
        /// The file.
        path: PathBuf,
        /// Its loader.
        loader: String,
        /// The cloud's image.
        base: &'static str,
        /// What to build for.
        triple: &'static str,
    },
    /// A program that needs a later glibc than there is.
    #[error(
        "`{}` needs glibc {needed} for the symbol `{symbol}`, but `{base}` has {available}: build with \
         cargo-zigbuild (it links for `{triple}.{available}`), for a musl target, with \
         `-C target-feature=+crt-static`, or on a system with glibc {available}",
        path.display()
    )]
    Glibc {
        /// The file.
        path: PathBuf,
        /// A symbol that asks for it.
        symbol: String,
        /// What it needs.
        needed: GlibcVersion,
        /// What there is.
        available: GlibcVersion,
        /// The cloud's image.
        base: &'static str,
        /// The target.
        triple: &'static str,
    },
    /// Larger than the cloud allows.
    #[error("the {what} has {size} bytes, but {provider} allows {limit}: {remedy}")]
    TooLarge {
        /// The archive or what is in it.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The largest.
        limit: u64,
        /// Whose limit it is.
        provider: Provider,
        /// What to do.
        remedy: &'static str,
    },

    /// More than is packed at all, whatever the cloud allows.
    #[error(
        "the files have {size} bytes together, but at most {most} are packed: include less, and fetch what is large when \
         the function starts"
    )]
    Memory {
        /// What they have.
        size: u64,
        /// The most.
        most: u64,
    },
    /// An included path that is not there.
    #[error("`{include}` is to be included, but `{}` has none: create it, or take it off the list", root.display())]
    IncludeMissing {
        /// As it is written.
        include: String,
        /// The package's directory.
        root: PathBuf,
    },
    /// An included path that leads out of the package.
    #[error("`{include}` cannot be included: paths are relative to the package and stay inside it")]
    IncludeOutside {
        /// As it is written.
        include: String,
    },
    /// A pattern that is not understood.
    #[error(
        "`{include}` cannot be included: name files and folders (`assets` or `assets/**`), no other pattern"
    )]
    IncludePattern {
        /// As it is written.
        include: String,
    },
    /// A symlink that leads out of the package, or nowhere, or round in a circle.
    #[error("`{}` is a symlink that {leads}: include a copy instead", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
        /// What is wrong with it.
        leads: &'static str,
    },
    /// A device, a socket or a pipe.
    #[error("`{}` is neither a file nor a folder: take it out of what is included", path.display())]
    Special {
        /// Where it is.
        path: PathBuf,
    },
    /// A name that an archive cannot have.
    #[error(
        "`{path}` is no name for a file in an archive: use UTF-8 without `\\`, control characters, `.` and `..`"
    )]
    Name {
        /// The name, as far as it can be shown.
        path: String,
    },
    /// Two files of one name.
    #[error("two files are to be `{path}` in the archive: include one of them")]
    Duplicate {
        /// The name.
        path: String,
    },
    /// More files than an archive should have.
    #[error("more than {most} files are to be included: include less")]
    TooMany {
        /// How many may be.
        most: usize,
    },

    /// A file or a folder could not be read or written.
    #[error("`{}` could not be {action}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What was tried: `read` or `written`.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// What was to be inspected is no archive of a function.
    #[error("`{}` is no archive of a function: {message}", path.display())]
    NotArchive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    /// Whether it was asked for wrongly or is configured so, rather than gone wrong.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Architecture { .. }
                | Self::Kind { .. }
                | Self::Metadata { .. }
                | Self::Setting { .. }
                | Self::Package { .. }
                | Self::Binary { .. }
                | Self::Nothing
                | Self::SameName { .. }
                | Self::IncludeMissing { .. }
                | Self::IncludeOutside { .. }
                | Self::IncludePattern { .. }
        )
    }

    /// The last lines of what a program said, where it was heard.
    pub fn output(&self) -> &[String] {
        match self {
            Self::Build { output, .. } => output,
            _ => &[],
        }
    }

    pub(crate) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), action: "read", source }
    }

    pub(crate) fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), action: "written", source }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
