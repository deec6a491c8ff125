use crate::{Artifact, Compiler, Target};

/// What goes on, as it is told to whoever waits.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Cargo is started for one target of rustc: one run, whatever is built.
    Building {
        /// What is built: the names of binaries.
        binaries: &'a [String],
        /// What builds it.
        compiler: Compiler,
        /// For which target.
        triple: &'a str,
    },
    /// A line that cargo wrote to standard error.
    Said(&'a str),
    /// A program is checked and packed.
    Packing {
        /// Its name.
        binary: &'a str,
        /// For what.
        target: &'a Target,
    },
    /// An archive is ready.
    Packed(&'a Artifact),
}
