//! Tests that take the whole product.

mod axum_router;
mod conformance;
mod corpus;
mod lambda;
mod lambda_payloads;
mod lambda_runtime;
mod oracle_firestore;
mod robustness;
mod round_trips;
mod ui;
