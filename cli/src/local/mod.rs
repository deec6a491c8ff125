//! `cargo omnifn local`: the clouds' control planes on this machine, for `--stage local`.

mod start;

pub(crate) use start::find_or_start;

use crate::{
    args::Format,
    error::{Error, Result},
    exit::Exit,
    project::Project,
    session::block_on,
    shell::Shell,
};
use clap::{Args, Subcommand};
use omnifn_local::{Endpoints, Line, Listener, LocalCloud, Notice, What};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The clouds on this machine, to which `--stage local` deploys
///
/// They speak the APIs of AWS and of Google, run what is deployed to them, and keep it below the target directory. `deploy --stage
/// local` starts them where they do not run.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Local {
    /// Start them in the background
    #[command(
        after_help = "Example:\n  cargo omnifn local start && cargo omnifn deploy --stage local"
    )]
    Start(Where),
    /// Serve them here until Ctrl-C, and show what functions write
    #[command(after_help = "Example:\n  cargo omnifn local serve")]
    Serve(Where),
    /// Tell where they answer; ends with 1 if they do not run
    #[command(after_help = "Example:\n  cargo omnifn local status --format json")]
    Status(Where),
    /// End them; what was deployed is kept
    #[command(after_help = "Example:\n  cargo omnifn local stop")]
    Stop(Where),
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn local start
  cargo omnifn deploy --stage local
  AWS_ENDPOINT_URL=$(cargo omnifn local status --format json | jq -r .aws) aws lambda list-functions
  cargo omnifn local stop";

/// Whose.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The Cargo.toml of the crate or of its workspace
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Keep everything there instead of below the target directory
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Where {
    fn directory(&self) -> Result<PathBuf> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => Ok(directory(&Project::load(self.manifest_path.as_deref())?.target_directory)),
        }
    }
}

/// Where the local cloud of a workspace keeps everything.
pub(crate) fn directory(target_directory: &Path) -> PathBuf {
    target_directory.join("omnifn").join("local")
}

pub(crate) fn run(command: &Local, shell: &Shell) -> Result<Exit> {
    match command {
        Local::Start(place) => {
            let directory = place.directory()?;
            block_on(async |interrupt| {
                tokio::select! {
                    () = interrupt.next() => Ok(Exit::Interrupted),
                    started = find_or_start(&directory, shell) => {
                        show(&started?, shell);
                        Ok(Exit::Done)
                    }
                }
            })
        }
        Local::Serve(place) => serve(&place.directory()?, shell),
        Local::Status(place) => {
            let directory = place.directory()?;
            let found = block_on(async |_| Ok(Endpoints::find(&directory).await))?;
            let Some(found) = found else { return Err(not_running()) };
            show(&found, shell);
            Ok(Exit::Done)
        }
        Local::Stop(place) => start::stop(&place.directory()?, shell),
    }
}

fn not_running() -> Error {
    Error::failed("the local cloud does not run").help("start it: `cargo omnifn local start`")
}

fn serve(directory: &Path, shell: &Shell) -> Result<Exit> {
    block_on(async |interrupt| {
        let cloud = LocalCloud::start(directory, listener(shell))?;
        show(cloud.endpoints(), shell);
        interrupt.next().await;
        tokio::select! {
            () = cloud.stop() => {}
            () = interrupt.next() => {}
        }
        Ok(Exit::Interrupted)
    })
}

/// Shows what deployed functions write.
pub(crate) fn listener(shell: &Shell) -> Listener {
    let shell = shell.clone();
    Listener::new(move |Notice { function, provider, what }| match what {
        What::Output(Line { text, .. }) => shell.log(&function, function.len(), provider, &text),
        What::Exited { how, .. } => {
            shell.warn("Exited", &format!("{function} ({provider}): {how}"));
        }
        What::NotStarted(reason) => {
            shell.warn("Failed", &format!("{function} ({provider}) did not start: {reason}"));
        }
        _ => {}
    })
}

fn show(endpoints: &Endpoints, shell: &Shell) {
    let Endpoints { aws, gcp, pid, .. } = endpoints;
    let shown = match shell.format() {
        Format::Text => format!("aws  {aws}\ngcp  {gcp}\n"),
        Format::Json | Format::Ndjson => {
            format!("{}\n", json!({ "aws": aws, "gcp": gcp, "pid": pid }))
        }
    };
    Shell::print(&shown);
}
