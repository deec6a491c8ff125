//! Our deployer's images against the CNCF's registry, out of Debian's package `docker-registry`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::moto::lines;
use super::process::{Background, free_port};
use super::tally::Tally;
use crate::command;

/// Who may push, as Artifact Registry has it: a fixed name, and a token as its password, which here is `local`.
const USERS: &str =
    "oauth2accesstoken:$2b$05$ybWxOASWk3PHUQU.ArKjiesI0ksSCL5VTgeE8qOpNsx15L.UrpWxK\n";

pub(super) fn run(registry: &Path, folder: &Path, program: &Path, tally: &mut Tally) {
    let checked = counterpart().and_then(|counterpart| {
        let (port, server) = start(registry, folder)?;
        let printed = lines(with(&counterpart, "registry", port, program));
        printed.with_context(|| format!("the registry's log ends so:\n{}", server.log()))
    });
    tell(checked, "registry", tally);
}

fn start(registry: &Path, folder: &Path) -> Result<(u16, Background)> {
    let folder = folder.join("registry-state");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let port = free_port()?;
    let (users, images) = (folder.join("users"), folder.join("images"));
    fs::write(&users, USERS)?;
    let configuration = folder.join("registry.yml");
    // JSON is YAML, too.
    let settings = serde_json::json!({
        "version": 0.1,
        "log": { "level": "info" },
        "storage": { "filesystem": { "rootdirectory": images }, "delete": { "enabled": true } },
        "http": { "addr": format!("127.0.0.1:{port}") },
        "auth": { "htpasswd": { "realm": "registry", "path": users } },
    });
    fs::write(&configuration, settings.to_string())?;
    let mut command = Command::new(registry);
    command.arg("serve").arg(&configuration);
    let mut server = Background::start(command, &folder.join("log"))?;
    server.wait_for(port)?;
    Ok((port, server))
}

/// The program that deploys to a counterpart.
pub(super) fn counterpart() -> Result<PathBuf> {
    command::example("gcp_counterpart")
}

pub(super) fn with(counterpart: &Path, what: &str, port: u16, program: &Path) -> Command {
    let mut command = Command::new(counterpart);
    command.args([what, &format!("http://127.0.0.1:{port}")]).arg(program);
    command
}

pub(super) fn tell(checked: Result<Vec<String>>, what: &str, tally: &mut Tally) {
    match checked {
        Ok(lines) => {
            for line in lines {
                tally.check(&format!("google {line}"), Ok(()));
            }
        }
        Err(error) => tally.check(&format!("google {what}"), Err(error)),
    }
}
