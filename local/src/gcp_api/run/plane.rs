//! Where requests arrive: a port for each service and for each of its tags.

use super::{
    deploy,
    pool::Pool,
    revision,
    service::{self, Service},
    traffic,
};
use crate::{
    gcp_api::{
        Cloud,
        error::{Failure, Outcome},
        iam, logging, token,
    },
    process::lock,
    wire::{self, Reply, Server},
};
use http::{HeaderMap, Request, StatusCode, header};
use hyper::body::Incoming;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

/// How often it is looked for instances that have nothing to do.
const REAPING_PAUSE: Duration = Duration::from_secs(1);

/// What runs: nothing of this is kept, all can be made again from what is.
#[derive(Default)]
pub(in crate::gcp_api) struct Plane {
    /// By service and tag.
    fronts: Mutex<HashMap<(String, String), Server>>,
    /// By the full name of the revision.
    pools: Mutex<HashMap<String, Arc<Pool>>>,
    /// Changes of one service are made one after the other.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Plane {
    pub(in crate::gcp_api) async fn turn(&self, service: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = lock(&self.turns).entry(service.to_owned()).or_default().clone();
        turn.lock_owned().await
    }

    /// The instances of a revision that was imported.
    pub(super) fn pool(&self, cloud: &Arc<Cloud>, service: &str, name: &str) -> Outcome<Arc<Pool>> {
        if let Some(pool) = lock(&self.pools).get(name) {
            return Ok(pool.clone());
        }
        let found = revision::find(cloud, name)?;
        let program =
            found.program.ok_or_else(|| Failure::internal(&"the revision was never imported"))?;
        let listener = logging::listener(cloud, service, name);
        let pool = Pool::new(super::last(service), &found.revision, program, listener);
        Ok(lock(&self.pools).entry(name.to_owned()).or_insert_with(|| Arc::new(pool)).clone())
    }

    /// Ends the instances of a revision.
    pub(super) async fn end(&self, revision: &str) {
        let pool = lock(&self.pools).remove(revision);
        if let Some(pool) = pool {
            pool.end().await;
        }
    }

    /// Serves the service no more.
    pub(super) async fn close(&self, service: &str) {
        lock(&self.fronts).retain(|(name, _), _| name != service);
        let prefix = format!("{service}/revisions/");
        let names: Vec<String> =
            lock(&self.pools).keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        for name in names {
            self.end(&name).await;
        }
    }

    /// Ends everything, as Cloud Run does.
    pub(in crate::gcp_api) async fn end_all(&self) {
        lock(&self.fronts).clear();
        let pools = std::mem::take(&mut *lock(&self.pools));
        for pool in pools.into_values() {
            pool.end().await;
        }
    }

    /// Closes all ports and kills all instances that nobody else holds.
    pub(in crate::gcp_api) fn abandon(&self) {
        lock(&self.fronts).clear();
        lock(&self.pools).clear();
    }

    /// How many instances are there, of all revisions.
    pub(in crate::gcp_api) fn instances(&self) -> usize {
        lock(&self.pools).values().map(|pool| pool.instances()).sum()
    }
}

/// Ends idle instances for as long as the cloud is there.
pub(in crate::gcp_api) async fn reap(cloud: Weak<Cloud>) {
    loop {
        tokio::time::sleep(REAPING_PAUSE).await;
        let Some(cloud) = cloud.upgrade() else { return };
        let pools: Vec<_> = lock(&cloud.plane.pools).values().cloned().collect();
        for pool in pools {
            pool.reap(cloud.options.idle_limit).await;
        }
    }
}

/// Serves what was served before the server was started again.
pub(in crate::gcp_api) fn open_all(cloud: &Arc<Cloud>) -> Outcome<()> {
    for (name, mut service) in service::all(cloud) {
        service::put(cloud, &name, &mut service)?;
        if service.service["reconciling"] == true {
            let change = deploy::unfinished(cloud, &service.service);
            let work = deploy::roll_out(cloud.clone(), name, change);
            cloud.spawn(async move {
                if let Err(failure) = work.await {
                    tracing::debug!(message = failure.message, "a service is not ready");
                }
            });
        }
    }
    Ok(())
}

/// Opens a port for the service and each of its tags, and closes those of tags that are gone. Where a port cannot be had
/// again, it is another.
pub(in crate::gcp_api) fn open(cloud: &Cloud, name: &str, service: &mut Service) -> Outcome<()> {
    let Some(cloud) = cloud.me() else { return Ok(()) };
    open_fronts(&cloud, name, service)?;
    name_uris(service);
    Ok(())
}

fn open_fronts(cloud: &Arc<Cloud>, name: &str, service: &mut Service) -> Outcome<()> {
    let mut wanted: Vec<String> =
        traffic::tags(&service.service).into_iter().map(str::to_owned).collect();
    wanted.push(String::new());
    let mut fronts = lock(&cloud.plane.fronts);
    fronts.retain(|(of, tag), _| of != name || wanted.contains(tag));
    service.ports.retain(|tag, _| wanted.contains(tag));
    for tag in wanted {
        let key = (name.to_owned(), tag);
        if let Some(front) = fronts.get(&key) {
            service.ports.insert(key.1, front.address().port());
            continue;
        }
        let before = service.ports.get(&key.1).copied().unwrap_or(0);
        let (listener, address) = {
            // A process that is just being started must not take it along.
            let _alone = lock(&crate::process::STARTING);
            wire::listen(before)
                .or_else(|_| wire::listen(0))
                .map_err(|error| Failure::internal(&error))?
        };
        let (weak, of, tag) = (Arc::downgrade(cloud), key.0.clone(), key.1.clone());
        let front = Server::start(listener, address, move |request| {
            let (weak, of, tag) = (weak.clone(), of.clone(), tag.clone());
            async move { answer(&weak, &of, &tag, request).await }
        });
        service.ports.insert(key.1.clone(), address.port());
        fronts.insert(key, front);
    }
    Ok(())
}

pub(super) fn uris(ports: &BTreeMap<String, u16>) -> BTreeMap<String, String> {
    ports.iter().map(|(tag, port)| (tag.clone(), format!("http://127.0.0.1:{port}"))).collect()
}

fn name_uris(service: &mut Service) {
    let uris = uris(&service.ports);
    if let Some(uri) = uris.get("") {
        service.service["uri"] = uri.as_str().into();
        service.service["urls"] = serde_json::json!([uri]);
    }
    // Not by an index, which would put a null where there are none.
    let statuses =
        service.service.get_mut("trafficStatuses").and_then(serde_json::Value::as_array_mut);
    for status in statuses.into_iter().flatten() {
        if let Some(uri) = status["tag"].as_str().and_then(|tag| uris.get(tag)) {
            status["uri"] = uri.as_str().into();
        }
    }
}

async fn answer(cloud: &Weak<Cloud>, name: &str, tag: &str, request: Request<Incoming>) -> Reply {
    let Some(cloud) = cloud.upgrade() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the service is being ended");
    };
    let Ok(Service { service, .. }) = service::find(&cloud, name) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such service any more");
    };
    if service["invokerIamDisabled"] != true
        && !iam::is_public(&cloud, name)
        && let Err(why) = authorize(&cloud, name, request.headers())
    {
        let why = format!(
            "Error: Forbidden. Your client does not have permission to get the requested URL from this server: {why}"
        );
        return refuse(StatusCode::FORBIDDEN, &why);
    }
    let dice = RandomState::new().build_hasher().finish() % 100;
    let dice = i64::try_from(dice).unwrap_or_default();
    let Some(revision) = traffic::choose(&service, tag, dice) else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "Service Unavailable: no revision is ready",
        );
    };
    let instances = traffic::instances(&service, revision);
    let revision = format!("{name}/revisions/{revision}");
    match cloud.plane.pool(&cloud, name, &revision) {
        Ok(pool) => {
            pool.bound(instances);
            pool.send(&cloud, request).await
        }
        Err(failure) => refuse(StatusCode::SERVICE_UNAVAILABLE, &failure.message),
    }
}

/// Any token of others' is taken; one that this cloud gave must be that of an invoker.
fn authorize(cloud: &Cloud, service: &str, headers: &HeaderMap) -> Result<(), String> {
    // cloud.google.com/run/docs/authenticating/service-to-service: either header.
    let given =
        headers.get("x-serverless-authorization").or_else(|| headers.get(header::AUTHORIZATION));
    let token = given.and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim())
            .filter(|token| !token.is_empty())
    });
    let Some(token) = token else { return Err("it sent no bearer token".to_owned()) };
    match token::email(token) {
        Some(email) if !iam::may_invoke(cloud, service, &email) => {
            Err(format!("{email} lacks roles/run.invoker"))
        }
        _ => Ok(()),
    }
}

pub(super) fn refuse(status: StatusCode, why: &str) -> Reply {
    wire::reply(status, "text/plain; charset=utf-8", format!("{why}\n"))
}
