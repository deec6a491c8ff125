//! What Linux knows about a process, and the spread of figures.

mod process;
mod spread;

pub use process::{Process, pin};
pub use spread::Spread;
