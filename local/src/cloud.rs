//! Both control planes together, and how another process finds them.

use crate::{AwsApi, AwsApiOptions, Error, GcpApi, GcpApiOptions, Listener, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// Where a local cloud answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Endpoints {
    /// The process that serves them.
    pub pid: u32,
    /// All services of AWS: `http://127.0.0.1:41234`.
    pub aws: String,
    /// All services of Google.
    pub gcp: String,
}

/// The file that says where a local cloud answers.
const ENDPOINTS: &str = "endpoints.json";
/// Held by the process that serves the directory.
const LOCK: &str = "lock";
/// How long it may take to connect to this machine.
const CONNECT: Duration = Duration::from_secs(1);

impl Endpoints {
    /// Those of the local cloud that serves `directory`, if one does.
    pub async fn find(directory: &Path) -> Option<Self> {
        let text = fs::read(directory.join(ENDPOINTS)).ok()?;
        let found: Self = serde_json::from_slice(&text).ok()?;
        for endpoint in [&found.aws, &found.gcp] {
            // Only this machine is asked, whatever the file says.
            let address: SocketAddr = endpoint.strip_prefix("http://")?.parse().ok()?;
            if !address.ip().is_loopback() {
                return None;
            }
            timeout(CONNECT, TcpStream::connect(address)).await.ok()?.ok()?;
        }
        Some(found)
    }
}

/// The control planes of AWS and of Google on this machine, with their state in one directory, for `cargo omnifn` and for
/// tests.
///
/// ```no_run
/// use omnifn_local::{Listener, LocalCloud};
///
/// # async fn example() -> omnifn_local::Result<()> {
/// let cloud = LocalCloud::start("target/omnifn/local", Listener::default())?;
/// println!("AWS is at {}, Google at {}", cloud.endpoints().aws, cloud.endpoints().gcp);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct LocalCloud {
    aws: AwsApi,
    gcp: GcpApi,
    endpoints: Endpoints,
    file: PathBuf,
    // Until here the directory is ours.
    _lock: File,
}

impl LocalCloud {
    /// Serves what is kept in `directory`, and writes there where it answers.
    ///
    /// # Errors
    /// [`Error::State`] when the directory cannot be used, or another process serves it.
    ///
    /// # Panics
    /// Outside a tokio runtime, on which everything runs.
    pub fn start(directory: impl Into<PathBuf>, listener: Listener) -> Result<Self> {
        let directory = directory.into();
        let failed = |source: io::Error| Error::State { path: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        let lock = File::create(directory.join(LOCK)).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => failed(io::Error::other("another process serves it")),
            TryLockError::Error(error) => failed(error),
        })?;
        let mut options = AwsApiOptions::new(directory.join("aws"));
        options.listener = listener.clone();
        let aws = AwsApi::start(options)?;
        let mut options = GcpApiOptions::new(directory.join("gcp"));
        options.listener = listener;
        let gcp = GcpApi::start(options)?;
        let endpoints =
            Endpoints { pid: std::process::id(), aws: aws.endpoint(), gcp: gcp.endpoint() };
        let file = directory.join(ENDPOINTS);
        let text =
            serde_json::to_string_pretty(&endpoints).map_err(|error| failed(error.into()))?;
        // All of it or nothing: others read it at any time.
        let written = directory.join("endpoints.new");
        fs::write(&written, text).and_then(|()| fs::rename(&written, &file)).map_err(failed)?;
        Ok(Self { aws, gcp, endpoints, file, _lock: lock })
    }

    /// Where it answers.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Ends all functions as their clouds do, and stops answering. What was deployed is kept.
    pub async fn stop(self) {
        let _ = fs::remove_file(&self.file);
        self.aws.stop().await;
        self.gcp.stop().await;
    }
}
