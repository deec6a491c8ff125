//! The small Go program by which the Cloud Functions API, which has no runtime for Rust, starts ours.

use crate::{Result, Tree};

const MODULE: &str = include_str!("../../shim/go.mod");
const SOURCE: &str = include_str!("../../shim/function.go");

/// Its exported function: what a deployment names as `entryPoint`.
pub(crate) const ENTRY_POINT: &str = "Handler";

/// Puts it beside the program.
pub(super) fn add(tree: &mut Tree) -> Result<()> {
    tree.add("go.mod", MODULE, false)?;
    tree.add("function.go", SOURCE, false)
}
