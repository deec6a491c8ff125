//! The project's own automation: what CI runs, and what is measured.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command line")]

mod bench;
mod book;
mod ci;
mod command;
mod deny;
mod docs;
mod figures;
mod fuzz;
mod real;
mod reference;
mod size;
mod start;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own automation.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Everything that a change must pass (runs `.ci/run`).
    Ci,
    /// What must not be in the dependency tree of a function, of `omnifn-core` and of a runtime.
    Tree,
    /// Licences and banned crates, by cargo-deny (installed below `target/tools`).
    Deny,
    /// Mutated events for every codec, by cargo-fuzz (installed below `target/tools`; needs a C++ compiler).
    Fuzz(fuzz::Options),
    /// Tests against AWS's Runtime Interface Emulator and Google's conformance client.
    Real(real::Options),
    /// The size of a function's binary, against its limit.
    Size,
    /// The parts of documents that are made from the code, such as the README's table of platforms.
    Docs(docs::Options),
    /// The book in `docs/`, by mdBook (installed below `target/tools`), and whether its links lead somewhere.
    Book,
    /// Follow `docs/start.md` to the letter, in an empty folder: from a new function to its removal from both clouds' interfaces.
    Start,
    /// The measurements of `bench/`.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Ci => ci::run(),
        Verb::Tree => tree::run(),
        Verb::Deny => deny::run(),
        Verb::Book => book::run(),
        Verb::Start => start::run(),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Real(options) => real::run(&options),
        Verb::Size => size::run(),
        Verb::Docs(options) => docs::run(&options),
        Verb::Bench(options) => bench::run(&options),
    }
}
