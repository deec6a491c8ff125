//! The rules for one function on one cloud.

use super::{
    rules::{self, Rule},
    triggers,
};
use crate::{config::Target, error::Error};
use omnifn_deploy::{
    Error as Deploy, Period,
    package::{Architecture, Provider},
    settings::Billing,
};
use std::fmt;

/// What was found, with how grave it is.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) error: Error,
    pub(crate) rule: Rule,
    /// It works, but probably not as it should.
    pub(crate) is_warning: bool,
    pub(crate) label: String,
}

/// Adds findings about one target.
pub(crate) struct Findings<'a> {
    pub(crate) target: &'a Target,
    pub(crate) found: Vec<Finding>,
}

impl Findings<'_> {
    /// `key` says where, `message` what, `remedy` what to do.
    pub(crate) fn add(&mut self, rule: Rule, key: &str, message: impl fmt::Display, remedy: &str) {
        self.push(rule, key, &message, (remedy, Vec::new()), false);
    }

    pub(crate) fn warn(&mut self, rule: Rule, key: &str, message: impl fmt::Display, remedy: &str) {
        self.push(rule, key, &message, (remedy, Vec::new()), true);
    }

    /// With lines that belong to it, such as the other place of two that disagree.
    pub(crate) fn add_with(
        &mut self,
        rule: Rule,
        key: &str,
        message: impl fmt::Display,
        remedy: &str,
        details: Vec<String>,
    ) {
        self.push(rule, key, &message, (remedy, details), false);
    }

    fn push(
        &mut self,
        rule: Rule,
        key: &str,
        message: &dyn fmt::Display,
        (remedy, details): (&str, Vec<String>),
        is_warning: bool,
    ) {
        let label = self.target.label();
        let error = Error::failed(format!("{label}: {message}"))
            .code(rule)
            .at(self.target.place(key))
            .details(details)
            .help(remedy);
        self.found.push(Finding { error, rule, is_warning, label });
    }
}

/// Everything that is known to be wrong with it.
pub(crate) fn check(target: &Target) -> Vec<Finding> {
    let mut findings = Findings { target, found: Vec::new() };
    limits(&mut findings);
    variables(&mut findings);
    match target.provider {
        Provider::Gcp => google(&mut findings),
        _ => aws(&mut findings),
    }
    triggers::check(&mut findings);
    findings.found
}

/// The processor that its program is built for.
pub(crate) fn architecture(target: &Target) -> Architecture {
    target.settings.architecture.unwrap_or(Architecture::X86_64)
}

fn limits(findings: &mut Findings<'_>) {
    let target = findings.target;
    let settings = &target.settings;
    let kind = settings.trigger();
    if let Err((one, other)) = kind {
        findings.add(
            rules::SEVERAL_KINDS,
            &format!("triggers.{other}"),
            format!("triggers `{one}` and `{other}` are of different kinds"),
            "make a function for each kind: one binary may have both",
        );
    }
    let trigger = kind.ok().flatten().unwrap_or(omnifn_local::Trigger::Direct);
    let capability = match target.provider {
        Provider::Gcp => omnifn_deploy::gcp::capability(),
        _ => omnifn_deploy::aws::capability(),
    };
    for found in capability.findings(settings, trigger, architecture(target)) {
        let Deploy::Setting { key, message } = found else { continue };
        let (rule, remedy) = match key.as_str() {
            "memory" => {
                (rules::MEMORY, "set `memory` for this cloud: `[functions.<name>.<provider>]`")
            }
            "timeout" => {
                (rules::TIMEOUT, "set `timeout` for this cloud: `[functions.<name>.<provider>]`")
            }
            "env" => (rules::ENVIRONMENT, "put large values into the archive or into a secret"),
            "triggers" => (rules::NO_SUCH_TRIGGER, "take the cloud out of `providers`"),
            "architecture" => {
                (rules::ARCHITECTURE, "set `architecture` for aws alone: `[functions.<name>.aws]`")
            }
            _ => (rules::RESERVED_NAME, "choose another name"),
        };
        let name = key.strip_prefix("env.").filter(|name| !settings.env.contains_key(*name));
        let place = name.map_or_else(|| key.clone(), |name| format!("secrets.{name}"));
        findings.add(rule, &place, format!("`{place}`: {message}"), remedy);
    }
}

fn variables(findings: &mut Findings<'_>) {
    let settings = &findings.target.settings;
    for name in settings.env.keys().filter(|name| settings.secrets.contains_key(*name)) {
        let (key, message) =
            (format!("env.{name}"), format!("`{name}` is in `env` and in `secrets`"));
        findings.add(rules::TWICE, &key, message, "take one of them away");
    }
    for (name, value) in &settings.env {
        let upper = name.to_uppercase();
        let words =
            ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"];
        // A reference, an address or a name of something is not the thing itself.
        let is_reference = ["_NAME", "_ARN", "_URL", "_PATH", "_FILE", "_ID", "_TTL"]
            .iter()
            .any(|end| upper.ends_with(end));
        if words.iter().any(|word| upper.contains(word)) && !is_reference && value.len() > 3 {
            findings.warn(
                rules::PLAIN_SECRET,
                &format!("env.{name}"),
                format!("`env.{name}` looks like a secret in plain text"),
                "put it into the cloud's secret store, and its name into `secrets`",
            );
        }
    }
    let is_good = |name: &str| {
        name.len() >= 2
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if findings.target.provider == Provider::Aws {
        for (table, name) in settings
            .env
            .keys()
            .map(|name| ("env", name))
            .chain(settings.secrets.keys().map(|name| ("secrets", name)))
            .filter(|(_, name)| !is_good(name))
        {
            findings.add(
                rules::BAD_VARIABLE,
                &format!("{table}.{name}"),
                format!("aws takes no variable called `{name}`"),
                "use letters, digits and underscores, a letter first, two at least",
            );
        }
    }
}

/// Days for which `CloudWatch` Logs keeps logs.
const RETENTIONS: &[u64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

fn aws(findings: &mut Findings<'_>) {
    let own = &findings.target.settings.aws;
    if let Some(disk) = own.ephemeral_storage.filter(|disk| !(512..=10_240).contains(&disk.mib())) {
        findings.add(
            rules::STORAGE,
            "aws.ephemeral-storage",
            format!("`ephemeral-storage` is {disk}, but aws has 512MiB to 10GiB"),
            "set it in `[functions.<name>.aws]`",
        );
    }
    if let Some(kept) =
        own.log_retention.filter(|kept| kept.days().is_none_or(|days| !RETENTIONS.contains(&days)))
    {
        let days = kept.seconds().div_ceil(24 * 60 * 60);
        let next = RETENTIONS.iter().find(|allowed| **allowed >= days).unwrap_or(&3653);
        findings.add(
            rules::RETENTION,
            "aws.log-retention",
            format!("logs cannot be kept for {kept}"),
            &format!("the next that there is: \"{next}d\""),
        );
    }
    if let (Some(provisioned), Some(reserved)) =
        (own.provisioned_concurrency, own.reserved_concurrency)
        && provisioned > reserved
    {
        findings.add(
            rules::INSTANCES,
            "aws.provisioned-concurrency",
            format!(
                "`provisioned-concurrency` is {provisioned}, but `reserved-concurrency` {reserved}"
            ),
            "reserve as many at least",
        );
    }
    let vpc = own.vpc.as_ref();
    for (key, count, most) in [
        ("aws.layers", own.layers.len(), 5),
        ("aws.vpc.subnets", vpc.map_or(0, |vpc| vpc.subnets.len()), 16),
        ("aws.vpc.security-groups", vpc.map_or(0, |vpc| vpc.security_groups.len()), 5),
        ("aws.max-retries", own.max_retries.map_or(0, |retries| retries as usize), 2),
    ] {
        if count > most {
            findings.add(
                rules::TOO_MANY,
                key,
                format!("`{key}` is {count}, but aws takes {most}"),
                "take some away",
            );
        }
    }
    let ages = Period::from_secs(60)..=Period::from_secs(6 * 60 * 60);
    if let Some(age) = own.max_event_age.filter(|age| !ages.contains(age)) {
        findings.add(
            rules::TOO_MANY,
            "aws.max-event-age",
            format!("`max-event-age` is {age}, but aws has 60s to 6h"),
            "set it in `[functions.<name>.aws]`",
        );
    }
    let single = own
        .role
        .iter()
        .chain(&own.on_failure)
        .chain(own.file_systems.iter().map(|system| &system.arn));
    for arn in single.chain(&own.policies).chain(&own.layers) {
        if !arn.starts_with("arn:") || arn.split(':').count() < 6 {
            let key = if own.role.as_ref() == Some(arn) { "aws.role" } else { "aws" };
            findings.add(
                rules::ARN,
                key,
                format!("`{arn}` is no ARN"),
                "an ARN is `arn:aws:SERVICE:REGION:ACCOUNT:NAME`",
            );
        }
    }
}

fn google(findings: &mut Findings<'_>) {
    let (settings, own) = (&findings.target.settings, &findings.target.settings.gcp);
    let cpu = match own.cpu.as_deref().map(str::parse::<f64>) {
        None => 1.0,
        Some(Ok(cpu)) if (0.08..=1.0).contains(&cpu) || [2.0, 4.0, 6.0, 8.0].contains(&cpu) => cpu,
        Some(_) => {
            let cpu = own.cpu.as_deref().unwrap_or_default();
            findings.add(
                rules::CPU,
                "gcp.cpu",
                format!("gcp has no instances with `{cpu}` processors"),
                "choose 1, 2, 4, 6, 8, or less than 1 such as \"0.5\"",
            );
            return;
        }
    };
    let memory = settings.memory.mib();
    let needed = match memory {
        0..=512 => 0.08,
        513..=1_024 => 0.5,
        1_025..=4_096 => 1.0,
        4_097..=8_192 => 2.0,
        8_193..=16_384 => 4.0,
        16_385..=24_576 => 6.0,
        _ => 8.0,
    };
    let least = if cpu >= 6.0 {
        4_096
    } else if cpu >= 4.0 {
        2_048
    } else {
        0
    };
    if cpu < needed {
        findings.add(
            rules::CPU_MEMORY,
            "memory",
            format!("{} of memory need {needed} processors, but it has {cpu}", settings.memory),
            &format!("set `cpu = \"{needed}\"` in `[functions.<name>.gcp]`, or take less memory"),
        );
    } else if memory < least {
        findings.add(
            rules::CPU_MEMORY,
            "memory",
            format!(
                "{cpu} processors need {}GiB of memory, but it has {}",
                least / 1024,
                settings.memory
            ),
            "take more memory, or fewer processors",
        );
    }
    let is_instance = own.billing == Some(Billing::Instance);
    if cpu < 1.0 && (own.concurrency != Some(1) || is_instance) {
        findings.add(
            rules::FRACTION,
            "gcp.cpu",
            format!("{cpu} of a processor serves one request at a time, and is paid by request"),
            "set `concurrency = 1` and `billing = \"request\"`, or a whole processor",
        );
    }
    if own.concurrency.is_some_and(|concurrency| !(1..=1000).contains(&concurrency)) {
        findings.add(
            rules::CONCURRENCY,
            "gcp.concurrency",
            "an instance takes 1 to 1000 requests at once".to_owned(),
            "set `concurrency` in `[functions.<name>.gcp]`",
        );
    }
    if let (Some(least), Some(most)) = (own.min_instances, own.max_instances)
        && least > most
    {
        findings.add(
            rules::INSTANCES,
            "gcp.min-instances",
            format!("`min-instances` is {least}, but `max-instances` {most}"),
            "allow as many at least",
        );
    }
    for (key, account) in [
        ("gcp.service-account", &own.service_account),
        ("gcp.trigger-service-account", &own.trigger_service_account),
    ] {
        if let Some(account) = account
            .as_ref()
            .filter(|account| !(account.contains('@') && account.ends_with(".gserviceaccount.com")))
        {
            findings.add(
                rules::SERVICE_ACCOUNT,
                key,
                format!("`{account}` is no service account"),
                "write its e-mail address: NAME@PROJECT.iam.gserviceaccount.com",
            );
        }
    }
}
