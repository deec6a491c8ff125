//! Tests that take the whole product.

mod axum_router;
mod conformance;
mod goldens_google;
mod lambda;
mod lambda_payloads;
mod lambda_runtime;
mod oracle_cloudevents;
mod robustness;
mod ui;
