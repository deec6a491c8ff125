//! `cargo omnifn`: run, compare and ship cloud functions.

mod args;
mod build;
mod dev;
mod error;
mod exit;
mod inspect;
mod interrupt;
mod project;
mod shell;

use args::{Cargo, Command};
use clap::Parser as _;
use shell::Shell;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Cargo::Omnifn(arguments) = Cargo::parse();
    let shell = Shell::new(&arguments.output);
    let done = match arguments.command {
        Command::Dev(options) => dev::run(&options, &shell),
        Command::Build(options) => build::run(&options, &shell),
        Command::Inspect(options) => inspect::run(&options, &shell),
    };
    let exit = done.unwrap_or_else(|error| {
        Shell::error(&error);
        error.exit()
    });
    exit.into()
}
