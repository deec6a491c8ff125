//! `cargo omnifn invoke`: one event to one function, here or where it is deployed.

use crate::{
    answers,
    args::{Format, Selection},
    config::{Choice, Configuration, Target},
    deploy::{self, Reach},
    error::{Error, Result},
    event,
    exit::Exit,
    parity::read,
    project::Project,
    session::{Session, block_on, functions::Functions},
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::Invocation;
use omnifn_local::{
    Answer, Provider, Sample, Trigger,
    parity::{self, Envelopes},
    sample,
};
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// Send one event to a function
///
/// Builds the crate and starts the function here, as one cloud does; with `--remote` it goes to what is deployed. Standard output is
/// the answer. Ends with 1 if the function failed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Invoke {
    /// The function, where there are several
    #[arg(value_name = "FUNCTION")]
    function: Option<String>,
    /// The event in this file, or on standard input with `-`: as `event show KIND --as neutral` prints one
    #[arg(long, value_name = "FILE", group = "what")]
    event: Option<PathBuf>,
    /// A sample event: a trigger (`http`), or a trigger and a sample's name (`http/post`) [default: of its own trigger]
    #[arg(long, value_name = "KIND", group = "what")]
    example: Option<String>,
    /// The event's data instead of the sample's own
    #[arg(long, value_name = "JSON", conflicts_with = "event")]
    data: Option<String>,
    /// Invoke what is deployed
    #[arg(long)]
    remote: bool,
    /// The binary, where a package has several
    #[arg(long, value_name = "NAME", conflicts_with = "remote")]
    bin: Option<String>,
    /// Build with optimizations
    #[arg(long, short, conflicts_with = "remote")]
    release: bool,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn invoke -p hello                                here, as AWS Lambda would start it
  cargo omnifn invoke ship -p orders --data '{\"id\":1,\"item\":\"book\",\"quantity\":2}'
  cargo omnifn invoke orders --remote --stage prod --provider aws --example http/post";

/// How long one invocation may take here.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(options: &Invoke, shell: &Shell) -> Result<Exit> {
    // Before anything is built: a mistake in it is quickly told.
    let told = told(options)?;
    if options.remote {
        remotely(options, told.as_ref(), shell)
    } else {
        here(options, told.as_ref(), shell)
    }
}

/// The event that was asked for, if one was.
fn told(options: &Invoke) -> Result<Option<Sample>> {
    if let Some(path) = &options.event {
        return read(path).map(Some);
    }
    let Some(kind) = &options.example else { return Ok(None) };
    with_data(event::find(kind)?, options).map(Some)
}

fn with_data(sample: Sample, options: &Invoke) -> Result<Sample> {
    Ok(match &options.data {
        Some(data) => sample.with_data(data)?,
        None => sample,
    })
}

/// The event that was asked for, else the sample of the function's trigger.
fn sample_for(trigger: Trigger, told: Option<&Sample>, options: &Invoke) -> Result<Sample> {
    match told {
        Some(sample) if sample.trigger() != trigger => Err(Error::usage(format!(
            "the function handles {trigger} events, but this is one of {}",
            sample.trigger()
        ))
        .help(format!("`cargo omnifn event show {trigger} --as neutral` prints one"))),
        Some(sample) => Ok(sample.clone()),
        None => match sample::of(trigger).pop() {
            Some(sample) => with_data(sample, options),
            None => Err(Error::failed(format!("there is no sample of {trigger} events"))),
        },
    }
}

fn here(options: &Invoke, told: Option<&Sample>, shell: &Shell) -> Result<Exit> {
    let Choice { package, manifest_path, stage, .. } = &options.choice;
    if stage.is_some() {
        return Err(Error::usage("`--stage` is about what is deployed")
            .help("add `--remote`, or leave it out"));
    }
    let provider =
        options.choice.provider.first().map_or(Provider::Aws, |provider| local(*provider));
    let selection = Selection {
        package: package.clone(),
        bin: options.bin.clone(),
        manifest_path: manifest_path.clone(),
        release: options.release,
        provider: vec![provider],
        timeout: TIMEOUT,
    };
    let project = selection.project()?;
    let session = Session {
        function: options.function.as_deref(),
        ..Session::new(&project, &selection, shell)?
    };
    block_on(async |interrupt| {
        let answered =
            session.once(interrupt, async |functions| one(functions, told, options).await).await?;
        Ok(answered.exit(|(label, answer)| {
            let failed = is_failure(&answer);
            Shell::write(&if shell.format() == Format::Text {
                body(&answer)
            } else {
                {
                    let answer = answers::answer_as_json(&answer);
                    let provider = provider.as_str();
                    format!(
                        "{}\n",
                        json!({ "function": label, "provider": provider, "answer": answer })
                    )
                    .into_bytes()
                }
            });
            if failed { Exit::Failed } else { Exit::Done }
        }))
    })
}

/// Invokes the only function there is.
async fn one(
    functions: &Functions<'_>,
    told: Option<&Sample>,
    options: &Invoke,
) -> Result<(String, Answer)> {
    let all: Vec<_> = functions.iter().collect();
    let [function] = all.as_slice() else {
        return Err(several(all.iter().map(|function| function.label.as_str())));
    };
    let sample = sample_for(function.running.function().trigger, told, options)?;
    let row = parity::row(&function.running, &sample, Envelopes::Usual).await?;
    let delivery = row.deliveries.into_iter().next();
    let answer = delivery.map(|delivery| delivery.answer);
    match answer {
        Some(Ok(answer)) => Ok((function.label.clone(), answer)),
        Some(Err(reason)) => Err(Error::usage(reason).help("take another `--provider`")),
        None => Err(Error::failed("nothing was sent")),
    }
}

fn several<'a>(labels: impl Iterator<Item = &'a str>) -> Error {
    let labels: Vec<_> = labels.collect();
    Error::usage("it is not told which function is meant")
        .help(format!("choose one: {}", labels.join(", ")))
}

fn is_failure(answer: &Answer) -> bool {
    match answer {
        Answer::Failed { .. } => true,
        Answer::Batch { failed } => !failed.is_empty(),
        _ => false,
    }
}

/// What a caller would see, as it is where it is bytes.
fn body(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Response(response) => response.body().to_vec(),
        Answer::Done { payload: Some(payload) } => payload.to_vec(),
        answer => format!("{answer}\n").into_bytes(),
    }
}

fn local(provider: omnifn_deploy::package::Provider) -> Provider {
    match provider {
        omnifn_deploy::package::Provider::Gcp => Provider::Gcp,
        _ => Provider::Aws,
    }
}

fn remotely(options: &Invoke, told: Option<&Sample>, shell: &Shell) -> Result<Exit> {
    let names: Vec<String> = options.function.iter().cloned().collect();
    let project = Project::load(options.choice.manifest_path.as_deref())?;
    let configuration = Configuration::load(&project, &options.choice, &names)?;
    let [target] = configuration.targets.as_slice() else {
        let command = |target: &Target| {
            let Target { known, provider, .. } = target;
            format!("`cargo omnifn invoke {} --remote --provider {provider}`", known.name)
        };
        let commands: Vec<_> = configuration.targets.iter().map(command).collect();
        return Err(Error::usage("an event goes to one function on one cloud")
            .help(format!("choose one: {}", commands.join(", "))));
    };
    let configured = target.settings.trigger().ok().flatten();
    let trigger = configured.or(told.map(Sample::trigger)).unwrap_or(Trigger::Direct);
    let sample = sample_for(trigger, told, options)?;
    let invocation = invocation(&sample, local(target.provider))?;
    deploy::interruptible(async || {
        let invoked =
            deploy::invoke(target, &configuration, &options.reach, (&project, shell), &invocation)
                .await?;
        Shell::write(&if shell.format() == Format::Text {
            invoked.payload.to_vec()
        } else {
            {
                let row = json!({
                    "function": target.known.name,
                    "provider": target.provider.as_str(),
                    "status": invoked.status,
                    "failed": invoked.is_failure,
                    "release": invoked.release,
                    "payload": String::from_utf8_lossy(&invoked.payload),
                });
                format!("{row}\n").into_bytes()
            }
        });
        Ok(if invoked.is_failure { Exit::Failed } else { Exit::Done })
    })
}

/// The event as the cloud's usual envelope has it.
fn invocation(sample: &Sample, provider: Provider) -> Result<Invocation> {
    let messages = event::wrapped(sample, provider, None)?;
    let Some(message) = messages.into_iter().next() else {
        return Err(Error::usage("the event is empty"));
    };
    let (parts, body) = message.into_parts();
    let mut invocation = Invocation::new(body);
    if provider == Provider::Gcp {
        invocation.method = Some(parts.method.to_string());
        invocation.path = parts.uri.path_and_query().map(ToString::to_string);
        let headers = parts.headers.iter().filter(|(name, _)| *name != http::header::HOST);
        invocation.headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
    }
    Ok(invocation)
}
