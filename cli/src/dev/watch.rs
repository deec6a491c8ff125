//! Changes of the sources.

use crate::{
    error::{Error, Result},
    project::{Package, Project},
};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// A change is over when nothing has happened for this long: editors and version control write in bursts.
const QUIET: Duration = Duration::from_millis(100);
/// However long a burst is, it is looked at after this long.
const LONGEST_BURST: Duration = Duration::from_secs(2);
/// That something has changed is all one needs to know: further events may be lost.
const MOST_EVENTS: usize = 64;

#[derive(Debug)]
pub(super) struct Changes {
    paths: mpsc::Receiver<PathBuf>,
    root: PathBuf,
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Watches the sources of `packages`, those of their path dependencies inside the workspace, and the
    /// workspace's `Cargo.toml` and `Cargo.lock`.
    pub(super) fn watch(project: &Project, packages: &[&Package]) -> Result<Self> {
        let (sender, paths) = mpsc::channel(MOST_EVENTS);
        let (root, target) = (project.workspace_root.clone(), project.target_directory.clone());
        let sources = project.source_directories(packages);
        let within = sources.clone();
        let failed = |error: notify::Error| {
            Error::failed("the sources cannot be watched")
                .caused_by(&error)
                .help("`--once` does without")
        };
        let manifest_directory = root.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            for path in event.paths {
                let is_source = within
                    .iter()
                    .any(|directory| path.strip_prefix(directory).is_ok_and(is_source));
                let is_manifest = path.parent() == Some(&manifest_directory)
                    && path
                        .file_name()
                        .is_some_and(|name| name == "Cargo.toml" || name == "Cargo.lock");
                if (is_source || is_manifest) && !path.starts_with(&target) {
                    sender.try_send(path).ok();
                }
            }
        })
        .map_err(failed)?;
        watcher.watch(&root, RecursiveMode::NonRecursive).map_err(failed)?;
        for directory in &sources {
            watch_package(&mut watcher, directory, &project.target_directory).map_err(failed)?;
        }
        Ok(Self { paths, root, _watcher: watcher })
    }

    /// Waits for a change and its end; says what has changed.
    pub(super) async fn next(&mut self) -> String {
        let Some(first) = self.paths.recv().await else { return std::future::pending().await };
        let mut others = 0;
        let end = Instant::now() + LONGEST_BURST;
        while let Ok(Some(path)) =
            timeout_at(end.min(Instant::now() + QUIET), self.paths.recv()).await
        {
            others += u32::from(path != first);
        }
        let shown = first.strip_prefix(&self.root).unwrap_or(&first).display();
        if others == 0 { shown.to_string() } else { format!("{shown} and more") }
    }
}

/// Watches a package's directory and all below it, but not what cargo builds, which may be below it, too.
fn watch_package(
    watcher: &mut RecommendedWatcher,
    directory: &Path,
    target: &Path,
) -> notify::Result<()> {
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(notify::Error::io)? {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if path.is_dir() && !is_hidden && path != target && !path.join("CACHEDIR.TAG").exists() {
            watcher.watch(&path, RecursiveMode::Recursive)?;
        }
    }
    Ok(())
}

/// Whether a file inside a package can matter: not a hidden one, nor what editors leave beside a file.
fn is_source(inside: &Path) -> bool {
    let hidden =
        inside.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
    let name = inside.file_name().unwrap_or_default().as_encoded_bytes();
    let is_left = name.ends_with(b"~")
        || name.ends_with(b".swp")
        || name.ends_with(b".tmp")
        || name == b"4913";
    !hidden && !is_left && !inside.starts_with("target")
}

#[cfg(test)]
mod tests {
    use super::is_source;
    use std::path::Path;

    #[test]
    fn only_sources_count() {
        for yes in ["src/main.rs", "Cargo.toml", "assets/page.html", "build.rs"] {
            assert!(is_source(Path::new(yes)), "{yes}");
        }
        for no in [".git/index", "src/.main.rs.swp", "src/main.rs~", "src/4913", "target/debug/x"] {
            assert!(!is_source(Path::new(no)), "{no}");
        }
    }
}
