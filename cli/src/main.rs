//! `cargo omnifn`: run, compare and ship cloud functions.

mod args;
mod dev;
mod error;
mod exit;
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
    };
    let exit = done.unwrap_or_else(|error| {
        Shell::error(&error);
        error.exit()
    });
    exit.into()
}
