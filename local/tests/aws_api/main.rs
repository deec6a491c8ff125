//! AWS's calls against the local control plane, over HTTP. The functions are `examples/bare.rs`.

mod client;
mod lambda;
mod protocol;
mod queue;
mod state;
