//! Google's conformance client against `tests/conformance-function`.
//!
//! The client talks to port 8080 and to nothing else, writes its logs under fixed names, and reads the function's file
//! from the folder that it runs in: each mode gets a folder of its own and, where that is permitted, a network of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Binaries;
use super::tally::Tally;
use crate::command;

/// A run of the client: its function and its options.
const MODES: &[(&str, &str, &[&str])] = &[
    ("http", "conf_http", &["-type=http"]),
    ("typed", "conf_typed", &["-type=http", "-declarative-type=typed", "-validate-mapping=false"]),
    ("cloudevent", "conf_cloudevent", &["-type=cloudevent", "-validate-mapping=true"]),
    ("legacyevent", "conf_legacy", &["-type=legacyevent", "-validate-mapping=true"]),
    ("concurrent http", "conf_slow", &["-type=http", CONCURRENT]),
    ("concurrent typed", "conf_slow_typed", &["-type=http", "-declarative-type=typed", CONCURRENT]),
    ("concurrent cloudevent", "conf_slow_cloudevent", &["-type=cloudevent", CONCURRENT]),
    ("concurrent legacyevent", "conf_slow_legacy", &["-type=legacyevent", CONCURRENT]),
];

const CONCURRENT: &str = "-validate-concurrency=true";

pub(super) fn run(client: &Path, folder: &Path, binaries: &Binaries, tally: &mut Tally) {
    let network = match Network::find() {
        Ok(network) => network,
        Err(error) => return tally.check("google conformance client", Err(error)),
    };
    for (mode, function, options) in MODES {
        let folder = folder.join(function);
        let outcome = conforms(client, &network, &folder, &binaries.conformance, function, options);
        tally.check(&format!("google conformance client: {mode}"), outcome);
    }
}

fn conforms(
    client: &Path,
    network: &Network,
    folder: &Path,
    binary: &Path,
    function: &str,
    options: &[&str],
) -> Result<()> {
    // A file left by an earlier run would pass for an answer.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let server = absolute(binary)?;
    if server.to_string_lossy().contains(char::is_whitespace) {
        bail!("the client splits its -cmd at white space, and {} has some", server.display());
    }
    command::output(
        network
            .command(&absolute(client)?)
            .args(["-buildpacks=false", "-start-delay=1"])
            .arg(format!("-cmd={}", server.display()))
            .args(options)
            .current_dir(folder)
            .env("FUNCTION_TARGET", function)
            .env("TMPDIR", folder)
            .env_remove("PORT"),
    )?;
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{} is missing", path.display()))
}

/// Where port 8080 is free.
#[derive(Debug)]
enum Network {
    Ours,
    /// A network namespace, by these options of `unshare`.
    Own(&'static str),
}

impl Network {
    fn find() -> Result<Self> {
        if let Some(flags) = ["-n", "-rn"].into_iter().find(|flags| permitted(flags)) {
            return Ok(Self::Own(flags));
        }
        TcpListener::bind(("127.0.0.1", 8080)).context(
            "the client needs port 8080, which is taken, and `unshare -n` is not permitted here",
        )?;
        Ok(Self::Ours)
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Ours => Command::new(program),
            Self::Own(flags) => {
                let mut command = Command::new("unshare");
                command
                    .args([flags, "sh", "-c", r#"ip link set lo up && exec "$@""#, "sh"])
                    .arg(program);
                command
            }
        }
    }
}

fn permitted(flags: &str) -> bool {
    let mut trial = Command::new("unshare");
    trial.args([flags, "ip", "link", "set", "lo", "up"]);
    trial.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    trial.status().is_ok_and(|status| status.success())
}
