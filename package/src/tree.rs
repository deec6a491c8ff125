//! The files of an archive, sorted, each with its name, its mode and its bytes.

use crate::{Error, Result};
use std::{borrow::Cow, collections::BTreeMap, fs, path::PathBuf, sync::Arc};

/// The files of an archive by their names, in the order of these: neither folders, nor links, nor anything of whoever
/// packs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// 0755 or 0644: all that a cloud needs to know, whatever the umask was.
    pub(crate) is_executable: bool,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Bytes(Arc<[u8]>),
    File(PathBuf),
}

/// More would take Lambda minutes to unpack.
pub(crate) const MOST_FILES: usize = 20_000;

impl Entry {
    pub(crate) fn mode(&self) -> u32 {
        if self.is_executable { 0o755 } else { 0o644 }
    }

    pub(crate) fn read(&self) -> Result<Cow<'_, [u8]>> {
        match &self.content {
            Content::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Content::File(path) => {
                fs::read(path).map(Cow::Owned).map_err(|error| Error::read(path, error))
            }
        }
    }
}

impl Tree {
    /// One without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file of these bytes.
    ///
    /// ```
    /// use omnifn_package::Tree;
    /// let mut tree = Tree::new();
    /// tree.add("assets/greeting.txt", "Hello", false)?;
    /// assert!(tree.add("assets/greeting.txt", "Hi", false).is_err());
    /// assert!(tree.add("../greeting.txt", "Hi", false).is_err());
    /// # Ok::<(), omnifn_package::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `name` is none for a file in an archive, or there is such a file.
    pub fn add(&mut self, name: &str, bytes: impl AsRef<[u8]>, is_executable: bool) -> Result<()> {
        let content = Content::Bytes(bytes.as_ref().into());
        self.insert(name, Entry { is_executable, content })
    }

    pub(crate) fn insert(&mut self, name: &str, entry: Entry) -> Result<()> {
        if !is_name(name) {
            return Err(Error::Name { path: name.escape_debug().to_string() });
        }
        if self.files.len() >= MOST_FILES {
            return Err(Error::TooMany { most: MOST_FILES });
        }
        if self.files.contains_key(name) || self.has_below(name) || self.has_above(name) {
            return Err(Error::Duplicate { path: name.to_owned() });
        }
        self.files.insert(name.to_owned(), entry);
        Ok(())
    }

    /// Whether `name` is a folder of some file already.
    fn has_below(&self, name: &str) -> bool {
        let folder = format!("{name}/");
        let next = self.files.range(folder.clone()..).next();
        next.is_some_and(|(found, _)| found.starts_with(&folder))
    }

    /// Whether a folder of `name` is a file already.
    fn has_above(&self, name: &str) -> bool {
        let ends = name.match_indices('/').map(|(index, _)| index);
        ends.into_iter().any(|end| self.files.contains_key(&name[..end]))
    }

    /// How many files it has.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The size of all files together, without reading them.
    pub(crate) fn size(&self) -> Result<u64> {
        self.files.values().try_fold(0_u64, |sum, entry| {
            let size = match &entry.content {
                Content::Bytes(bytes) => bytes.len() as u64,
                Content::File(path) => {
                    fs::metadata(path).map_err(|error| Error::read(path, error))?.len()
                }
            };
            Ok(sum.saturating_add(size))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.files.iter().map(|(name, entry)| (name.as_str(), entry))
    }
}

/// Whether this is a relative path of ordinary names between slashes.
pub(crate) fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..") && !part.chars().any(|c| c.is_control() || c == '\\')
    };
    name.len() <= LONGEST_NAME && name.split('/').all(is_part)
}

/// That of a path on Linux.
const LONGEST_NAME: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{Tree, is_name};

    #[test]
    fn names_stay_inside_the_archive() {
        for name in ["a", "a/b.txt", "ä/ö", "a b", "...", "-"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "/a", "a/", "a//b", ".", "./a", "..", "a/../b", "a\\b", "a\nb", "a\0"] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_a_file_or_a_folder() {
        let mut tree = Tree::new();
        tree.add("a/b", "", false).unwrap();
        tree.add("a-b", "", false).unwrap();
        for taken in ["a", "a/b", "a/b/c"] {
            let error = tree.add(taken, "", false).unwrap_err().to_string();
            assert!(error.contains(&format!("`{taken}`")), "{error}");
        }
        tree.add("a/c", "", false).unwrap();
        assert_eq!(tree.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a-b", "a/b", "a/c"]);
    }
}
