//! What a run of everything found: the JSON of `results/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use measure::Spread;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Everything that one run measured.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Value,
    /// Programs that are not here, and why.
    pub(crate) left_out: BTreeMap<String, String>,
    /// Stripped.
    pub(crate) bytes: BTreeMap<String, u64>,
    pub(crate) cases: Vec<Measured>,
}

/// What one case found.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) base: String,
    pub(crate) subjects: Vec<Subject>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) figures: BTreeMap<String, Figure>,
}

/// A figure's median, and what a tenth of the rounds was below and above.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) p10: f64,
    pub(crate) p90: f64,
    pub(crate) rounds: usize,
}

impl Figure {
    pub(crate) fn of(figures: Vec<f64>) -> Option<Self> {
        let Spread { median, p10, p90, runs, .. } = Spread::of(figures)?.rounded();
        Some(Self { median, p10, p90, rounds: runs })
    }
}

impl Measured {
    pub(crate) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// A subject's median by that of the case's base.
    pub(crate) fn ratio(&self, subject: &Subject, figure: &str) -> Option<f64> {
        Some(subject.median(figure)? / self.subject(&self.base)?.median(figure)?)
    }
}

impl Subject {
    pub(crate) fn median(&self, figure: &str) -> Option<f64> {
        Some(self.figures.get(figure)?.median)
    }
}

impl Results {
    pub(crate) fn case(&self, name: &str) -> Option<&Measured> {
        self.cases.iter().find(|case| case.name == name)
    }

    pub(crate) fn median(&self, case: &str, subject: &str, figure: &str) -> Option<f64> {
        self.case(case)?.subject(subject)?.median(figure)
    }

    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is of another form", file.display()))
    }

    /// A line for each subject, so that a change of the file can be read.
    pub(crate) fn to_text(&self) -> String {
        let cases = self.cases.iter().map(|case| {
            let subjects: Vec<_> =
                case.subjects.iter().map(|subject| format!("\n      {}", json!(subject))).collect();
            format!(
                "\n    {{\"name\":{},\"title\":{},\"base\":{},\"subjects\":[{}\n    ]}}",
                json!(case.name),
                json!(case.title),
                json!(case.base),
                subjects.join(",")
            )
        });
        let cases: Vec<_> = cases.collect();
        format!(
            "{{\n  \"machine\":{},\n  \"left_out\":{},\n  \"bytes\":{},\n  \"cases\":[{}\n  ]\n}}\n",
            json!(self.machine),
            json!(self.left_out),
            json!(self.bytes),
            cases.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Measured, Results, Subject};

    #[test]
    fn what_is_written_is_read_again() {
        let figure = Figure::of(vec![1.0, 2.0, 3.0]).unwrap();
        let subject = Subject { name: "a".into(), figures: [("cpu_us".to_owned(), figure)].into() };
        let case = Measured {
            name: "case".into(),
            title: "Case".into(),
            base: "a".into(),
            subjects: vec![subject],
        };
        let results = Results {
            machine: serde_json::Value::Null,
            left_out: [("b".to_owned(), "refused".to_owned())].into(),
            bytes: [("a".to_owned(), 1)].into(),
            cases: vec![case],
        };
        let again: Results = serde_json::from_str(&results.to_text()).unwrap();
        assert_eq!(again.median("case", "a", "cpu_us"), Some(2.0));
        assert_eq!(again.to_text(), results.to_text());
    }
}
