//! The part of the Extensions API that makes a graceful shutdown possible.

use crate::{identity, process::lock};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::SystemTime,
};
use tokio::sync::Notify;

/// More are refused: Lambda allows ten.
const MOST_EXTENSIONS: usize = 10;
/// Events that an extension has not fetched; the oldest is dropped.
const MOST_EVENTS: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Extensions {
    registered: Mutex<HashMap<String, Extension>>,
    changed: Notify,
}

#[derive(Debug)]
struct Extension {
    wants: Vec<String>,
    events: VecDeque<Value>,
}

impl Extensions {
    pub(super) fn any(&self) -> bool {
        !lock(&self.registered).is_empty()
    }

    pub(super) fn clear(&self) {
        lock(&self.registered).clear();
        self.changed.notify_waiters();
    }

    /// The new extension's identifier, if there is room for it.
    pub(super) fn register(&self, wants: Vec<String>) -> Option<String> {
        let mut registered = lock(&self.registered);
        if registered.len() == MOST_EXTENSIONS {
            return None;
        }
        let id = identity::uuid();
        registered.insert(id.clone(), Extension { wants, events: VecDeque::new() });
        Some(id)
    }

    /// Queues `event` for every extension that wants its `eventType`.
    pub(super) fn tell(&self, event: &Value) {
        let mut registered = lock(&self.registered);
        for extension in registered.values_mut() {
            if extension.wants.iter().any(|kind| event["eventType"] == **kind) {
                if extension.events.len() == MOST_EVENTS {
                    extension.events.pop_front();
                }
                extension.events.push_back(event.clone());
            }
        }
        drop(registered);
        self.changed.notify_waiters();
    }

    pub(super) fn shut_down(&self, deadline: SystemTime) {
        self.tell(&json!({
            "eventType": "SHUTDOWN",
            "shutdownReason": "spindown",
            "deadlineMs": identity::unix_millis(deadline),
        }));
    }

    /// The next event for an extension, as soon as there is one; none for an unknown extension.
    pub(super) async fn next(&self, id: &str) -> Option<Value> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(event) = lock(&self.registered).get_mut(id)?.events.pop_front() {
                return Some(event);
            }
            changed.await;
        }
    }
}
