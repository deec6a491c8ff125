//! Tests that take the whole product.

mod axum_router;
mod conformance;
mod conformance_table;
mod corpus;
mod delivery;
mod documents;
mod envelopes;
mod goldens;
mod goldens_google;
mod lambda;
mod lambda_payloads;
mod lambda_runtime;
mod logs;
mod oracle_cloudevents;
mod oracle_firestore;
mod oracle_lambda_http;
mod otlp;
mod parity;
mod process;
mod robustness;
mod round_trips;
mod streaming;
mod testkit;
mod ui;
