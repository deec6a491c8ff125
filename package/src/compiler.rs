use crate::{Cargo, Error, Result, flags::Toolchain};
use std::{fmt, str::FromStr};

/// What builds the programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compiler {
    /// Cargo for this machine's own target; for others cargo-zigbuild, else cross, whichever is installed.
    #[default]
    Auto,
    /// Cargo, with the linker that it is configured for.
    Cargo,
    /// [cargo-zigbuild](https://github.com/rust-cross/cargo-zigbuild): links with zig, against the very glibc of the
    /// target's image.
    Zigbuild,
    /// [cross](https://github.com/cross-rs/cross): builds in a container.
    Cross,
}

impl Compiler {
    /// `auto`, `cargo`, `zigbuild` or `cross`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cargo => "cargo",
            Self::Zigbuild => "zigbuild",
            Self::Cross => "cross",
        }
    }

    /// The one that builds for `triple`, which may not be [`Auto`](Self::Auto) any more.
    pub(crate) fn choose(self, cargo: &Cargo, toolchain: &Toolchain, triple: &str) -> Result<Self> {
        let (zigbuild, cross) = (|| cargo.finds("cargo-zigbuild"), || cargo.finds("cross"));
        match self {
            Self::Auto if toolchain.host == triple => Ok(Self::Cargo),
            Self::Auto if zigbuild() => Ok(Self::Zigbuild),
            Self::Auto if cross() => Ok(Self::Cross),
            Self::Auto => Err(Error::Compiler { triple: triple.to_owned() }),
            Self::Zigbuild if !zigbuild() => Err(Error::NoCompiler {
                program: "cargo-zigbuild",
                remedy: "run `pip install cargo-zigbuild`, which brings zig, too",
            }),
            Self::Cross if !cross() => Err(Error::NoCompiler {
                program: "cross",
                remedy: "run `cargo install cross`; it needs Docker or Podman",
            }),
            chosen => Ok(chosen),
        }
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Compiler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Auto, Self::Cargo, Self::Zigbuild, Self::Cross]
            .into_iter()
            .find(|compiler| compiler.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "no compiler is called `{text}`: choose `auto`, `cargo`, `zigbuild` or `cross`"
                )
            })
    }
}
