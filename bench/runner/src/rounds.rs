//! Runs a case in rounds, and collects its figures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::build::Programs;
use crate::cases::{CASES, Case, Load, Work};
use crate::programs::{Origin, PROGRAMS};
use crate::results::{Figure, Measured, Subject};

/// Where the figures stand in what a load prints.
const FIGURES: &[(&str, &str)] = &[
    ("cpu_us", "/steady/cpu_us_per_invocation"),
    ("cpu_us", "/steady/cpu_us_per_request"),
    ("per_s", "/steady/invocations_per_s"),
    ("per_s", "/steady/requests_per_s"),
    ("p50_us", "/steady/latency_us/median"),
    ("p99_us", "/steady/latency_us/p99"),
    ("rss_peak_kib", "/steady/rss_peak_kib"),
    ("connections_per_1000", "/steady/connections_per_1000"),
    ("event_bytes", "/steady/event_bytes"),
    ("errors", "/steady/errors"),
    ("total_ms", "/steady/total_ms"),
    ("ready_ms", "/start/exec_to_next_ms/median"),
    ("ready_ms", "/start/exec_to_answer_ms/median"),
    ("ready_cpu_ms", "/start/cpu_ms/median"),
    ("rss_idle_kib", "/start/rss_idle_kib/median"),
];

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) starts: usize,
    pub(crate) rounds: usize,
    /// Divides the work of a round.
    pub(crate) share: usize,
    /// The CPU of a subject and its load, and the one of a load that has its own.
    pub(crate) pin: usize,
    pub(crate) pin_load: Option<usize>,
}

impl Case {
    /// Each round runs every subject once, beginning with another one each time, so that what the machine does hits all
    /// alike.
    pub(crate) fn run(&self, programs: &Programs, effort: &Effort) -> Result<Measured> {
        let mut figures: Vec<BTreeMap<&str, Vec<f64>>> = vec![BTreeMap::new(); self.subjects.len()];
        let rounds = if matches!(self.work, Work::Starts) { effort.starts } else { effort.rounds };
        for round in 0..rounds {
            for turn in 0..self.subjects.len() {
                let at = (round + turn) % self.subjects.len();
                let name = self.subjects[at];
                if programs.command(name).is_none() || round % self.turns(name) != 0 {
                    continue;
                }
                let result = self.measure(programs, name, effort)?;
                for (figure, pointer) in FIGURES.iter().filter(|(figure, _)| self.has(figure)) {
                    if let Some(value) = result.pointer(pointer).and_then(Value::as_f64) {
                        figures[at].entry(figure).or_default().push(value);
                    }
                }
            }
        }
        let subjects = self.subjects.iter().zip(figures).filter(|(_, figures)| !figures.is_empty());
        let subjects = subjects.map(|(name, figures)| Subject {
            name: (*name).to_owned(),
            figures: figures
                .into_iter()
                .filter_map(|(name, values)| Some((name.to_owned(), Figure::of(values)?)))
                .collect(),
        });
        Ok(Measured {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            base: self.base.to_owned(),
            subjects: subjects.collect(),
        })
    }

    /// Whether a figure says something of this kind of work.
    fn has(&self, figure: &str) -> bool {
        match self.work {
            Work::AtOnce(_) => {
                ["total_ms", "errors", "p50_us", "p99_us", "rss_peak_kib"].contains(&figure)
            }
            _ => !["total_ms", "errors"].contains(&figure),
        }
    }

    /// Programs that take long to start take part in fewer rounds.
    fn turns(&self, name: &str) -> usize {
        match (origin(name), self.work) {
            (Some(Origin::Node(_) | Origin::Python(_)), Work::Starts) => 6,
            (Some(Origin::Go(_) | Origin::Node(_) | Origin::Python(_)), Work::Milliseconds(_)) => 2,
            _ => 1,
        }
    }

    fn measure(&self, programs: &Programs, name: &str, effort: &Effort) -> Result<Value> {
        let mut options = vec!["--pin".to_owned(), effort.pin.to_string()];
        match self.work {
            Work::Starts if self.load == Load::RuntimeApi => {
                options.extend(["--starts", "1", "--invocations", "0"].map(String::from));
            }
            Work::Starts => options.extend(["--starts", "1"].map(String::from)),
            Work::Invocations(count) => {
                let count = count.div_ceil(effort.share).to_string();
                options.extend(["--invocations".to_owned(), count]);
            }
            Work::Milliseconds(time) => {
                let time = (time / effort.share).to_string();
                options.extend(["--milliseconds".to_owned(), time]);
                // Node.js compiles what runs often.
                let warmup = if origin(name).is_some_and(Origin::is_native) { 100 } else { 1200 };
                options.extend(["--warmup".to_owned(), (warmup / effort.share).to_string()]);
            }
            Work::AtOnce(count) => {
                let count = count.to_string();
                options.extend(["--requests".into(), count.clone(), "--connections".into(), count]);
            }
        }
        if let (Load::Http, Some(cpu), Work::Milliseconds(_)) =
            (self.load, effort.pin_load, self.work)
        {
            options.extend(["--pin-load".to_owned(), cpu.to_string()]);
        }
        let result = self.load(programs, name, &options)?;
        let errors = result.pointer("/steady/errors").and_then(Value::as_u64).unwrap_or(0);
        if errors > 0 && matches!(self.work, Work::Milliseconds(_)) {
            bail!("{name} failed {errors} requests of `{}`", self.name);
        }
        Ok(result)
    }

    /// Runs the load once, and returns what it prints.
    pub(crate) fn load(
        &self,
        programs: &Programs,
        name: &str,
        options: &[String],
    ) -> Result<Value> {
        let command = programs.command(name).with_context(|| format!("{name} is not built"))?;
        let load = match self.load {
            Load::RuntimeApi => "mock-runtime-api",
            Load::Http => "http-load",
        };
        let mut load_command = Command::new(programs.load(load));
        load_command.args(self.options).args(options);
        if self.load == Load::Http && origin(name).is_some_and(|origin| !origin.is_native()) {
            let (function, signature) = self.function;
            load_command.args(["--env", &format!("FUNCTION_TARGET={function}")]);
            load_command.args(["--env", &format!("FUNCTION_SIGNATURE_TYPE={signature}")]);
            load_command.args(["--env", "NODE_ENV=production"]);
        }
        let output = load_command
            .arg("--")
            .args(command)
            .output()
            .with_context(|| format!("{load} cannot be started"))?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            bail!("{load} failed with {name}: {}", String::from_utf8_lossy(&text).trim_end());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{load} printed no JSON"))
    }

    /// Where callgrind's counts of a subject go for a moment.
    pub(crate) fn counts_file(&self, programs: &Programs, name: &str) -> PathBuf {
        programs.scratch(&format!("callgrind-{}-{name}", self.name))
    }
}

fn origin(name: &str) -> Option<Origin> {
    PROGRAMS.iter().find(|program| program.name == name).map(|program| program.origin)
}

/// The case of that name.
pub(crate) fn case(name: &str) -> Result<&'static Case> {
    let found = CASES.iter().find(|case| case.name == name);
    found.ok_or_else(|| anyhow!("there is no case called `{name}`"))
}
