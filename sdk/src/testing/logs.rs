use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::DefaultGuard,
};

/// Captures what this thread logs by `tracing`, of any level, until the guard is dropped. What is captured reaches no other
/// subscriber.
///
/// ```
/// use omnifn::testing;
///
/// let logs = testing::capture_logs();
/// tracing::warn!(order = 7, "sold out");
/// assert!(logs.contains("sold out"));
/// assert_eq!(logs.all()[0].fields["order"], "7");
/// ```
///
/// Only this thread's: a `#[tokio::test]` runs all its tasks on one, unless it says `flavor = "multi_thread"`; what
/// `spawn_blocking` or a thread of the test's own logs is not seen. Spans are not kept.
#[must_use = "what is logged after the guard is dropped is not captured"]
pub fn capture_logs() -> Logs {
    let events = Events::default();
    let guard = tracing::subscriber::set_default(Capture(events.clone()));
    Logs { events, _guard: guard }
}

type Events = Arc<Mutex<Vec<Logged>>>;

fn lock(events: &Events) -> MutexGuard<'_, Vec<Logged>> {
    // A panic cannot leave the list half-changed.
    events.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What [`capture_logs`] captures.
pub struct Logs {
    events: Events,
    _guard: DefaultGuard,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logged {
    /// How important it is.
    pub level: Level,
    /// Who logged it: a module's path, unless the call says otherwise.
    pub target: String,
    /// The message.
    pub message: String,
    /// The other fields, as text.
    pub fields: BTreeMap<String, String>,
}

/// As a line: `INFO shipped order=7`.
impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.level, self.message)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl Logs {
    /// All that was logged until now, in order.
    pub fn all(&self) -> Vec<Logged> {
        lock(&self.events).clone()
    }

    /// Whether a line holds this text, in the form of its `Display`.
    pub fn contains(&self, text: &str) -> bool {
        lock(&self.events).iter().any(|line| line.to_string().contains(text))
    }

    /// How many lines of this level there are.
    pub fn count(&self, level: Level) -> usize {
        lock(&self.events).iter().filter(|line| line.level == level).count()
    }

    /// Forgets what was logged until now.
    pub fn clear(&self) {
        lock(&self.events).clear();
    }
}

/// All lines, which is what a failed assertion shows.
impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = lock(&self.events);
        f.debug_list().entries(lines.iter().map(ToString::to_string)).finish()
    }
}

struct Capture(Events);

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, target) = (*event.metadata().level(), event.metadata().target().to_owned());
        let Fields { message, fields } = fields;
        lock(&self.0).push(Logged { level, target, message, fields });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Fields {
    fn set(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.insert(field.name().to_owned(), text);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }
}
