//! Tests that take the whole product.

mod axum_router;
mod conformance;
mod lambda;
mod lambda_payloads;
mod lambda_runtime;
mod logs;
mod otlp;
mod process;
mod robustness;
mod ui;
