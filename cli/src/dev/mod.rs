//! `cargo omnifn dev`: build, start everywhere, and then keep up with the sources or compare once.

mod build;
mod curl;
mod functions;
mod once;
mod report;
mod watch;

use crate::{
    args::Dev,
    error::{Error, Result},
    exit::Exit,
    interrupt::Interrupt,
    project::Project,
    shell::Shell,
};
use build::{Build, Plan};
use functions::Functions;

/// What the parts of this command look at.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    options: &'a Dev,
    shell: &'a Shell,
    project: &'a Project,
    plan: Plan<'a>,
}

pub(crate) fn run(options: &Dev, shell: &Shell) -> Result<Exit> {
    let manifest_path = options.manifest_path.as_deref();
    let project = Project::load(manifest_path)?;
    let packages = project.select(&options.package, manifest_path)?;
    let plan = Plan::new(options, packages)?;
    let session = Session { options, shell, project: &project, plan };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Error::failed("the asynchronous runtime does not start").caused_by(&error)
    })?;
    runtime.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        if options.once {
            once(&session, &mut interrupt).await
        } else {
            keep_up(&session, &mut interrupt).await
        }
    })
}

/// Compares the answers to the sample events, and ends.
async fn once(session: &Session<'_>, interrupt: &mut Interrupt) -> Result<Exit> {
    let mut functions = Functions::new(session);
    let compared = tokio::select! {
        // Dropping the other side ends its processes at once.
        () = interrupt.next() => None,
        rows = async {
            let Build::Done(programs) = session.plan.build(session).await? else {
                return Err(Error::failed("`cargo build` failed; what is wrong stands above"));
            };
            functions.run(&programs).await?;
            functions.ready().await?;
            once::compare(&functions, session.options.data.as_deref()).await
        } => Some(rows),
    };
    stop(session, &functions, interrupt).await;
    let Some(rows) = compared else { return Ok(Exit::Interrupted) };
    Ok(once::show(&rows?, session.shell))
}

/// Keeps the functions running, and in step with their sources, until Ctrl-C.
async fn keep_up(session: &Session<'_>, interrupt: &mut Interrupt) -> Result<Exit> {
    // Before the first build, so that no change is missed.
    let mut changes = watch::Changes::watch(session.project, &session.plan.packages())?;
    let mut functions = Functions::new(session);
    loop {
        let settled = tokio::select! {
            () = interrupt.next() => break,
            settled = build_and_run(session, &mut functions, &mut changes) => settled,
        };
        if let Err(error) = settled {
            if error.is_final() {
                stop(session, &functions, interrupt).await;
                return Err(error);
            }
            Shell::error(&error);
        }
        let changed = tokio::select! {
            () = interrupt.next() => break,
            changed = changes.next() => changed,
        };
        session.shell.status("Changed", &changed);
    }
    stop(session, &functions, interrupt).await;
    Ok(Exit::Interrupted)
}

async fn build_and_run(
    session: &Session<'_>,
    functions: &mut Functions<'_>,
    changes: &mut watch::Changes,
) -> Result<()> {
    let Build::Done(programs) = session.plan.build(session).await? else {
        changes.expect_new();
        let running =
            if functions.is_empty() { "" } else { "; what was built before keeps running" };
        session.shell.warn("Waiting", &format!("for a change that compiles{running}"));
        return Ok(());
    };
    changes.follow(&programs)?;
    functions.run(&programs).await?;
    functions.settle().await;
    Ok(())
}

/// Ends all processes as their clouds do; at once if asked a second time.
async fn stop(session: &Session<'_>, functions: &Functions<'_>, interrupt: &mut Interrupt) {
    if functions.is_empty() {
        return;
    }
    if !session.options.once {
        session.shell.status("Stopping", &functions.names());
    }
    tokio::select! {
        () = functions.stop() => {}
        () = interrupt.next() => {}
    }
}
