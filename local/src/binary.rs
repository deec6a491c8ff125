use crate::{
    Error, Line, Manifest, Result, Stream,
    process::{Process, describe, lock},
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// How long a program may take to tell its functions.
const MANIFEST_LIMIT: Duration = Duration::from_secs(10);
/// How long that may be, in bytes.
const LONGEST_MANIFEST: usize = 1024 * 1024;

/// Variables by which a program would take itself to be on some cloud, or choose a function: only those that
/// are set on purpose reach it.
const FOREIGN: &[&str] = &[
    "CLOUD_RUN_JOB",
    "FUNCTION_SIGNATURE_TYPE",
    "FUNCTION_TARGET",
    "GOOGLE_FUNCTION_TARGET",
    "K_CONFIGURATION",
    "K_REVISION",
    "K_SERVICE",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "OMNIFN_FUNCTION",
    "OMNIFN_MANIFEST",
    "PORT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// A function's program: the file, where it runs, and what its environment has beside ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The executable file.
    pub path: PathBuf,
    /// Its working directory; ours if there is none.
    pub working_directory: Option<PathBuf>,
    /// Variables that are added to those of this process.
    pub environment: Vec<(OsString, OsString)>,
}

impl Binary {
    /// The program at `path`, in this process's directory and environment.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), working_directory: None, environment: Vec::new() }
    }

    /// Asks the program which functions it holds: starts it with `OMNIFN_MANIFEST=1` and reads the JSON on
    /// its standard output.
    ///
    /// # Errors
    /// When it does not start, fails, takes longer than ten seconds, or writes something else.
    pub async fn manifest(&self) -> Result<Manifest> {
        let mut command = self.command();
        command.env("OMNIFN_MANIFEST", "1");
        let written = Arc::new(Mutex::new(String::new()));
        let sink = written.clone();
        let mut process = Process::start(command, move |Line { stream, text }| {
            let mut written = lock(&sink);
            if stream == Stream::Stdout && written.len() + text.len() < LONGEST_MANIFEST {
                written.push_str(&text);
                written.push('\n');
            }
        })?;
        let status = timeout(MANIFEST_LIMIT, process.wait()).await;
        let failed = |reason| Error::Manifest {
            program: self.path.clone(),
            reason,
            output: process.last_lines(),
        };
        match status {
            Err(_) => Err(failed(format!(
                "it was still running after {} s; `main` must call `omnifn::run` before anything else",
                MANIFEST_LIMIT.as_secs()
            ))),
            Ok(Ok(status)) if status.success() => parse(&lock(&written)).map_err(failed),
            Ok(status) => Err(failed(format!("it ended with {}", describe(status)))),
        }
    }

    /// Where the program runs, or else where it is.
    pub(crate) fn directory(&self) -> &Path {
        let directory = self.working_directory.as_deref().or(self.path.parent());
        directory.unwrap_or(Path::new("."))
    }

    /// The command, with none of the variables of any cloud.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (name, _) in std::env::vars_os() {
            let foreign = name
                .to_str()
                .is_some_and(|name| FOREIGN.contains(&name) || name.starts_with("AWS_LAMBDA_"));
            if foreign {
                command.env_remove(name);
            }
        }
        if let Some(directory) = &self.working_directory {
            command.current_dir(directory);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The command in an environment that has nothing of this process's but what every program may rely on.
    pub(crate) fn alone(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.env_clear();
        for name in ["PATH", "TMPDIR", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("LANG", "en_US.UTF-8").env("HOME", self.directory());
        if let Some(directory) = &self.working_directory {
            command.current_dir(directory);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn parse(written: &str) -> Result<Manifest, String> {
    if written.trim().is_empty() {
        return Err("it wrote nothing; `main` must call `omnifn::run`".to_owned());
    }
    let manifest: Manifest = serde_json::from_str(written)
        .map_err(|error| format!("what it wrote is not a manifest ({error})"))?;
    if manifest.version != 1 {
        return Err(format!(
            "its manifest has version {}, but only version 1 is understood; update `cargo-omnifn`",
            manifest.version
        ));
    }
    if manifest.functions.is_empty() {
        return Err("it holds no functions; add one with `App::function`".to_owned());
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::{Binary, parse};
    use crate::Trigger;
    use std::error::Error as _;

    #[test]
    fn a_manifest_names_functions_and_triggers() {
        let text = "{\"version\":1,\"functions\":[{\"name\":\"create\",\"trigger\":\"http\"}]}\n";
        let functions = parse(text).unwrap().functions;
        assert_eq!((functions[0].name.as_str(), functions[0].trigger), ("create", Trigger::Http));
    }

    #[test]
    fn what_is_no_manifest_is_explained() {
        #[track_caller]
        fn check(written: &str, expected: &str) {
            let reason = parse(written).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
        check("", "it wrote nothing");
        check("Hello!\n", "is not a manifest");
        check("{\"version\":2,\"functions\":[]}", "version 2");
        check("{\"version\":1,\"functions\":[]}", "holds no functions");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Binary::new("/no/such/program").manifest().await.unwrap_err();
        assert_eq!(error.to_string(), "`/no/such/program` could not be started");
        assert!(error.source().is_some());
    }
}
