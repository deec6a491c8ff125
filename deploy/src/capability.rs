use crate::{Error, Memory, Period, Result, Settings};
use omnifn_core::Trigger;
use omnifn_package::{Architecture, Provider as Cloud};
use serde::Serialize;
use std::ops::RangeInclusive;

/// What a provider can do, as data: what is asked for is compared with it before anything is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Capability {
    /// Whose it is.
    pub provider: Cloud,
    /// The limits, each with its source.
    pub limits: Vec<Limit>,
    /// What can invoke a function.
    pub triggers: Vec<Trigger>,
    /// The processors.
    pub architectures: Vec<Architecture>,
    /// Names of environment variables that it keeps for itself: whole names, or beginnings that end with `*`.
    pub reserved_names: Vec<&'static str>,
}

/// One limit, and where it is written.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// Of what.
    pub what: Measure,
    /// The least and the most, in the measure's unit.
    pub range: RangeInclusive<u64>,
    /// Where it is written, and when that was read.
    pub source: &'static str,
}

/// What a limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Measure {
    /// In MiB.
    Memory,
    /// In seconds.
    Timeout,
    /// Names and values of all environment variables, in bytes.
    Environment,
}

impl Capability {
    /// Of a provider without limits.
    pub fn new(provider: Cloud) -> Self {
        Self {
            provider,
            limits: Vec::new(),
            triggers: Trigger::ALL.to_vec(),
            architectures: Architecture::ALL.to_vec(),
            reserved_names: Vec::new(),
        }
    }

    /// Adds a limit.
    #[must_use]
    pub fn limit(
        mut self,
        what: Measure,
        range: RangeInclusive<u64>,
        source: &'static str,
    ) -> Self {
        self.limits.push(Limit { what, range, source });
        self
    }

    /// Everything that is asked for and cannot be had.
    pub fn findings(
        &self,
        settings: &Settings,
        trigger: Trigger,
        architecture: Architecture,
    ) -> Vec<Error> {
        let mut findings = Vec::new();
        let mut add = |key: String, message: String| findings.push(Error::Setting { key, message });
        let provider = self.provider;
        for Limit { what, range, .. } in &self.limits {
            let (key, asked) = match what {
                Measure::Memory => ("memory", u64::from(settings.memory.mib())),
                Measure::Timeout => ("timeout", settings.timeout.seconds()),
                Measure::Environment => ("env", environment_size(settings)),
            };
            if !range.contains(&asked) {
                let show = |amount: u64| what.show(amount);
                let bound = if asked < *range.start() {
                    format!("{} or more", show(*range.start()))
                } else {
                    format!("at most {}", show(*range.end()))
                };
                add(
                    key.to_owned(),
                    format!("it is {}, but {provider} allows {bound}", show(asked)),
                );
            }
        }
        if !self.triggers.contains(&trigger) {
            add("triggers".to_owned(), format!("{provider} has no triggers of kind `{trigger}`"));
        }
        if !self.architectures.contains(&architecture) {
            let known: Vec<_> = self.architectures.iter().map(|known| known.as_str()).collect();
            add(
                "architecture".to_owned(),
                format!(
                    "the program is for {architecture}, but {provider} runs {}",
                    known.join(" and ")
                ),
            );
        }
        let variables = settings.env.keys().map(|name| ("env", name));
        let secrets = settings.secrets.keys().map(|name| ("secrets", name));
        for (key, name) in variables.chain(secrets) {
            if self.reserves(name) {
                add(
                    format!("{key}.{name}"),
                    format!("{provider} keeps this name for itself: choose another one"),
                );
            }
        }
        findings
    }

    /// The first of the findings.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is one.
    pub fn check(
        &self,
        settings: &Settings,
        trigger: Trigger,
        architecture: Architecture,
    ) -> Result<()> {
        self.findings(settings, trigger, architecture).into_iter().next().map_or(Ok(()), Err)
    }

    fn reserves(&self, name: &str) -> bool {
        self.reserved_names.iter().any(|reserved| match reserved.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => *reserved == name,
        })
    }
}

impl Measure {
    fn show(self, amount: u64) -> String {
        match self {
            Self::Memory => u32::try_from(amount)
                .map_or_else(|_| format!("{amount}MiB"), |mib| Memory::from_mib(mib).to_string()),
            Self::Timeout => Period::from_secs(amount).to_string(),
            Self::Environment => format!("{amount} bytes"),
        }
    }
}

fn environment_size(settings: &Settings) -> u64 {
    settings.env.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::{Capability, Measure};
    use crate::Settings;
    use omnifn_core::Trigger;
    use omnifn_package::{Architecture, Provider};

    fn capability() -> Capability {
        let mut capability = Capability::new(Provider::Gcp)
            .limit(Measure::Memory, 128..=32_768, "a page")
            .limit(Measure::Timeout, 1..=3_600, "a page")
            .limit(Measure::Environment, 0..=20, "a page");
        capability.architectures = vec![Architecture::X86_64];
        capability.reserved_names = vec!["PORT", "K_*"];
        capability
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Settings), architecture: Architecture, expected: &[&str]) {
        let mut settings = Settings::default();
        change(&mut settings);
        let findings = capability().findings(&settings, Trigger::Http, architecture);
        let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(findings, expected);
    }

    #[test]
    fn what_cannot_be_had_is_named_with_its_limit() {
        let here = Architecture::X86_64;
        check(|_| {}, here, &[]);
        check(
            |settings| settings.memory = "64MiB".parse().unwrap(),
            here,
            &["`memory`: it is 64MiB, but gcp allows 128MiB or more"],
        );
        check(
            |settings| settings.timeout = "2h".parse().unwrap(),
            here,
            &["`timeout`: it is 2h, but gcp allows at most 1h"],
        );
        check(
            |settings| settings.timeout = "0s".parse().unwrap(),
            here,
            &["`timeout`: it is 0s, but gcp allows 1s or more"],
        );
        check(
            |settings| _ = settings.env.insert("A".into(), "b".repeat(20)),
            here,
            &["`env`: it is 21 bytes, but gcp allows at most 20 bytes"],
        );
        check(
            |_| {},
            Architecture::Arm64,
            &["`architecture`: the program is for arm64, but gcp runs x86_64"],
        );
        check(
            |settings| _ = settings.env.insert("K_X".into(), String::new()),
            here,
            &["`env.K_X`: gcp keeps this name for itself: choose another one"],
        );
        check(
            |settings| _ = settings.secrets.insert("PORT".into(), "x".into()),
            here,
            &["`secrets.PORT`: gcp keeps this name for itself: choose another one"],
        );
        check(|settings| _ = settings.env.insert("PORTS".into(), String::new()), here, &[]);
    }
}
