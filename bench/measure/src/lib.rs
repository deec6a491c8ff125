//! What Linux knows about a process, how many instructions it takes, and the spread of figures.

mod callgrind;
mod process;
mod spread;

pub use callgrind::{Counts, under_callgrind};
pub use process::{Process, pin};
pub use spread::Spread;
