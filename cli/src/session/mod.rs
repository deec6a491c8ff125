//! What commands that run functions share: building the crates, starting their functions as each cloud does, and ending
//! them.

pub(crate) mod build;
pub(crate) mod functions;
mod group;

use crate::{
    args::Selection,
    config::{Choice, Sources, all_but_last},
    error::{Error, Result},
    exit::Exit,
    interrupt::Interrupt,
    project::Project,
    shell::Shell,
};
use build::{Build, Plan};
use functions::Functions;
use omnifn_package::Cancel;

/// What the parts of such a command look at.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) shell: &'a Shell,
    pub(crate) project: &'a Project,
    pub(crate) plan: Plan<'a>,
    /// The one function to run; all of them if none.
    pub(crate) function: Option<&'a str>,
    /// The first port to listen on; any that are free if none.
    pub(crate) port: Option<u16>,
    /// The programs will be built again while they run.
    pub(crate) is_watched: bool,
}

impl Selection {
    /// The workspace that the packages are in.
    pub(crate) fn project(&self) -> Result<Project> {
        Project::load(self.manifest_path.as_deref())
    }
}

impl<'a> Session<'a> {
    /// A session of all functions that are selected.
    pub(crate) fn new(
        project: &'a Project,
        selection: &'a Selection,
        shell: &'a Shell,
    ) -> Result<Self> {
        let packages = project.select(&selection.package, selection.manifest_path.as_deref())?;
        let choice = Choice { manifest_path: selection.manifest_path.clone(), ..Choice::default() };
        let configured = Sources::read(project, &choice).and_then(|sources| sources.build(None));
        let plan = Plan::new(selection, packages, configured.map_err(all_but_last)?)?;
        let (function, port, is_watched) = (None, None, false);
        Ok(Self { selection, shell, project, plan, function, port, is_watched })
    }

    /// Builds the programs, starts their functions, has `work` done with them, and ends them.
    pub(crate) async fn once<T>(
        &self,
        interrupt: &mut Interrupt,
        work: impl AsyncFnOnce(&Functions<'_>) -> Result<T>,
    ) -> Result<Once<T>> {
        let mut functions = Functions::new(self);
        let done = tokio::select! {
            // Dropping the other side ends its processes at once.
            () = interrupt.next() => {
                Shell::clear_line();
                None
            }
            done = async {
                let Build::Done(programs) = self.plan.build(self).await? else {
                    return Err(Error::failed("`cargo build` failed; what is wrong stands above"));
                };
                functions.run(&programs).await?;
                functions.ready().await?;
                work(&functions).await
            } => Some(done),
        };
        self.stop(&functions, interrupt).await;
        done.map_or(Ok(Once::Interrupted), |done| done.map(Once::Done))
    }

    /// Ends all processes as their clouds do; at once if asked a second time.
    pub(crate) async fn stop(&self, functions: &Functions<'_>, interrupt: &mut Interrupt) {
        if functions.is_empty() {
            return;
        }
        if self.is_watched {
            self.shell.status("Stopping", &functions.names());
        }
        tokio::select! {
            () = functions.stop() => {}
            () = interrupt.next() => {}
        }
    }
}

/// What became of work that is done once.
#[derive(Debug)]
pub(crate) enum Once<T> {
    Done(T),
    Interrupted,
}

impl<T> Once<T> {
    /// What to end with: what `show` says of what was done.
    pub(crate) fn exit(self, show: impl FnOnce(T) -> Exit) -> Exit {
        match self {
            Self::Done(done) => show(done),
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// Runs `work`, which waits for nobody, on a thread of its own. Ctrl-C ends what it has started, and then it.
pub(crate) fn cancellable<T: Send>(work: impl FnOnce(&Cancel) -> Result<T> + Send) -> Result<T> {
    let cancel = Cancel::default();
    std::thread::scope(|scope| {
        block_on(async |interrupt| {
            let (sender, done) = tokio::sync::oneshot::channel();
            let worker = scope.spawn(|| sender.send(work(&cancel)).ok());
            tokio::select! {
                () = interrupt.next() => {
                    cancel.cancel();
                    worker.join().ok();
                    Shell::clear_line();
                    Err(Error::interrupted())
                }
                done = done => match done {
                    Ok(done) => done,
                    Err(_) => match worker.join() {
                        Err(panic) => std::panic::resume_unwind(panic),
                        Ok(_) => Err(Error::failed("the work was lost")),
                    }
                }
            }
        })
    })
}

/// Runs a command that waits for things, on this thread.
pub(crate) fn block_on<T>(work: impl AsyncFnOnce(&mut Interrupt) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Error::failed("the asynchronous runtime does not start").caused_by(&error)
    })?;
    runtime.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        work(&mut interrupt).await
    })
}
