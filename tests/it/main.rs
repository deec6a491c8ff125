//! Tests that take the whole product.

mod axum_router;
mod conformance;
mod conformance_table;
mod lambda;
mod lambda_payloads;
mod lambda_runtime;
mod parity;
mod robustness;
mod testkit;
mod ui;
