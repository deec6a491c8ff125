//! The project's local cloud while functions are developed: `deploy --stage local` in another terminal finds it.

use crate::{error::Error, local, project::Project, shell::Shell};
use omnifn_local::{Endpoints, LocalCloud};

/// The cloud that is there while `dev` runs.
#[derive(Debug)]
pub(super) enum Cloud {
    /// It is served here, and ends with this process.
    Ours(Box<LocalCloud>),
    /// Another process serves it.
    Others,
    /// Nobody wants one, or it cannot be served.
    None,
}

impl Cloud {
    /// Serves what is kept below the target directory, unless another process does already. Functions run without it, too:
    /// what stands in its way is told, and no more.
    pub(super) async fn serve(project: &Project, shell: &Shell) -> Self {
        let directory = local::directory(&project.target_directory);
        if let Some(found) = Endpoints::find(&directory).await {
            return Self::others(&found, shell);
        }
        match LocalCloud::start(&directory, local::listener(shell)) {
            Ok(cloud) => {
                let Endpoints { aws, gcp, .. } = cloud.endpoints();
                let told = format!(
                    "the local cloud: aws {aws}, gcp {gcp}; `cargo omnifn deploy --stage local` finds it"
                );
                shell.status("Serving", &told);
                Self::Ours(Box::new(cloud))
            }
            Err(error) => {
                // Another one may have begun just now.
                if let Some(found) = Endpoints::find(&directory).await {
                    return Self::others(&found, shell);
                }
                let error = Error::from(error).help("`--no-cloud` does without");
                shell.warning(&error);
                Self::None
            }
        }
    }

    fn others(found: &Endpoints, shell: &Shell) -> Self {
        let Endpoints { pid, aws, gcp, .. } = found;
        let told = format!("the local cloud of process {pid}: aws {aws}, gcp {gcp}");
        shell.status("Using", &told);
        Self::Others
    }

    /// Ends it with what runs in it, if it is ours. What was deployed is kept.
    pub(super) async fn stop(self) {
        if let Self::Ours(cloud) = self {
            cloud.stop().await;
        }
    }
}
