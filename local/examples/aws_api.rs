//! A local control plane of AWS by itself: prints its endpoint and runs until it is interrupted.
//!
//! `cargo run -p omnifn-local --example aws_api -- target/aws-state [PORT]`

use omnifn_local::{AwsApi, AwsApiOptions, Listener, What};
use std::{env, error::Error};

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("give a folder for the state")?;
    let mut options = AwsApiOptions::new(directory);
    options.port = arguments.next().map(|port| port.parse()).transpose()?;
    options.listener = Listener::new(|notice| {
        if let What::Output(line) = notice.what {
            eprintln!("{}: {}", notice.function, line.text);
        }
    });
    let aws = AwsApi::start(options)?;
    println!("{}", aws.endpoint());
    interrupted().await?;
    aws.stop().await;
    Ok(())
}

#[cfg(unix)]
async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn interrupted() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
