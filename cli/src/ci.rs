//! `cargo omnifn ci init`: a workflow that plans pull requests and deploys the main branch.

use crate::{
    config::{Choice, Configuration},
    error::{Error, Result},
    exit::Exit,
    project::Project,
    shell::Shell,
};
use clap::{Args, Subcommand, ValueEnum};
use omnifn_deploy::package::Provider;
use std::{fmt::Write as _, fs, io::Write as _, path::PathBuf};

/// Continuous integration
#[derive(Debug, Subcommand)]
pub(crate) enum Ci {
    Init(Init),
}

/// Write a workflow that checks and plans pull requests, and deploys the main branch
///
/// Without keys that are stored: GitHub's identity is exchanged for the clouds'. Its variables and roles are
/// told in the workflow. A plan that ends with 3 has something to review, and does not fail the check.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo omnifn ci init github --stage prod")]
pub(crate) struct Init {
    /// For whom
    #[arg(value_enum, value_name = "SERVICE")]
    service: Service,
    /// Print it instead of writing .github/workflows/omnifn.yml
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    choice: Choice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Service {
    /// GitHub Actions
    Github,
}

const PATH: &str = ".github/workflows/omnifn.yml";

pub(crate) fn run(command: &Ci, shell: &Shell) -> Result<Exit> {
    let Ci::Init(options) = command;
    let Service::Github = options.service;
    let project = Project::load(options.choice.manifest_path.as_deref())?;
    let configuration = Configuration::load(&project, &options.choice, &[])?;
    let text = workflow(&configuration);
    if options.print {
        Shell::print(&text);
        return Ok(Exit::Done);
    }
    let path: PathBuf = project.workspace_root.join(PATH);
    let failed = |error: &std::io::Error| {
        Error::failed(format!("`{}` cannot be written", path.display()))
            .caused_by(error)
            .help("`--print` prints it instead")
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let file = fs::File::options().write(true).create_new(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(&error))?;
    shell.status("Created", PATH);
    Ok(Exit::Done)
}

fn workflow(configuration: &Configuration) -> String {
    let stage = &configuration.stage;
    let has = |provider| configuration.targets.iter().any(|target| target.provider == provider);
    let mut login = String::new();
    let mut variables = String::new();
    if has(Provider::Aws) {
        variables += "#   AWS_ROLE       the role that GitHub may take: what it must be allowed to do tells `cargo omnifn iam deployer`\n#   AWS_REGION\n";
        login += AWS_LOGIN;
    }
    if has(Provider::Gcp) {
        variables += "#   GCP_PROVIDER   projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER\n#   GCP_ACCOUNT    the service account that GitHub may be\n";
        login += GOOGLE_LOGIN;
    }
    let confirm =
        if configuration.protect { format!(" --confirm {stage}") } else { " --yes".to_owned() };
    let mut text = String::new();
    write!(
        text,
        "# Written by `cargo omnifn ci init github`. Needs these variables of the repository:\n{variables}\
         # and `cargo-omnifn` on the runner: the step `install` says from where.\n\
         name: omnifn\n\n\
         on:\n  pull_request:\n  push:\n    branches: [main]\n\n\
         permissions:\n  contents: read\n  id-token: write\n\n\
         # Two deploys at once would be in each other's way.\n\
         concurrency:\n  group: omnifn-{stage}-${{{{ github.ref }}}}\n  cancel-in-progress: false\n\n\
         jobs:\n\
         \x20 plan:\n    if: github.event_name == 'pull_request'\n    runs-on: ubuntu-22.04\n    steps:\n{SETUP}{login}\
         \x20     - run: cargo omnifn check --stage {stage}\n\
         \x20     - name: plan\n        shell: bash\n        run: |\n\
         \x20         set +e\n\
         \x20         cargo omnifn plan --stage {stage} --locked --exit-code --out plan.json | tee plan.txt\n\
         \x20         code=${{PIPESTATUS[0]}}\n\
         \x20         {{ echo '```'; cat plan.txt; echo '```'; }} >> \"$GITHUB_STEP_SUMMARY\"\n\
         \x20         # 3: there is something to review.\n\
         \x20         if [ \"$code\" = 3 ]; then exit 0; fi\n\
         \x20         exit \"$code\"\n\
         \x20     - uses: actions/upload-artifact@v4\n        with:\n          name: plan\n          path: plan.json\n\n\
         \x20 deploy:\n    if: github.event_name == 'push'\n    runs-on: ubuntu-22.04\n    steps:\n{SETUP}{login}\
         \x20     - run: cargo omnifn check --stage {stage}\n\
         \x20     - run: cargo omnifn deploy --stage {stage} --locked{confirm}\n"
    )
    .ok();
    text
}

const SETUP: &str = "      - uses: actions/checkout@v4
      - uses: Swatinem/rust-cache@v2
      - name: install
        run: cargo install --locked cargo-omnifn
";

const AWS_LOGIN: &str = "      - uses: aws-actions/configure-aws-credentials@v4
        with:
          role-to-assume: ${{ vars.AWS_ROLE }}
          aws-region: ${{ vars.AWS_REGION }}
";

const GOOGLE_LOGIN: &str = "      - uses: google-github-actions/auth@v2
        with:
          workload_identity_provider: ${{ vars.GCP_PROVIDER }}
          service_account: ${{ vars.GCP_ACCOUNT }}
";
