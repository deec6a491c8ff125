//! `cargo omnifn dev`: build, start everywhere, and then keep up with the sources or compare once.

mod cloud;
mod curl;
mod report;
mod watch;

use crate::{
    answers,
    args::Dev,
    error::Result,
    exit::Exit,
    interrupt::Interrupt,
    session::{Session, block_on, build::Build, functions::Functions},
    shell::Shell,
};
use cloud::Cloud;
use omnifn_local::parity::Envelopes;

pub(crate) fn run(options: &Dev, shell: &Shell) -> Result<Exit> {
    let project = options.selection.project()?;
    let session = Session {
        port: options.port,
        is_watched: !options.once,
        ..Session::new(&project, &options.selection, shell)?
    };
    block_on(async |interrupt| {
        if !options.once {
            let cloud =
                if options.no_cloud { Cloud::None } else { Cloud::serve(&project, shell).await };
            let done = keep_up(&session, interrupt).await;
            tokio::select! {
                () = cloud.stop() => {}
                // Asked a second time: dropping it ends its processes at once.
                () = interrupt.next() => {}
            }
            return done;
        }
        let data = options.data.as_deref();
        let compared = session
            .once(interrupt, async |functions| {
                answers::to_samples(functions, data, Envelopes::Usual).await
            })
            .await?;
        Ok(compared.exit(|rows| answers::show(&rows, Envelopes::Usual, shell)))
    })
}

/// Keeps the functions running, and in step with their sources, until Ctrl-C.
async fn keep_up(session: &Session<'_>, interrupt: &mut Interrupt) -> Result<Exit> {
    // Before the first build, so that no change is missed.
    let mut changes = watch::Changes::watch(session.project, &session.plan.packages())?;
    let mut functions = Functions::new(session);
    loop {
        let settled = tokio::select! {
            () = interrupt.next() => {
                Shell::clear_line();
                break;
            }
            settled = build_and_run(session, &mut functions, &mut changes) => settled,
        };
        if let Err(error) = settled {
            if error.is_final() {
                session.stop(&functions, interrupt).await;
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
    session.stop(&functions, interrupt).await;
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
    functions.settle(|new| report::show(new, session.shell)).await;
    Ok(())
}
