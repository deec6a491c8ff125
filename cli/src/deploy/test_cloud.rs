//! A folder that stands in for a cloud in this program's own tests: what one command makes, the next one finds.

use super::provider::Location;
use async_trait::async_trait;
use omnifn_deploy::{
    Action, ApplyContext, Capability, Deployment, Error, Found, Identity, Invocation, Invoked,
    LogLine, LogPage, LogQuery, Outputs, Permission, Properties, Provider, RELEASE, Release,
    Resource, ResourceId, Result, Scope, Share, Step, TRAFFIC, URL, memory::InMemory,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Debug)]
pub(super) struct TestCloud {
    name: &'static str,
    folder: PathBuf,
    identity: Identity,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    resources: BTreeMap<String, Stored>,
    /// Archives by release, of each function's name.
    releases: BTreeMap<String, Vec<String>>,
    logs: BTreeMap<String, Vec<(i64, String)>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    scope: Scope,
    id: ResourceId,
    properties: Properties,
    outputs: Outputs,
}

const FUNCTION: &str = "function";

/// Functions are deployed at the same time.
static LOCK: Mutex<()> = Mutex::new(());

impl TestCloud {
    pub(super) fn new(location: &Location, folder: PathBuf) -> Self {
        let account = location.project.clone().unwrap_or_else(|| "123456789012".to_owned());
        let region = location.region.clone().unwrap_or_else(|| "nowhere-1".to_owned());
        let identity = Identity::new(account, region);
        Self { name: location.provider.as_str(), folder, identity }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.name))
    }

    fn read_state(&self) -> (MutexGuard<'static, ()>, State) {
        let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(self.path()).unwrap_or_default();
        (guard, serde_json::from_str(&text).unwrap_or_default())
    }

    fn write_state(&self, state: &State) -> Result<()> {
        let text = serde_json::to_string_pretty(state).unwrap_or_default();
        fs::write(self.path(), text).map_err(|source| Error::Unreachable {
            provider: self.name,
            operation: "WriteState".to_owned(),
            source: source.into(),
        })
    }

    /// What a file of this name in the folder says.
    fn told(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }
}

#[async_trait]
impl Provider for TestCloud {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capability(&self) -> Capability {
        match self.name {
            "gcp" => omnifn_deploy::gcp::capability(),
            _ => omnifn_deploy::aws::capability(),
        }
    }

    async fn identity(&self) -> Result<Identity> {
        if self.told("no-credentials").is_some() {
            let message = "tried a file in the test's folder".to_owned();
            return Err(Error::Credentials { provider: self.name, message, source: None });
        }
        Ok(self.identity.clone())
    }

    fn resources(&self, deployment: &Deployment, identity: &Identity) -> Result<Vec<Resource>> {
        Provider::resources(&InMemory::default(), deployment, identity)
    }

    async fn read(&self, scope: &Scope, wanted: &[Resource], _: &Identity) -> Result<Vec<Found>> {
        let (_guard, state) = self.read_state();
        let is_wanted = |id: &ResourceId| wanted.iter().any(|resource| resource.id == *id);
        let stored = state.resources.into_values();
        let mut found: Vec<Found> = stored
            .filter(|stored| stored.scope == *scope || is_wanted(&stored.id))
            .map(|stored| {
                let mut found = Found::new(stored.id, &stored.properties);
                found.outputs = stored.outputs;
                found
            })
            .collect();
        found.sort_by_key(|found| {
            [FUNCTION, TRAFFIC].iter().position(|kind| *kind == found.id.kind).unwrap_or(2)
        });
        Ok(found)
    }

    async fn list(&self, app: &str, stage: &str) -> Result<Vec<Scope>> {
        let (_guard, state) = self.read_state();
        let functions = state.resources.into_values().filter(|stored| stored.id.kind == FUNCTION);
        let scopes = functions.map(|stored| stored.scope);
        Ok(scopes.filter(|scope| scope.app == app && scope.stage == stage).collect())
    }

    async fn apply(&self, step: &Step, context: &ApplyContext<'_>) -> Result<Outputs> {
        if self.told("fail").is_some_and(|told| step.to_string().starts_with(told.trim())) {
            return Err(Error::Refused {
                provider: self.name,
                operation: step.to_string(),
                code: "Fault".to_owned(),
                message: "it was told to".to_owned(),
                is_transient: false,
            });
        }
        let (_guard, mut state) = self.read_state();
        let key = step.id.to_string();
        let mut outputs = Outputs::new();
        if step.action == Action::Delete {
            state.resources.remove(&key);
            if step.id.kind == FUNCTION {
                state.releases.remove(&step.id.name);
            }
        } else {
            if step.id.kind == FUNCTION {
                let archive = step.properties.get("sha256").and_then(Value::as_str);
                let releases = state.releases.entry(step.id.name.clone()).or_default();
                releases.push(archive.unwrap_or_default().to_owned());
                outputs.insert(RELEASE.to_owned(), releases.len().to_string());
                outputs.insert(URL.to_owned(), format!("https://{}.example", step.id.name));
            }
            let stored = Stored {
                scope: context.scope.clone(),
                id: step.id.clone(),
                properties: step.properties.clone(),
                outputs: outputs.clone(),
            };
            state.resources.insert(key, stored);
        }
        self.write_state(&state)?;
        Ok(outputs)
    }

    async fn releases(&self, scope: &Scope) -> Result<Vec<Release>> {
        let name = scope.resource_name(63);
        let (_guard, state) = self.read_state();
        let traffic = state.resources.get(&ResourceId::new(TRAFFIC, &name).to_string());
        let archives = state.releases.get(&name).into_iter().flatten();
        let mut releases: Vec<Release> = archives
            .enumerate()
            .map(|(index, sha256)| {
                let mut release = Release::new((index + 1).to_string());
                release.sha256 = Some(sha256.clone());
                let share = traffic.and_then(|stored| stored.properties.get(&release.id)?.as_u64());
                release.percent = share.and_then(|share| u8::try_from(share).ok()).unwrap_or(0);
                release
            })
            .collect();
        releases.reverse();
        Ok(releases)
    }

    async fn shift(&self, scope: &Scope, shares: &[Share]) -> Result<()> {
        let id = ResourceId::new(TRAFFIC, scope.resource_name(63));
        let (_guard, mut state) = self.read_state();
        let stored = state.resources.get_mut(&id.to_string());
        let stored = stored.ok_or_else(|| Error::Missing { what: id.to_string(), remedy: None })?;
        stored.properties =
            shares.iter().map(|share| (share.release.clone(), json!(share.percent))).collect();
        self.write_state(&state)
    }

    /// Answers with the payload, and fails for one that is `"fail"`.
    async fn invoke(&self, scope: &Scope, invocation: &Invocation) -> Result<Invoked> {
        let releases = self.releases(scope).await?;
        let release = releases.into_iter().find(|release| release.percent > 0);
        let release =
            release.ok_or_else(|| Error::Missing { what: scope.to_string(), remedy: None })?;
        let (_guard, mut state) = self.read_state();
        let lines = state.logs.entry(scope.to_string()).or_default();
        let now = i64::try_from(lines.len()).unwrap_or_default() + 1_700_000_000_000;
        lines.push((now, format!("{} bytes", invocation.payload.len())));
        self.write_state(&state)?;
        let mut invoked = Invoked::new(200, invocation.payload.clone());
        invoked.is_failure = invocation.payload.as_ref() == b"\"fail\"";
        invoked.release = Some(release.id);
        Ok(invoked)
    }

    async fn logs(&self, scope: &Scope, query: &LogQuery) -> Result<LogPage> {
        let (_guard, state) = self.read_state();
        let lines = state.logs.get(&scope.to_string()).into_iter().flatten();
        let lines = lines.filter(|(_, text)| {
            query.filter.as_ref().is_none_or(|filter| text.contains(filter.as_str()))
        });
        let mut page = LogPage::default();
        page.lines =
            lines.map(|(time, text)| LogLine::new(*time, time.to_string(), text)).collect();
        Ok(page)
    }

    fn permissions(&self, resources: &[Resource]) -> Vec<Permission> {
        InMemory::default().permissions(resources)
    }
}
