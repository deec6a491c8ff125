//! What is kept: a file for each resource, and the bytes beside them.

use super::{
    error::{Failure, Kind, Outcome},
    text,
};
use crate::process::lock;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use md5::Digest as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read, Write as _},
    ops::Bound,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tempfile::NamedTempFile;

/// The resources of all APIs by their names, such as `run/projects/P/locations/R/services/S`. What is put is on the disk
/// before it can be got.
pub(super) struct Store {
    directory: PathBuf,
    resources: Mutex<BTreeMap<String, Value>>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    resource: Value,
}

impl Store {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let directory = directory.join("resources");
        fs::create_dir_all(&directory)?;
        let mut resources = BTreeMap::new();
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                // Left by a process that was killed while it wrote.
                fs::remove_file(&path).ok();
                continue;
            }
            let stored: Stored = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
                io::Error::other(format!("`{}` is damaged: {error}", path.display()))
            })?;
            resources.insert(stored.name, stored.resource);
        }
        Ok(Self { directory, resources: Mutex::new(resources) })
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        lock(&self.resources).get(name).cloned()
    }

    pub(super) fn put(&self, name: &str, resource: &Value) -> Outcome<()> {
        let mut resources = lock(&self.resources);
        let stored = Stored { name: name.to_owned(), resource: resource.clone() };
        let mut file = NamedTempFile::new_in(&self.directory)?;
        serde_json::to_writer(&mut file, &stored).map_err(|error| Failure::internal(&error))?;
        file.flush()?;
        file.persist(self.path(name)).map_err(|error| Failure::internal(&error))?;
        resources.insert(stored.name, stored.resource);
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> Option<Value> {
        let mut resources = lock(&self.resources);
        fs::remove_file(self.path(name)).ok();
        resources.remove(name)
    }

    /// All whose names begin so, in order.
    pub(super) fn list(&self, prefix: &str) -> Vec<(String, Value)> {
        let resources = lock(&self.resources);
        let from = (Bound::Included(prefix.to_owned()), Bound::Unbounded);
        let found = resources.range(from).take_while(|(name, _)| name.starts_with(prefix));
        found.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    pub(super) fn count(&self, prefix: &str) -> usize {
        let resources = lock(&self.resources);
        let from = (Bound::Included(prefix.to_owned()), Bound::Unbounded);
        resources.range(from).take_while(|(name, _)| name.starts_with(prefix)).count()
    }

    fn path(&self, name: &str) -> PathBuf {
        // A name may be longer than one of a file can be.
        self.directory.join(text::sha256(name.as_bytes())).with_extension("json")
    }
}

/// The bytes of objects and of images, by their SHA-256.
pub(super) struct Blobs {
    directory: PathBuf,
}

/// Bytes that were received, and are not kept yet.
pub(super) struct Received {
    pub(super) file: NamedTempFile,
    pub(super) size: u64,
}

/// Bytes that are kept.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) sha256: String,
    pub(super) md5: String,
    pub(super) crc32c: String,
    pub(super) size: u64,
}

impl Blobs {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let directory = directory.join("blobs");
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// Reads a body into a file, if it has at most `limit` bytes.
    pub(super) async fn receive(&self, mut body: Incoming, limit: u64) -> Outcome<Received> {
        let mut file = NamedTempFile::new_in(&self.directory)?;
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::invalid(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            size += data.len() as u64;
            if size > limit {
                let message = format!("the upload has more than {limit} bytes");
                return Err(Failure::new(Kind::TooLarge, message));
            }
            file.write_all(&data)?;
        }
        file.flush()?;
        Ok(Received { file, size })
    }

    pub(super) fn temporary(&self) -> Outcome<NamedTempFile> {
        Ok(NamedTempFile::new_in(&self.directory)?)
    }

    /// Keeps what was received, and tells its checksums.
    pub(super) async fn keep(&self, received: NamedTempFile) -> Outcome<Blob> {
        let directory = self.directory.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&directory, received)).await;
        kept.unwrap_or_else(|error| Err(Failure::internal(&error)))
    }

    /// Where the bytes of this digest are, in hexadecimal digits.
    pub(super) fn path(&self, sha256: &str) -> PathBuf {
        self.directory.join(sha256)
    }

    pub(super) fn read(&self, sha256: &str) -> Outcome<Vec<u8>> {
        Ok(fs::read(self.path(sha256))?)
    }
}

fn keep(directory: &Path, received: NamedTempFile) -> Outcome<Blob> {
    let mut sha256 = sha2::Sha256::default();
    let mut md5 = md5::Md5::new();
    let mut crc32c = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    let mut size = 0;
    let mut file = received.reopen()?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        sha2::Digest::update(&mut sha256, &buffer[..read]);
        md5.update(&buffer[..read]);
        crc32c.update(&buffer[..read]);
        size += read as u64;
    }
    let sha256 = text::hex(&sha2::Digest::finalize(sha256));
    let crc32c = u32::try_from(crc32c.finalize()).unwrap_or_default();
    received.persist(directory.join(&sha256)).map_err(|error| Failure::internal(&error))?;
    Ok(Blob {
        sha256,
        md5: text::to_base64(&md5.finalize()),
        crc32c: text::to_base64(&crc32c.to_be_bytes()),
        size,
    })
}
