use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use omnifn_local::Provider;
use std::{path::PathBuf, time::Duration};

/// The command line as cargo passes it on: `cargo-omnifn omnifn dev ..`.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo")]
pub(crate) enum Cargo {
    Omnifn(Arguments),
}

/// Run, compare and ship cloud functions
#[derive(Debug, Args)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 differences or findings, 4 credentials, 130 interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(crate::new::New),
    Init(crate::new::Init),
    #[command(visible_alias = "watch")]
    Dev(Dev),
    Invoke(crate::invoke::Invoke),
    Parity(Parity),
    #[command(subcommand)]
    Event(Event),
    Build(crate::build::Build),
    Inspect(crate::inspect::Inspect),
    Check(crate::check::Check),
    Explain(crate::check::explain::Explain),
    Doctor(crate::doctor::Doctor),
    Plan(crate::deploy::plan::Plan),
    Deploy(crate::deploy::run::Deploy),
    Status(crate::deploy::status::Status),
    Releases(crate::deploy::releases::Releases),
    Promote(crate::deploy::releases::Promote),
    Rollback(crate::deploy::releases::Rollback),
    Logs(crate::deploy::logs::Logs),
    #[command(visible_alias = "delete")]
    Remove(crate::deploy::remove::Remove),
    #[command(subcommand)]
    Iam(crate::deploy::iam::Iam),
    #[command(subcommand)]
    Config(crate::config::Config),
    #[command(subcommand)]
    Local(crate::local::Local),
    #[command(subcommand)]
    Ci(crate::ci::Ci),
    Completions(crate::completions::Completions),
}

/// How results and progress are shown.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct Output {
    /// What standard output holds
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(help = "When to use colours; NO_COLOR and CARGO_TERM_COLOR count, too")]
    pub(crate) color: Color,
    /// Show results and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Tell more of what goes on
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: one document
    Json,
    /// For programs: one document a line, such as a row of a table
    Ndjson,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    Always,
    Never,
}

/// Which functions to run, and as which clouds do.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The function crate; may be given several times [default: the one in the current directory]
    #[arg(long, short, value_name = "PACKAGE")]
    pub(crate) package: Vec<String>,
    /// The binary, where a package has several [default: all of them]
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Option<String>,
    /// The Cargo.toml of the crate or of its workspace
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Build with optimizations
    #[arg(long, short)]
    pub(crate) release: bool,
    /// Run on these clouds' terms
    #[arg(
        long,
        value_name = "PROVIDER",
        value_delimiter = ',',
        default_value = "aws,gcp",
        value_parser = provider()
    )]
    pub(crate) provider: Vec<Provider>,
    /// How long one invocation may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

fn provider() -> impl TypedValueParser<Value = Provider> {
    PossibleValuesParser::new(["aws", "gcp"]).try_map(|name| name.parse::<Provider>())
}

/// Run functions here, as each cloud would run them
///
/// Builds the crate, starts every function of it once as AWS Lambda does (over the Lambda Runtime API) and once as
/// Google Cloud Run does (over HTTP and CloudEvents), and prints where they listen. A change of the sources
/// builds and starts them again. Needs no account, no Docker and no network; listens on 127.0.0.1 only.
///
/// Meanwhile it serves the project's local cloud, so that `cargo omnifn deploy --stage local` in another terminal has where to
/// deploy to; where another process serves it already (`cargo omnifn local start`), that one is used. What is deployed is kept
/// below the target directory.
#[derive(Debug, Args)]
#[command(after_help = DEV_EXAMPLES)]
pub(crate) struct Dev {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Listen on this port and those after it, two for each function [default: any free ones]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Send each function sample events from each cloud, compare the answers, and end
    ///
    /// Ends with 0 if every cloud got the same answers, and with 3 if not. `cargo omnifn parity` does the same, and more.
    #[arg(long)]
    pub(crate) once: bool,
    /// Do not serve the local cloud that `--stage local` deploys to
    #[arg(long)]
    pub(crate) no_cloud: bool,
    /// With --once: send this instead of the samples' own data
    ///
    /// It becomes the body of an HTTP request, the data of a message, timer or event, the new document of a change, or
    /// the payload of a call.
    #[arg(long, value_name = "JSON", requires = "once")]
    pub(crate) data: Option<String>,
}

const DEV_EXAMPLES: &str = "\
Examples:
  cargo omnifn dev -p orders                  keep the functions of `orders` running
  cargo omnifn dev -p orders --port 9000      the same, always at the same URLs
  cargo omnifn dev -p orders --once           does every cloud get the same answers?";

/// Send the same event as every cloud would, and compare the answers
///
/// Builds the crate and starts its functions as each cloud does. Sends them sample events, or one from a file, each wrapped as
/// AWS and Google wrap it, and compares what their callers get. Tells also what of an event does not arrive through
/// an envelope. Ends with 0 if every cloud got the same answers, and with 3 if not.
///
/// An envelope is the form in which a service of a cloud sends an event: SQS and SNS both send messages to Lambda.
#[derive(Debug, Args)]
#[command(after_help = PARITY_EXAMPLES)]
pub(crate) struct Parity {
    /// The function, where a crate has several [default: all of them]
    #[arg(value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Send the event in this file, or on standard input with `-`, instead of the samples
    ///
    /// It is a neutral event, as `cargo omnifn event show KIND --as neutral` prints one. Every function of its kind gets it.
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// Send each event in every envelope of each cloud, not just in the usual one
    #[arg(long)]
    pub(crate) all_envelopes: bool,
}

const PARITY_EXAMPLES: &str = "\
Examples:
  cargo omnifn parity -p orders                           all functions of `orders`, with samples of their events
  cargo omnifn parity ship -p orders --all-envelopes      one function, by every way that a message can come
  cargo omnifn event show queue --as neutral > order.json
  cargo omnifn parity ship -p orders --event order.json   one event of your own";

/// Events to try functions with, as each cloud sends them
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    List(EventList),
    Show(EventShow),
}

/// List the sample events, and the envelopes in which each cloud sends them
#[derive(Debug, Args)]
#[command(
    after_help = "The first envelope is the usual one, which `event show` and `parity` take unless told otherwise.\n\nExample:\n  cargo omnifn event list"
)]
pub(crate) struct EventList {}

/// Print an event as a cloud sends it
///
/// On AWS that is the event that the function is invoked with, on Google the HTTP request. Standard output holds nothing else.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(crate) struct EventShow {
    /// What kind of event: a trigger (`queue`), or a trigger and a sample's name (`queue/message`)
    #[arg(value_name = "KIND")]
    pub(crate) kind: String,
    /// As whom to print it
    #[arg(long = "as", value_enum, value_name = "WHO")]
    pub(crate) who: Who,
    /// The envelope; `cargo omnifn event list` has them all [default: the usual one]
    #[arg(long, value_name = "NAME")]
    pub(crate) envelope: Option<String>,
    /// The event's data instead of the sample's own
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Option<String>,
    /// Set a member of the neutral event; may be given several times
    ///
    /// The member is a path, such as `order_key` or `attributes.tenant`, in the first item of a batch. The value is JSON, or
    /// else text; `null` removes the member.
    #[arg(long, value_name = "MEMBER=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// On AWS: print the message of the Runtime API with its headers, not just the event
    #[arg(long)]
    pub(crate) http: bool,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  cargo omnifn event show queue --as aws                       a message as SQS sends it
  cargo omnifn event show queue --as aws --envelope sns        the same message as SNS sends it
  cargo omnifn event show http/post --as gcp --data '{\"id\":9}'
  cargo omnifn event show queue --as neutral --set order_key=acme --set attributes.tenant=acme
  cargo omnifn event show direct --as neutral | cargo omnifn parity -p hello --event -";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// AWS Lambda
    Aws,
    /// Google Cloud Run functions
    Gcp,
    /// Nobody: the event itself, as `parity --event` reads it
    Neutral,
}

impl Who {
    /// The cloud, if it is one.
    pub(crate) fn provider(self) -> Option<Provider> {
        match self {
            Self::Aws => Some(Provider::Aws),
            Self::Gcp => Some(Provider::Gcp),
            Self::Neutral => None,
        }
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((member, value)) if !member.is_empty() => Ok((member.to_owned(), value.to_owned())),
        _ => Err("write it as MEMBER=VALUE, such as `order_key=acme`".to_owned()),
    }
}

/// A number with its unit: `500ms`, `30s`, `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("write it with its unit: 500ms, 30s or 2m".to_owned()),
    };
    let duration = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
    match duration.map(Duration::from_millis) {
        Some(duration) if !duration.is_zero() && duration <= LONGEST_TIMEOUT => Ok(duration),
        _ => Err("it must be at least 1ms and at most 60m, the longest of any cloud".to_owned()),
    }
}

/// That of a request to Cloud Run.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::{Cargo, duration};
    use clap::CommandFactory as _;
    use std::time::Duration;

    #[test]
    fn the_command_line_is_consistent() {
        Cargo::command().debug_assert();
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["30", "s", "", "1h", "-1s", "0s", "61m", "99999999999999999999s"] {
            duration(wrong).unwrap_err();
        }
    }
}
