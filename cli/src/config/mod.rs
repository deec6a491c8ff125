//! What is configured: `Cargo.toml` for what is true of the code, `omnifn.toml` for where it goes.
//!
//! ```text
//! built-in < workspace metadata < [providers.P] < package metadata (< its bin < its function)
//!   < [functions.F] < [functions.F.P] < [stages.S.providers.P] < [stages.S.functions.F(.P)] < OMNIFN_CONFIG__* < --set
//! ```
//!
//! Tables merge, all else is replaced. Each value knows where it was written.

mod command;
mod functions;
mod layers;
pub(crate) mod node;
mod read;
mod release;
pub(crate) mod schema;
mod target;
mod validate;
mod variables;

pub(crate) use command::{Config, run};
pub(crate) use functions::Known;
pub(crate) use release::{Release, Strategy};
pub(crate) use schema::Build;
pub(crate) use target::Target;

use crate::{
    check::rules,
    error::{Error, Result},
    project::Project,
    shell::Shell,
    suggest,
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use node::{Node, Place};
use omnifn_deploy::package::Provider;
use serde_json::Value;
use std::path::PathBuf;

/// Which functions, where, and in which stage.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Configuration options")]
pub(crate) struct Choice {
    /// The function crate; may be given several times [default: the one in the current directory, else all]
    #[arg(long, short, value_name = "PACKAGE")]
    pub(crate) package: Vec<String>,
    /// The Cargo.toml of the crate or of its workspace
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// The configuration of stages and clouds [default: omnifn.toml in the workspace's root]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The stage; `local` is the cloud on this machine [default: `default-stage`, else dev]
    #[arg(long, short, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// These clouds only
    #[arg(
        long,
        value_name = "PROVIDER",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(["aws", "gcp"]).try_map(|name| name.parse::<Provider>())
    )]
    pub(crate) provider: Vec<Provider>,
    /// Set a key of omnifn.toml: `--set functions.ship.memory=1GiB`; wins over everything
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// Where no cloud is told, all of them are meant: nothing will be deployed.
    #[arg(skip)]
    pub(crate) is_only_looking: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as `functions.ship.memory=1GiB`".to_owned()),
    }
}

/// Everything that was written, checked one by one.
#[derive(Debug)]
pub(crate) struct Sources {
    document: Value,
    workspace: Option<Node>,
    file: Node,
    variables: Node,
    flags: Node,
    pub(crate) functions: Vec<Known>,
    default_app: String,
}

/// What holds in one stage.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) app: String,
    pub(crate) stage: String,
    /// A deploy asks for the stage's name.
    pub(crate) protect: bool,
    pub(crate) build: Build,
    /// How new releases get traffic.
    pub(crate) release: Release,
    /// Each function on each cloud.
    pub(crate) targets: Vec<Target>,
    /// Whether nothing was left out of them.
    pub(crate) is_whole: bool,
}

/// The stage that is on this machine.
pub(crate) const LOCAL: &str = "local";
const DEFAULT_STAGE: &str = "dev";

impl Sources {
    /// Reads all files of the workspace that matter, the environment and the flags.
    pub(crate) fn read(project: &Project, choice: &Choice) -> Result<Self, Vec<Error>> {
        let document = schema::document();
        let (workspace, mut errors) = functions::workspace(project, &document);
        let (functions, more) = functions::of(project, &document);
        errors.extend(more);
        let path = match &choice.config {
            Some(path) => Some(path.clone()),
            None => Some(project.workspace_root.join("omnifn.toml")).filter(|path| path.exists()),
        };
        let file = match path.map(|path| read::file(&path, &project.workspace_root)) {
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                errors.push(error);
                return Err(errors);
            }
            None => Node::table(Place::BuiltIn),
        };
        errors.extend(validate::validate(&file, &document, &document));
        errors.extend(strangers(&file, &functions));
        let names: Vec<String> = functions.iter().map(|known| known.name.clone()).collect();
        let overrides =
            variables::Overrides { document: &document, written: &file, functions: &names };
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let variables = overrides.in_environment(environment);
        let flags = overrides.in_flags(&choice.set);
        let (variables, flags) = match (variables, flags) {
            (Ok(variables), Ok(flags)) => (variables, flags),
            (variables, flags) => {
                errors.extend(variables.err().into_iter().chain(flags.err()));
                return Err(errors);
            }
        };
        for over in [&variables, &flags] {
            errors.extend(validate::validate(over, &document, &document));
            errors.extend(strangers(over, &functions));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let default_app = project.default_app();
        Ok(Self { document, workspace, file, variables, flags, functions, default_app })
    }

    /// Every stage that is written down, and those that are there anyway.
    pub(crate) fn stages(&self) -> Vec<String> {
        let mut stages = vec![self.default_stage().to_owned(), LOCAL.to_owned()];
        for root in [&self.file, &self.variables, &self.flags] {
            let named = root.get("stages").and_then(Node::members).into_iter().flatten();
            stages.extend(named.map(|(name, _)| name.clone()));
        }
        stages.sort();
        stages.dedup();
        stages
    }

    fn default_stage(&self) -> &str {
        let roots = [&self.flags, &self.variables, &self.file];
        roots.iter().find_map(|root| root.get("default-stage")?.as_str()).unwrap_or(DEFAULT_STAGE)
    }

    /// The stage that is meant.
    fn stage(&self, wanted: Option<&str>) -> Result<String> {
        let stage = wanted.unwrap_or_else(|| self.default_stage());
        let known = self.stages();
        if known.iter().any(|known| known == stage) {
            return Ok(stage.to_owned());
        }
        let error = Error::usage(format!("no stage is called `{stage}`"))
            .code(rules::UNKNOWN_STAGE)
            .details([format!("stages: {}", known.join(", "))])
            .help(format!("add `[stages.{stage}]` to omnifn.toml"));
        Err(suggest::add(error, stage, known.iter().map(String::as_str)))
    }

    /// How functions are built in the stage that is meant.
    pub(crate) fn build(&self, stage: Option<&str>) -> Result<Build, Vec<Error>> {
        let stage = self.stage(stage).map_err(|error| vec![error])?;
        Ok(self.build_in(&stage))
    }

    fn build_in(&self, stage: &str) -> Build {
        let text = |key| {
            layers::over(self, stage, &["build", key]).and_then(Node::as_str).map(str::to_owned)
        };
        let features = layers::over(self, stage, &["build", "features"]);
        let features = features.map(Node::texts).unwrap_or_default();
        Build {
            compiler: text("compiler"),
            profile: text("profile"),
            features: features.into_iter().map(str::to_owned).collect(),
            default_features: layers::over(self, stage, &["build", "default-features"])
                .and_then(Node::as_bool),
        }
    }

    fn app(&self) -> (String, Place) {
        let roots =
            [Some(&self.flags), Some(&self.variables), Some(&self.file), self.workspace.as_ref()];
        let node = roots.iter().flatten().find_map(|root| root.get("app"));
        match node.and_then(|node| Some((node.as_str()?, node))) {
            Some((app, node)) => (app.to_owned(), node.place.clone()),
            None => (self.default_app.clone(), Place::BuiltIn),
        }
    }

    /// What holds in the stage that `choice` means for the functions that it means.
    pub(crate) fn resolve(
        &self,
        project: &Project,
        choice: &Choice,
        names: &[String],
    ) -> Result<Configuration, Vec<Error>> {
        let stage = self.stage(choice.stage.as_deref()).map_err(|error| vec![error])?;
        let (app, app_place) = self.app();
        let selected = self.select(project, choice, names).map_err(|error| vec![error])?;
        let mut errors = Vec::new();
        let mut targets = Vec::new();
        for known in &selected {
            if let Err(error) = omnifn_deploy::Scope::new(&app, &stage, &known.name) {
                errors.push(bad_name(&error, &app_place, known));
                continue;
            }
            match self.providers(known, &stage, choice) {
                Err(error) => errors.push(error),
                Ok(providers) => {
                    for provider in providers {
                        match Target::resolve(self, known, provider, (&app, &stage)) {
                            Ok(target) => targets.push(target),
                            Err(more) => errors.extend(more),
                        }
                    }
                }
            }
        }
        if errors.is_empty() && targets.is_empty() {
            let clouds: Vec<_> = choice.provider.iter().map(|provider| provider.as_str()).collect();
            errors.push(
                Error::usage(format!("none of these functions goes to {}", clouds.join(" or ")))
                    .code(rules::NO_PROVIDER)
                    .help("add the cloud to their `providers`, or choose another `--provider`"),
            );
        }
        let release = Release::resolve(self, &stage);
        let release = release.map_err(|error| errors.push(error)).unwrap_or_default();
        if !errors.is_empty() {
            return Err(errors);
        }
        let protect = [&self.flags, &self.variables, &self.file]
            .into_iter()
            .find_map(|root| root.at(&["stages", &stage, "protect"])?.as_bool());
        Ok(Configuration {
            build: self.build_in(&stage),
            release,
            protect: protect.unwrap_or(false),
            is_whole: selected.len() == self.functions.len() && choice.provider.is_empty(),
            app,
            stage,
            targets,
        })
    }

    /// Those that are named, in the packages that are chosen.
    fn select(&self, project: &Project, choice: &Choice, names: &[String]) -> Result<Vec<&Known>> {
        let packages = project.chosen(&choice.package, choice.manifest_path.as_deref())?;
        let here: Vec<&Known> = self
            .functions
            .iter()
            .filter(|known| {
                packages.as_ref().is_none_or(|packages| packages.contains(&known.package))
            })
            .collect();
        if here.is_empty() {
            return Err(Error::usage("there is no function here")
                .code(rules::UNKNOWN_FUNCTION)
                .help("`cargo omnifn new DIR` makes a function crate, `cargo omnifn init` makes one of this crate"));
        }
        if names.is_empty() {
            return Ok(here);
        }
        let mut selected: Vec<&Known> = Vec::new();
        for name in names {
            let Some(known) = self.functions.iter().find(|known| known.name == *name) else {
                return Err(self.no_function(name));
            };
            if !selected.iter().any(|selected| selected.name == known.name) {
                selected.push(known);
            }
        }
        Ok(selected)
    }

    /// Says which functions there are.
    pub(crate) fn no_function(&self, name: &str) -> Error {
        let known: Vec<&str> = self.functions.iter().map(|known| known.name.as_str()).collect();
        let error = Error::usage(format!("no function is called `{name}`"))
            .code(rules::UNKNOWN_FUNCTION)
            .help(format!("functions: {}", known.join(", ")));
        suggest::add(error, name, known.into_iter())
    }

    fn providers(&self, known: &Known, stage: &str, choice: &Choice) -> Result<Vec<Provider>> {
        let told = layers::providers(self, known, stage);
        let mut providers: Vec<Provider> = match told {
            Some(node) => node.texts().iter().filter_map(|name| name.parse().ok()).collect(),
            None => Provider::ALL
                .iter()
                .copied()
                .filter(|provider| {
                    layers::over(self, stage, &["providers", provider.as_str()]).is_some()
                })
                .collect(),
        };
        if told.is_none() && providers.is_empty() {
            // The local cloud has all of them; whoever names one means it.
            providers = match stage {
                _ if choice.provider.is_empty() && (stage == LOCAL || choice.is_only_looking) => {
                    Provider::ALL.to_vec()
                }
                _ => choice.provider.clone(),
            };
        } else if !choice.provider.is_empty() {
            providers.retain(|provider| choice.provider.contains(provider));
            return Ok(providers);
        }
        providers.sort_unstable();
        providers.dedup();
        if providers.is_empty() {
            return Err(Error::usage(format!(
                "it is not told to which cloud `{}` goes",
                known.name
            ))
            .code(rules::NO_PROVIDER)
            .at(&known.place)
            .help(
                "add `[providers.aws]` or `[providers.gcp]` to omnifn.toml, or pass `--provider`",
            ));
        }
        Ok(providers)
    }
}

fn bad_name(error: &omnifn_deploy::Error, app: &Place, known: &Known) -> Error {
    let omnifn_deploy::Error::Setting { key, message } = error else {
        return Error::usage(error.to_string());
    };
    let error = Error::usage(message.clone()).code(rules::BAD_NAME);
    match key.as_str() {
        "app" => error.at(app).help("set `app = \"..\"` in omnifn.toml"),
        "function" => error.at(&known.place).help("rename it, or its binary"),
        _ => error.help("rename the stage"),
    }
}

/// Functions that omnifn.toml names, but no crate has.
fn strangers(root: &Node, functions: &[Known]) -> Vec<Error> {
    let mut tables: Vec<&Node> = root.get("functions").into_iter().collect();
    let stages = root.get("stages").and_then(Node::members).into_iter().flatten();
    tables.extend(stages.filter_map(|(_, stage)| stage.get("functions")));
    let known: Vec<&str> = functions.iter().map(|known| known.name.as_str()).collect();
    let members = tables.into_iter().filter_map(Node::members).flatten();
    members
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, node)| {
            let error = Error::usage(format!("no function is called `{name}`"))
                .code(rules::UNKNOWN_FUNCTION)
                .at(&node.place)
                .help(format!("functions of this workspace: {}", known.join(", ")));
            suggest::add(error, name, known.iter().copied())
        })
        .collect()
}

impl Configuration {
    /// Reads and resolves; tells of all that is wrong but the last, which is returned.
    pub(crate) fn load(project: &Project, choice: &Choice, names: &[String]) -> Result<Self> {
        let sources = Sources::read(project, choice).map_err(all_but_last)?;
        sources.resolve(project, choice, names).map_err(all_but_last)
    }
}

/// Shows all errors but the last.
pub(crate) fn all_but_last(mut errors: Vec<Error>) -> Error {
    let last = errors.pop().unwrap_or_else(|| Error::usage("the configuration is wrong"));
    for error in &errors {
        Shell::error(error);
    }
    last
}
