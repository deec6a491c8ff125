//! The server by itself, spoken to over TCP.

mod after;
mod client;
mod event;
mod http;
mod limits;
mod shutdown;
mod start;
