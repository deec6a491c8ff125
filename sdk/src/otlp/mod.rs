//! Spans to a collector, by OTLP over plain HTTP, under the feature `otlp`.
//!
//! A function's binary holds no TLS, so the collector is beside the function: a Lambda extension, a sidecar, a process on
//! the laptop. It passes on what it gets by whatever its backend wants.

mod buffer;
mod client;
mod trace;

use crate::{
    env,
    log::{self, LineLayer, Lines},
    platforms,
};
use buffer::Buffer;
use client::PlainClient;
use omnifn_core::{App, Environment, Error, Result};
use opentelemetry::{Key, KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use std::sync::Arc;
use tracing_subscriber::layer::SubscriberExt as _;

const PROTOCOLS: [&str; 2] =
    [env::OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, env::OTEL_EXPORTER_OTLP_PROTOCOL];

/// Sets the subscriber, unless there is one: lines, and spans to the collector where the environment names one.
pub(crate) fn init(app: App, environment: &Environment) -> App {
    if !is_wanted(environment) {
        log::init(environment);
        return app;
    }
    match Export::new(environment) {
        Ok(export) => export.start(app, environment),
        Err(error) => {
            // What spans are for must not keep the function from running.
            log::init(environment);
            tracing::error!(%error, "spans are not exported");
            app
        }
    }
}

fn is_wanted(environment: &Environment) -> bool {
    let is_set = |name, value| {
        environment.get(name).is_some_and(|set: &str| set.eq_ignore_ascii_case(value))
    };
    endpoint(environment).is_some()
        && !is_set(env::OTEL_SDK_DISABLED, "true")
        && !is_set(env::OTEL_TRACES_EXPORTER, "none")
}

/// The variable that says where to, and what it says.
fn endpoint(environment: &Environment) -> Option<(&'static str, &str)> {
    [env::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, env::OTEL_EXPORTER_OTLP_ENDPOINT]
        .into_iter()
        .find_map(|name| environment.get(name).map(|endpoint| (name, endpoint)))
}

/// What was made of the environment.
struct Export {
    provider: SdkTracerProvider,
    buffer: Buffer,
}

impl Export {
    fn new(environment: &Environment) -> Result<Self> {
        check(environment)?;
        let client = Arc::new(PlainClient::default());
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_shared_http_client(client.clone())
            // The next flush is the retry.
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        let resource = resource(environment);
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut exporter, &resource);
        let buffer = Buffer::new(exporter, client);
        let mut provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_span_processor(buffer.clone());
        if environment.get("AWS_LAMBDA_RUNTIME_API").is_some()
            && environment.get(env::OTEL_TRACES_SAMPLER).is_none()
        {
            // Unless X-Ray's own tracing is on, Lambda says of every trace that it is not sampled.
            provider = provider.with_sampler(Sampler::AlwaysOn);
        }
        Ok(Self { provider: provider.build(), buffer })
    }

    fn start(self, app: App, environment: &Environment) -> App {
        let Self { provider, buffer } = self;
        let (lines, unread) = Lines::new(environment);
        let lines = Arc::new(lines);
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("omnifn"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        let subscriber =
            tracing_subscriber::registry().with(spans).with(LineLayer::new(lines.clone()));
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            tracing::warn!(
                "spans are not exported by omnifn: a subscriber was set before `run`, and is theirs who set it"
            );
            return app;
        }
        log::started(&lines, &unread, environment);
        omnifn_core::set_tracer(Box::new(trace::Spans));
        let (flushed, shut_down) = (buffer.clone(), buffer);
        app.on_flush(move || flushed.clone().flush()).on_shutdown(move || {
            let buffer = shut_down.clone();
            async move { buffer.flush_now().await }
        })
    }
}

/// Refuses what would fail at every export, with the way out.
fn check(environment: &Environment) -> Result<()> {
    let (name, endpoint) = endpoint(environment).unwrap_or_default();
    if !endpoint.trim_start().to_ascii_lowercase().starts_with("http://") {
        return Err(Error::from(format!(
            "`{name}` is `{endpoint}`, but must begin with `http://`: a function's binary holds no TLS, so send to a \
             collector beside it (a Lambda extension, a sidecar) that passes spans on"
        )));
    }
    let protocol = PROTOCOLS.iter().find_map(|name| Some((name, environment.get(name)?)));
    match protocol {
        Some((name, protocol)) if protocol != "http/protobuf" => Err(Error::from(format!(
            "`{name}` is `{protocol}`, but must be `http/protobuf`, which collectors take on port 4318"
        ))),
        _ => Ok(()),
    }
}

/// What is known of the process, in OpenTelemetry's names (opentelemetry.io/docs/specs/semconv/resource). What
/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say counts first.
fn resource(environment: &Environment) -> Resource {
    let detected = Resource::builder().build();
    let get = |names: &[&str]| names.iter().find_map(|name| environment.get(name));
    let name = get(&[env::AWS_LAMBDA_FUNCTION_NAME, "K_SERVICE"]);
    let platform = platforms::detect(environment).map(omnifn_core::Platform::name);
    let memory = environment.get(env::AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
    let memory = memory.and_then(|mebibytes| mebibytes.parse::<i64>().ok());
    let known: [(&'static str, Option<opentelemetry::Value>); 8] = [
        (
            "service.name",
            get(&[env::AWS_LAMBDA_FUNCTION_NAME, "K_SERVICE", "OMNIFN_FUNCTION"]).map(owned),
        ),
        ("faas.name", name.map(owned)),
        ("faas.version", get(&["AWS_LAMBDA_FUNCTION_VERSION", "K_REVISION"]).map(owned)),
        ("faas.instance", get(&[env::AWS_LAMBDA_LOG_STREAM_NAME]).map(owned)),
        ("faas.max_memory", memory.map(|mebibytes| mebibytes.saturating_mul(1 << 20).into())),
        ("cloud.platform", platform.map(Into::into)),
        ("cloud.provider", platform.and_then(|name| Some(name.split_once('_')?.0.into()))),
        ("cloud.region", get(&["AWS_REGION"]).map(owned)),
    ];
    let is_told = |name: &'static str| {
        // The SDK's own name for a service without one.
        let told = detected.get(&Key::from_static_str(name));
        told.is_some_and(|value| !value.as_str().starts_with("unknown_service"))
    };
    let attributes = known.into_iter().filter(|(name, _)| !is_told(name));
    let attributes = attributes.filter_map(|(name, value)| Some(KeyValue::new(name, value?)));
    Resource::builder().with_attributes(attributes).build()
}

fn owned(text: &str) -> opentelemetry::Value {
    text.to_owned().into()
}

#[cfg(test)]
mod tests {
    use super::{check, is_wanted};
    use omnifn_core::Environment;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().copied().collect()
    }

    #[test]
    fn an_endpoint_is_what_switches_it_on() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert!(!is_wanted(&environment(&[])));
        assert!(is_wanted(&environment(&[endpoint])));
        assert!(is_wanted(&environment(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/")])));
        assert!(!is_wanted(&environment(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")])));
        assert!(!is_wanted(&environment(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")])));
    }

    #[track_caller]
    fn refused(pairs: &[(&str, &str)], message: &str) {
        let error = check(&environment(pairs)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_way_out() {
        refused(
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.example.com")],
            "`OTEL_EXPORTER_OTLP_ENDPOINT` is `https://api.example.com`, but must begin with `http://`: a function's \
             binary holds no TLS",
        );
        refused(
            &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4317")],
            "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is `localhost:4317`, but must begin with",
        );
        refused(
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ],
            "`OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc`, but must be `http/protobuf`",
        );
        check(&environment(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "HTTP://[::1]:4318")])).unwrap();
    }
}
