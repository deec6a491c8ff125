//! Files beside the program: what `include` names, and what may not be among it.

use crate::{
    Error, Result, Tree,
    tree::{Content, Entry},
};
use std::{
    fs::{self, Metadata},
    path::{Component, Path, PathBuf},
};

impl Tree {
    /// Adds the file or the folder `include`, a path below `root`, under the same name. `assets/**` is the folder
    /// `assets`. Symlinks are followed where they lead to something below `root`, and their targets are what is added; empty
    /// folders are not.
    ///
    /// ```no_run
    /// use omnifn_package::Tree;
    /// let mut tree = Tree::new();
    /// tree.include("functions/orders".as_ref(), "assets")?;
    /// # Ok::<(), omnifn_package::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is not there, leads out of `root`, or has a name or a form that an archive cannot have.
    pub fn include(&mut self, root: &Path, include: &str) -> Result<()> {
        let name = normal(include)?;
        let root = root.canonicalize().map_err(|error| Error::read(root, error))?;
        let path = root.join(&name);
        if path.symlink_metadata().is_err() {
            return Err(Error::IncludeMissing { include: include.to_owned(), root });
        }
        // A folder on the way may be a symlink, too.
        inside(&root, &path)?;
        Walk { root: &root, tree: self, above: Vec::new() }.add(&path, &name)
    }
}

/// The path without `./`, a slash at its end, and `/**`.
fn normal(include: &str) -> Result<String> {
    let outside = || Error::IncludeOutside { include: include.to_owned() };
    let path = include.strip_suffix("/**").unwrap_or(include);
    if path.contains(['*', '?', '[', ']', '{', '}']) {
        return Err(Error::IncludePattern { include: include.to_owned() });
    }
    let mut parts = Vec::new();
    // Backslashes part names on Windows only: there as here they are refused, later, as what no archive has.
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(outside)?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    // All of the package would be its sources and what was built from them.
    if parts.is_empty() { Err(outside()) } else { Ok(parts.join("/")) }
}

/// Where `path` really is, if that is below `root`.
fn inside(root: &Path, path: &Path) -> Result<PathBuf> {
    let symlink = |leads| Error::Symlink { path: path.to_owned(), leads };
    match path.canonicalize() {
        Ok(real) if real.starts_with(root) => Ok(real),
        Ok(_) => Err(symlink("leads out of the package")),
        Err(_) if path.is_symlink() => Err(symlink("leads to nothing, or to itself")),
        Err(error) => Err(Error::read(path, error)),
    }
}

struct Walk<'a> {
    root: &'a Path,
    tree: &'a mut Tree,
    /// The real folders that this one is in: a symlink to one of them has no end.
    above: Vec<PathBuf>,
}

impl Walk<'_> {
    fn add(&mut self, path: &Path, name: &str) -> Result<()> {
        let real = inside(self.root, path)?;
        let metadata = real.metadata().map_err(|error| Error::read(path, error))?;
        if metadata.is_file() {
            let is_executable = is_executable(&metadata);
            return self.tree.insert(name, Entry { is_executable, content: Content::File(real) });
        }
        if !metadata.is_dir() {
            return Err(Error::Special { path: path.to_owned() });
        }
        if self.above.contains(&real) {
            return Err(Error::Symlink { path: path.to_owned(), leads: "leads to itself" });
        }
        let entries = fs::read_dir(&real).map_err(|error| Error::read(path, error))?;
        self.above.push(real.clone());
        for entry in entries {
            let entry = entry.map_err(|error| Error::read(path, error))?.file_name();
            let Some(part) = entry.to_str() else {
                return Err(Error::Name { path: path.join(entry).display().to_string() });
            };
            self.add(&path.join(part), &format!("{name}/{part}"))?;
        }
        self.above.pop();
        Ok(())
    }
}

/// What git keeps of a mode. The rest is the umask's.
#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[track_caller]
    fn check(include: &str, expected: Option<&str>) {
        assert_eq!(normal(include).ok().as_deref(), expected, "{include}");
    }

    #[test]
    fn an_include_is_a_path_below_the_package() {
        check("assets", Some("assets"));
        check("./assets/", Some("assets"));
        check("assets/**", Some("assets"));
        check("assets/logo.svg", Some("assets/logo.svg"));
        for wrong in ["", ".", "..", "/etc", "../other", "assets/../..", "*.html", "assets/*", "**"]
        {
            check(wrong, None);
        }
    }
}
