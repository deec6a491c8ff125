//! What is measured, and the rounds in which it is.

use std::process::Command;

use anyhow::{Context, Result, bail};
use measure::Spread;
use serde::Serialize;
use serde_json::Value;

use crate::build::Programs;

/// Which program loads the subjects.
#[derive(Clone, Copy, Debug)]
enum Harness {
    RuntimeApi,
    Http,
}

/// Subjects that answer the same question, the first of which is the measure of the others.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) title: &'static str,
    unit: &'static str,
    harness: Harness,
    options: &'static [&'static str],
    /// How many invocations a round has: 0 for a measurement of starts.
    count: usize,
    /// Where the figure stands in what the harness prints.
    figure: &'static str,
    subjects: &'static [&'static str],
}

pub(crate) const STARTS: &[Measurement] = &[
    Measurement {
        title: "exec to the first /next",
        unit: "ms",
        harness: Harness::RuntimeApi,
        options: &["--starts", "1"],
        count: 0,
        figure: "/start/exec_to_next_ms/median",
        subjects: &["bare-lambda", "hello", "noop-lambda-runtime", "echo-lambda-http"],
    },
    Measurement {
        title: "exec to the first HTTP answer",
        unit: "ms",
        harness: Harness::Http,
        options: &["--starts", "1"],
        count: 0,
        figure: "/start/exec_to_answer_ms/median",
        subjects: &["bare-http", "hello"],
    },
];

pub(crate) const STEADY: &[Measurement] = &[
    Measurement {
        title: "CPU per invocation, HTTP API v2 with 1 KB, Lambda",
        unit: "us",
        harness: Harness::RuntimeApi,
        options: &["--gen", "apigw-v2", "--body-bytes", "1024", "--warmup", "300"],
        count: 4_000,
        figure: "/steady/cpu_us_per_invocation",
        subjects: &["noop-lambda-runtime", "bare-lambda", "echo-omnifn", "echo-lambda-http"],
    },
    Measurement {
        title: "CPU per request, POST of 1 KB, HTTP",
        unit: "us",
        harness: Harness::Http,
        options: &["--body-bytes", "1024"],
        count: 40_000,
        figure: "/steady/cpu_us_per_request",
        subjects: &["bare-http", "echo-omnifn"],
    },
    Measurement {
        title: "CPU per request, GET, HTTP",
        unit: "us",
        harness: Harness::Http,
        options: &[],
        count: 40_000,
        figure: "/steady/cpu_us_per_request",
        subjects: &["bare-http", "hello"],
    },
];

/// The figures of a measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) subjects: Vec<Subject>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Its median by that of the first subject.
    pub(crate) ratio: f64,
    pub(crate) spread: Value,
    /// What the harness printed in the last round.
    last_round: Value,
}

impl Measurement {
    /// Each round runs every subject once, beginning with another one each time, so that what the machine does hits all
    /// alike. `share` divides the invocations.
    pub(crate) fn run(
        &self,
        programs: &Programs,
        rounds: usize,
        pin: usize,
        share: usize,
    ) -> Result<Measured> {
        let mut figures = vec![vec![]; self.subjects.len()];
        let mut last = vec![Value::Null; self.subjects.len()];
        for round in 0..rounds {
            for turn in 0..self.subjects.len() {
                let at = (round + turn) % self.subjects.len();
                let result = self.measure(programs, self.subjects[at], pin, share)?;
                let figure = result.pointer(self.figure).and_then(Value::as_f64);
                figures[at].push(
                    figure.with_context(|| {
                        format!("{} has no figure: {result}", self.subjects[at])
                    })?,
                );
                last[at] = result;
            }
        }
        let spreads: Vec<_> = figures.into_iter().filter_map(Spread::of).collect();
        let base = spreads.first().context("nothing was measured")?.median;
        let subjects =
            self.subjects.iter().zip(spreads).zip(last).map(|((&name, spread), last_round)| {
                Subject {
                    name,
                    ratio: (spread.median / base * 1000.0).round() / 1000.0,
                    spread: spread.to_json(),
                    last_round,
                }
            });
        Ok(Measured { title: self.title, unit: self.unit, subjects: subjects.collect() })
    }

    fn measure(
        &self,
        programs: &Programs,
        subject: &str,
        pin: usize,
        share: usize,
    ) -> Result<Value> {
        let (harness, count) = match self.harness {
            Harness::RuntimeApi => ("mock-runtime-api", "--invocations"),
            Harness::Http => ("http-load", "--requests"),
        };
        let output = Command::new(programs.path(harness))
            .args(self.options)
            .args([count, &(self.count / share).to_string(), "--pin", &pin.to_string(), "--"])
            .arg(programs.path(subject))
            .output()
            .with_context(|| format!("{harness} cannot be started"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{harness} failed with {subject}: {} {errors}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{harness} printed no JSON"))
    }
}
