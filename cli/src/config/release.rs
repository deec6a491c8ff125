//! How a new release gets traffic: `release = { strategy = "canary", steps = [10, 50, 100] }`.

use super::{
    Sources, layers,
    node::{Content, Node},
};
use crate::{
    check::rules,
    error::{Error, Result},
};
use omnifn_deploy::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a new release gets traffic.
#[derive(JsonSchema)]
#[schemars(rename = "Release", deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "read key by key; here for its schema")]
pub(super) struct Keys {
    /// `all` gives it all traffic at once, `canary` the first of the steps, `hold` none until it is promoted [default: all].
    #[schemars(extend("enum" = ["all", "canary", "hold"]))]
    strategy: Option<String>,
    /// The shares that it gets one after the other, in percent [default: for `canary` 10, 50, 100].
    steps: Option<Vec<u8>>,
    /// For `canary`: how long `deploy` waits before it goes to the next step by itself [default: `promote` does].
    wait: Option<Period>,
}

/// The same, as it holds in a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) strategy: Strategy,
    /// Shares in percent, each larger than the one before.
    pub(crate) steps: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<Period>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// All traffic at once.
    #[default]
    All,
    /// Step by step.
    Canary,
    /// None until it is promoted.
    Hold,
}

const DEFAULT_STEPS: &[u8] = &[10, 50, 100];

impl Release {
    /// The last value of each key: flags, variables, the stage, the file.
    pub(super) fn resolve(sources: &Sources, stage: &str) -> Result<Self> {
        let over = |key| layers::over(sources, stage, &["release", key]);
        let strategy = over("strategy");
        let strategy = match strategy.and_then(Node::as_str) {
            Some("canary") => Strategy::Canary,
            Some("hold") => Strategy::Hold,
            _ => Strategy::All,
        };
        let steps = match over("steps") {
            Some(node) => steps(node)?,
            None if strategy == Strategy::Canary => DEFAULT_STEPS.to_vec(),
            None => Vec::new(),
        };
        let wait = over("wait").and_then(|node| node.as_str()?.parse().ok());
        Ok(Self { strategy, steps, wait: wait.filter(|_| strategy == Strategy::Canary) })
    }

    /// What a release gets next that has `percent` now.
    pub(crate) fn next(&self, percent: u8) -> u8 {
        self.steps.iter().copied().find(|step| *step > percent).unwrap_or(100)
    }

    /// `canary: 10 %, 50 %, 100 %`
    pub(crate) fn describe(&self) -> String {
        let shares: Vec<_> = self.steps.iter().map(|step| format!("{step} %")).collect();
        match self.strategy {
            Strategy::All => "all traffic at once".to_owned(),
            Strategy::Hold => "no traffic until it is promoted".to_owned(),
            Strategy::Canary => format!("{} of the traffic, step by step", shares.join(", ")),
        }
    }
}

fn steps(node: &Node) -> Result<Vec<u8>> {
    let number = |node: &Node| match &node.content {
        Content::Value(Value::Number(number)) => number.as_u64(),
        _ => None,
    };
    let Content::Array(nodes) = &node.content else { return Ok(Vec::new()) };
    let mut steps: Vec<u8> = Vec::new();
    for node in nodes {
        let step = number(node).and_then(|step| u8::try_from(step).ok());
        match step.filter(|step| (1..=100).contains(step)) {
            Some(step) if steps.last().is_none_or(|last| *last < step) => steps.push(step),
            _ => {
                return Err(Error::usage(
                    "each step is a share of 1 to 100 percent, and larger than the one before",
                )
                .code(rules::WRONG_VALUE)
                .at(&node.place)
                .help("write them as `steps = [10, 50, 100]`"));
            }
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::{Release, steps};
    use crate::config::{node::Node, read};

    fn node(text: &str) -> Node {
        read::parse(&format!("steps = {text}"), "omnifn.toml")
            .unwrap()
            .get("steps")
            .unwrap()
            .clone()
    }

    #[test]
    fn steps_rise_to_all() {
        for (text, expected) in
            [("[10, 50, 100]", Some(&[10, 50, 100][..])), ("[1]", Some(&[1])), ("[]", Some(&[]))]
        {
            assert_eq!(steps(&node(text)).ok().as_deref(), expected, "{text}");
        }
        for wrong in ["[0]", "[101]", "[50, 10]", "[10, 10]", "[-1]", "[300]"] {
            let error = steps(&node(wrong)).unwrap_err();
            assert!(error.shown_place().unwrap().starts_with("omnifn.toml:1"), "{wrong}");
        }
    }

    #[test]
    fn the_next_step_is_the_first_that_is_larger() {
        let release = |steps: &[u8]| Release { steps: steps.to_vec(), ..Release::default() };
        for (steps, percent, expected) in [
            (&[10, 50][..], 0, 10),
            (&[10, 50], 10, 50),
            (&[10, 50], 30, 50),
            (&[10, 50], 50, 100),
            (&[], 0, 100),
        ] {
            assert_eq!(release(steps).next(percent), expected, "{steps:?} {percent}");
        }
    }
}
