//! A provider that keeps everything in memory: it shows how one is written, and stands in for a cloud in tests.

use crate::{
    ApplyContext, Capability, Deployment, Error, Found, Identity, Invocation, Invoked, LogLine,
    LogPage, LogQuery, Measure, Outputs, Permission, Provider, RELEASE, Release, Resource,
    ResourceId, Result, Scope, Share, Step, TRAFFIC, URL, plan::Action, reference,
};
use async_trait::async_trait;
use omnifn_package::Provider as Cloud;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A cloud in memory. Clones share what is in it.
///
/// ```
/// use omnifn_deploy::{Deployer, memory::InMemory};
/// let cloud = InMemory::default();
/// let deployer = Deployer::new(cloud.clone());
/// // ... deploy with it, then look at what is there and what was called:
/// assert_eq!((cloud.resources().len(), cloud.calls().len()), (0, 0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct InMemory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    resources: BTreeMap<String, Stored>,
    releases: BTreeMap<String, Vec<Release>>,
    logs: BTreeMap<String, Vec<LogLine>>,
    /// `READ`, or the step.
    calls: Vec<String>,
    /// Which call of those that change something goes wrong.
    fault: Option<(usize, Fault)>,
    changes: usize,
}

#[derive(Clone, Debug)]
struct Stored {
    scope: Option<Scope>,
    found: Found,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing was done.
    Refused,
    /// It was done, but the answer never came.
    AnswerLost,
}

impl Fault {
    /// Every one of them.
    pub const ALL: &[Self] = &[Self::Refused, Self::AnswerLost];
}

const FUNCTION: &str = "function";
const TRIGGER: &str = "trigger";
const SHA256: &str = "sha256";

impl InMemory {
    /// The change with this number, counted from 0 and from now on, goes wrong once.
    pub fn fail(&self, number: usize, fault: Fault) {
        let mut state = self.lock();
        state.changes = 0;
        state.fault = Some((number, fault));
    }

    /// What is there, by its id.
    pub fn resources(&self) -> BTreeMap<String, Found> {
        self.lock()
            .resources
            .iter()
            .map(|(id, stored)| (id.clone(), stored.found.clone()))
            .collect()
    }

    /// What was called so far: `read`, `list`, or a step.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// Puts something there that is not ours.
    pub fn insert_foreign(&self, resource: &Resource) {
        let found = Found {
            owner: crate::Owner::Other,
            ..Found::new(resource.id.clone(), &resource.properties)
        };
        self.lock().resources.insert(resource.id.to_string(), Stored { scope: None, found });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Provider for InMemory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capability(&self) -> Capability {
        Capability::new(Cloud::Aws).limit(Measure::Memory, 128..=1024, "this provider's own")
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new("memory", "here"))
    }

    fn resources(&self, deployment: &Deployment, _: &Identity) -> Result<Vec<Resource>> {
        let name = deployment.scope.resource_name(63);
        let settings = &deployment.settings;
        let function = ResourceId::new(FUNCTION, &name);
        let mut resources = vec![
            Resource::new(
                function.clone(),
                json!({
                    SHA256: deployment.code.sha256(),
                    "memory": settings.memory,
                    "timeout": settings.timeout,
                    "environment": settings.env,
                    "secrets": settings.secrets,
                }),
            )
            .volatile(&[RELEASE]),
            Resource::new(
                ResourceId::new(TRAFFIC, &name),
                json!({ reference(&function, RELEASE): 100 }),
            ),
        ];
        resources.extend(settings.triggers.iter().map(|(trigger, binding)| {
            let id = ResourceId::new(TRIGGER, format!("{name}-{trigger}"));
            Resource::new(id, json!({ "binding": binding, "target": reference(&function, URL) }))
        }));
        Ok(resources)
    }

    async fn read(&self, scope: &Scope, wanted: &[Resource], _: &Identity) -> Result<Vec<Found>> {
        let mut state = self.lock();
        state.calls.push("read".to_owned());
        let is_wanted = |found: &Found| wanted.iter().any(|resource| resource.id == found.id);
        let stored = state.resources.values();
        let mut found: Vec<_> = stored
            .filter(|stored| stored.scope.as_ref() == Some(scope) || is_wanted(&stored.found))
            .map(|stored| stored.found.clone())
            .collect();
        // What hangs on the function comes after it.
        found.sort_by_key(|found| {
            [FUNCTION, TRAFFIC, TRIGGER].iter().position(|kind| *kind == found.id.kind)
        });
        Ok(found)
    }

    async fn list(&self, app: &str, stage: &str) -> Result<Vec<Scope>> {
        let mut state = self.lock();
        state.calls.push("list".to_owned());
        let functions = state.resources.values().filter(|stored| stored.found.id.kind == FUNCTION);
        let scopes = functions.filter_map(|stored| stored.scope.clone());
        Ok(scopes.filter(|scope| scope.app == app && scope.stage == stage).collect())
    }

    async fn apply(&self, step: &Step, context: &ApplyContext<'_>) -> Result<Outputs> {
        let mut state = self.lock();
        state.calls.push(step.to_string());
        let fault =
            state.fault.filter(|(number, _)| *number == state.changes).map(|(_, fault)| fault);
        state.changes += 1;
        let failure = |operation: &Step| Error::Refused {
            provider: "memory",
            operation: operation.to_string(),
            code: "Fault".to_owned(),
            message: "it was told to".to_owned(),
            is_transient: true,
        };
        if fault.is_some() {
            state.fault = None;
        }
        if fault == Some(Fault::Refused) {
            return Err(failure(step));
        }
        let outputs = state.change(step, context.scope);
        if fault == Some(Fault::AnswerLost) { Err(failure(step)) } else { Ok(outputs) }
    }

    async fn releases(&self, scope: &Scope) -> Result<Vec<Release>> {
        let name = scope.resource_name(63);
        let state = self.lock();
        let mut releases = state.releases.get(&name).cloned().unwrap_or_default();
        let traffic = state.resources.get(&ResourceId::new(TRAFFIC, &name).to_string());
        for release in &mut releases {
            let share = traffic
                .and_then(|stored| stored.found.properties.get(&release.id))
                .and_then(Value::as_u64);
            release.percent = share.and_then(|share| u8::try_from(share).ok()).unwrap_or_default();
        }
        releases.reverse();
        Ok(releases)
    }

    async fn shift(&self, scope: &Scope, shares: &[Share]) -> Result<()> {
        let id = ResourceId::new(TRAFFIC, scope.resource_name(63));
        let mut state = self.lock();
        let stored = state.resources.get_mut(&id.to_string());
        let stored = stored.ok_or_else(|| Error::Missing { what: id.to_string(), remedy: None })?;
        stored.found.properties =
            shares.iter().map(|share| (share.release.clone(), json!(share.percent))).collect();
        Ok(())
    }

    /// Answers with the payload.
    async fn invoke(&self, scope: &Scope, invocation: &Invocation) -> Result<Invoked> {
        let release = self.releases(scope).await?.into_iter().find(|release| release.percent > 0);
        let release =
            release.ok_or_else(|| Error::Missing { what: scope.to_string(), remedy: None })?;
        let mut state = self.lock();
        let lines = state.logs.entry(scope.to_string()).or_default();
        let number = lines.len();
        lines.push(LogLine::new(
            0,
            number.to_string(),
            format!("{} bytes", invocation.payload.len()),
        ));
        Ok(Invoked { release: Some(release.id), ..Invoked::new(200, invocation.payload.clone()) })
    }

    async fn logs(&self, scope: &Scope, _: &LogQuery) -> Result<LogPage> {
        let lines = self.lock().logs.get(&scope.to_string()).cloned().unwrap_or_default();
        Ok(LogPage { lines, next: None })
    }

    fn permissions(&self, resources: &[Resource]) -> Vec<Permission> {
        resources
            .iter()
            .map(|resource| {
                Permission::new(format!("{}:Put", resource.id.kind), resource.id.to_string())
            })
            .collect()
    }
}

impl State {
    fn change(&mut self, step: &Step, scope: &Scope) -> Outputs {
        let key = step.id.to_string();
        if step.action == Action::Delete {
            self.resources.remove(&key);
            if step.id.kind == FUNCTION {
                self.releases.remove(&step.id.name);
            }
            return Outputs::new();
        }
        let mut found = Found::new(step.id.clone(), &step.properties);
        if step.id.kind == FUNCTION {
            let before = self.resources.get(&key).map(|stored| &stored.found.properties);
            let releases = self.releases.entry(step.id.name.clone()).or_default();
            if before != Some(&step.properties) || releases.is_empty() {
                let mut release = Release::new((releases.len() + 1).to_string());
                release.sha256 =
                    step.properties.get(SHA256).and_then(Value::as_str).map(str::to_owned);
                releases.push(release);
            }
            found.outputs = Outputs::from([
                (RELEASE.to_owned(), releases.len().to_string()),
                (URL.to_owned(), format!("memory://{}", step.id.name)),
            ]);
        }
        let outputs = found.outputs.clone();
        self.resources.insert(key, Stored { scope: Some(scope.clone()), found });
        outputs
    }
}
