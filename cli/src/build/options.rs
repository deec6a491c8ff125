//! How functions are built: what every command that builds archives can be told.

use crate::{
    config,
    error::{Error, Result},
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use omnifn_package::{Build, Cancel, Cargo, Compiler};

/// How functions are built.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Build options")]
pub(crate) struct BuildOptions {
    /// What builds; `auto` is cargo for this machine's own target, else cargo-zigbuild or cross [default: `build.compiler`, else auto]
    #[arg(
        long,
        value_name = "COMPILER",
        value_parser = PossibleValuesParser::new(["auto", "cargo", "zigbuild", "cross"])
            .try_map(|name| name.parse::<Compiler>())
    )]
    pub(crate) compiler: Option<Compiler>,
    /// The profile of cargo's [default: `build.profile`, else release]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Features of the crates, beside those in `build.features`
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    pub(crate) features: Vec<String>,
    /// Without the crates' default features
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Fail if Cargo.lock would have to change
    #[arg(long)]
    pub(crate) locked: bool,
    /// Build without the network
    #[arg(long)]
    pub(crate) offline: bool,
}

impl BuildOptions {
    /// The user's cargo, as it is told here.
    pub(crate) fn cargo(&self, cancel: &Cancel) -> Cargo {
        let mut cargo = Cargo::new();
        cargo.locked(self.locked).offline(self.offline).cancelled_by(cancel);
        cargo
    }

    /// What is configured, and what is told here, which wins.
    pub(super) fn apply(&self, configured: &config::Build, build: &mut Build<'_>) -> Result<()> {
        let compiler = match (self.compiler, &configured.compiler) {
            (Some(told), _) => told,
            (None, Some(name)) => name.parse().map_err(Error::usage)?,
            (None, None) => Compiler::Auto,
        };
        build.compiler(compiler);
        if let Some(profile) = self.profile.as_ref().or(configured.profile.as_ref()) {
            build.profile(profile.as_str());
        }
        build.features(configured.features.iter().chain(&self.features).cloned());
        build.no_default_features(
            self.no_default_features || configured.default_features == Some(false),
        );
        Ok(())
    }
}
