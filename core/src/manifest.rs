use crate::Trigger;
use serde::{Deserialize, Serialize};

/// What a binary says of itself when it is started with `OMNIFN_MANIFEST=1`: its functions, each with the kind
/// of event that it handles. On standard output, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format: 1.
    pub version: u32,
    /// The functions, in the order in which they were added.
    pub functions: Vec<ManifestFunction>,
}

/// One function of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFunction {
    /// Its name; `function` for the one of a binary that has only one and gives it no name.
    pub name: String,
    /// What invokes it.
    pub trigger: Trigger,
}
