//! What the providers do with a function's reply, by their own documentation.

use omnifn::Trigger;

/// Whether an event source mapping is known to report partial failures (`OMNIFN_PARTIAL_BATCH`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partial {
    /// The source has no such thing.
    Never,
    /// It could, and is not known to.
    Unknown,
    /// It does.
    Reported,
}

/// One row.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) provider: &'static str,
    pub(super) trigger: Trigger,
    pub(super) envelope: &'static str,
    pub(super) partial: Partial,
    /// What people call it.
    pub(super) name: &'static str,
    /// What happens with what was not acknowledged.
    pub(super) then: &'static str,
    pub(super) order: &'static str,
    pub(super) source: &'static str,
}

const CLIENT: &str = "the client gets it; nothing is sent again";
const NO_ORDER: &str = "a client may send twice: `Idempotency-Key` is its word";
const VISIBLE: &str = "the whole batch comes again after the queue's visibility timeout, past `maxReceiveCount` it goes to the \
                       dead-letter queue";
const VISIBLE_PARTIAL: &str = "the failed messages come again after the queue's visibility timeout, past `maxReceiveCount` they \
                               go to the dead-letter queue; the others are deleted";
const ASYNC: &str = "Lambda runs it twice more, after one and two minutes, then its on-failure destination or dead-letter queue \
                     gets it";
const STREAM: &str = "the whole batch comes again until it succeeds or expires, or past `MaximumRetryAttempts`; the shard waits";
const STREAM_PARTIAL: &str = "all comes again from the first failure on, so that what succeeded behind it is repeated; the shard \
                              waits";
const KAFKA: &str = "the whole batch comes again until it succeeds or expires; the partition waits";
const BROKER: &str = "the broker delivers the whole batch again";
const PUSH: &str = "Pub/Sub pushes it again, more slowly; past `maxDeliveryAttempts` it goes to the dead-letter topic, if there \
                    is one";
const EVENTARC: &str = "Eventarc sends it again for 24 hours, after 10 s at first and 600 s at most; triggers of the Functions \
                        API only where `retryPolicy` says so";
const DUPLICATES: &str = "no order; now and then twice: `idempotency_key()` is the same";

const ASYNC_SOURCE: &str =
    "docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html";
const SQS_SOURCE: &str = "docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html";
const KINESIS_SOURCE: &str =
    "docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html";
const DYNAMODB_SOURCE: &str =
    "docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html";
const KAFKA_SOURCE: &str = "docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html";
const PUSH_SOURCE: &str = "cloud.google.com/pubsub/docs/push";
const EVENTARC_SOURCE: &str = "cloud.google.com/eventarc/docs/retry-events";

macro_rules! rules {
    ($($provider:literal $trigger:ident $envelope:literal $partial:ident $name:literal: $then:expr, $order:expr, $source:expr;)*) => {
        &[$(Rule {
            provider: $provider,
            trigger: Trigger::$trigger,
            envelope: $envelope,
            partial: Partial::$partial,
            name: $name,
            then: $then,
            order: $order,
            source: $source,
        }),*]
    };
}

pub(super) const RULES: &[Rule] = rules! {
    "aws" Http "function-url" Never "function URL": CLIENT, NO_ORDER, "docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html";
    "aws" Http "http-api" Never "HTTP API": CLIENT, NO_ORDER, "docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html";
    "aws" Http "rest" Never "REST API": CLIENT, NO_ORDER, "docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html";
    "aws" Http "alb" Never "load balancer": CLIENT, NO_ORDER, "docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html";
    "aws" Http "alb-multi" Never "load balancer, multi-value headers": CLIENT, NO_ORDER, "docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html";
    "aws" Http "lattice" Never "VPC Lattice": CLIENT, NO_ORDER, "docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html";
    "aws" Http "lattice-v1" Never "VPC Lattice, version 1": CLIENT, NO_ORDER, "docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html";
    "aws" Queue "sqs" Unknown "SQS": VISIBLE, DUPLICATES, SQS_SOURCE;
    "aws" Queue "sqs" Reported "SQS, partial failures reported": VISIBLE_PARTIAL, DUPLICATES, SQS_SOURCE;
    "aws" Queue "sqs-fifo" Unknown "SQS FIFO": VISIBLE, "order within a group: behind a failure the rest of the group fails, too", SQS_SOURCE;
    "aws" Queue "sqs-fifo" Reported "SQS FIFO, partial failures reported": VISIBLE_PARTIAL, "order within a group: behind a failure the rest of the group fails, too", SQS_SOURCE;
    "aws" Queue "sns" Never "SNS": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Queue "kinesis" Unknown "Kinesis": STREAM, "order within a shard; repeated as said", KINESIS_SOURCE;
    "aws" Queue "kinesis" Reported "Kinesis, partial failures reported": STREAM_PARTIAL, "order within a shard; repeated as said", KINESIS_SOURCE;
    "aws" Queue "msk" Unknown "MSK": KAFKA, "order within a partition; repeated as said", KAFKA_SOURCE;
    "aws" Queue "kafka" Unknown "self-managed Kafka": KAFKA, "order within a partition; repeated as said", KAFKA_SOURCE;
    "aws" Queue "activemq" Never "Amazon MQ, ActiveMQ": BROKER, DUPLICATES, "docs.aws.amazon.com/lambda/latest/dg/with-mq.html";
    "aws" Queue "rabbitmq" Never "Amazon MQ, RabbitMQ": BROKER, DUPLICATES, "docs.aws.amazon.com/lambda/latest/dg/with-mq.html";
    "aws" Timer "eventbridge" Never "EventBridge rule": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Timer "scheduler" Never "EventBridge Scheduler": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Timer "custom-input" Never "schedule with an input of its own": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Storage "s3" Never "S3": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Storage "s3-eventbridge" Never "S3 through EventBridge": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Storage "s3-sqs" Unknown "S3 through SQS": VISIBLE, DUPLICATES, SQS_SOURCE;
    "aws" Storage "s3-sqs" Reported "S3 through SQS, partial failures reported": VISIBLE_PARTIAL, DUPLICATES, SQS_SOURCE;
    "aws" Storage "s3-sns" Never "S3 through SNS": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Database "dynamodb" Unknown "DynamoDB Streams": STREAM, "order within a key; repeated as said", DYNAMODB_SOURCE;
    "aws" Database "dynamodb" Reported "DynamoDB Streams, partial failures reported": STREAM_PARTIAL, "order within a key; repeated as said", DYNAMODB_SOURCE;
    "aws" Event "eventbridge" Never "EventBridge": ASYNC, DUPLICATES, ASYNC_SOURCE;
    "aws" Event "websocket" Never "WebSocket API": "the client learns it on its connection; nothing is sent again", "order of one connection", "docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html";
    "aws" Direct "invoke" Never "Invoke": "the caller gets it; an asynchronous call is run twice more", "a caller may call twice", "docs.aws.amazon.com/lambda/latest/api/API_Invoke.html";

    "gcp" Http "http" Never "HTTP": CLIENT, NO_ORDER, "cloud.google.com/run/docs/container-contract";
    "gcp" Queue "eventarc" Never "Pub/Sub through Eventarc": PUSH, "order within an ordering key, where the subscription has it on; now and then twice", EVENTARC_SOURCE;
    "gcp" Queue "eventarc-structured" Never "Pub/Sub through Eventarc, structured": PUSH, "order within an ordering key, where the subscription has it on; now and then twice", EVENTARC_SOURCE;
    "gcp" Queue "push" Never "Pub/Sub push": PUSH, "order within an ordering key, where the subscription has it on; now and then twice", PUSH_SOURCE;
    "gcp" Queue "push-unwrapped" Never "Pub/Sub push, unwrapped": PUSH, "order within an ordering key, where the subscription has it on; now and then twice", PUSH_SOURCE;
    "gcp" Queue "tasks" Never "Cloud Tasks": "Cloud Tasks sends it again by the queue's `retryConfig`, and waits as `Retry-After` says", DUPLICATES, "cloud.google.com/tasks/docs/creating-http-target-tasks";
    "gcp" Timer "scheduler" Never "Cloud Scheduler": "Cloud Scheduler sends it again by the job's `retryConfig`: not at all unless that says so", DUPLICATES, "cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#retryconfig";
    "gcp" Timer "scheduler-pubsub" Never "Cloud Scheduler through Pub/Sub": PUSH, DUPLICATES, PUSH_SOURCE;
    "gcp" Storage "eventarc" Never "Cloud Storage through Eventarc": EVENTARC, DUPLICATES, EVENTARC_SOURCE;
    "gcp" Storage "pubsub-notification" Never "Cloud Storage notification through Pub/Sub": PUSH, DUPLICATES, PUSH_SOURCE;
    "gcp" Database "eventarc" Never "Firestore through Eventarc": EVENTARC, DUPLICATES, EVENTARC_SOURCE;
    "gcp" Database "eventarc-json" Never "Firestore as JSON": EVENTARC, DUPLICATES, EVENTARC_SOURCE;
    "gcp" Event "binary" Never "CloudEvent": EVENTARC, DUPLICATES, EVENTARC_SOURCE;
    "gcp" Event "structured" Never "CloudEvent, structured": EVENTARC, DUPLICATES, EVENTARC_SOURCE;
    "gcp" Event "batch" Never "CloudEvents, batched": "the sender's own rule; the whole batch is not acknowledged", DUPLICATES, "github.com/cloudevents/spec, HTTP protocol binding 1.0.2";
    "gcp" Direct "call" Never "typed function": CLIENT, "a caller may call twice", "github.com/GoogleCloudPlatform/functions-framework";
};
