//! Our deployer against `LocalStack`, which is stricter than moto: functions are pending for a while, know revisions, and are validated. It
//! starts none, since its Lambda needs Docker for that; it has no Kinesis of its own, and fails with weighted aliases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::install::Missing;
use super::moto::{deployer, lines};
use super::process::{Background, free_port};
use super::tally::Tally;
use crate::command;

/// The newest that runs on Python 3.11, with the newest of its dependencies that it runs with.
const PACKAGES: [&str; 6] = [
    "localstack-core[base-runtime,runtime]==4.9.0",
    "cbor2<5.8",
    "cryptography>=44,<46",
    "psutil<7",
    "pyopenssl==25.1.0",
    "service-identity<25",
];
const SCRIPT: &str = "tests/real/localstack_server.py";
/// Its server imports for some seconds before it listens: so many times [`Background::wait_for`].
const PATIENCE: usize = 4;

/// A Python that has it, in an environment of its own.
pub(super) fn install(folder: &Path) -> Result<PathBuf, Missing> {
    let environment = folder.join("localstack");
    let python = environment.join("bin/python");
    let mark = environment.join("installed");
    let wanted = PACKAGES.join(" ");
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    println!("installing {wanted}");
    command::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("Python 3.11 with venv is needed to install LocalStack")?;
    command::output(
        Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES),
    )?;
    fs::write(mark, wanted).context("the installation cannot be marked")?;
    Ok(python)
}

/// One line for each check of the deployer.
pub(super) fn run(python: &Path, folder: &Path, tally: &mut Tally) {
    match drive(python, folder) {
        Ok(checks) => {
            for check in checks {
                tally.check(&format!("aws deploy (localstack): {check}"), Ok(()));
            }
        }
        Err(error) => tally.check("aws deploy (localstack)", Err(error)),
    }
}

fn drive(python: &Path, folder: &Path) -> Result<Vec<String>> {
    let program = deployer()?;
    let files = folder.join("localstack-files");
    let _ = fs::remove_dir_all(&files);
    fs::create_dir_all(&files)?;
    let port = free_port()?;
    let mut server = Command::new(python);
    // Beside the script there are modules of other names' sake, such as `moto`: they are not to be found.
    server.arg("-P").arg(command::root().join(SCRIPT)).current_dir(&files);
    server.env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"));
    server.env("LOCALSTACK_HOST", format!("localhost:{port}")).env("FILESYSTEM_ROOT", &files);
    server.envs([("DISABLE_EVENTS", "1"), ("SKIP_SSL_CERT_DOWNLOAD", "1"), ("DNS_ADDRESS", "0")]);
    let mut server = Background::start(server, &folder.join("localstack.log"))?;
    let mut listens = server.wait_for(port);
    for _ in 1..PATIENCE {
        listens = listens.or_else(|_| server.wait_for(port));
    }
    listens?;
    let mut deploy = Command::new(program);
    deploy.arg(format!("http://127.0.0.1:{port}")).arg("localstack");
    lines(deploy).with_context(|| format!("LocalStack's log ends so:\n{}", server.log()))
}
