//! What Cloud Run allows, with where it is written.

use crate::{Capability, Error, Measure, Result, Settings, settings::Billing};
use omnifn_package::{Architecture, Provider as Cloud};

/// The pages of Cloud Run's documentation that these are from; as of 2026-11.
const MEMORY: &str =
    "cloud.google.com/run/docs/configuring/services/memory-limits (not read again in 2026)";
const TIMEOUT: &str = "cloud.google.com/run/docs/configuring/request-timeout, 2026-11";

/// The largest deadline of a push subscription, in seconds (`Subscription.ackDeadlineSeconds`, discovery document of
/// Pub/Sub v1, 2026-11).
pub(super) const LONGEST_ACK: u64 = 600;
/// The largest deadline of a job with an HTTP target, in seconds (`Job.attemptDeadline`, discovery document of Cloud Scheduler v1,
/// 2026-11).
pub(super) const LONGEST_ATTEMPT: u64 = 1_800;
/// Of `DeadLetterPolicy.maxDeliveryAttempts` (discovery document of Pub/Sub v1, 2026-11).
pub(super) const DELIVERY_ATTEMPTS: std::ops::RangeInclusive<u32> = 5..=100;
/// Of `maxInstanceRequestConcurrency` (cloud.google.com/run/docs/about-concurrency).
const CONCURRENCY: std::ops::RangeInclusive<u32> = 1..=1_000;
/// What Cloud Run takes unless told otherwise (golden logs of k8s-config-connector's `runservicebasic`).
const DEFAULT_CONCURRENCY: u32 = 80;

/// What Cloud Run takes, without asking it.
pub fn capability() -> Capability {
    let mut capability = Capability::new(Cloud::Gcp)
        .limit(Measure::Memory, 128..=32 * 1024, MEMORY)
        .limit(Measure::Timeout, 1..=3_600, TIMEOUT);
    capability.architectures = vec![Architecture::X86_64];
    // cloud.google.com/run/docs/container-contract: what Cloud Run sets itself.
    capability.reserved_names =
        vec!["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "X_GOOGLE_*"];
    capability
}

/// A number of processors, in thousandths.
pub(super) type MilliCpu = u32;

/// The processors and how many requests at once, checked against each other and the memory.
///
/// cloud.google.com/run/docs/configuring/services/cpu: 1, 2, 4, 6 or 8 processors, or 0.08 to less than 1; below 1 an
/// instance takes one request at once, and is paid by request.
/// cloud.google.com/run/docs/configuring/services/memory-limits: more than 4, 8, 16 and 24 GiB need 2, 4, 6 and 8 processors; more
/// than 512 MiB and 1 GiB need 0.5 and 1; 4, 6 and 8 processors need 2, 4 and 4 GiB.
pub(super) fn processors(settings: &Settings) -> Result<(MilliCpu, u32)> {
    let mib = settings.memory.mib();
    let least = least_cpu(mib);
    let cpu = match &settings.gcp.cpu {
        Some(text) => parse_cpu(text).ok_or_else(|| {
            Error::setting(
                "gcp.cpu",
                format!(
                    "`{text}` is no number of processors: write 1, 2, 4, 6 or 8, or 0.08 to 0.99"
                ),
            )
        })?,
        None => least.max(1_000),
    };
    if cpu < least {
        let (needed, memory) = (show_cpu(least), settings.memory);
        return Err(Error::setting(
            "gcp.cpu",
            format!("it is {}, but {memory} of memory need {needed} or more", show_cpu(cpu)),
        ));
    }
    let least_mib = match cpu {
        6_000.. => 4_096,
        4_000.. => 2_048,
        _ => 128,
    };
    if mib < least_mib {
        return Err(Error::setting(
            "memory",
            format!(
                "it is {}, but {} processors need {least_mib}MiB or more",
                settings.memory,
                show_cpu(cpu)
            ),
        ));
    }
    let is_fraction = cpu < 1_000;
    let concurrency =
        settings.gcp.concurrency.unwrap_or(if is_fraction { 1 } else { DEFAULT_CONCURRENCY });
    if !CONCURRENCY.contains(&concurrency) {
        return Err(Error::setting(
            "gcp.concurrency",
            format!("it is {concurrency}, but gcp allows 1 to {}", CONCURRENCY.end()),
        ));
    }
    if is_fraction && concurrency != 1 {
        return Err(Error::setting(
            "gcp.concurrency",
            format!("it is {concurrency}, but with less than one processor gcp allows 1"),
        ));
    }
    if settings.gcp.billing == Some(Billing::Instance) && (is_fraction || mib < 512) {
        return Err(Error::setting(
            "gcp.billing",
            "`instance` needs one processor and 512MiB of memory or more".to_owned(),
        ));
    }
    Ok((cpu, concurrency))
}

fn least_cpu(mib: u32) -> MilliCpu {
    match mib {
        24_577.. => 8_000,
        16_385.. => 6_000,
        8_193.. => 4_000,
        4_097.. => 2_000,
        1_025.. => 1_000,
        513.. => 500,
        _ => 80,
    }
}

fn parse_cpu(text: &str) -> Option<MilliCpu> {
    let cpu = millis(text)?;
    let is_good = matches!(cpu, 80..=1_000 | 2_000 | 4_000 | 6_000 | 8_000);
    is_good.then_some(cpu)
}

/// `2`, `0.5`, and `500m`, as Google writes it.
pub(super) fn millis(text: &str) -> Option<MilliCpu> {
    if let Some(millis) = text.strip_suffix('m') {
        return millis.parse().ok();
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(fraction) || whole.is_empty() {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(1_000)?.checked_add(thousandths)
}

/// `2`, `0.5`.
pub(super) fn show_cpu(cpu: MilliCpu) -> String {
    match (cpu / 1_000, cpu % 1_000) {
        (whole, 0) => whole.to_string(),
        (whole, rest) => format!("{whole}.{}", format!("{rest:03}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::{millis, processors, show_cpu};
    use crate::{Settings, settings::Billing};

    #[track_caller]
    fn check(change: impl FnOnce(&mut Settings), expected: Result<(u32, u32), &str>) {
        let mut settings = Settings::default();
        change(&mut settings);
        let found = processors(&settings).map_err(|error| error.to_string());
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text));
    }

    #[test]
    fn processors_fit_the_memory_and_the_concurrency() {
        let memory = |text: &'static str| {
            move |settings: &mut Settings| settings.memory = text.parse().unwrap()
        };
        let cpu = |text: &'static str| {
            move |settings: &mut Settings| settings.gcp.cpu = Some(text.to_owned())
        };
        check(|_| {}, Ok((1_000, 80)));
        check(memory("4GiB"), Ok((1_000, 80)));
        check(memory("5GiB"), Ok((2_000, 80)));
        check(memory("32GiB"), Ok((8_000, 80)));
        check(cpu("0.5"), Ok((500, 1)));
        check(
            cpu("3"),
            Err(
                "`gcp.cpu`: `3` is no number of processors: write 1, 2, 4, 6 or 8, or 0.08 to 0.99",
            ),
        );
        check(cpu("4"), Err("`memory`: it is 256MiB, but 4 processors need 2048MiB or more"));
        check(
            |settings| {
                cpu("0.5")(settings);
                memory("2GiB")(settings);
            },
            Err("`gcp.cpu`: it is 0.5, but 2GiB of memory need 1 or more"),
        );
        check(
            |settings| {
                cpu("0.5")(settings);
                settings.gcp.concurrency = Some(2);
            },
            Err("`gcp.concurrency`: it is 2, but with less than one processor gcp allows 1"),
        );
        check(
            |settings| settings.gcp.concurrency = Some(1_001),
            Err("`gcp.concurrency`: it is 1001, but gcp allows 1 to 1000"),
        );
        check(
            |settings| settings.gcp.billing = Some(Billing::Instance),
            Err("`gcp.billing`: `instance` needs one processor and 512MiB of memory or more"),
        );
    }

    #[test]
    fn processors_are_read_in_each_form_that_google_writes() {
        for (text, expected) in [
            ("1", Some(1_000)),
            ("1000m", Some(1_000)),
            ("0.5", Some(500)),
            ("0.08", Some(80)),
            ("80m", Some(80)),
            ("", None),
            (".5", None),
            ("0.0001", None),
            ("4294968", None),
            ("-1", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
        assert_eq!([1_000, 500, 80, 2_000].map(show_cpu), ["1", "0.5", "0.08", "2"]);
    }
}
