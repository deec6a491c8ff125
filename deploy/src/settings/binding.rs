use crate::Period;
use omnifn_core::Trigger;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One source of events, with what is to be known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Binding {
    /// HTTP requests.
    Http(HttpBinding),
    /// Messages of a queue, a topic or a stream.
    Queue(QueueBinding),
    /// A schedule.
    Timer(TimerBinding),
    /// Changes of objects in a bucket.
    Storage(StorageBinding),
    /// Changes of documents in a database.
    Database(DatabaseBinding),
    /// Other events.
    Event(EventBinding),
    /// Calls with a payload, by whoever may invoke the function.
    Direct(DirectBinding),
}

impl Binding {
    /// The kind of event.
    pub fn trigger(&self) -> Trigger {
        match self {
            Self::Http(_) => Trigger::Http,
            Self::Queue(_) => Trigger::Queue,
            Self::Timer(_) => Trigger::Timer,
            Self::Storage(_) => Trigger::Storage,
            Self::Database(_) => Trigger::Database,
            Self::Event(_) => Trigger::Event,
            Self::Direct(_) => Trigger::Direct,
        }
    }
}

/// Who may send requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Auth {
    /// Who the cloud's IAM lets.
    #[default]
    Iam,
    /// Everybody.
    None,
}

/// A URL: a function URL on AWS, the service's own on Google.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct HttpBinding {
    /// Who may send requests; nobody but who IAM lets, unless told otherwise.
    pub auth: Auth,
    /// Send the answer as it is written, not as a whole. Google always does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// What browsers may do from other origins. Only AWS answers this by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

/// Cross-origin resource sharing of a function URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Cors {
    /// Origins such as `https://example.com`, or `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Methods, or `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Headers of requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Headers of answers that scripts may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    /// Whether cookies may be sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub credentials: bool,
    /// How long browsers keep the answer to a preflight request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
}

/// Messages. Without `queue`, `topic`, `stream` or `kafka` the trigger's own name is that of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct QueueBinding {
    /// A queue of SQS (name or ARN); on Google the Pub/Sub topic of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// A topic of SNS (name or ARN) or of Pub/Sub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// A stream of Kinesis (name or ARN). Google has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// A topic of Kafka. Only AWS delivers these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<Kafka>,
    /// How many messages at most come at once. Google sends one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// How long to wait for a batch to become full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_window: Option<Period>,
    /// Whether the function's failed messages alone are sent again [default: true, where the source can].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_failures: Option<bool>,
    /// How many invocations at most run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// Where messages go that failed too often: an SQS queue or SNS topic (for streams and topics), a Pub/Sub topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// How often a message is tried, where the source lets that be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Only messages that match: a filter of the source's own language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// A topic of Kafka: of MSK by its cluster's ARN, else of any cluster by its servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Kafka {
    /// The topic.
    pub topic: String,
    /// The ARN of an MSK cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `host:port` of each bootstrap server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// The consumer group [default: one of AWS's].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
    /// The secret with the credentials: its ARN in Secrets Manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A schedule: EventBridge Scheduler on AWS, Cloud Scheduler on Google.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct TimerBinding {
    /// Five fields as `cron` has them: minute, hour, day of month, month, day of week. Each cloud gets its own dialect.
    pub schedule: String,
    /// A time zone of the IANA database [default: UTC].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The event's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// What happened to an object or a document.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Change {
    /// It is new, or has new content.
    Created,
    /// It is gone.
    Deleted,
    /// Where versions are kept, what it was stays as a version that is not current: a delete marker took its place (AWS), or it was
    /// replaced or deleted (Google).
    Archived,
    /// Its metadata (Google) or tags (AWS) are others.
    Updated,
}

/// A bucket of S3 or of Cloud Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StorageBinding {
    /// The bucket [default: the trigger's name].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// What of [default: `created`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Only objects whose name begins so. AWS alone looks at names before it sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only objects whose name ends so. AWS alone looks at names before it sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

/// A table of DynamoDB with a stream, or documents of Firestore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DatabaseBinding {
    /// On AWS: the ARN of the table's stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// On Google: the database [default: `(default)`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// On Google: the path of the documents, such as `users/{user}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// How many changes at most come at once (AWS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// How long to wait for a batch to become full (AWS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_window: Option<Period>,
    /// How often a change is tried (AWS) [default: until it is too old].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Where changes go that failed too often (AWS): an SQS queue or SNS topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
}

/// Events by their attributes: a rule of EventBridge, a trigger of Eventarc.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct EventBinding {
    /// On AWS: an event pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Map<String, Value>>,
    /// On AWS: the bus [default: `default`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// On Google: filters such as `type` and `bucket`, each with its value.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub filters: std::collections::BTreeMap<String, String>,
}

/// Calls by whoever may invoke the function; nothing has to be set up for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DirectBinding {}
