//! Changes of the sources.

use crate::{
    error::{Error, Result},
    project::{Package, Project, sources_of},
    session::build::Program,
};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
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

/// A watch on everything that the programs are built from.
#[derive(Debug)]
pub(super) struct Changes {
    paths: mpsc::Receiver<PathBuf>,
    sources: Arc<Mutex<Sources>>,
    root: PathBuf,
    watched: BTreeSet<PathBuf>,
    watcher: RecommendedWatcher,
}

/// Which files matter. A function may well write others into its directory.
#[derive(Debug)]
struct Sources {
    target: PathBuf,
    /// What the compiler has read, as it says itself.
    files: BTreeSet<PathBuf>,
    /// The last build failed, perhaps for want of a file.
    is_new_welcome: bool,
}

impl Changes {
    /// Watches the directories of `packages`, those of their path dependencies inside the workspace, and the
    /// workspace's `Cargo.toml` and `Cargo.lock`.
    pub(super) fn watch(project: &Project, packages: &[&Package]) -> Result<Self> {
        let (sender, paths) = mpsc::channel(MOST_EVENTS);
        let (root, target) = (project.workspace_root.clone(), project.target_directory.clone());
        let sources = Sources { target, files: BTreeSet::new(), is_new_welcome: true };
        let sources = Arc::new(Mutex::new(sources));
        let filter = sources.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            let sources = filter.lock().unwrap_or_else(PoisonError::into_inner);
            for path in event.paths {
                if sources.matter(event.kind, &path) {
                    sender.try_send(path).ok();
                }
            }
        });
        let watcher = watcher.map_err(|error| failed(&error))?;
        let watched = BTreeSet::new();
        let mut changes = Self { paths, sources, root: root.clone(), watched, watcher };
        changes.add(&root, RecursiveMode::NonRecursive)?;
        for directory in project.source_directories(packages) {
            changes.add_package(&directory, &project.target_directory)?;
        }
        Ok(changes)
    }

    /// Heeds the files that went into `programs`; to be called after a build that succeeded.
    pub(super) fn follow(&mut self, programs: &[Program]) -> Result<()> {
        let mut files = BTreeSet::new();
        for program in programs {
            // Cargo writes it beside the executable: `path/to/program: source source ..`.
            let said = fs::read_to_string(program.path.with_extension("d")).unwrap_or_default();
            files.extend(said.lines().flat_map(sources_of).map(|path| self.root.join(path)));
        }
        // Such as what `include_str!` takes from elsewhere.
        let directories: BTreeSet<_> = files.iter().filter_map(|file| file.parent()).collect();
        for directory in directories {
            if !self.watched.iter().any(|watched| directory.starts_with(watched)) {
                self.add(directory, RecursiveMode::NonRecursive)?;
            }
        }
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.files = files;
        sources.is_new_welcome = false;
        Ok(())
    }

    /// Heeds new files, too; to be called after a build that failed.
    pub(super) fn expect_new(&mut self) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).is_new_welcome = true;
    }

    /// Waits for a change and its end; says what has changed.
    pub(super) async fn next(&mut self) -> String {
        let Some(first) = self.paths.recv().await else { return std::future::pending().await };
        let mut changed = BTreeSet::from([first]);
        let end = Instant::now() + LONGEST_BURST;
        while let Ok(Some(path)) =
            timeout_at(end.min(Instant::now() + QUIET), self.paths.recv()).await
        {
            changed.insert(path);
        }
        // Editors write under another name first: that one is gone by now.
        let there = changed.iter().find(|path| path.exists()).or(changed.first());
        let Some(shown) = there else { return String::new() };
        let name = shown.strip_prefix(&self.root).unwrap_or(shown).display();
        let others = changed.iter().filter(|path| *path != shown && path.exists()).count();
        if others > 0 { format!("{name} and {others} more") } else { name.to_string() }
    }

    /// Watches a package's directory and all below it, but not what cargo builds, which may be there, too.
    fn add_package(&mut self, directory: &Path, target: &Path) -> Result<()> {
        self.add(directory, RecursiveMode::NonRecursive)?;
        let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        for entry in entries.map_err(|error| failed(&error))? {
            let path = entry.path();
            if path.is_dir() && !is_hidden(&path) && path != target {
                self.add(&path, RecursiveMode::Recursive)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, directory: &Path, mode: RecursiveMode) -> Result<()> {
        self.watcher.watch(directory, mode).map_err(|error| failed(&error))?;
        self.watched.insert(directory.to_owned());
        Ok(())
    }
}

impl Sources {
    fn matter(&self, kind: EventKind, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs")
            || name == "Cargo.toml"
            || name == "Cargo.lock";
        let is_new = self.is_new_welcome && matches!(kind, EventKind::Create(_));
        !matches!(kind, EventKind::Access(_))
            && !path.starts_with(&self.target)
            && !is_hidden(path)
            && (is_rust || is_new || self.files.contains(path))
    }
}

/// Hidden files are those of editors and of version control.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn failed(error: &dyn std::error::Error) -> Error {
    Error::failed("the sources cannot be watched")
        .caused_by(error)
        .help("`--once` does without; on Linux, `fs.inotify.max_user_watches` may be too low")
}

#[cfg(test)]
mod tests {
    use super::Sources;
    use notify::{
        EventKind,
        event::{AccessKind, CreateKind, ModifyKind},
    };
    use std::path::Path;

    #[test]
    fn only_what_the_programs_are_built_from_matters() {
        let files = ["/w/assets/page.html".into()].into();
        let mut sources = Sources { target: "/w/target".into(), files, is_new_welcome: false };
        let modified = EventKind::Modify(ModifyKind::Any);
        for yes in ["/w/src/main.rs", "/w/Cargo.toml", "/w/assets/page.html", "/w/build.rs"] {
            assert!(sources.matter(modified, Path::new(yes)), "{yes}");
        }
        for no in ["/w/orders.log", "/w/src/.main.rs", "/w/target/debug/build/x/out/y.rs"] {
            assert!(!sources.matter(modified, Path::new(no)), "{no}");
        }
        let created = EventKind::Create(CreateKind::File);
        assert!(!sources.matter(created, Path::new("/w/assets/new.html")));
        sources.is_new_welcome = true;
        assert!(sources.matter(created, Path::new("/w/assets/new.html")));
        let read = EventKind::Access(AccessKind::Any);
        assert!(!sources.matter(read, Path::new("/w/src/main.rs")));
    }
}
