//! What the fuzz targets of `fuzz/` check, and what they begin with. A plain test replays the same (`tests/it/corpus.rs`).
//!
//! A target is a provider and a trigger: `aws_queue`. Whatever bytes it is given, its codec must not panic, and an event
//! that was refused or that failed must not be answered as if it had been handled.

mod check;
mod message;
mod outcomes;
mod providers;

pub use message::{from_bytes, to_bytes};

use http::Request;
use omnifn_core::{Body, Trigger, testing::Fixture};
use omnifn_runtime_aws::{AwsCodec, PartialBatch};
use omnifn_runtime_gcp::GcpCodec;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Whose codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// AWS Lambda.
    Aws,
    /// Google Cloud Run.
    Gcp,
}

/// One fuzz target: a provider's codec, asked for events of one trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    provider: Provider,
    trigger: Trigger,
}

impl Target {
    /// Every target.
    pub fn all() -> impl Iterator<Item = Self> {
        [Provider::Aws, Provider::Gcp].into_iter().flat_map(|provider| {
            Trigger::ALL.iter().map(move |trigger| Self { provider, trigger: *trigger })
        })
    }

    /// Decodes a message, and encodes every kind of outcome of it.
    ///
    /// # Panics
    /// On a finding.
    pub fn run(self, input: &[u8]) {
        let request = match self.provider {
            Provider::Aws => message::invocation(input),
            Provider::Gcp => from_bytes(input),
        };
        match self.provider {
            Provider::Aws => {
                for partial in [PartialBatch::Never, PartialBatch::Always] {
                    check::codec(&AwsCodec::new(partial), self.trigger, &request);
                }
            }
            Provider::Gcp => check::codec(&GcpCodec, self.trigger, &request),
        }
    }

    /// What fuzzing begins with: the provider's fixtures, those for other triggers too, by name.
    ///
    /// # Errors
    /// When a fixture cannot be read.
    pub fn seeds(self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut seeds = Vec::new();
        for folder in entries(&root().join("fixtures").join(self.provider.as_str()))? {
            for file in entries(&folder)? {
                let request = Fixture::parse(&fs::read_to_string(&file)?).request();
                let name = |path: &Path| path.file_stem().unwrap_or_default().to_os_string();
                let name =
                    [name(&folder), name(&file)].map(|name| name.to_string_lossy().into_owned());
                seeds.push((name.join("-"), self.seed(&request)));
            }
        }
        Ok(seeds)
    }

    fn seed(self, request: &Request<bytes::Bytes>) -> Vec<u8> {
        match self.provider {
            Provider::Aws => request.body().to_vec(),
            Provider::Gcp => to_bytes(request),
        }
    }

    /// Past findings: `tests/crashes/TARGET/*`.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn crashes(self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let folder = root().join("crashes").join(self.to_string());
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let read = |file: PathBuf| Ok((file.display().to_string(), fs::read(file)?));
        entries(&folder)?.into_iter().map(read).collect()
    }
}

impl Provider {
    fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.provider.as_str(), self.trigger)
    }
}

impl FromStr for Target {
    type Err = omnifn_core::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all().find(|target| target.to_string() == name).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(|target| target.to_string()).collect();
            format!("`{name}` is not a fuzz target; there are {}", names.join(", ")).into()
        })
    }
}

/// The folder `tests/`.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    Ok(entries)
}

/// A codec of ours whose replies can be judged.
pub(crate) trait Judged: omnifn_core::Codec {
    /// Whether the reply tells the provider that the event was handled, so that it is not delivered again; for a request
    /// or a call, that it went well.
    fn is_success(trigger: Trigger, reply: Self::Reply) -> bool;
    /// Decodes.
    fn read(
        &self,
        trigger: Trigger,
        request: &Request<bytes::Bytes>,
    ) -> Result<omnifn_core::Decoded<Self::Origin>, omnifn_core::Refused<Self::Origin>> {
        let (parts, body) = request.clone().into_parts();
        self.decode(trigger, parts, Body::from(body))
    }
}
