//! Google's control plane, spoken to as any client would. What is deployed is `examples/bare.rs`.

mod events;
mod functions;
mod iam;
mod registry;
mod run;
mod storage;
mod support;
