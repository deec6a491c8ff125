//! The cases in which programs answer the same question.

/// Which program loads the subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    RuntimeApi,
    Http,
}

/// How much of it there is in a round.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Starts,
    Invocations(usize),
    Milliseconds(usize),
    /// So many requests, each on a connection of its own, all at once.
    AtOnce(usize),
}

/// Subjects that answer the same question.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) load: Load,
    pub(crate) work: Work,
    pub(crate) options: &'static [&'static str],
    /// What a framework calls the function, and its signature type.
    pub(crate) function: (&'static str, &'static str),
    /// Two numbers of invocations whose difference callgrind counts.
    pub(crate) counted: Option<(usize, usize)>,
    pub(crate) subjects: &'static [&'static str],
    /// The subject by whose median the others' are divided.
    pub(crate) base: &'static str,
}

const GREET: (&str, &str) = ("greet", "http");
const RECEIVE: (&str, &str) = ("receive", "cloudevent");
const NONE: (&str, &str) = ("", "");

/// They understand every envelope.
const ECHOES: &[&str] = &[
    "floor-raw",
    "noop-lambda-runtime",
    "echo-lambda-http",
    "echo-lambda-http-template",
    "echo-omnifn",
];
const V2_ECHOES: &[&str] = &[
    "floor-raw",
    "lean-http",
    "bare-lambda",
    "noop-lambda-runtime",
    "echo-lambda-http",
    "echo-lambda-http-template",
    "echo-aws-lambda-go",
    "echo-omnifn",
];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "lambda-start",
        title: "Start on Lambda: exec to the first /next",
        load: Load::RuntimeApi,
        work: Work::Starts,
        options: &[],
        function: NONE,
        counted: None,
        subjects: &[
            "bare-lambda",
            "lean-http",
            "noop-lambda-runtime",
            "echo-lambda-http",
            "echo-lambda-http-template",
            "echo-aws-lambda-go",
            "hello-aws",
            "hello",
        ],
        base: "bare-lambda",
    },
    Case {
        name: "http-start",
        title: "Start on Cloud Run: exec to the first HTTP answer",
        load: Load::Http,
        work: Work::Starts,
        options: &[],
        function: GREET,
        counted: None,
        subjects: &[
            "bare-http",
            "echo-axum",
            "functions-framework-go",
            "functions-framework-node",
            "functions-framework-python",
            "hello-gcp",
            "hello",
        ],
        base: "bare-http",
    },
    lambda(
        "v2-1k",
        "HTTP API v2, 1 KB of JSON",
        3000,
        &["--gen", "apigw-v2", "--body-bytes", "1024", "--warmup", "300"],
        Some((100, 400)),
    ),
    lambda(
        "v2-100k",
        "HTTP API v2, 100 KB of JSON",
        200,
        &["--gen", "apigw-v2", "--body-bytes", "102400", "--warmup", "20"],
        Some((10, 30)),
    ),
    lambda(
        "v2-4500k",
        "HTTP API v2, 4.5 MB of JSON",
        10,
        &["--gen", "apigw-v2", "--body-bytes", "4500000", "--warmup", "3"],
        None,
    ),
    lambda(
        "v2-base64",
        "HTTP API v2, 4.4 MB as base64",
        10,
        &["--gen", "apigw-v2", "--body-bytes", "4400000", "--body-kind", "base64", "--warmup", "3"],
        None,
    ),
    Case {
        subjects: ECHOES,
        base: "noop-lambda-runtime",
        ..lambda(
            "v1-1k",
            "REST API v1, 1 KB of JSON",
            2000,
            &["--gen", "apigw-v1", "--body-bytes", "1024", "--warmup", "300"],
            Some((100, 400)),
        )
    },
    Case {
        subjects: ECHOES,
        base: "noop-lambda-runtime",
        ..lambda(
            "alb-1k",
            "Load balancer, 1 KB of JSON",
            2000,
            &["--gen", "alb", "--body-bytes", "1024", "--warmup", "300"],
            Some((100, 400)),
        )
    },
    Case {
        subjects: &["queue-lambda-runtime", "queue-omnifn"],
        base: "queue-lambda-runtime",
        ..lambda(
            "sqs-10",
            "SQS, a batch of 10 messages",
            2000,
            &["--gen", "sqs", "--messages", "10", "--warmup", "300"],
            Some((100, 400)),
        )
    },
    Case {
        subjects: &["queue-lambda-runtime", "queue-omnifn"],
        base: "queue-lambda-runtime",
        ..lambda(
            "sqs-10000",
            "SQS, a batch of 10,000 messages",
            15,
            &["--gen", "sqs", "--messages", "10000", "--warmup", "3"],
            Some((1, 3)),
        )
    },
    Case {
        name: "http-get",
        title: "Cloud Run, GET",
        load: Load::Http,
        work: Work::Milliseconds(300),
        options: &["--request", "get"],
        function: GREET,
        counted: Some((200, 800)),
        subjects: &[
            "bare-http",
            "echo-axum",
            "functions-framework-go",
            "functions-framework-node",
            "functions-framework-python",
            "hello",
        ],
        base: "bare-http",
    },
    Case {
        name: "http-post",
        title: "Cloud Run, POST of 1 KB",
        load: Load::Http,
        work: Work::Milliseconds(300),
        options: &["--request", "post", "--body-bytes", "1024"],
        function: NONE,
        counted: Some((200, 800)),
        subjects: &["bare-http", "echo-axum", "echo-omnifn"],
        base: "bare-http",
    },
    Case {
        name: "pubsub",
        title: "Cloud Run, CloudEvent of Pub/Sub in binary mode",
        load: Load::Http,
        work: Work::Milliseconds(300),
        options: &["--request", "pubsub"],
        function: RECEIVE,
        counted: Some((200, 800)),
        subjects: &[
            "bare-pubsub",
            "pubsub-axum",
            "functions-framework-go",
            "functions-framework-node",
            "functions-framework-python",
            "queue-omnifn",
        ],
        base: "bare-pubsub",
    },
    Case {
        name: "sleep-1000",
        title: "Cloud Run, 1,000 requests at once that sleep for 100 ms",
        load: Load::Http,
        work: Work::AtOnce(1000),
        options: &["--path", "/sleep", "--warmup", "0"],
        function: NONE,
        counted: None,
        subjects: &["bare-http", "echo-omnifn"],
        base: "bare-http",
    },
];

const fn lambda(
    name: &'static str,
    title: &'static str,
    invocations: usize,
    options: &'static [&'static str],
    counted: Option<(usize, usize)>,
) -> Case {
    Case {
        name,
        title,
        load: Load::RuntimeApi,
        work: Work::Invocations(invocations),
        options,
        function: NONE,
        counted,
        subjects: V2_ECHOES,
        base: "lean-http",
    }
}

#[cfg(test)]
mod tests {
    use super::CASES;
    use crate::programs::PROGRAMS;

    #[test]
    fn every_subject_is_a_program_and_every_base_a_subject() {
        for case in CASES {
            assert!(case.subjects.contains(&case.base), "{}", case.name);
            for subject in case.subjects {
                assert!(PROGRAMS.iter().any(|program| program.name == *subject), "{subject}");
            }
        }
    }
}
