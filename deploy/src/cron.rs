//! Schedules in the five fields of `cron`, and what they are in each cloud's dialect.

use crate::{Error, Result};

/// Minute, hour, day of month, month, day of week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    fields: [String; 5],
}

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: MONTHS },
    // 7 is Sunday, too.
    Field { name: "day of week", least: 0, most: 7, names: DAYS },
];

impl Cron {
    /// Reads `*/5 * * * *`: numbers, names of months and days, `*`, lists, ranges and steps.
    ///
    /// ```
    /// use omnifn_deploy::cron::Cron;
    /// let cron = Cron::parse("0 8 * * MON-FRI")?;
    /// assert_eq!(cron.to_aws()?, "cron(0 8 ? * MON-FRI *)");
    /// # Ok::<(), omnifn_deploy::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] which says what is wrong, also for AWS's own dialect.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if trimmed.starts_with("cron(")
            || trimmed.starts_with("rate(")
            || trimmed.starts_with("at(")
        {
            return Err(wrong(
                text,
                "that is AWS's dialect, but a schedule here has the five fields that every cloud gets its own dialect of: minute, hour, day of month, month, day of week",
            ));
        }
        if trimmed.starts_with('@') || trimmed.starts_with("every ") {
            return Err(wrong(
                text,
                "write the five fields instead: minute, hour, day of month, month, day of week, such as `0 * * * *` for every hour",
            ));
        }
        let fields: Vec<&str> = trimmed.split_whitespace().collect();
        let Ok(fields) = <[&str; 5]>::try_from(fields.as_slice()) else {
            let advice = if fields.len() == 6 {
                " (those six look like AWS's dialect, or begin with seconds)"
            } else {
                ""
            };
            return Err(wrong(
                text,
                &format!(
                    "it has {} fields, but needs five: minute, hour, day of month, month, day of week{advice}",
                    fields.len()
                ),
            ));
        };
        for (text_of_field, field) in fields.iter().zip(&FIELDS) {
            check(text_of_field, field).map_err(|message| wrong(text, &message))?;
        }
        Ok(Self { fields: fields.map(str::to_ascii_uppercase) })
    }

    /// As `cron` has it, and Cloud Scheduler takes it.
    pub fn to_unix(&self) -> String {
        self.fields.join(" ")
    }

    /// As EventBridge Scheduler takes it: a sixth field for the year, `?` in one of the two fields of days, and
    /// days of the week by their names, since AWS counts them from 1. Source: Amazon EventBridge Scheduler User Guide,
    /// "Schedule types", read 2026-11.
    ///
    /// # Errors
    /// [`Error::Setting`] when both days are given: `cron` means either of them, which AWS cannot say.
    pub fn to_aws(&self) -> Result<String> {
        let [minute, hour, day, month, weekday] = &self.fields;
        let (day, weekday) = match (day.as_str(), weekday.as_str()) {
            (day, "*") => (day.to_owned(), "?".to_owned()),
            ("*", weekday) => ("?".to_owned(), weekdays_to_aws(weekday)),
            _ => {
                return Err(wrong(
                    &self.to_unix(),
                    "it restricts both days, which means either of them, and AWS cannot say that: make it two triggers",
                ));
            }
        };
        Ok(format!("cron({minute} {hour} {day} {month} {weekday} *)"))
    }
}

/// Every number becomes a name; a step over a range has no names on AWS, so it is written out.
fn weekdays_to_aws(field: &str) -> String {
    let name = |day: u32| DAYS[(day % 7) as usize];
    let mut days = Vec::new();
    for part in field.split(',') {
        let (range, step) = part
            .split_once('/')
            .map_or((part, None), |(range, step)| (range, step.parse::<usize>().ok()));
        let number = |text: &str| number(text, &FIELDS[4]).unwrap_or_default();
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first), number(last)),
            None if range == "*" => (0, 6),
            None if step.is_some() => (number(range), 6),
            None => (number(range), number(range)),
        };
        match step {
            None if first == last => days.push(name(first).to_owned()),
            None => days.push(format!("{}-{}", name(first), name(last))),
            Some(step) => {
                days.extend((first..=last).step_by(step.max(1)).map(|day| name(day).to_owned()));
            }
        }
    }
    days.join(",")
}

fn check(text: &str, field: &Field) -> Result<(), String> {
    let Field { name, least, most, .. } = field;
    let refuse = |part: &str| {
        let names = field
            .names
            .first()
            .map(|first| format!(", or names such as {first}"))
            .unwrap_or_default();
        format!(
            "`{part}` is no {name}: write numbers from {least} to {most}{names}, `*`, lists, ranges or steps"
        )
    };
    for part in text.split(',') {
        let (range, step) =
            part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        if step
            .is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| (1..=*most).contains(&step)))
        {
            return Err(refuse(part));
        }
        let is_good = match range.split_once('-') {
            None => range == "*" || number(range, field).is_some(),
            Some((first, last)) => {
                let (first, last) = (number(first, field), number(last, field));
                first.zip(last).is_some_and(|(first, last)| first <= last)
            }
        };
        if !is_good {
            return Err(refuse(part));
        }
    }
    Ok(())
}

fn number(text: &str, field: &Field) -> Option<u32> {
    let named = field.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = match named {
        // Months begin with 1, days of the week with 0.
        Some(position) => u32::try_from(position).ok()? + field.least,
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
        None => return None,
    };
    (field.least..=field.most).contains(&number).then_some(number)
}

fn wrong(text: &str, message: &str) -> Error {
    Error::setting("schedule", format!("`{text}`: {message}"))
}

#[cfg(test)]
mod tests {
    use super::Cron;

    #[track_caller]
    fn check(text: &str, aws: &str) {
        assert_eq!(Cron::parse(text).unwrap().to_aws().unwrap(), aws);
    }

    #[test]
    fn each_cloud_gets_its_own_dialect() {
        check("*/5 * * * *", "cron(*/5 * * * ? *)");
        check("0 8 * * 1-5", "cron(0 8 ? * MON-FRI *)");
        check("0 8 * * 0", "cron(0 8 ? * SUN *)");
        check("0 8 * * 7", "cron(0 8 ? * SUN *)");
        check("0 8 * * mon,fri", "cron(0 8 ? * MON,FRI *)");
        check("0 8 * * */2", "cron(0 8 ? * SUN,TUE,THU,SAT *)");
        check("0 8 1,15 * *", "cron(0 8 1,15 * ? *)");
        check("0 0 1 jan *", "cron(0 0 1 JAN ? *)");
        assert_eq!(Cron::parse(" 0  8 * *  mon ").unwrap().to_unix(), "0 8 * * MON");
    }

    #[test]
    fn what_aws_cannot_say_is_refused() {
        let error = Cron::parse("0 8 1 * MON").unwrap().to_aws().unwrap_err().to_string();
        assert!(error.contains("two triggers"), "{error}");
    }

    #[test]
    fn other_dialects_and_mistakes_are_told() {
        for (text, expected) in [
            ("rate(5 minutes)", "AWS's dialect"),
            ("cron(0 8 ? * MON *)", "AWS's dialect"),
            ("0 8 ? * MON *", "six look like AWS's dialect"),
            ("@hourly", "five fields"),
            ("every 5 minutes", "five fields"),
            ("", "it has 0 fields"),
            ("0 8 ? * *", "`?` is no day of month"),
            ("60 * * * *", "`60` is no minute: write numbers from 0 to 59"),
            ("* * * 13 *", "`13` is no month: write numbers from 1 to 12, or names such as JAN"),
            ("5-1 * * * *", "`5-1` is no minute"),
            ("*/0 * * * *", "`*/0` is no minute"),
            ("1/ * * * *", "`1/` is no minute"),
            ("99999999999 * * * *", "is no minute"),
            ("ü * * * *", "is no minute"),
        ] {
            let error = Cron::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
