//! `cargo omnifn`: run, compare and ship cloud functions.

mod answers;
mod args;
mod build;
mod check;
mod ci;
mod completions;
mod config;
mod deploy;
mod dev;
mod doctor;
mod env;
mod error;
mod event;
mod exit;
mod inspect;
mod interrupt;
mod invoke;
mod local;
mod new;
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
        Command::Check(options) => check::run(&options, &shell),
        Command::Explain(options) => check::explain::run(&options, &shell),
        Command::Doctor(options) => Ok(doctor::run(&options, &shell)),
        Command::Plan(options) => deploy::plan::run(&options, &shell),
        Command::Deploy(options) => deploy::run::run(&options, &shell),
        Command::Status(options) => deploy::status::run(&options, &shell),
        Command::Releases(options) => deploy::releases::list(&options, &shell),
        Command::Promote(options) => deploy::releases::promote(&options, &shell),
        Command::Rollback(options) => deploy::releases::rollback(&options, &shell),
        Command::Logs(options) => deploy::logs::run(&options, &shell),
        Command::Remove(options) => deploy::remove::run(&options, &shell),
        Command::Iam(command) => deploy::iam::run(&command, &shell),
        Command::New(options) => new::new(&options, &shell),
        Command::Init(options) => new::init(&options, &shell),
        Command::Ci(command) => ci::run(&command, &shell),
        Command::Completions(options) => Ok(completions::run(&options)),
        Command::Invoke(options) => invoke::run(&options, &shell),
        Command::Config(command) => config::run(&command, &shell),
        Command::Local(command) => local::run(&command, &shell),
        Command::Inspect(options) => inspect::run(&options, &shell),
    };
    let exit = done.unwrap_or_else(|error| {
        Shell::error(&error);
        error.exit()
    });
    exit.into()
}
