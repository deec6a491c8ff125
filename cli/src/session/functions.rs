//! The functions that run, whichever programs they are in.

use super::{Session, build::Program};
use crate::{
    env::AWS_REGION,
    error::{Error, Result},
    shell::Shell,
    suggest,
};
use omnifn_local::{
    Binary, Listener, Manifest, ManifestFunction, Notice, Options, Provider, Running, What,
};
use std::{
    collections::BTreeSet,
    fs,
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    task::Poll,
};

/// The name of a function that was given none: it goes by that of its binary.
const UNNAMED: &str = "function";

#[derive(Debug)]
pub(crate) struct Functions<'a> {
    session: &'a Session<'a>,
    running: Vec<Function>,
    copies: Copies,
    /// Ports that are spoken for, counted from `--port`.
    ports_used: u16,
}

/// One function that runs.
#[derive(Debug)]
pub(crate) struct Function {
    /// What it is called here.
    pub(crate) label: String,
    binary: String,
    pub(crate) running: Running,
    /// It is to be shown once it is up.
    is_new: bool,
}

impl<'a> Functions<'a> {
    pub(crate) fn new(session: &'a Session<'a>) -> Self {
        let copies = Copies::new(&session.project.target_directory.join("omnifn").join("dev"));
        Self { session, running: Vec::new(), copies, ports_used: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Function> {
        self.running.iter()
    }

    pub(crate) fn names(&self) -> String {
        self.running.iter().map(|function| function.label.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Runs what `programs` hold now: starts what is new, replaces what has changed, ends what is gone.
    pub(crate) async fn run(&mut self, programs: &[Program]) -> Result<()> {
        let mut passed_over = Vec::new();
        for program in programs {
            let known = self.running.iter().any(|function| function.binary == program.binary);
            if known && program.is_fresh {
                self.session.shell.status("Unchanged", &program.binary);
                continue;
            }
            let mut binary = Binary::new(&program.path);
            binary.working_directory = Some(program.directory.clone());
            let manifest = binary.manifest().await?;
            if self.session.is_watched {
                binary.path = self.copies.take(program).map_err(|error| {
                    Error::failed(format!("`{}` cannot be copied", program.path.display()))
                        .caused_by(&error)
                })?;
            }
            self.end_all_but(&program.binary, &manifest.functions).await;
            for function in &manifest.functions {
                if self.is_wanted(&program.binary, function, &manifest) {
                    self.start_or_replace(program, &binary, function, &manifest).await?;
                } else {
                    passed_over.push(self.label(&program.binary, &function.name, &manifest));
                }
            }
            self.copies.drop_all_but(&program.binary, &binary.path);
        }
        match self.session.function {
            Some(wanted) if self.is_empty() => {
                let error = Error::usage(format!("no function is called `{wanted}`"))
                    .details([format!("functions here: {}", passed_over.join(", "))]);
                Err(suggest::add(error, wanted, passed_over.iter().map(String::as_str)))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is the one that was asked for, by any of its names; all are if none was.
    fn is_wanted(&self, binary: &str, function: &ManifestFunction, manifest: &Manifest) -> bool {
        self.session.function.is_none_or(|wanted| {
            wanted == function.name
                || wanted == self.label(binary, &function.name, manifest)
                || wanted == format!("{binary}/{}", function.name)
        })
    }

    async fn start_or_replace(
        &mut self,
        program: &Program,
        binary: &Binary,
        function: &ManifestFunction,
        manifest: &Manifest,
    ) -> Result<()> {
        let known = |known: &&Function| {
            known.binary == program.binary && known.running.function() == function
        };
        if let Some(known) = self.running.iter().find(known) {
            self.session.shell.status("Restarting", &known.label);
            known.running.replace(binary).await;
            return Ok(());
        }
        let label = self.label(&program.binary, &function.name, manifest);
        self.session.shell.status("Starting", &label);
        let longest = manifest.functions.iter().map(|function| function.name.len()).max();
        let width = longest.unwrap_or(0).max(label.len());
        let on = self.options(&label, width)?;
        let running = Running::start(binary, function, on)?;
        let binary = program.binary.clone();
        self.running.push(Function { label, binary, running, is_new: true });
        Ok(())
    }

    /// Ends the functions of a program that are no longer in it.
    async fn end_all_but(&mut self, binary: &str, functions: &[ManifestFunction]) {
        let (keep, gone) =
            std::mem::take(&mut self.running).into_iter().partition(|known: &Function| {
                known.binary != binary || functions.contains(known.running.function())
            });
        self.running = keep;
        for function in gone {
            self.session.shell.status("Removed", &function.label);
            function.running.stop().await;
        }
    }

    /// What a function is called here: its name, that of its binary if it has none, both if it is not unique.
    fn label(&self, binary: &str, name: &str, manifest: &Manifest) -> String {
        let is_alone = manifest.functions.len() == 1;
        let short = if is_alone && name == UNNAMED { binary } else { name };
        if self.running.iter().any(|known| known.label == short) {
            format!("{binary}/{name}")
        } else {
            short.to_owned()
        }
    }

    fn options(&mut self, label: &str, width: usize) -> Result<Vec<(Provider, Options)>> {
        let providers: BTreeSet<Provider> =
            self.session.selection.provider.iter().copied().collect();
        let mut on = Vec::new();
        for provider in providers {
            on.push((
                provider,
                Options {
                    port: self.next_port()?,
                    time_limit: self.session.selection.timeout,
                    region: std::env::var(AWS_REGION).unwrap_or_else(|_| Options::default().region),
                    listener: listener(self.session.shell, label, width),
                },
            ));
        }
        Ok(on)
    }

    fn next_port(&mut self) -> Result<u16> {
        let Some(first) = self.session.port else { return Ok(0) };
        let port = first.checked_add(self.ports_used).ok_or_else(|| {
            Error::usage(format!("no ports are left above {first}")).help("choose a lower `--port`")
        })?;
        self.ports_used += 1;
        Ok(port)
    }

    /// Waits until every function is up.
    pub(crate) async fn ready(&self) -> Result<()> {
        for function in &self.running {
            function.running.ready().await.map_err(|error| self.not_ready(error))?;
        }
        Ok(())
    }

    /// Waits for every function, tells of those that do not come up, and has the new ones shown.
    pub(crate) async fn settle(&mut self, show: impl FnOnce(&[&Function])) {
        for function in &self.running {
            if let Err(error) = function.running.ready().await {
                Shell::error(&self.not_ready(error));
            }
        }
        let new: Vec<_> = self.running.iter().filter(|function| function.is_new).collect();
        if !new.is_empty() {
            show(&new);
        }
        for function in &mut self.running {
            function.is_new = false;
        }
        self.session.shell.status("Watching", "for changes; press Ctrl-C to stop");
    }

    /// The function's last lines stand above already, unless all is quiet.
    fn not_ready(&self, error: omnifn_local::Error) -> Error {
        match error {
            omnifn_local::Error::Start { function, provider, reason, output } => {
                let shown = if self.session.shell.is_quiet() { output } else { Vec::new() };
                omnifn_local::Error::Start { function, provider, reason, output: shown }.into()
            }
            error => error.into(),
        }
    }

    /// Ends all processes, each as its cloud does, all at the same time.
    pub(crate) async fn stop(&self) {
        let mut stopping: Vec<_> =
            self.running.iter().map(|function| Box::pin(function.running.stop())).collect();
        poll_fn(|context| {
            stopping.retain_mut(|stop| stop.as_mut().poll(context).is_pending());
            if stopping.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn listener(shell: &Shell, label: &str, width: usize) -> Listener {
    let (shell, label) = (shell.clone(), label.to_owned());
    Listener::new(move |Notice { provider, what, .. }| match what {
        What::Output(line) => shell.log(&label, width, provider, &line.text),
        What::Exited { how, pause } => {
            let pause = pause.as_secs_f64();
            shell.warn(
                "Exited",
                &format!("{label} on {provider}: {how}; next start in {pause:.1} s"),
            );
        }
        What::TimedOut(limit) => {
            let limit = limit.as_secs_f64();
            shell.warn(
                "Timed out",
                &format!("{label} on {provider} after {limit:.1} s (see --timeout)"),
            );
        }
        What::NotStarted(reason) => {
            shell.warn("Not started", &format!("{label} on {provider}: {reason}"));
        }
        _ => {}
    })
}

/// Copies of the executables: the old program must be there, to be started again, while cargo writes the new one.
#[derive(Debug)]
struct Copies {
    directory: PathBuf,
    count: u32,
    taken: Vec<(String, PathBuf)>,
}

impl Copies {
    fn new(parent: &Path) -> Self {
        let directory = parent.join(std::process::id().to_string());
        Self { directory, count: 0, taken: Vec::new() }
    }

    fn take(&mut self, program: &Program) -> io::Result<PathBuf> {
        self.count += 1;
        let directory = self.directory.join(self.count.to_string());
        fs::create_dir_all(&directory)?;
        let copy = match program.path.file_name() {
            Some(name) => directory.join(name),
            None => directory.join(&program.binary),
        };
        fs::copy(&program.path, &copy)?;
        self.taken.push((program.binary.clone(), copy.clone()));
        Ok(copy)
    }

    fn drop_all_but(&mut self, binary: &str, kept: &Path) {
        self.taken.retain(|(of, path)| {
            let keep = of != binary || path == kept;
            if !keep {
                fs::remove_file(path).ok();
                path.parent().map(fs::remove_dir);
            }
            keep
        });
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        if self.count > 0 {
            fs::remove_dir_all(&self.directory).ok();
        }
    }
}
