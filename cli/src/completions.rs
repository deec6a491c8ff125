//! `cargo omnifn completions`: for the shell's tab key.

use crate::{args::Cargo, exit::Exit, shell::Shell};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell as Kind;

/// Print completions for a shell
///
/// They complete `cargo-omnifn omnifn ..`; shells that complete cargo's subcommands (bash and zsh with rustup's) use them for
/// `cargo omnifn ..`, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cargo omnifn completions bash > ~/.local/share/bash-completion/completions/cargo-omnifn"
)]
pub(crate) struct Completions {
    #[arg(value_enum, value_name = "SHELL", help = "Which")]
    shell: Kind,
}

pub(crate) fn run(options: &Completions) -> Exit {
    let mut command = Cargo::command();
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "cargo-omnifn", &mut script);
    Shell::write(&script);
    Exit::Done
}
