use crate::{Error, Result, Scope, Settings};
use omnifn_core::Trigger;
use omnifn_package::{Architecture, Artifact, Kind};
use std::{fmt, sync::Arc};

/// One function as it should be on one cloud.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deployment {
    /// Which function.
    pub scope: Scope,
    /// What it is to be like.
    pub settings: Settings,
    /// Its program.
    pub code: Code,
    /// The name by which the program knows it (`OMNIFN_FUNCTION`); none where the program has one function.
    pub entry: Option<String>,
    /// The kind of event that the program says it handles; else that of its triggers.
    pub trigger: Trigger,
    /// Whether traffic goes to it at once, or stays where it is until it is promoted.
    pub rollout: Rollout,
}

/// What becomes of the traffic when there is a new release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rollout {
    /// All of it goes to the new one.
    #[default]
    AllAtOnce,
    /// It stays where it is; [`Deployer::shift`](crate::Deployer::shift) moves it.
    Hold,
}

impl Deployment {
    /// The function `scope` with these settings and this archive.
    ///
    /// ```no_run
    /// use omnifn_deploy::{Deployment, Scope, Settings, package};
    /// # fn example(artifact: package::Artifact) -> omnifn_deploy::Result<()> {
    /// let mut settings = Settings::default();
    /// settings.memory = "512MiB".parse().expect("an amount of memory");
    /// let deployment = Deployment::new(Scope::new("shop", "prod", "orders")?, settings, artifact)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] when its triggers are of several kinds, or of another one than the program handles, or the
    /// program has several functions and none of the scope's name.
    pub fn new(scope: Scope, settings: Settings, artifact: impl Into<Code>) -> Result<Self> {
        let code = artifact.into();
        let wanted = settings.trigger().map_err(|(one, other)| {
            Error::setting(
                "triggers",
                format!("`{one}` and `{other}` are of different kinds, but a function handles one: deploy a function for each"),
            )
        })?;
        let (entry, handled) = code.entry(&scope.function)?;
        let trigger = match (wanted, handled) {
            (Some(wanted), Some(handled)) if wanted != handled => {
                return Err(Error::setting(
                    "triggers",
                    format!(
                        "they are of kind `{wanted}`, but the program's function handles `{handled}`"
                    ),
                ));
            }
            (wanted, handled) => handled.or(wanted).unwrap_or(Trigger::Direct),
        };
        Ok(Self { scope, settings, code, entry, trigger, rollout: Rollout::default() })
    }
}

/// A program in its archive, shared by all functions in it.
#[derive(Clone)]
pub struct Code(Arc<Artifact>);

impl Code {
    /// The archive.
    pub fn artifact(&self) -> &Artifact {
        &self.0
    }

    /// The SHA-256 of the archive, in hexadecimal digits: what tells whether the provider has it already.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Its form.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Its processor.
    pub fn architecture(&self) -> Architecture {
        self.0.architecture
    }

    /// By which name the program knows the function, and what it says of it.
    fn entry(&self, function: &str) -> Result<(Option<String>, Option<Trigger>)> {
        let Some(functions) = &self.0.functions else { return Ok((None, None)) };
        if let [only] = functions.as_slice() {
            return Ok((None, Some(only.trigger)));
        }
        if let Some(known) = functions.iter().find(|known| known.name == function) {
            return Ok((Some(known.name.clone()), Some(known.trigger)));
        }
        let known: Vec<_> = functions.iter().map(|known| format!("`{}`", known.name)).collect();
        Err(Error::setting(
            "function",
            format!(
                "`{}` has no function `{function}`: it has {}",
                self.0.binary,
                known.join(", ")
            ),
        ))
    }
}

impl From<Artifact> for Code {
    fn from(artifact: Artifact) -> Self {
        Self(Arc::new(artifact))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
