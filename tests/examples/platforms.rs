//! Prints the README's table of platforms, for `cargo xtask docs`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command line")]

#[path = "../it/conformance_table.rs"]
mod conformance_table;

use std::process::ExitCode;

fn main() -> ExitCode {
    match conformance_table::markdown() {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("the conformance table (tests/it/conformance_table.rs) is wrong:\n{wrong}");
            ExitCode::FAILURE
        }
    }
}
