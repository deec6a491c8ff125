//! What commands that run functions share: building the crates, starting their functions as each cloud does, and ending
//! them.

pub(crate) mod build;
pub(crate) mod functions;

use crate::{
    args::Selection,
    error::{Error, Result},
    exit::Exit,
    interrupt::Interrupt,
    project::Project,
    shell::Shell,
};
use build::{Build, Plan};
use functions::Functions;

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
        let plan = Plan::new(selection, packages)?;
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
            () = interrupt.next() => None,
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
