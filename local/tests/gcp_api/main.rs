//! Google's control plane, spoken to as any client would. What is deployed is `examples/bare.rs`.

mod events;
mod run;
mod storage;
mod support;
