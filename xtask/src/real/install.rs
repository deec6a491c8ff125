//! Brings the counterparts below `target/real`, once.

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The Python package that carries AWS's Runtime Interface Emulator.
const SAM: &str = "aws-sam-cli==1.170.0";
/// A server that keeps what AWS's APIs are told, and AWS's own client with the models of its services.
const MOTO: [&str; 2] = ["moto[server]==5.2.5", "boto3==1.44.8"];
const CLIENT: &str = "github.com/GoogleCloudPlatform/functions-framework-conformance/client@v1.8.8";
/// A server that keeps objects as Cloud Storage does.
const STORAGE: &str = "github.com/fsouza/fake-gcs-server@v1.56.1";
/// Debian's package of the CNCF's registry.
const REGISTRY: &str = "docker-registry";
/// The oldest Go that builds `CLIENT` and `STORAGE`.
const GO: (u32, u32, u32) = (1, 25, 5);

/// Google's Python clients, and the discovery documents that come with the last.
const GOOGLE: &[&str] = &[
    "google-cloud-run==0.16.2",
    "google-cloud-storage==3.17.1",
    "google-api-python-client==2.202.0",
];

/// Why a counterpart is not here.
#[derive(Debug)]
pub(super) enum Missing {
    /// A program that this machine lacks, or that failed: CI must have it.
    Tool(String),
    /// The package server knows or hands out no such package: nothing that this machine could mend.
    Refused(String),
}

impl From<anyhow::Error> for Missing {
    fn from(error: anyhow::Error) -> Self {
        Self::Tool(format!("{error:#}"))
    }
}

/// The Runtime Interface Emulator: a static binary inside the wheel, which is taken without its dependencies.
pub(super) fn emulator(folder: &Path) -> Result<PathBuf, Missing> {
    let name = match ARCH {
        "x86_64" => "aws-lambda-rie-x86_64",
        "aarch64" => "aws-lambda-rie-arm64",
        other => return Err(Missing::Tool(format!("AWS has no emulator for {other}"))),
    };
    let program = folder.join("samcli/local/rapid").join(name);
    if !program.exists() {
        python(&["-m", "pip", "--version"], folder)
            .context("Python 3 with pip is needed to download AWS's emulator")?;
        println!("downloading {SAM}");
        let wheels = folder.join("wheels");
        let _ = fs::remove_dir_all(&wheels);
        let destination = wheels.to_string_lossy();
        python(
            &["-m", "pip", "download", "--quiet", "--no-deps", "--dest", &destination, SAM],
            folder,
        )?;
        let wheel = only_file(&wheels)?;
        python(&["-m", "zipfile", "-e", &wheel.to_string_lossy(), "."], folder)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("{SAM} holds no {name}"))?;
    }
    Ok(program)
}

/// Programs of a virtual environment.
#[derive(Debug)]
pub(super) struct Moto {
    pub(super) server: PathBuf,
    pub(super) python: PathBuf,
}

/// moto's server and boto3, in a virtual environment of their own.
pub(super) fn moto(folder: &Path) -> Result<Moto, Missing> {
    let bin = folder.join("moto/bin");
    let moto = Moto { server: bin.join("moto_server"), python: bin.join("python") };
    if !moto.server.exists() {
        python(&["-m", "venv", "--clear", "moto"], folder)
            .context("Python 3 with venv is needed to install moto's server")?;
        println!("installing {}", MOTO.join(" "));
        let mut install = Command::new(&moto.python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(MOTO);
        command::output(&mut install)?;
    }
    Ok(moto)
}

/// Google's conformance client, built by Go.
pub(super) fn conformance_client(folder: &Path) -> Result<PathBuf, Missing> {
    let remedy = "name one that is built already by OMNIFN_CONFORMANCE_CLIENT";
    go_program(folder, "client", CLIENT, remedy)
}

/// fake-gcs-server, built by Go.
pub(super) fn storage_server(folder: &Path) -> Result<PathBuf, Missing> {
    go_program(folder, "fake-gcs-server", STORAGE, "leave it out by --skip-google-storage")
}

fn go_program(folder: &Path, name: &str, module: &str, remedy: &str) -> Result<PathBuf, Missing> {
    let bin = folder.join("go");
    let program = bin.join(name);
    if !program.exists() {
        check_go()?;
        println!("building {module}");
        command::output(Command::new("go").args(["install", module]).env("GOBIN", bin))
            .map_err(|error| refused_or_failed(&error, module, remedy))?;
    }
    Ok(program)
}

/// A registry for images: that which is installed, else out of Debian's package, which is not installed for that.
pub(super) fn registry(folder: &Path) -> Result<PathBuf, Missing> {
    if command::output(Command::new(REGISTRY).arg("--version")).is_ok() {
        return Ok(PathBuf::from(REGISTRY));
    }
    let program = folder.join("registry/usr/bin").join(REGISTRY);
    if !program.exists() {
        println!("downloading {REGISTRY}");
        let package = folder.join("registry-package");
        let _ = fs::remove_dir_all(&package);
        fs::create_dir_all(&package).context("a folder for the package cannot be made")?;
        let download = || {
            command::output(
                Command::new("apt-get").args(["download", REGISTRY]).current_dir(&package),
            )
        };
        if download().is_err() {
            // A fresh container has no lists of packages.
            command::output(Command::new("apt-get").args(["update", "-q"]))
                .with_context(|| format!("Debian's package {REGISTRY} is needed"))?;
            download()?;
        }
        command::output(
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(only_file(&package)?)
                .arg(folder.join("registry")),
        )?;
    }
    Ok(program)
}

/// A Python that has Google's clients, in an environment of its own.
pub(super) fn google_clients(folder: &Path) -> Result<PathBuf, Missing> {
    let environment = folder.join("gcp-python");
    let python_of = environment.join("bin/python");
    let installed = environment.join("installed");
    let wanted = GOOGLE.join("\n");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python_of);
    }
    println!("installing {}", GOOGLE.join(", "));
    python(&["-m", "venv", &environment.to_string_lossy()], folder)
        .context("Python 3 with venv is needed for Google's clients")?;
    command::output(
        Command::new(&python_of)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(GOOGLE),
    )?;
    fs::write(&installed, wanted).context("the environment cannot be written")?;
    Ok(python_of)
}

fn python(arguments: &[&str], folder: &Path) -> Result<String> {
    command::output(Command::new("python3").args(arguments).current_dir(folder))
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .next()
        .with_context(|| format!("pip left nothing in {}", folder.display()))?;
    Ok(entry.context("a folder's entry cannot be read")?.path())
}

fn check_go() -> Result<(), Missing> {
    let (major, minor, patch) = GO;
    let wanted =
        format!("Go {major}.{minor}.{patch} or newer is needed to build Google's counterparts");
    let found = command::output(Command::new("go").arg("version"))
        .map_err(|error| Missing::Tool(format!("{wanted}: {error:#}")))?;
    match go_version(&found) {
        Some(version) if version >= GO => Ok(()),
        _ => Err(Missing::Tool(format!("{wanted}; this is {}", found.trim()))),
    }
}

/// Out of `go version go1.26.8 linux/amd64`.
fn go_version(text: &str) -> Option<(u32, u32, u32)> {
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("go1."))?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((1, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

/// A module proxy answers 403, 404 or 410 for a module that it will not hand out; anything else is a failure.
fn refused_or_failed(error: &anyhow::Error, module: &str, remedy: &str) -> Missing {
    let text = format!("{error:#}");
    match text
        .lines()
        .find(|line| ["403 ", "404 ", "410 "].iter().any(|status| line.contains(status)))
    {
        Some(_) => Missing::Refused(format!(
            "the Go module proxy does not hand out {module}; {remedy}\n{text}"
        )),
        None => Missing::Tool(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{Missing, go_version, refused_or_failed};

    #[test]
    fn the_version_of_go_is_read() {
        assert_eq!(go_version("go version go1.26.8 linux/amd64\n"), Some((1, 26, 8)));
        assert_eq!(go_version("go version go1.27 linux/arm64\n"), Some((1, 27, 0)));
        assert_eq!(go_version("go: command not found\n"), None);
    }

    #[test]
    fn a_refusal_of_the_proxy_is_not_a_failure_of_go() {
        let refusal = anyhow::anyhow!("`go install x` failed\nreading x/@v/v1.info: 403 Forbidden");
        assert!(matches!(refused_or_failed(&refusal, "x", "y"), Missing::Refused(_)));
        let failure = anyhow::anyhow!("`go install x` failed\ndial tcp: i/o timeout");
        assert!(matches!(refused_or_failed(&failure, "x", "y"), Missing::Tool(_)));
    }
}
