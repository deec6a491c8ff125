//! Templates of revisions: what Cloud Run fills in, and what it refuses.

use super::text;
use crate::gcp_api::{
    Cloud,
    error::{Failure, Outcome},
    iam,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// What the container is given by Cloud Run itself.
const RESERVED: &[&str] = &["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"];
/// Annotations in these namespaces are refused (discovery document of Cloud Run, `Service.annotations`).
const RESERVED_NAMESPACES: &[&str] = &[
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
];
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);
const MIB: u64 = 1024 * 1024;
/// Memory up to this needs at least so much CPU, in thousandths (cloud.google.com/run/docs/configuring/services/cpu).
const LEAST_CPU: &[(u64, u64)] = &[
    (512, 80),
    (1024, 500),
    (4096, 1000),
    (8192, 2000),
    (16_384, 4000),
    (24_576, 6000),
    (32_768, 8000),
];
/// So much CPU needs at least so much memory, in MiB (cloud.google.com/run/docs/configuring/services/memory-limits).
const LEAST_MEMORY: &[(u64, u64)] = &[(8000, 4096), (6000, 4096), (4000, 2048)];

pub(in crate::gcp_api) fn complete(
    cloud: &Cloud,
    service: &str,
    mut template: Value,
) -> Outcome<Value> {
    check_labels("template.labels", &template["labels"])?;
    check_annotations("template.annotations", &template["annotations"])?;
    if let Some(revision) = template["revision"].as_str() {
        let own = revision
            .strip_prefix(service)
            .is_some_and(|rest| rest.len() > 1 && rest.starts_with('-'));
        if !own || !text::is_label(revision, 63) {
            return Err(Failure::field(
                "template.revision",
                format!(
                    "\"{revision}\" must begin with \"{service}-\" and have at most 63 lower-case letters, digits and hyphens"
                ),
            ));
        }
    }
    let account = template["serviceAccount"].as_str().map(str::to_owned);
    let account = account.unwrap_or_else(|| iam::default_account(cloud));
    iam::check_account(cloud, &account)?;
    template["serviceAccount"] = account.into();
    check_timeout(&mut template)?;
    let Some([container]) = template["containers"].as_array_mut().map(Vec::as_mut_slice) else {
        return Err(Failure::field(
            "template.containers",
            "there must be one; the local control plane runs no more than that",
        ));
    };
    let cpu = complete_container(container)?;
    for (index, volume) in template["volumes"].as_array().into_iter().flatten().enumerate() {
        if volume.get("emptyDir").is_none() {
            let place = format!("template.volumes[{index}]");
            return Err(Failure::field(place, "the local control plane mounts no volumes"));
        }
    }
    let concurrency = template["maxInstanceRequestConcurrency"].as_i64();
    let concurrency = concurrency.unwrap_or(if cpu < 1000 { 1 } else { 80 });
    if !(1..=1000).contains(&concurrency) {
        return Err(Failure::field(
            "template.max_instance_request_concurrency",
            format!("{concurrency} is not from 1 to 1000"),
        ));
    }
    if cpu < 1000 && concurrency > 1 {
        return Err(Failure::field(
            "template.max_instance_request_concurrency",
            "it must be 1 where the container has less than 1 CPU",
        ));
    }
    template["maxInstanceRequestConcurrency"] = concurrency.into();
    if template["scaling"].is_null() {
        template["scaling"] = json!({});
    }
    let of = |field: &str| template["scaling"][field].as_i64();
    let (least, most) =
        (of("minInstanceCount").unwrap_or(0), of("maxInstanceCount").unwrap_or(100));
    if least < 0 || most < 1 || most < least {
        return Err(Failure::field(
            "template.scaling",
            "maxInstanceCount must be 1 or more, and not below minInstanceCount",
        ));
    }
    template["scaling"]["maxInstanceCount"] = most.into();
    Ok(template)
}

fn check_timeout(template: &mut Value) -> Outcome<()> {
    let given = template["timeout"].as_str().unwrap_or("300s").to_owned();
    match text::duration(&given) {
        Some(time) if !time.is_zero() && time <= LONGEST_TIMEOUT => {}
        _ => {
            return Err(Failure::field(
                "template.timeout",
                format!("{given} is not from 1s to 3600s"),
            ));
        }
    }
    template["timeout"] = given.into();
    Ok(())
}

/// Returns its CPU, in thousandths.
fn complete_container(container: &mut Value) -> Outcome<u64> {
    const PLACE: &str = "template.containers[0]";
    let refuse = |field: &str, why: &str| Err(Failure::field(format!("{PLACE}.{field}"), why));
    let image = container["image"].as_str().unwrap_or_default();
    if image.is_empty() {
        return refuse("image", "it is missing");
    }
    let base = container["baseImageUri"].as_str();
    if let Some(source) = container.get("sourceCode") {
        if image != "scratch" {
            return refuse("image", "it must be \"scratch\" where the container has sourceCode");
        }
        if base.is_none() {
            return refuse("base_image_uri", "it is required where the container has sourceCode");
        }
        let place = &source["cloudStorageSource"];
        if place["bucket"].as_str().is_none() || place["object"].as_str().is_none() {
            return refuse(
                "source_code",
                "the local control plane takes a cloudStorageSource with bucket and object",
            );
        }
        if container["command"].as_array().is_none_or(Vec::is_empty) {
            return refuse("command", "it is required where the image is \"scratch\"");
        }
    } else if image == "scratch" {
        return refuse("source_code", "it is required where the image is \"scratch\"");
    }
    if base.is_some_and(|base| {
        base != "osonly24" && !base.contains("-docker.pkg.dev/serverless-runtimes/")
    }) {
        return refuse("base_image_uri", "it is none of Google's base images, such as osonly24");
    }
    check_environment(&container["env"])?;
    let cpu = complete_resources(container)?;
    let port = container["ports"][0]["containerPort"].as_i64().unwrap_or(8080);
    if !(1..=65535).contains(&port) {
        return refuse("ports[0].container_port", "it is not from 1 to 65535");
    }
    if container["ports"].as_array().is_some_and(|ports| ports.len() > 1) {
        return refuse("ports", "at most one can be given");
    }
    let name = container["ports"][0]["name"].as_str().unwrap_or("http1").to_owned();
    if name != "http1" {
        return refuse("ports[0].name", "the local control plane speaks http1 only");
    }
    container["ports"] = json!([{"name": name, "containerPort": port}]);
    if container["startupProbe"].is_null() {
        container["startupProbe"] = json!({
            "timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1, "tcpSocket": {"port": port},
        });
    }
    Ok(cpu)
}

fn check_environment(environment: &Value) -> Outcome<()> {
    let mut names = BTreeSet::new();
    for (index, variable) in environment.as_array().into_iter().flatten().enumerate() {
        let place = format!("template.containers[0].env[{index}].name");
        let name = variable["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Failure::field(place, "it is empty, or no name of a variable"));
        }
        if RESERVED.contains(&name) {
            return Err(Failure::field(
                place,
                format!(
                    "The following reserved env names were provided: {name}. These values are automatically set by the system."
                ),
            ));
        }
        if !names.insert(name) {
            return Err(Failure::field(place, format!("{name} is given twice")));
        }
        if variable["value"].as_str().is_some_and(|value| value.contains('\0')) {
            return Err(Failure::field(place, format!("the value of {name} has a zero byte")));
        }
    }
    Ok(())
}

fn complete_resources(container: &mut Value) -> Outcome<u64> {
    // Where the caller says nothing at all, CPU is there during requests only.
    if container["resources"].is_null() {
        container["resources"] = json!({"cpuIdle": true, "startupCpuBoost": true});
    }
    let resources = &mut container["resources"];
    for name in resources["limits"].as_object().into_iter().flatten().map(|(name, _)| name) {
        if !matches!(name.as_str(), "cpu" | "memory") {
            return Err(Failure::field(
                "template.containers[0].resources.limits",
                format!("\"{name}\" is neither cpu nor memory"),
            ));
        }
    }
    let refuse = |name: &str, why: String| {
        Err(Failure::field(format!("template.containers[0].resources.limits.{name}"), why))
    };
    let given = resources["limits"]["cpu"].as_str().unwrap_or("1000m").to_owned();
    let Some(cpu) = thousandths(&given) else {
        return refuse("cpu", format!("\"{given}\" is no amount of CPU"));
    };
    if !(80..=1000).contains(&cpu) && !matches!(cpu, 2000 | 4000 | 6000 | 8000) {
        return refuse("cpu", format!("\"{given}\" must be from 0.08 to 1, or 2, 4, 6 or 8"));
    }
    let text = resources["limits"]["memory"].as_str().unwrap_or("512Mi").to_owned();
    let Some(memory) = bytes(&text) else {
        return refuse("memory", format!("\"{text}\" is no amount of memory"));
    };
    let least = LEAST_MEMORY.iter().find(|(of, _)| cpu >= *of).map_or(128, |(_, least)| *least);
    if memory < least * MIB {
        return refuse("memory", format!("\"{text}\" must be at least {least}Mi with {given} CPU"));
    }
    match LEAST_CPU.iter().find(|(most, _)| memory <= most * MIB) {
        None => return refuse("memory", format!("\"{text}\" must be at most 32Gi")),
        Some((_, least)) if cpu < *least => {
            return refuse(
                "cpu",
                format!("\"{given}\" must be at least {least}m with {text} of memory"),
            );
        }
        Some(_) => {}
    }
    if cpu < 1000 && resources["cpuIdle"] != true {
        return Err(Failure::field(
            "template.containers[0].resources.cpu_idle",
            "it must be true with less than 1 CPU",
        ));
    }
    resources["limits"] = json!({"cpu": given, "memory": text});
    Ok(cpu)
}

/// `1`, `0.5` and `500m`.
fn thousandths(text: &str) -> Option<u64> {
    if let Some(text) = text.strip_suffix('m') {
        return text.parse().ok();
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u64 = if part.is_empty() { 0 } else { format!("{part:0<3}").parse().ok()? };
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part)
}

/// `512Mi`, `1Gi`, `536870912`, `512M`.
fn bytes(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("Ki", 1024),
        ("Mi", MIB),
        ("Gi", 1024 * MIB),
        ("k", 1000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    let (_, unit, number) =
        UNITS.iter().find_map(|(name, unit)| Some((name, unit, text.strip_suffix(name)?)))?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

pub(super) fn check_labels(place: &str, labels: &Value) -> Outcome<()> {
    let good = |text: &str| {
        text.chars().count() <= 63
            && text
                .chars()
                .all(|letter| letter.is_lowercase() || letter.is_numeric() || "_-".contains(letter))
    };
    for (name, value) in labels.as_object().into_iter().flatten() {
        let begins = name.chars().next().is_some_and(char::is_lowercase);
        if !begins || !good(name) || !value.as_str().is_some_and(good) {
            return Err(Failure::field(
                place,
                format!(
                    "label \"{name}\" must have at most 63 lower-case letters, digits, _ and -, as its value, and begin with a letter"
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn check_annotations(place: &str, annotations: &Value) -> Outcome<()> {
    for (name, _) in annotations.as_object().into_iter().flatten() {
        let namespace = name.split_once('/').map_or("", |(namespace, _)| namespace);
        let reserved = RESERVED_NAMESPACES
            .iter()
            .any(|reserved| namespace == *reserved || namespace.ends_with(&format!(".{reserved}")));
        if reserved {
            return Err(Failure::field(
                place,
                format!(
                    "annotation \"{name}\" is in a namespace that this version of the API does not take"
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{bytes, complete_resources, thousandths};
    use serde_json::json;

    #[test]
    fn amounts_are_read() {
        assert_eq!(
            (thousandths("0.5"), thousandths("1500m"), thousandths("2")),
            (Some(500), Some(1500), Some(2000))
        );
        assert_eq!(
            (thousandths("x"), thousandths("1.0001"), thousandths("0.08")),
            (None, None, Some(80))
        );
        assert_eq!(
            (bytes("256Mi"), bytes("1G"), bytes("1.5Gi")),
            (Some(256 << 20), Some(1_000_000_000), None)
        );
    }

    #[test]
    fn cpu_and_memory_must_fit_each_other() {
        #[track_caller]
        fn check(cpu: &str, memory: &str, expected: &str) {
            let mut container =
                json!({"resources": {"cpuIdle": true, "limits": {"cpu": cpu, "memory": memory}}});
            let message = complete_resources(&mut container)
                .map_or_else(|failure| failure.message, |cpu| cpu.to_string());
            assert!(message.contains(expected), "{message}");
        }
        check("1", "256Mi", "1000");
        check("3", "4Gi", "or 2, 4, 6 or 8");
        check("4", "1Gi", "at least 2048Mi");
        check("1", "8Gi", "at least 2000m");
        check("1", "64Mi", "at least 128Mi");
        check("8", "64Gi", "at most 32Gi");
    }
}
