//! A service of Cloud Run: a new revision of it, where its traffic goes, and how it ends.

use super::{
    Gcp, SemaphorePermit, names,
    rest::{Call, Failure, Operation, PROVIDER},
    service::{self, Service},
    wire,
};
use crate::{ApplyContext, Error, Event, Outputs, Result, Step, URL, plan::Action};
use std::collections::BTreeMap;
use tokio::time::Instant;

const LATEST: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST";
const PINNED: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION";
/// How the share of whatever revision is newest is called among the properties of traffic.
const NEWEST: &str = "latest";
/// What a change of a service changes. Traffic and who may invoke it are changed by steps of their own.
const MASK: &str = "template,labels,description,scaling,ingress,client,clientVersion";
/// How often a revision of the same content is made again.
const MOST_AGAIN: u32 = 50;

impl Gcp {
    pub(super) async fn find_service(&self, name: &str) -> Result<Option<wire::Service>> {
        let call = Call::get(self.service_url(name), format!("GetService {name}"));
        Ok(self.rest.find(call).await?)
    }

    pub(super) fn service_url(&self, name: &str) -> String {
        format!("{}/v2/{}/services/{name}", self.rest.at.run, self.location())
    }

    fn run_api(&self) -> String {
        format!("{}/v2", self.rest.at.run)
    }

    pub(super) async fn apply_service(
        &self,
        step: &Step,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs> {
        let name = step.id.name.as_str();
        if step.action == Action::Delete {
            return self.delete_service(name).await;
        }
        let wanted = Service::of(&step.properties, context)?;
        let _turn = self.turn(&wanted).await;
        let generation = match &wanted.source {
            Some(source) => Some(self.generation(source).await?),
            None => None,
        };
        // Whoever changed it in between is asked what it is like now, once and again.
        let mut conflicts = 0;
        loop {
            let found = self.find_service(name).await?;
            let result = self.put_service(name, &wanted, generation.clone(), found, context).await;
            match result {
                Err(failure) if failure.error.code() == Some("ABORTED") && conflicts < 3 => {
                    conflicts += 1;
                }
                result => return Ok(result?),
            }
        }
    }

    /// Google deploys few sources at once: two are what Firebase allows itself (firebase-tools `release/index.ts`).
    async fn turn(&self, wanted: &Service) -> Option<SemaphorePermit<'_>> {
        match wanted.source {
            Some(_) => self.sources.acquire().await.ok(),
            None => None,
        }
    }

    async fn put_service(
        &self,
        name: &str,
        wanted: &Service,
        generation: Option<String>,
        found: Option<wire::Service>,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs, Failure> {
        let base = wanted.revision.clone().unwrap_or_default();
        let mut mask = MASK.to_owned();
        let (revision, pinned) = match &found {
            None => (base.clone(), None),
            Some(found) => {
                let there = found.template.clone().unwrap_or_default().revision;
                let is_same = names::revision_base(name, &there) == base;
                if is_same && !service::is_ready(found, &there) && is_under_way(found) {
                    // An earlier deploy was cut off, and is still going on.
                    return Ok(self.started(name, &there, context).await?);
                }
                let revision = if is_same && service::is_ready(found, &there) {
                    there
                } else {
                    let from = if is_same { names::revision_number(name, &there) + 1 } else { 1 };
                    self.free_revision(name, &base, from).await?
                };
                (revision, pin(found))
            }
        };
        let mut service = wanted.to_wire(&self.region, &revision, generation);
        if let Some(found) = found {
            service.etag = found.etag;
            if let Some(traffic) = pinned {
                service.traffic = traffic;
                mask.push_str(",traffic");
            }
        }
        let call = || {
            Call::patch(self.service_url(name), format!("UpdateService {name}"), &service)
                .query("allowMissing", "true")
                .query("updateMask", mask.clone())
                .with_etag()
        };
        // A dry run: what Google would refuse is refused before anything is changed.
        self.rest.send(call().query("validateOnly", "true")).await?;
        let operation: Operation = self.rest.json(call()).await?;
        let what = format!("revision {revision}");
        tell_waiting(context, &what);
        if let Err(failure) = self.rest.wait(&self.run_api(), operation, &what).await {
            if failure.error.is_transient() {
                return Err(failure);
            }
            // The service knows more of why.
            self.started(name, &revision, context).await?;
            return Err(failure);
        }
        Ok(self.started(name, &revision, context).await?)
    }

    /// The first name of that revision that nothing has yet: the same one is not made twice.
    async fn free_revision(&self, service: &str, base: &str, from: u32) -> Result<String> {
        for number in from..from + MOST_AGAIN {
            let revision = names::revision_again(base, number);
            if self.find_revision(service, &revision).await?.is_none() {
                return Ok(revision);
            }
        }
        Err(Error::Missing {
            what: format!("a free name for a revision like `{base}`"),
            remedy: Some("delete some of its revisions".to_owned()),
        })
    }

    async fn find_revision(&self, service: &str, revision: &str) -> Result<Option<wire::Revision>> {
        let url = format!("{}/revisions/{revision}", self.service_url(service));
        Ok(self.rest.find(Call::get(url, format!("GetRevision {revision}"))).await?)
    }

    /// Waits until the revision has started; where it has not, says why. Traffic stays where it is.
    async fn started(
        &self,
        name: &str,
        revision: &str,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs> {
        let end = Instant::now() + self.rest.waiting.time;
        let mut pause = self.rest.waiting.first_pause;
        loop {
            let found = self.find_service(name).await?.ok_or_else(|| missing(name))?;
            if service::is_ready(&found, revision) {
                return Ok(outputs(&found, revision));
            }
            let condition = found.terminal_condition.clone().unwrap_or_default();
            if !is_under_way(&found) {
                return Err(self.not_started(name, revision, condition).await);
            }
            if Instant::now() > end {
                return Err(Error::TooSlow {
                    what: format!("revision {revision}"),
                    wanted: "ready",
                    waited: self.rest.waiting.time,
                    last: format!("{} {}", condition.state, condition.message),
                });
            }
            tell_waiting(context, &format!("revision {revision}"));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.rest.waiting.longest_pause);
        }
    }

    async fn not_started(&self, name: &str, revision: &str, condition: wire::Condition) -> Error {
        let found = self.find_revision(name, revision).await.ok().flatten().unwrap_or_default();
        let own = found.conditions.into_iter().find(wire::Condition::has_failed);
        let told = own.unwrap_or(condition);
        let reasons = [&told.revision_reason, &told.reason];
        let code = reasons.into_iter().find(|reason| !reason.is_empty()).cloned();
        let mut message = format!("revision `{revision}` did not start: {}", told.message);
        if !found.log_uri.is_empty() {
            message = format!("{message}; its logs: {}", found.log_uri);
        }
        message.push_str("; traffic stays where it was");
        Error::Refused {
            provider: PROVIDER,
            operation: format!("UpdateService {name}"),
            code: code.unwrap_or_else(|| "REVISION_FAILED".to_owned()),
            message,
            is_transient: false,
        }
    }

    async fn delete_service(&self, name: &str) -> Result<Outputs> {
        let call = Call::delete(self.service_url(name), format!("DeleteService {name}"));
        if let Some(operation) = self.rest.find::<Operation>(call).await? {
            let what = format!("the removal of {name}");
            match self.rest.wait(&self.run_api(), operation, &what).await {
                Err(failure) if failure.is(404) => {}
                result => result?,
            }
        }
        Ok(Outputs::new())
    }

    /// Changes where traffic goes, or whether it needs a permission; nothing else.
    pub(super) async fn patch_service(
        &self,
        name: &str,
        mask: &'static str,
        change: impl Fn(&wire::Service) -> wire::Service,
    ) -> Result<()> {
        let mut conflicts = 0;
        loop {
            let found = self.find_service(name).await?.ok_or_else(|| missing(name))?;
            let body = wire::Service { etag: found.etag.clone(), ..change(&found) };
            let call = Call::patch(self.service_url(name), format!("UpdateService {name}"), &body)
                .query("updateMask", mask)
                .with_etag();
            let result = async {
                let operation: Operation = self.rest.json(call).await?;
                self.rest.wait(&self.run_api(), operation, &format!("{mask} of {name}")).await
            };
            match result.await {
                Err(failure) if failure.error.code() == Some("ABORTED") && conflicts < 3 => {
                    conflicts += 1;
                }
                result => return Ok(result?),
            }
        }
    }

    pub(super) async fn apply_traffic(&self, step: &Step) -> Result<Outputs> {
        if step.action == Action::Delete {
            // It goes with the service.
            return Ok(Outputs::new());
        }
        let shares: BTreeMap<String, u8> = step
            .properties
            .iter()
            .filter_map(|(name, percent)| Some((name.clone(), percent.as_u64()?.try_into().ok()?)))
            .collect();
        self.put_traffic(&step.id.name, &shares).await?;
        Ok(Outputs::new())
    }

    /// Tags stay.
    pub(super) async fn put_traffic(
        &self,
        name: &str,
        shares: &BTreeMap<String, u8>,
    ) -> Result<()> {
        self.patch_service(name, "traffic", |found| {
            let mut traffic: Vec<_> =
                shares.iter().map(|(revision, percent)| target(revision, *percent)).collect();
            let tagged = found.traffic.iter().filter(|target| !target.tag.is_empty());
            traffic.extend(tagged.map(|tagged| wire::Target { percent: None, ..tagged.clone() }));
            wire::Service { traffic, ..wire::Service::default() }
        })
        .await
    }

    /// The address at which this release answers whatever its share is: a tag's. It is made where there is none.
    pub(super) async fn tagged(&self, name: &str, revision: &str) -> Result<String> {
        let address = |service: &wire::Service| {
            let mut tagged = service.traffic_statuses.iter();
            let of = |target: &&wire::Target| target.revision == revision && !target.uri.is_empty();
            tagged.find(of).map(|target| target.uri.clone())
        };
        let found = self.find_service(name).await?.ok_or_else(|| missing(name))?;
        if let Some(uri) = address(&found) {
            return Ok(uri);
        }
        let base = names::revision_base(name, revision);
        let digest = base.rsplit('-').next().unwrap_or_default().to_owned();
        let number = names::revision_number(name, revision);
        self.patch_service(name, "traffic", |found| {
            let mut traffic = found.traffic.clone();
            let tag = format!("r{digest}-{number}");
            traffic.push(wire::Target {
                kind: PINNED.to_owned(),
                revision: revision.to_owned(),
                tag,
                ..wire::Target::default()
            });
            wire::Service { traffic, ..wire::Service::default() }
        })
        .await?;
        let found = self.find_service(name).await?.ok_or_else(|| missing(name))?;
        address(&found).ok_or_else(|| missing(&format!("{name}'s release `{revision}`")))
    }
}

/// Which revision gets how much, by its name; `latest` for whatever is newest.
pub(super) fn shares(service: &wire::Service) -> BTreeMap<String, u64> {
    let mut shares = BTreeMap::new();
    for target in &service.traffic {
        let percent = u64::from(target.percent.unwrap_or_default());
        if percent == 0 {
            continue;
        }
        let revision =
            if target.kind == LATEST { NEWEST.to_owned() } else { target.revision.clone() };
        *shares.entry(revision).or_default() += percent;
    }
    if shares.is_empty() {
        // Google leaves out what is the default.
        shares.insert(NEWEST.to_owned(), 100);
    }
    shares
}

/// The same, with the newest that has started by its name.
pub(super) fn named_shares(service: &wire::Service) -> BTreeMap<String, u64> {
    let mut shares = shares(service);
    if let Some(percent) = shares.remove(NEWEST) {
        let newest = wire::last(&service.latest_ready_revision).to_owned();
        *shares.entry(newest).or_default() += percent;
    }
    shares
}

/// Traffic that would follow a new revision at once is held where it is.
fn pin(service: &wire::Service) -> Option<Vec<wire::Target>> {
    let newest = wire::last(&service.latest_ready_revision);
    let follows = service.traffic.is_empty()
        || service.traffic.iter().any(|target| target.kind == LATEST && target.percent != Some(0));
    if newest.is_empty() || !follows {
        return None;
    }
    let mut traffic: Vec<_> = named_shares(service)
        .iter()
        .map(|(revision, percent)| target(revision, u8::try_from(*percent).unwrap_or(100)))
        .collect();
    let tagged = service.traffic.iter().filter(|target| !target.tag.is_empty());
    traffic.extend(tagged.map(|tagged| wire::Target { percent: None, ..tagged.clone() }));
    Some(traffic)
}

fn target(revision: &str, percent: u8) -> wire::Target {
    let is_newest = revision == NEWEST;
    wire::Target {
        kind: if is_newest { LATEST } else { PINNED }.to_owned(),
        revision: if is_newest { String::new() } else { revision.to_owned() },
        percent: Some(percent),
        ..wire::Target::default()
    }
}

fn is_under_way(service: &wire::Service) -> bool {
    let state = service.terminal_condition.as_ref().map(|condition| condition.state.as_str());
    service.reconciling || matches!(state, Some("CONDITION_PENDING" | "CONDITION_RECONCILING"))
}

pub(super) fn outputs(service: &wire::Service, revision: &str) -> Outputs {
    Outputs::from([
        (URL.to_owned(), service.uri.clone()),
        (names::REVISION.to_owned(), revision.to_owned()),
    ])
}

fn tell_waiting(context: &ApplyContext<'_>, what: &str) {
    context.progress.on(Event::Waiting { provider: PROVIDER, scope: context.scope, what });
}

pub(super) fn missing(name: &str) -> Error {
    Error::Missing { what: format!("service `{name}`"), remedy: Some("deploy it first".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::{LATEST, PINNED, named_shares, pin, shares, target, wire};

    fn service(traffic: Vec<wire::Target>) -> wire::Service {
        wire::Service {
            traffic,
            latest_ready_revision: "projects/p/locations/r/services/s/revisions/s-2".to_owned(),
            ..wire::Service::default()
        }
    }

    fn percents(service: &wire::Service) -> Vec<(String, u64)> {
        shares(service).into_iter().collect()
    }

    #[test]
    fn traffic_is_read_with_tags_left_out_and_the_default_filled_in() {
        let tagged = wire::Target { tag: "canary".into(), percent: None, ..target("s-1", 0) };
        assert_eq!(percents(&service(vec![])), [("latest".to_owned(), 100)]);
        let shared = service(vec![target("s-1", 90), target("s-2", 10), tagged]);
        assert_eq!(percents(&shared), [("s-1".to_owned(), 90), ("s-2".to_owned(), 10)]);
        assert_eq!(named_shares(&service(vec![target("latest", 100)]))["s-2"], 100);
    }

    #[test]
    fn traffic_that_follows_the_newest_is_held_before_there_is_a_new_one() {
        let pinned = pin(&service(vec![target("latest", 100)])).unwrap();
        assert_eq!(pinned, [target("s-2", 100)]);
        assert_eq!((pinned[0].kind.as_str(), target("latest", 1).kind.as_str()), (PINNED, LATEST));
        assert_eq!(pin(&service(vec![target("s-1", 100)])), None);
        assert_eq!(pin(&wire::Service::default()), None, "nothing has started yet");
    }
}
