//! What need not be found out or done again, kept below the target directory, each with a digest of all that it depends on.
//!
//! Whatever cannot be read or written, or is of something else, is done anew: nothing here is an error.

use crate::{
    Result,
    archive::{File, Packed},
    digest,
    tree::{Content, Tree},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A folder of answers.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// A digest of parts.
#[derive(Clone, Debug)]
pub(crate) struct Key(Sha256);

impl Key {
    /// Of nothing but the version of this crate.
    pub(crate) fn new() -> Self {
        Self(Sha256::new()).with(env!("CARGO_PKG_VERSION"))
    }

    #[must_use]
    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// With what a file holds; nothing where it is not there.
    #[must_use]
    pub(crate) fn with_file(self, path: &Path) -> Self {
        let bytes = fs::read(path).ok();
        let key = self.with(path.as_os_str().as_encoded_bytes());
        match bytes {
            Some(bytes) => key.with("there").with(bytes),
            None => key.with("not there"),
        }
    }

    pub(crate) fn hex(self) -> String {
        digest::hex(&self.0.finalize().into())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    key: String,
    value: T,
}

/// An archive, but for its bytes.
#[derive(Serialize, Deserialize)]
struct Archive {
    sha256: String,
    files: Vec<(String, u64, u32)>,
}

impl Cache {
    pub(crate) fn new(target_directory: &Path) -> Self {
        Self { folder: target_directory.join("omnifn").join("cache") }
    }

    /// What was kept under this name for the same key, else what `make` makes.
    pub(crate) fn get_or<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        key: Key,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let key = key.hex();
        if let Some(value) = self.get(name, &key) {
            return Ok(value);
        }
        let value = make()?;
        self.put(name, &Stored { key, value: &value });
        Ok(value)
    }

    /// Keeps this in place of what is there.
    pub(crate) fn set<T: Serialize>(&self, name: &str, key: Key, value: &T) {
        self.put(name, &Stored { key: key.hex(), value });
    }

    /// The archive of the same files in the same form, else what `make` makes.
    pub(crate) fn archive_or(
        &self,
        name: &str,
        form: &str,
        tree: &Tree,
        make: impl FnOnce() -> Result<Packed>,
    ) -> Result<Packed> {
        let mut key = Key::new().with(form);
        for (path, entry) in tree.iter() {
            key = key.with(path).with([u8::from(entry.is_executable)]);
            key = match &entry.content {
                Content::Bytes(bytes) => key.with(bytes),
                Content::File(_) => key.with(entry.read()?),
            };
        }
        let (key, bytes_name) = (key.hex(), format!("{name}.archive"));
        if let Some(Archive { sha256, files }) = self.get(name, &key)
            && let Ok(bytes) = fs::read(self.folder.join(&bytes_name))
            && digest::hex(&digest::sha256(&bytes)) == sha256
        {
            let files = files.into_iter().map(|(path, size, mode)| File { path, size, mode });
            return Ok(Packed { bytes, image: None, files: files.collect() });
        }
        let packed = make()?;
        if packed.image.is_none() {
            let files = packed.files.iter();
            let files = files.map(|file| (file.path.clone(), file.size, file.mode)).collect();
            let sha256 = digest::hex(&digest::sha256(&packed.bytes));
            self.write(&bytes_name, &packed.bytes);
            self.put(name, &Stored { key, value: Archive { sha256, files } });
        }
        Ok(packed)
    }

    fn get<T: DeserializeOwned>(&self, name: &str, key: &str) -> Option<T> {
        let text = fs::read(self.folder.join(format!("{name}.json"))).ok()?;
        let stored: Stored<T> = serde_json::from_slice(&text).ok()?;
        (stored.key == key).then_some(stored.value)
    }

    fn put(&self, name: &str, stored: &impl Serialize) {
        if let Ok(text) = serde_json::to_vec(stored) {
            self.write(&format!("{name}.json"), &text);
        }
    }

    /// All of it or nothing: others read at any time.
    fn write(&self, name: &str, bytes: &[u8]) {
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            file.persist(self.folder.join(name)).map_err(|error| error.error)?;
            Ok(())
        };
        // It will be made again.
        write().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Key};
    use crate::{Architecture, Program, Target};
    use std::fs;

    #[test]
    fn what_depends_on_the_same_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let made = |key: &str, value: u32| {
            cache.get_or("answer", Key::new().with(key), || Ok(value)).unwrap()
        };
        assert_eq!([made("a", 1), made("a", 2), made("b", 3), made("b", 4)], [1, 1, 3, 3]);
        let key = |parts: &[&str]| parts.iter().fold(Key::new(), Key::with).hex();
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }

    #[test]
    fn an_archive_that_is_kept_is_that_which_would_be_packed() {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let target = Target::aws(Architecture::X86_64);
        let mut program = Program::new(std::env::current_exe().unwrap());
        program.files.add("a.txt", "a", false).unwrap();
        let packed = program.pack(&target).unwrap();
        for _ in 0..2 {
            let kept = program.pack_with(&target, Some(&cache)).unwrap();
            assert!(kept.archive == packed.archive && kept.files == packed.files);
        }
        // Broken by somebody: it is packed again.
        let archives = fs::read_dir(folder.path().join("omnifn/cache")).unwrap().flatten();
        let archive =
            archives.map(|entry| entry.path()).find(|path| path.extension().unwrap() == "archive");
        fs::write(archive.unwrap(), "broken").unwrap();
        assert!(program.pack_with(&target, Some(&cache)).unwrap().archive == packed.archive);
        program.files.add("b.txt", "b", false).unwrap();
        let other = program.pack_with(&target, Some(&cache)).unwrap();
        assert_eq!(other.files.len(), packed.files.len() + 1);
    }
}
