//! What is on its way: messages of topics and events, each until somebody has acknowledged it. They outlive the server.

use super::{
    Cloud,
    error::{Failure, Kind, Outcome},
    eventarc, pubsub, token,
};
use crate::{identity, wire};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// More are not taken.
const MOST: usize = 10_000;
/// So many are sent at once.
pub(super) const MOST_AT_ONCE: usize = 32;
const LARGEST_ANSWER: usize = 10 * 1024 * 1024;

/// One attempt: where to, what, and how long its receiver has.
pub(super) struct Attempt {
    pub(super) url: String,
    pub(super) request: Request<Bytes>,
    pub(super) limit: Duration,
    pub(super) acknowledges: fn(StatusCode) -> bool,
}

/// What to do with a message now.
pub(super) enum Next {
    Send(Box<Attempt>),
    /// Somebody will come for it.
    Keep,
    /// Nobody wants it any more.
    Drop,
}

/// What to do with a message that was not acknowledged.
pub(super) enum Again {
    After(Duration),
    Never,
}

/// Puts a message or an event on its way to a subscription or a trigger.
pub(super) fn enqueue(cloud: &Arc<Cloud>, target: &str, payload: &Value) -> Outcome<()> {
    if cloud.store.list("delivery/").len() >= MOST {
        return Err(Failure::new(
            Kind::Unavailable,
            format!("{MOST} messages are on their way already"),
        ));
    }
    let key = format!("delivery/{target}/{}-{}", cloud.generation(), identity::uuid());
    let pending = json!({"target": target, "payload": payload, "attempt": 0});
    cloud.store.put(&key, &pending)?;
    begin(cloud, key);
    Ok(())
}

/// Goes on with what was on its way when the server was ended.
pub(super) fn resume(cloud: &Arc<Cloud>) {
    for (key, _) in cloud.store.list("delivery/") {
        begin(cloud, key);
    }
}

fn begin(cloud: &Arc<Cloud>, key: String) {
    let weak = Arc::downgrade(cloud);
    tokio::spawn(async move {
        loop {
            let Some(cloud) = weak.upgrade() else { return };
            let Some(pause) = attempt(&cloud, &key).await else { return };
            // Who waits must not keep all else alive.
            drop(cloud);
            sleep(pause).await;
        }
    });
}

/// Tries it once: how long to wait for the next time, if there is one.
async fn attempt(cloud: &Arc<Cloud>, key: &str) -> Option<Duration> {
    let mut pending = cloud.store.get(key)?;
    let target = pending["target"].as_str().unwrap_or_default().to_owned();
    let attempt = pending["attempt"].as_u64().unwrap_or(0) + 1;
    pending["attempt"] = attempt.into();
    let next = if target.contains("/triggers/") {
        eventarc::next(cloud, &target, &pending["payload"])
    } else {
        pubsub::next(cloud, &target, &pending["payload"], attempt)
    };
    let attempted = match next {
        Next::Send(attempt) => *attempt,
        Next::Keep => return None,
        Next::Drop => {
            cloud.store.remove(key);
            return None;
        }
    };
    cloud.store.put(key, &pending).ok();
    let acknowledges = attempted.acknowledges;
    let why = match send(cloud, attempted).await {
        Ok(status) if acknowledges(status) => {
            cloud.store.remove(key);
            return None;
        }
        Ok(status) => status.to_string(),
        Err(why) => why,
    };
    tracing::debug!(target, attempt, why, "not acknowledged");
    let again = if target.contains("/triggers/") {
        eventarc::again(cloud, &target, attempt)
    } else {
        pubsub::again(cloud, &target, &pending["payload"], attempt)
    };
    match again {
        Again::After(pause) => Some(pause),
        Again::Never => {
            cloud.store.remove(key);
            None
        }
    }
}

/// Sends a request to somebody on this machine.
pub(super) async fn send(cloud: &Cloud, attempt: Attempt) -> Result<StatusCode, String> {
    let Attempt { url, mut request, limit, .. } = attempt;
    let place = url::Url::parse(&url).map_err(|error| error.to_string())?;
    let local = matches!(place.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let (true, "http", Some(port)) = (local, place.scheme(), place.port_or_known_default()) else {
        return Err(format!("{url} is not on this machine"));
    };
    let path = match place.query() {
        Some(query) => format!("{}?{query}", place.path()),
        None => place.path().to_owned(),
    };
    *request.uri_mut() =
        path.parse().map_err(|_| format!("{url} has no path that could be asked for"))?;
    let _place = cloud.sending.acquire().await.map_err(|error| error.to_string())?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    match timeout(limit, wire::send_whole(address, request, LARGEST_ANSWER)).await {
        Ok(Ok(response)) => Ok(response.status()),
        Ok(Err(error)) => Err(error.with_cause()),
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
    }
}

/// Signs as this account, where there is one.
pub(super) fn sign(request: &mut Request<Bytes>, account: Option<&str>, audience: &str) {
    let Some(account) = account else { return };
    let token = format!("Bearer {}", token::identity(account, audience));
    if let Ok(value) = HeaderValue::try_from(token) {
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
}

/// `first` after the first time, doubled each time, up to `most`.
pub(super) fn backoff(first: Duration, most: Duration, attempt: u64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(30);
    first.saturating_mul(1 << doublings).min(most)
}

#[cfg(test)]
mod tests {
    use super::backoff;
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<_> =
            (1..=6).map(|attempt| backoff(first, most, attempt).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff(first, most, u64::MAX), most);
    }
}
