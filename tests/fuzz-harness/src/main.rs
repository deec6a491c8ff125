//! Writes what fuzzing begins with: `fuzz-harness FOLDER` makes `FOLDER/TARGET/*` of the fixtures and of past findings.
//! Prints the targets' names.
#![expect(clippy::print_stdout, reason = "it is a command line")]

use fuzz_harness::Target;
use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("say where to: fuzz-harness FOLDER"));
    };
    for target in Target::all() {
        let folder = folder.join(target.to_string());
        fs::create_dir_all(&folder)?;
        for (index, (_, crash)) in target.crashes()?.iter().enumerate() {
            fs::write(folder.join(format!("crash-{index}")), crash)?;
        }
        for (name, seed) in target.seeds()? {
            fs::write(folder.join(name), seed)?;
        }
        println!("{target}");
    }
    Ok(())
}
