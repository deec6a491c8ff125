//! Resources on disk: one JSON file each, written whole or not at all.

use super::error::Fault;
use crate::{Error, Result, process::lock};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The resources of one kind by their keys, in memory and in the files of a folder.
#[derive(Debug)]
pub(super) struct Table<T> {
    folder: PathBuf,
    rows: Mutex<BTreeMap<String, T>>,
}

/// A file's name cannot hold every key, so its content does.
#[derive(Debug, Serialize, Deserialize)]
struct Row<T> {
    key: String,
    value: T,
}

impl<T: Clone + Serialize + DeserializeOwned> Table<T> {
    pub(super) fn open(state: &Path, kind: &str) -> Result<Self> {
        let folder = state.join(kind);
        let failed = |source| Error::State { path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut rows = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let row = fs::read(&path).and_then(|text| {
                serde_json::from_slice::<Row<T>>(&text)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            });
            let row = row.map_err(|source| Error::State { path: path.clone(), source })?;
            rows.insert(row.key, row.value);
        }
        Ok(Self { folder, rows: Mutex::new(rows) })
    }

    pub(super) fn get(&self, key: &str) -> Option<T> {
        lock(&self.rows).get(key).cloned()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        lock(&self.rows).contains_key(key)
    }

    /// Every resource whose key begins so, by key.
    pub(super) fn with_prefix(&self, prefix: &str) -> Vec<(String, T)> {
        let rows = lock(&self.rows);
        let from = rows.range(prefix.to_owned()..);
        let those = from.take_while(|(key, _)| key.starts_with(prefix));
        those.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(super) fn all(&self) -> Vec<(String, T)> {
        self.with_prefix("")
    }

    pub(super) fn put(&self, key: &str, value: T) -> Result<(), Fault> {
        let mut rows = lock(&self.rows);
        self.write(key, &value)?;
        rows.insert(key.to_owned(), value);
        Ok(())
    }

    pub(super) fn remove(&self, key: &str) -> Option<T> {
        let mut rows = lock(&self.rows);
        let value = rows.remove(key)?;
        if let Err(error) = fs::remove_file(self.file(key)) {
            tracing::warn!(%error, key, "a resource's file could not be removed");
        }
        Some(value)
    }

    pub(super) fn remove_prefix(&self, prefix: &str) {
        for (key, _) in self.with_prefix(prefix) {
            self.remove(&key);
        }
    }

    /// Changes a resource, unless `change` refuses. None if there is none.
    pub(super) fn update<R>(
        &self,
        key: &str,
        change: impl FnOnce(&mut T) -> Result<R, Fault>,
    ) -> Option<Result<R, Fault>> {
        let mut rows = lock(&self.rows);
        let mut value = rows.get(key)?.clone();
        Some(change(&mut value).and_then(|result| {
            self.write(key, &value)?;
            rows.insert(key.to_owned(), value);
            Ok(result)
        }))
    }

    fn write(&self, key: &str, value: &T) -> Result<(), Fault> {
        let row = serde_json::to_vec_pretty(&Row { key: key.to_owned(), value })
            .map_err(Fault::internal)?;
        write_whole(&self.file(key), &row).map_err(Fault::internal)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{}.json", file_name(key)))
    }
}

/// The file has these bytes afterwards, or is as it was.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(part, path)
}

/// What can be read of the key, and enough of its digest to be unique.
pub(super) fn file_name(key: &str) -> String {
    let readable: String = key
        .chars()
        .take(60)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .collect();
    format!("{readable}-{}", &hex(&Sha256::digest(key))[..16])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::Table;
    use std::fs;

    #[test]
    fn resources_are_there_again_after_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let table = Table::<u32>::open(state.path(), "numbers").unwrap();
        let long = "a/b c/../".repeat(100);
        for (key, value) in [("one", 1), ("One", 2), (&*long, 3), ("gone", 4)] {
            table.put(key, value).unwrap();
        }
        table.remove("gone");
        let changed = table.update("one", |value| {
            *value += 10;
            Ok(*value)
        });
        assert_eq!(changed, Some(Ok(11)));
        let again = Table::<u32>::open(state.path(), "numbers").unwrap();
        assert_eq!(again.all(), table.all());
        assert_eq!(
            (again.get("one"), again.get("One"), again.get(&long)),
            (Some(11), Some(2), Some(3))
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let state = tempfile::tempdir().unwrap();
        Table::<u32>::open(state.path(), "numbers").unwrap();
        fs::write(state.path().join("numbers/broken.json"), "{").unwrap();
        let error = Table::<u32>::open(state.path(), "numbers").unwrap_err();
        assert!(error.to_string().contains("broken.json"), "{error}");
    }
}
