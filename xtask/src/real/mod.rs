//! `cargo xtask real`: our binaries against the counterparts that AWS and Google publish.
//!
//! All are installed below `target/real`: AWS's Runtime Interface Emulator out of the Python package of `sam`, moto's server, boto3 and
//! Google's Python clients by pip, Google's conformance client and fake-gcs-server by `go install`, a registry out of Debian's package. One line per check, and a last line `N passed, N failed`.

mod aws;
mod aws_clients;
mod emulator;
mod events;
mod gcp_api;
mod google;
mod http;
mod install;
mod instances;
mod localstack;
mod moto;
mod process;
mod registry;
mod storage;
mod tally;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::command::{self, cargo};
use tally::Tally;

/// What to leave out.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Options {
    /// Leave out AWS's Runtime Interface Emulator.
    #[arg(long)]
    skip_aws: bool,
    /// Leave out the emulator's Managed Instances mode, which needs a mount namespace.
    #[arg(long)]
    skip_instances: bool,
    /// Leave out deploying to moto's server.
    #[arg(long)]
    skip_moto: bool,
    /// Leave out deploying to `LocalStack`.
    #[arg(long)]
    skip_localstack: bool,
    /// Leave out AWS's own clients with the local control plane.
    #[arg(long)]
    skip_aws_clients: bool,
    /// Leave out Google's conformance client.
    #[arg(long)]
    skip_google: bool,
    /// Leave out Google's Python clients against the local control plane.
    #[arg(long)]
    skip_google_api: bool,
    /// Leave out pushing an image to Debian's docker-registry.
    #[arg(long)]
    skip_google_registry: bool,
    /// Leave out uploading a source to fake-gcs-server.
    #[arg(long)]
    skip_google_storage: bool,
    /// Use this conformance client rather than install one [env: `OMNIFN_CONFORMANCE_CLIENT`].
    #[arg(long, value_name = "PATH")]
    conformance_client: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = command::target().join("real");
    std::fs::create_dir_all(&folder)?;
    let binaries = build()?;
    let mut tally = Tally::default();

    if options.skip_aws {
        tally.skip("aws emulator", "--skip-aws");
    } else {
        match install::emulator(&folder) {
            Ok(emulator) => {
                aws::run(&emulator, &binaries, &mut tally);
                if options.skip_instances {
                    tally.skip("aws managed instances", "--skip-instances");
                } else {
                    instances::run(&emulator, &binaries, &mut tally);
                }
            }
            Err(missing) => tally.missing("aws emulator", &missing),
        }
    }

    if options.skip_moto {
        tally.skip("aws deploy", "--skip-moto");
    } else {
        match install::moto(&folder) {
            Ok(installed) => moto::run(&installed, &folder, &mut tally),
            Err(missing) => tally.missing("aws deploy", &missing),
        }
    }

    if options.skip_localstack {
        tally.skip("aws deploy (localstack)", "--skip-localstack");
    } else {
        match localstack::install(&folder) {
            Ok(python) => localstack::run(&python, &folder, &mut tally),
            Err(missing) => tally.missing("aws deploy (localstack)", &missing),
        }
    }

    if options.skip_aws_clients {
        tally.skip("aws clients", "--skip-aws-clients");
    } else {
        match aws_clients::install(&folder) {
            Ok(python) => aws_clients::run(&python, &folder, &binaries.orders, &mut tally),
            Err(missing) => tally.missing("aws clients", &missing),
        }
    }

    if options.skip_google {
        tally.skip("google conformance client", "--skip-google");
    } else {
        let given = options.conformance_client.clone();
        let given =
            given.or_else(|| std::env::var_os("OMNIFN_CONFORMANCE_CLIENT").map(PathBuf::from));
        match given.map_or_else(|| install::conformance_client(&folder), Ok) {
            Ok(client) => google::run(&client, &folder, &binaries, &mut tally),
            Err(missing) => tally.missing("google conformance client", &missing),
        }
    }

    if options.skip_google_api {
        tally.skip("google clients", "--skip-google-api");
    } else {
        gcp_api::run(&folder, &mut tally);
    }

    if options.skip_google_registry {
        tally.skip("google registry", "--skip-google-registry");
    } else {
        match install::registry(&folder) {
            Ok(registry) => registry::run(&registry, &folder, &binaries.orders, &mut tally),
            Err(missing) => tally.missing("google registry", &missing),
        }
    }

    if options.skip_google_storage {
        tally.skip("google storage", "--skip-google-storage");
    } else {
        match install::storage_server(&folder) {
            Ok(server) => storage::run(&server, &folder, &binaries.orders, &mut tally),
            Err(missing) => tally.missing("google storage", &missing),
        }
    }

    println!("\n{tally}");
    if tally.failed() {
        bail!("a check against a real counterpart failed; each is one `FAILED` line above");
    }
    Ok(())
}

/// The binaries under test, as `cargo build` makes them.
#[derive(Debug)]
struct Binaries {
    orders: PathBuf,
    conformance: PathBuf,
}

fn build() -> Result<Binaries> {
    command::run(cargo().args(["build", "--quiet", "-p", "orders", "-p", "conformance"]))?;
    let folder = command::target().join("debug");
    Ok(Binaries { orders: folder.join("orders"), conformance: folder.join("conformance") })
}
