//! `cargo omnifn`: run, compare and ship cloud functions.

mod answers;
mod args;
mod build;
mod dev;
mod error;
mod event;
mod exit;
mod inspect;
mod interrupt;
mod parity;
mod project;
mod session;
mod shell;
mod suggest;

use args::{Cargo, Command};
use clap::Parser as _;
use shell::Shell;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Cargo::Omnifn(arguments) = Cargo::parse();
    let shell = Shell::new(&arguments.output);
    let done = match arguments.command {
        Command::Dev(options) => dev::run(&options, &shell),
        Command::Parity(options) => parity::run(&options, &shell),
        Command::Event(command) => event::run(&command, &shell),
        Command::Build(options) => build::run(&options, &shell),
        Command::Inspect(options) => inspect::run(&options, &shell),
    };
    let exit = done.unwrap_or_else(|error| {
        Shell::error(&error);
        error.exit()
    });
    exit.into()
}
