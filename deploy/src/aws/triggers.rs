//! What the triggers of a deployment become on AWS. Pure.

use super::{
    desired::within,
    mapping::{self, Mapping},
    names::{Names, plain},
    notification::{self, Notification},
    permission::{self, Permission},
    policy,
    role::{self, Role},
    rule::{self, Rule},
    schedule::{self, Schedule},
    subscription::{self, Subscription},
    url::{self, Cors, FunctionUrl},
};
use crate::{
    Deployment, Error, Resource, ResourceId, Result,
    cron::Cron,
    scope::shorten,
    settings::{
        Auth, Binding, Change, DatabaseBinding, EventBinding, HttpBinding, QueueBinding,
        StorageBinding, TimerBinding,
    },
};
use serde_json::Value;

/// All that they need.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    pub(super) resources: Vec<Resource>,
    /// What the function's role must be allowed.
    pub(super) statements: Vec<Value>,
    /// ARNs of the sources whose mappings report partial failures.
    pub(super) partial_sources: Vec<String>,
    pub(super) is_streamed: bool,
}

pub(super) fn read(deployment: &Deployment, names: &Names) -> Result<Triggers> {
    let mut triggers = Triggers::default();
    let mut timers = Vec::new();
    for (name, binding) in &deployment.settings.triggers {
        let trigger = Trigger { name, names };
        match binding {
            Binding::Http(http) => triggers.http(trigger, http)?,
            Binding::Queue(queue) => triggers.queue(trigger, queue)?,
            Binding::Timer(timer) => timers.push(trigger.timer(timer)?),
            Binding::Storage(storage) => triggers.storage(trigger, storage),
            Binding::Database(database) => triggers.database(trigger, database)?,
            Binding::Event(event) => triggers.event(trigger, event, deployment)?,
            Binding::Direct(_) => {}
        }
    }
    if !timers.is_empty() {
        triggers.resources.push(scheduler_role(deployment, names));
        triggers.resources.extend(timers);
    }
    if let Some(twice) = twice(&triggers.resources) {
        return Err(Error::setting(
            "triggers",
            format!("two of them mean the same `{}`", twice.id),
        ));
    }
    Ok(triggers)
}

fn twice(resources: &[Resource]) -> Option<&Resource> {
    let mut seen = std::collections::BTreeSet::new();
    resources.iter().find(|resource| !seen.insert(&resource.id))
}

/// Scheduler invokes the function with a role, not by a permission.
fn scheduler_role(deployment: &Deployment, names: &Names) -> Resource {
    let invoke = policy::allow("Invoke", &["lambda:InvokeFunction"], &[names.alias_arn()]);
    Resource::new(
        ResourceId::new(role::KIND, &names.scheduler_role),
        Role {
            trust: policy::trust("scheduler.amazonaws.com"),
            policy: serde_json::json!({ "Version": "2012-10-17", "Statement": [invoke] }),
            managed: Vec::new(),
            labels: deployment.settings.labels.clone(),
        },
    )
}

#[derive(Clone, Copy, Debug)]
struct Trigger<'a> {
    name: &'a str,
    names: &'a Names,
}

impl Trigger<'_> {
    fn key(&self, key: &str) -> String {
        format!("triggers.{}.{key}", self.name)
    }

    fn refuse(&self, key: &str, message: impl Into<String>) -> Error {
        Error::setting(self.key(key), message)
    }

    fn window(&self, window: Option<crate::Period>) -> Result<i32> {
        within(
            &self.key("batch-window"),
            window.map_or(0, crate::Period::seconds),
            0..=300,
            "seconds",
        )
    }

    /// May this source invoke the function?
    fn permission(&self, principal: &str, arn: &str, account: Option<&str>) -> Resource {
        // At most 100 letters, digits, hyphens and underscores.
        let sid = shorten(&format!("{}t-{}", permission::PREFIX, plain(self.name)), 100);
        let permission = Permission {
            action: "lambda:InvokeFunction".to_owned(),
            principal: principal.to_owned(),
            source_arn: Some(arn.to_owned()),
            source_account: account.map(str::to_owned),
        };
        Resource::new(ResourceId::new(permission::KIND, sid), permission)
    }

    fn timer(&self, timer: &TimerBinding) -> Result<Resource> {
        let cron = Cron::parse(&timer.schedule).and_then(|cron| cron.to_aws());
        let expression = cron.map_err(|error| match error {
            Error::Setting { message, .. } => self.refuse("schedule", message),
            other => other,
        })?;
        let properties = Schedule {
            expression,
            timezone: timer.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
            input: schedule::input(timer.input.as_ref()),
            target: self.names.alias_arn(),
            role: self.names.role_arn(&self.names.scheduler_role),
        };
        Ok(Resource::new(
            ResourceId::new(schedule::KIND, self.names.of_trigger(self.name)),
            properties,
        ))
    }
}

impl Triggers {
    fn http(&mut self, trigger: Trigger<'_>, http: &HttpBinding) -> Result<()> {
        if self.resources.iter().any(|resource| resource.id.kind == url::KIND) {
            return Err(trigger.refuse(
                "type",
                "a function has one URL: leave one of its triggers of this type out",
            ));
        }
        self.is_streamed = http.stream;
        if http.auth == Auth::None {
            for (sid, action) in [
                (permission::URL, "lambda:InvokeFunctionUrl"),
                (permission::URL_INVOKE, "lambda:InvokeFunction"),
            ] {
                let permission = Permission {
                    action: action.to_owned(),
                    principal: "*".to_owned(),
                    source_arn: None,
                    source_account: None,
                };
                self.resources
                    .push(Resource::new(ResourceId::new(permission::KIND, sid), permission));
            }
        }
        let cors = match &http.cors {
            None => None,
            Some(cors) => Some(Cors {
                origins: cors.origins.clone(),
                methods: cors.methods.clone(),
                headers: cors.headers.clone(),
                expose_headers: cors.expose_headers.clone(),
                credentials: cors.credentials,
                max_age_seconds: match cors.max_age {
                    None => 0,
                    Some(age) => {
                        within(&trigger.key("cors.max-age"), age.seconds(), 0..=86_400, "seconds")?
                    }
                },
            }),
        };
        let properties = FunctionUrl {
            auth: if http.auth == Auth::None { "NONE" } else { "AWS_IAM" }.to_owned(),
            mode: if http.stream { "RESPONSE_STREAM" } else { "BUFFERED" }.to_owned(),
            cors,
        };
        self.resources
            .push(Resource::new(ResourceId::new(url::KIND, &trigger.names.function), properties));
        Ok(())
    }

    fn queue(&mut self, trigger: Trigger<'_>, queue: &QueueBinding) -> Result<()> {
        match (&queue.topic, &queue.stream, &queue.kafka, &queue.queue) {
            (Some(topic), None, None, None) => self.topic(trigger, queue, topic),
            (None, Some(stream), None, None) => self.kinesis(trigger, queue, stream),
            (None, None, Some(_), None) => self.kafka(trigger, queue),
            (None, None, None, name) => {
                self.sqs(trigger, queue, name.as_deref().unwrap_or(trigger.name))
            }
            _ => Err(trigger.refuse("queue", "name one of `queue`, `topic`, `stream` and `kafka`")),
        }
    }

    /// Of the account's own SQS, or an ARN. Actions: those of AWS's managed policy `AWSLambdaSQSQueueExecutionRole`, and
    /// `ChangeMessageVisibility`, which CDK grants whoever consumes a queue; whether Lambda needs that one is not verified.
    fn sqs(&mut self, trigger: Trigger<'_>, queue: &QueueBinding, name: &str) -> Result<()> {
        let arn = trigger.names.arn("sqs", name);
        let is_fifo = arn.strip_suffix(".fifo").is_some();
        if queue.dead_letter.is_some() || queue.max_attempts.is_some() {
            let key = if queue.dead_letter.is_some() { "dead-letter" } else { "max-attempts" };
            return Err(trigger.refuse(
                key,
                "on aws that is the queue's own redrive policy: set it where the queue is made",
            ));
        }
        let most = if is_fifo { 10 } else { 10_000 };
        let batch_size = within(
            &trigger.key("batch-size"),
            queue.batch_size.unwrap_or(10).into(),
            1..=most,
            "messages",
        )?;
        let window_seconds = trigger.window(queue.batch_window)?;
        if batch_size > 10 && window_seconds == 0 {
            return Err(trigger.refuse(
                "batch-window",
                "a batch of more than 10 messages needs one, such as \"1s\"",
            ));
        }
        if is_fifo && window_seconds > 0 {
            return Err(trigger.refuse("batch-window", "a FIFO queue has none"));
        }
        let partial_failures = queue.partial_failures.unwrap_or(true);
        let most = queue.max_concurrency;
        let most = most.map(|most| {
            within(&trigger.key("max-concurrency"), most.into(), 2..=1000, "invocations")
        });
        let read = [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
        ];
        self.map(
            trigger,
            &read,
            Mapping {
                source: Some(arn),
                batch_size,
                window_seconds,
                partial_failures,
                max_concurrency: most.transpose()?,
                filter: queue.filter.clone(),
                ..Mapping::default()
            },
        );
        Ok(())
    }

    fn kinesis(&mut self, trigger: Trigger<'_>, queue: &QueueBinding, stream: &str) -> Result<()> {
        let arn = if stream.starts_with("arn:") {
            stream.to_owned()
        } else {
            trigger.names.arn("kinesis", &format!("stream/{stream}"))
        };
        // Actions: docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaKinesisExecutionRole.html, read 2026-11. That streams are
        // listed without a resource is not verified.
        self.list_streams("KinesisStreams", "kinesis:ListStreams");
        let read = [
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:SubscribeToShard",
        ];
        let mapping = Mapping {
            partial_failures: queue.partial_failures.unwrap_or(true),
            filter: queue.filter.clone(),
            ..Mapping::default()
        };
        self.stream(
            trigger,
            &read,
            mapping,
            Stream {
                arn,
                batch_size: queue.batch_size,
                batch_window: queue.batch_window,
                max_attempts: queue.max_attempts,
                dead_letter: queue.dead_letter.as_deref(),
            },
        )
    }

    fn database(&mut self, trigger: Trigger<'_>, database: &DatabaseBinding) -> Result<()> {
        let Some(stream) = &database.stream else {
            return Err(
                trigger.refuse("stream", "on aws it is missing: the ARN of the table's stream")
            );
        };
        // docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaDynamoDBExecutionRole.html, read 2026-11.
        let read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];
        self.list_streams("TableStreams", "dynamodb:ListStreams");
        let mapping = Mapping { partial_failures: true, ..Mapping::default() };
        self.stream(
            trigger,
            &read,
            mapping,
            Stream {
                arn: stream.clone(),
                batch_size: database.batch_size,
                batch_window: database.batch_window,
                max_attempts: database.max_attempts,
                dead_letter: database.dead_letter.as_deref(),
            },
        )
    }

    /// Once, however many streams there are.
    fn list_streams(&mut self, sid: &str, action: &str) {
        let list = policy::allow(sid, &[action], &["*".to_owned()]);
        if !self.statements.contains(&list) {
            self.statements.push(list);
        }
    }

    /// Kinesis and the streams of tables.
    fn stream(
        &mut self,
        trigger: Trigger<'_>,
        read: &[&str],
        mapping: Mapping,
        stream: Stream<'_>,
    ) -> Result<()> {
        let batch_size = within(
            &trigger.key("batch-size"),
            stream.batch_size.unwrap_or(100).into(),
            1..=10_000,
            "records",
        )?;
        // The first try is none of the retries.
        let retries = stream.max_attempts.map(|most| u64::from(most.saturating_sub(1)));
        let retries = retries
            .map(|retries| within(&trigger.key("max-attempts"), retries, 0..=10_000, "retries"));
        if let Some(target) = stream.dead_letter {
            let sent = policy::send(&format!("{}Failed", sid(trigger.name)), target);
            self.statements.push(sent.ok_or_else(|| {
                trigger.refuse("dead-letter", "write the ARN of an SQS queue or an SNS topic")
            })?);
        }
        self.map(
            trigger,
            read,
            Mapping {
                source: Some(stream.arn),
                batch_size,
                window_seconds: trigger.window(stream.batch_window)?,
                on_failure: stream.dead_letter.map(str::to_owned),
                max_retries: retries.transpose()?,
                ..mapping
            },
        );
        Ok(())
    }

    /// Actions: docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaMSKExecutionRole.html and, for the secret,
    /// docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html, read 2026-11.
    fn kafka(&mut self, trigger: Trigger<'_>, queue: &QueueBinding) -> Result<()> {
        let Some(kafka) = &queue.kafka else { return Ok(()) };
        if kafka.topic.is_empty() {
            return Err(trigger.refuse("kafka.topic", "it is missing"));
        }
        if kafka.cluster.is_some() != kafka.servers.is_empty() {
            return Err(trigger
                .refuse("kafka", "name either an MSK `cluster` or the `servers` of another one"));
        }
        if queue.partial_failures == Some(true) {
            return Err(trigger.refuse("partial-failures", "Kafka delivers whole batches again"));
        }
        let batch_size = within(
            &trigger.key("batch-size"),
            queue.batch_size.unwrap_or(100).into(),
            1..=10_000,
            "records",
        )?;
        self.statements.push(policy::network());
        if let Some(secret) = &kafka.secret {
            let secret = policy::allow(
                &format!("{}Secret", sid(trigger.name)),
                &["secretsmanager:GetSecretValue"],
                std::slice::from_ref(secret),
            );
            self.statements.push(secret);
        }
        let read =
            ["kafka:DescribeCluster", "kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"];
        self.map(
            trigger,
            &read,
            Mapping {
                source: kafka.cluster.clone(),
                servers: kafka.servers.clone(),
                topic: Some(kafka.topic.clone()),
                consumer_group: kafka.consumer_group.clone(),
                secret: kafka.secret.clone(),
                batch_size,
                window_seconds: trigger.window(queue.batch_window)?,
                filter: queue.filter.clone(),
                ..Mapping::default()
            },
        );
        Ok(())
    }

    fn map(&mut self, trigger: Trigger<'_>, read: &[&str], mapping: Mapping) {
        if let Some(arn) = &mapping.source {
            self.statements.push(policy::allow(
                &sid(trigger.name),
                read,
                std::slice::from_ref(arn),
            ));
            if mapping.partial_failures {
                self.partial_sources.push(arn.clone());
            }
        }
        self.resources.push(Resource::new(ResourceId::new(mapping::KIND, mapping.key()), mapping));
    }

    fn topic(&mut self, trigger: Trigger<'_>, queue: &QueueBinding, topic: &str) -> Result<()> {
        for (key, is_set) in [
            ("batch-size", queue.batch_size.is_some_and(|size| size != 1)),
            ("batch-window", queue.batch_window.is_some()),
            ("max-concurrency", queue.max_concurrency.is_some()),
            ("max-attempts", queue.max_attempts.is_some()),
            ("partial-failures", queue.partial_failures == Some(true)),
        ] {
            if is_set {
                return Err(trigger
                    .refuse(key, "SNS delivers each message for itself, and has no such setting"));
            }
        }
        let filter = queue.filter.as_deref().map(serde_json::from_str).transpose();
        let filter = filter.map_err(|error| {
            trigger.refuse("filter", format!("it is no filter policy in JSON: {error}"))
        })?;
        let arn = trigger.names.arn("sns", topic);
        let dead_letter = queue.dead_letter.as_deref().map(|queue| trigger.names.arn("sqs", queue));
        self.resources.push(trigger.permission(subscription::PRINCIPAL, &arn, None));
        self.resources.push(Resource::new(
            ResourceId::new(subscription::KIND, arn),
            Subscription { filter, dead_letter },
        ));
        Ok(())
    }

    fn storage(&mut self, trigger: Trigger<'_>, storage: &StorageBinding) {
        let names = trigger.names;
        let bucket = storage.bucket.as_deref().unwrap_or(trigger.name);
        let changes =
            if storage.changes.is_empty() { &[Change::Created][..] } else { &storage.changes };
        let events = changes.iter().flat_map(|change| events_of(*change));
        let mut events: Vec<_> = events.map(|event| (*event).to_owned()).collect();
        events.sort_unstable();
        events.dedup();
        // A bucket's ARN names no account: whose it must be is said beside it.
        self.resources.push(trigger.permission(
            notification::PRINCIPAL,
            &names.bucket_arn(bucket),
            Some(&names.account),
        ));
        let id = notification::id(bucket, &names.of_trigger(trigger.name));
        let properties =
            Notification { events, prefix: storage.prefix.clone(), suffix: storage.suffix.clone() };
        self.resources.push(Resource::new(id, properties));
    }

    fn event(
        &mut self,
        trigger: Trigger<'_>,
        event: &EventBinding,
        deployment: &Deployment,
    ) -> Result<()> {
        let Some(pattern) = &event.pattern else {
            return Err(trigger.refuse(
                "pattern",
                "on aws it is missing: an event pattern, such as `{ source = [\"shop\"] }`",
            ));
        };
        let (names, bus) = (trigger.names, event.bus.as_deref().unwrap_or(rule::DEFAULT_BUS));
        let name = names.of_trigger(trigger.name);
        let path = if bus == rule::DEFAULT_BUS {
            format!("rule/{name}")
        } else {
            format!("rule/{bus}/{name}")
        };
        self.resources.push(trigger.permission(rule::PRINCIPAL, &names.arn("events", &path), None));
        let properties = Rule {
            pattern: Value::Object(pattern.clone()),
            target: Some(names.alias_arn()),
            labels: deployment.settings.labels.clone(),
        };
        self.resources.push(Resource::new(rule::id(bus, &name), properties));
        Ok(())
    }
}

/// What S3 calls what happened to an object, as [`omnifn_core::ObjectChange`] has it. Names:
/// docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html, read 2026-11.
fn events_of(change: Change) -> &'static [&'static str] {
    match change {
        Change::Created => &["s3:ObjectCreated:*"],
        Change::Deleted => &["s3:ObjectRemoved:Delete", "s3:LifecycleExpiration:Delete"],
        Change::Archived => {
            &["s3:ObjectRemoved:DeleteMarkerCreated", "s3:LifecycleExpiration:DeleteMarkerCreated"]
        }
        Change::Updated => &["s3:ObjectTagging:*", "s3:ObjectAcl:Put"],
    }
}

/// What Kinesis and the streams of tables have in common.
#[derive(Debug)]
struct Stream<'a> {
    arn: String,
    batch_size: Option<u32>,
    batch_window: Option<crate::Period>,
    max_attempts: Option<u32>,
    dead_letter: Option<&'a str>,
}

/// The id of a statement has letters and digits only.
fn sid(trigger: &str) -> String {
    let kept: String = trigger.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("Trigger{kept}")
}
