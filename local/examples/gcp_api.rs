//! Google's control plane for programs in other languages: `cargo run -p omnifn-local --example gcp_api -- DIRECTORY`.
//!
//! It prints its endpoint, and runs until its standard input is closed.

use omnifn_local::{GcpApi, GcpApiOptions};
use std::{env, error::Error};
use tokio::io::AsyncReadExt as _;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "who started it needs to know where it is")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).ok_or("a directory for the state is needed")?;
    let api = GcpApi::start(GcpApiOptions::new(directory))?;
    println!("{}", api.endpoint());
    let mut input = [0; 1024];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut input).await? > 0 {}
    api.stop().await;
    Ok(())
}
