//! Which instances there are: started when an invocation finds none free, ended when they were idle for long.

use super::{
    function::{Version, settings_digest},
    instance::{Instance, Invoked},
};
use crate::{
    aws_api::{Cloud, error::Fault},
    process::lock,
    runtime_api::Invocation,
};
use http::StatusCode;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

/// At once, of one version: this is one machine.
const MOST_INSTANCES: usize = 10;
/// How long an invocation waits for an instance.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// An instance is ended when it had nothing to do for so long.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(in crate::aws_api) struct Pool {
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    /// Invocations under way, by function.
    running: Arc<Mutex<HashMap<String, u32>>>,
}

/// The instances of one version with one configuration and one code.
#[derive(Debug)]
struct Room {
    idle: Mutex<Vec<Instance>>,
    places: Semaphore,
}

impl Pool {
    pub(super) async fn run(
        &self,
        cloud: &Cloud,
        version: &Version,
        reserved: Option<u32>,
        invocation: Invocation,
    ) -> Result<Invoked, Fault> {
        let _running = self.count(&version.function, reserved)?;
        let room = self.room(version);
        let Ok(Ok(_place)) = timeout(LONGEST_WAIT, room.places.acquire()).await else {
            return Err(throttled("no instance became free in time"));
        };
        let free = std::iter::from_fn(|| lock(&room.idle).pop())
            .find_map(|mut instance| instance.lives().then_some(instance));
        let started = match free {
            Some(instance) => Ok(instance),
            None => Instance::start(cloud, version),
        };
        let mut instance = match started {
            Ok(instance) => instance,
            Err(reply) => return Ok(Invoked { reply: *reply, log: String::new(), lives: false }),
        };
        let invoked = instance.invoke(invocation).await;
        if invoked.lives {
            lock(&room.idle).push(instance);
        }
        Ok(invoked)
    }

    /// The function has changed or is gone: its instances end, those that work when they have finished.
    pub(super) fn forget(&self, function: &str) {
        let prefix = format!("{function}/");
        let mut rooms = lock(&self.rooms);
        let gone: Vec<String> =
            rooms.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        for room in gone.iter().filter_map(|key| rooms.remove(key)) {
            end(std::mem::take(&mut *lock(&room.idle)));
        }
    }

    /// Ends what was idle for long.
    pub(in crate::aws_api) fn reap(&self) {
        let mut rooms = lock(&self.rooms);
        for room in rooms.values() {
            let mut idle = lock(&room.idle);
            let (old, kept) =
                idle.drain(..).partition(|instance| instance.used.elapsed() > IDLE_LIMIT);
            *idle = kept;
            end(old);
        }
        rooms.retain(|_, room| Arc::strong_count(room) > 1 || !lock(&room.idle).is_empty());
    }

    /// Ends all that is idle, and waits for that.
    pub(in crate::aws_api) async fn stop(&self) {
        let rooms: Vec<_> = lock(&self.rooms).drain().collect();
        for (_, room) in rooms {
            let idle = std::mem::take(&mut *lock(&room.idle));
            for instance in idle {
                instance.stop().await;
            }
        }
    }

    /// Kills all that is idle.
    pub(in crate::aws_api) fn clear(&self) {
        lock(&self.rooms).clear();
    }

    fn room(&self, version: &Version) -> Arc<Room> {
        let settings = settings_digest(&version.settings);
        let key = format!(
            "{}/{}/{settings}{}{}",
            version.function, version.version, version.code.digest, version.code.architecture
        );
        let mut rooms = lock(&self.rooms);
        let room = rooms.entry(key).or_insert_with(|| {
            Arc::new(Room { idle: Mutex::default(), places: Semaphore::new(MOST_INSTANCES) })
        });
        room.clone()
    }

    fn count(&self, function: &str, reserved: Option<u32>) -> Result<Counted, Fault> {
        let mut running = lock(&self.running);
        let count = running.entry(function.to_owned()).or_default();
        if reserved.is_some_and(|reserved| *count >= reserved) {
            return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
        }
        *count += 1;
        Ok(Counted { function: function.to_owned(), running: self.running.clone() })
    }
}

/// One invocation under way.
struct Counted {
    function: String,
    running: Arc<Mutex<HashMap<String, u32>>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        if let Some(count) = running.get_mut(&self.function) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                running.remove(&self.function);
            }
        }
    }
}

fn end(instances: Vec<Instance>) {
    for instance in instances {
        // Dropping kills at once: what has an extension may say goodbye.
        tokio::spawn(instance.stop());
    }
}

fn throttled(why: &str) -> Fault {
    let message = format!("Rate Exceeded. ({why})");
    Fault::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message)
}
