use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser as _},
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

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 differences, 130 interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "watch")]
    Dev(Dev),
    Build(crate::build::Build),
    Inspect(crate::inspect::Inspect),
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
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    Always,
    Never,
}

/// Run functions here, as each cloud would run them
///
/// Builds the crate, starts every function of it once as AWS Lambda does (over the Lambda Runtime API) and once as
/// Google Cloud Run does (over HTTP and CloudEvents), and prints where they listen. A change of the sources
/// builds and starts them again. Needs no account, no Docker and no network; listens on 127.0.0.1 only.
#[derive(Debug, Args)]
#[command(after_help = DEV_EXAMPLES)]
pub(crate) struct Dev {
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
        value_parser = PossibleValuesParser::new(["aws", "gcp"]).try_map(|name| name.parse::<Provider>())
    )]
    pub(crate) provider: Vec<Provider>,
    /// Listen on this port and those after it, two for each function [default: any free ones]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// How long one invocation may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Send each function sample events from each cloud, compare the answers, and end
    ///
    /// Ends with 0 if every cloud got the same answers, and with 3 if not.
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: send this instead of the samples' own data
    ///
    /// It becomes the body of an HTTP request, the data of a message, timer or event, or the payload of a call.
    #[arg(long, value_name = "JSON", requires = "once")]
    pub(crate) data: Option<String>,
}

const DEV_EXAMPLES: &str = "\
Examples:
  cargo omnifn dev -p orders                  keep the functions of `orders` running
  cargo omnifn dev -p orders --port 9000      the same, always at the same URLs
  cargo omnifn dev -p orders --once           does every cloud get the same answers?";

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
