//! What omnifn wants to reach, and whether it does.

use std::fmt::Write;

use crate::results::Results;

/// One bound on one figure.
#[derive(Debug)]
struct Goal {
    work: &'static str,
    what: &'static str,
    bound: Bound,
    measure: Measure,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    /// A figure of one subject of a case by that of another.
    Ratio { case: &'static str, figure: &'static str, subject: &'static str, base: &'static str },
    /// A figure as it is.
    Plain { case: &'static str, figure: &'static str, subject: &'static str },
    /// The peak of the memory by the size of the event.
    MemoryByEvent { case: &'static str, subject: &'static str },
    /// Millions of bytes.
    Size { program: &'static str },
}

use Bound::{AtLeast, AtMost};

const OMNIFN: &str = "echo-omnifn";

const fn ratio(
    case: &'static str,
    figure: &'static str,
    subject: &'static str,
    base: &'static str,
) -> Measure {
    Measure::Ratio { case, figure, subject, base }
}

const fn goal(work: &'static str, what: &'static str, bound: Bound, measure: Measure) -> Goal {
    Goal { work, what, bound, measure }
}

const V2: &str = "HTTP API v2, 1 KB, echo";
const LARGE: &str = "the same, 4.5 MB of JSON";
const BASE64: &str = "the same, 4.4 MB as base64";
const HTTP: &str = "Cloud Run HTTP";
const PUBSUB: &str = "Cloud Run CloudEvent (Pub/Sub)";
const START: &str = "exec to ready";
const IDLE: &str = "idle memory";
const SIZE: &str = "`hello`, stripped";
const AT_ONCE: &str = "1,000 concurrent Cloud Run requests that sleep 100 ms";

const GOALS: &[Goal] = &[
    goal(V2, "CPU, x lean adapter", AtMost(1.2), ratio("v2-1k", "cpu_us", OMNIFN, "lean-http")),
    goal(
        V2,
        "CPU, x lambda_http on one thread",
        AtMost(0.45),
        ratio("v2-1k", "cpu_us", OMNIFN, "echo-lambda-http"),
    ),
    goal(
        V2,
        "CPU, x lambda_http's template",
        AtMost(0.25),
        ratio("v2-1k", "cpu_us", OMNIFN, "echo-lambda-http-template"),
    ),
    goal(
        V2,
        "allocations",
        AtMost(60.0),
        Measure::Plain { case: "v2-1k", figure: "allocations", subject: OMNIFN },
    ),
    goal(
        LARGE,
        "CPU, x lambda_http on one thread",
        AtMost(0.4),
        ratio("v2-4500k", "cpu_us", OMNIFN, "echo-lambda-http"),
    ),
    goal(
        LARGE,
        "peak memory, x event",
        AtMost(2.5),
        Measure::MemoryByEvent { case: "v2-4500k", subject: OMNIFN },
    ),
    goal(
        BASE64,
        "CPU, x lambda_http on one thread",
        AtMost(0.4),
        ratio("v2-base64", "cpu_us", OMNIFN, "echo-lambda-http"),
    ),
    goal(
        BASE64,
        "peak memory, x event",
        AtMost(2.5),
        Measure::MemoryByEvent { case: "v2-base64", subject: OMNIFN },
    ),
    goal(
        "SQS, 10 messages",
        "CPU, x lambda_runtime with borrowed structs",
        AtMost(1.0),
        ratio("sqs-10", "cpu_us", "queue-omnifn", "queue-lambda-runtime"),
    ),
    goal(
        "SQS, 10,000 messages",
        "CPU, x lambda_runtime with borrowed structs",
        AtMost(1.0),
        ratio("sqs-10000", "cpu_us", "queue-omnifn", "queue-lambda-runtime"),
    ),
    goal(
        HTTP,
        "GET, throughput, x hyper",
        AtLeast(0.9),
        ratio("http-get", "per_s", "hello", "bare-http"),
    ),
    goal(
        HTTP,
        "GET, CPU, x hyper",
        AtMost(1.15),
        ratio("http-get", "cpu_us", "hello", "bare-http"),
    ),
    goal(
        HTTP,
        "POST of 1 KB, throughput, x hyper",
        AtLeast(0.9),
        ratio("http-post", "per_s", OMNIFN, "bare-http"),
    ),
    goal(
        HTTP,
        "POST of 1 KB, CPU, x hyper",
        AtMost(1.15),
        ratio("http-post", "cpu_us", OMNIFN, "bare-http"),
    ),
    goal(
        PUBSUB,
        "CPU, x hyper + header map + serde_json",
        AtMost(1.15),
        ratio("pubsub", "cpu_us", "queue-omnifn", "bare-pubsub"),
    ),
    goal(
        PUBSUB,
        "CPU, x functions-framework-go",
        AtMost(0.6),
        ratio("pubsub", "cpu_us", "queue-omnifn", "functions-framework-go"),
    ),
    goal(
        START,
        "first /next, x lean hyper program",
        AtMost(1.2),
        ratio("lambda-start", "ready_ms", "hello", "bare-lambda"),
    ),
    goal(
        START,
        "first HTTP answer, x lean hyper program",
        AtMost(1.2),
        ratio("http-start", "ready_ms", "hello", "bare-http"),
    ),
    goal(
        IDLE,
        "on Lambda, x lean hyper program",
        AtMost(1.3),
        ratio("lambda-start", "rss_idle_kib", "hello", "bare-lambda"),
    ),
    goal(
        IDLE,
        "on Cloud Run, x lean hyper program",
        AtMost(1.3),
        ratio("http-start", "rss_idle_kib", "hello", "bare-http"),
    ),
    goal(SIZE, "AWS alone, MB", AtMost(1.0), Measure::Size { program: "hello-aws" }),
    goal(SIZE, "all clouds, MB", AtMost(1.6), Measure::Size { program: "hello" }),
    goal(
        "connections to the Runtime API",
        "per 1,000 invocations",
        AtMost(1.0),
        Measure::Plain { case: "v2-1k", figure: "connections_per_1000", subject: OMNIFN },
    ),
    goal(
        AT_ONCE,
        "total time, x hyper",
        AtMost(1.1),
        ratio("sleep-1000", "total_ms", OMNIFN, "bare-http"),
    ),
    goal(
        AT_ONCE,
        "errors",
        AtMost(0.0),
        Measure::Plain { case: "sleep-1000", figure: "errors", subject: OMNIFN },
    ),
];

/// The table of all goals.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = "| work | figure | goal | measured | met |\n|---|---|---|---|---|\n".to_owned();
    let mut met = 0;
    for Goal { work, what, bound, measure } in GOALS {
        let measured = measure.of(results);
        let is_met = measured.map(|figure| bound.holds(figure));
        met += usize::from(is_met == Some(true));
        let answer = match is_met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let figure = measured.map_or_else(|| "-".to_owned(), |figure| measure.show(figure));
        // A String takes everything.
        let _ = writeln!(text, "| {work} | {what} | {} | {figure} | {answer} |", bound.show());
    }
    let _ = writeln!(text, "\n{met} of {} are met.", GOALS.len());
    text
}

impl Bound {
    fn holds(self, figure: f64) -> bool {
        match self {
            AtMost(limit) => figure <= limit,
            AtLeast(limit) => figure >= limit,
        }
    }

    fn show(self) -> String {
        match self {
            AtMost(0.0) => "0".to_owned(),
            AtMost(limit) => format!("<= {limit}"),
            AtLeast(limit) => format!(">= {limit}"),
        }
    }
}

impl Measure {
    fn of(self, results: &Results) -> Option<f64> {
        match self {
            Self::Ratio { case, figure, subject, base } => {
                Some(results.median(case, subject, figure)? / results.median(case, base, figure)?)
            }
            Self::Plain { case, figure, subject } => results.median(case, subject, figure),
            Self::MemoryByEvent { case, subject } => {
                let memory = results.median(case, subject, "rss_peak_kib")? * 1024.0;
                Some(memory / results.median(case, subject, "event_bytes")?)
            }
            Self::Size { program } => Some(*results.bytes.get(program)? as f64 / 1e6),
        }
    }

    fn show(self, figure: f64) -> String {
        match self {
            Self::Plain { .. } => format!("{figure:.0}"),
            _ => format!("{figure:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GOALS, Measure};
    use crate::cases::CASES;
    use crate::programs::PROGRAMS;

    #[test]
    fn every_goal_is_of_something_that_is_measured() {
        let is_in = |case: &str, subject: &str| {
            CASES.iter().any(|known| known.name == case && known.subjects.contains(&subject))
        };
        for goal in GOALS {
            let is_measured = match goal.measure {
                Measure::Ratio { case, subject, base, .. } => {
                    is_in(case, subject) && is_in(case, base)
                }
                Measure::Plain { case, subject, .. } | Measure::MemoryByEvent { case, subject } => {
                    is_in(case, subject)
                }
                Measure::Size { program } => PROGRAMS.iter().any(|known| known.name == program),
            };
            assert!(is_measured, "{goal:?}");
        }
    }
}
