//! `cargo omnifn logs`: what deployed functions wrote.

use super::{Clouds, Reach, interruptible, load, located, scope};
use crate::{
    args::Format,
    config::{Choice, Target},
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Deployer, LogLine, LogQuery, Period, Scope};
use serde_json::json;
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, SystemTime},
};

/// Show what deployed functions wrote
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Keep on showing what they write, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Not what is older than this
    #[arg(long, value_name = "TIME", default_value = "10m")]
    since: Period,
    #[arg(long, value_name = "FILTER")]
    #[arg(
        help = "Only what matches: a filter pattern of CloudWatch Logs, a filter of Cloud Logging"
    )]
    filter: Option<String>,
    /// At most so many lines of each function
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    limit: u32,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn logs orders -f
  cargo omnifn logs --stage prod --since 2h --filter ERROR";

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How many ids are remembered, so that a line that is read twice is shown once.
const REMEMBERED: usize = 100_000;

/// Where one function's lines come from, and which were shown.
struct Source<'a> {
    target: &'a Target,
    deployer: Deployer,
    scope: Scope,
    seen: BTreeSet<String>,
    order: VecDeque<String>,
}

pub(crate) fn run(options: &Logs, shell: &Shell) -> Result<Exit> {
    let (project, configuration) = load(&options.choice, &options.functions)?;
    let since = SystemTime::now().checked_sub(options.since.duration()).ok_or_else(|| {
        Error::usage("`--since` goes too far back").help("choose a shorter time, such as 14d")
    })?;
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let mut sources = Vec::new();
        for target in &configuration.targets {
            let (deployer, scope) = (clouds.deployer(target)?, scope(&configuration, target)?);
            let (seen, order) = (BTreeSet::new(), VecDeque::new());
            sources.push(Source { target, deployer, scope, seen, order });
        }
        let width = sources.iter().map(|source| source.target.label().len()).max().unwrap_or(0);
        let mut since = since;
        let mut lines = Vec::new();
        loop {
            let looked = SystemTime::now();
            lines.clear();
            for source in &mut sources {
                source.read(options, since, &mut lines).await?;
            }
            lines.sort_by_key(|(_, line): &(String, LogLine)| line.timestamp_millis);
            for (label, line) in &lines {
                print(label, width, line, shell);
            }
            if !options.follow {
                return Ok(Exit::Done);
            }
            // Lines arrive late: look back a little further than to the last look.
            since = since.max(looked.checked_sub(Duration::from_secs(60)).unwrap_or(since));
            tokio::time::sleep(PAUSE).await;
        }
    })
}

impl Source<'_> {
    /// Lines that were not shown yet.
    async fn read(
        &mut self,
        options: &Logs,
        since: SystemTime,
        lines: &mut Vec<(String, LogLine)>,
    ) -> Result<()> {
        let mut query = LogQuery::default();
        query.since = Some(since);
        query.filter.clone_from(&options.filter);
        query.limit = options.limit;
        let mut left = options.limit as usize;
        loop {
            let page = self.deployer.logs(&self.scope, &query).await;
            let page = page.map_err(|error| located(error, self.target))?;
            for line in page.lines.into_iter().take(left) {
                left -= 1;
                if self.seen.insert(line.id.clone()) {
                    self.order.push_back(line.id.clone());
                    lines.push((self.target.label(), line));
                }
            }
            while self.order.len() > REMEMBERED {
                if let Some(oldest) = self.order.pop_front() {
                    self.seen.remove(&oldest);
                }
            }
            match page.next {
                Some(next) if left > 0 && query.from.as_ref() != Some(&next) => {
                    query.from = Some(next);
                }
                _ => return Ok(()),
            }
        }
    }
}

fn print(label: &str, width: usize, line: &LogLine, shell: &Shell) {
    let time = time(line.timestamp_millis);
    Shell::print(&match shell.format() {
        Format::Text => {
            let severity = line.severity.as_ref().map(|severity| format!("{severity} "));
            let message = line.message.trim_end().escape_default_controls();
            format!("{time} {label:<width$} {}{message}\n", severity.unwrap_or_default())
        }
        // A stream has no end: one document for each line.
        Format::Json | Format::Ndjson => {
            let mut row = json!(line);
            row["source"] = label.into();
            row["time"] = time.into();
            format!("{row}\n")
        }
    });
}

/// What a function wrote may not move the cursor nor recolour the terminal.
trait Escape {
    fn escape_default_controls(&self) -> String;
}

impl Escape for str {
    fn escape_default_controls(&self) -> String {
        let mut text = String::with_capacity(self.len());
        for character in self.chars() {
            if character.is_control() && !matches!(character, '\n' | '\t') {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        text
    }
}

/// RFC 3339, in UTC.
fn time(millis: i64) -> String {
    let (seconds, millis) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // From days to a date, as Howard Hinnant's `civil_from_days` does it.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::{Escape as _, time};

    #[test]
    fn times_are_in_utc() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_700_000_000_001, "2023-11-14T22:13:20.001Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(time(millis), expected);
        }
        time(i64::MAX);
        time(i64::MIN);
    }

    #[test]
    fn what_a_function_writes_does_not_steer_the_terminal() {
        assert_eq!("a\u{1b}[2Jb\tü".escape_default_controls(), "a\\u{1b}[2Jb\tü");
    }
}
