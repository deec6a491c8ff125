//! When rules and schedules are due: `rate(..)`, `cron(..)`, `at(..)`, and the task that fires them.
//!
//! Syntax: `eventbridge/latest/userguide/eb-cron-expressions` and `scheduler/latest/UserGuide/schedule-types`.

use super::{Cloud, error::Fault, events, scheduler};
use chrono::{DateTime, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use std::{
    sync::Weak,
    time::{Duration, SystemTime},
};

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(250);

/// When something is due.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Rate(Duration),
    Cron(Box<Cron>),
    At(NaiveDateTime),
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let inside = |name: &str| {
            text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')').map(str::trim)
        };
        if let Some(rate) = inside("rate") {
            return Self::rate(rate);
        }
        if let Some(fields) = inside("cron") {
            return Self::cron(fields);
        }
        if let Some(time) = inside("at") {
            let time = NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S");
            return time
                .map(Self::At)
                .map_err(|_| "at(..) must hold yyyy-mm-ddThh:mm:ss".to_owned());
        }
        Err("it must be rate(..), cron(..) or at(..)".to_owned())
    }

    fn rate(text: &str) -> Result<Self, String> {
        let (number, unit) =
            text.split_once(' ').ok_or("rate(..) must hold a number and a unit")?;
        let number: u64 = number
            .parse()
            .ok()
            .filter(|it| (1..=1_000_000).contains(it))
            .ok_or("the rate must be a number above 0")?;
        let seconds = match (number, unit.trim()) {
            (1, "minute") | (2.., "minutes") => 60,
            (1, "hour") | (2.., "hours") => 3_600,
            (1, "day") | (2.., "days") => 86_400,
            _ => return Err(
                "the unit must be minute, hour or day for 1, and minutes, hours or days for more"
                    .to_owned(),
            ),
        };
        Ok(Self::Rate(Duration::from_secs(number * seconds)))
    }

    fn cron(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let &[_, _, day, _, weekday, _] = &fields[..] else {
            return Err(format!("cron(..) must have six fields, but has {}", fields.len()));
        };
        if (day == "?") == (weekday == "?") {
            return Err("exactly one of day-of-month and day-of-week must be `?`".to_owned());
        }
        let fields: Vec<&str> =
            fields.iter().map(|field| if *field == "?" { "*" } else { field }).collect();
        let pattern = format!("0 {}", fields.join(" "));
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Required)
            .dom_and_dow(true)
            .alternative_weekdays(true)
            .build();
        parser
            .parse(&pattern)
            .map(|cron| Self::Cron(Box::new(cron)))
            .map_err(|error| error.to_string())
    }

    /// When it was due after `last`, up to `now`.
    pub(super) fn due(
        &self,
        last: SystemTime,
        now: SystemTime,
        zone: Tz,
        begun: SystemTime,
    ) -> Option<SystemTime> {
        let minute = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 60
        };
        // Looking for the next time may take long where there is none.
        if matches!(self, Self::Cron(_)) && minute(last) == minute(now) {
            return None;
        }
        self.after(last, zone, begun).filter(|due| *due <= now)
    }

    /// The first time after `time`, in a time zone; none if that never comes.
    fn after(&self, time: SystemTime, zone: Tz, begun: SystemTime) -> Option<SystemTime> {
        match self {
            Self::Rate(rate) => {
                let since = time.duration_since(begun).unwrap_or_default();
                let times = u32::try_from(since.as_secs() / rate.as_secs().max(1) + 1).ok()?;
                begun.checked_add(rate.checked_mul(times)?)
            }
            Self::Cron(cron) => {
                let now = DateTime::<Utc>::from(time).with_timezone(&zone);
                cron.find_next_occurrence(&now, false).ok().map(SystemTime::from)
            }
            Self::At(at) => {
                let at = SystemTime::from(zone.from_local_datetime(at).earliest()?);
                (at > time).then_some(at)
            }
        }
    }
}

pub(super) fn time_zone(name: &str) -> Result<Tz, Fault> {
    name.parse().map_err(|_| {
        Fault::bad("ValidationException", format!("Provided time zone is not supported: {name}"))
    })
}

/// Fires what is due, until the cloud is gone. What was due while it was not running is not made up for.
pub(super) async fn fire(cloud: Weak<Cloud>) {
    let mut last = SystemTime::now();
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(cloud) = cloud.upgrade() else { return };
        let now = SystemTime::now();
        events::fire(&cloud, last, now);
        scheduler::fire(&cloud, last, now);
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;
    use chrono_tz::{Europe, Tz, UTC};
    use omnifn_core::rfc3339;

    #[track_caller]
    fn check(expression: &str, zone: Tz, after: &str, expected: Option<&str>) {
        let after = rfc3339::parse(after).unwrap();
        let next = Expression::parse(expression).unwrap().after(after, zone, after);
        assert_eq!(next.map(rfc3339::format).as_deref(), expected, "{expression}");
    }

    #[test]
    fn the_next_time_is_found() {
        let noon = "2026-03-04T12:00:00Z";
        check("rate(5 minutes)", UTC, noon, Some("2026-03-04T12:05:00Z"));
        check("cron(0 5 * * ? *)", UTC, noon, Some("2026-03-05T05:00:00Z"));
        check("cron(0/15 * * * ? *)", UTC, noon, Some("2026-03-04T12:15:00Z"));
        // 1 is Sunday, and names do as well: the 4th of March 2026 is a Wednesday.
        check("cron(0 5 ? * 1 *)", UTC, noon, Some("2026-03-08T05:00:00Z"));
        check("cron(0 5 ? * MON-FRI *)", UTC, noon, Some("2026-03-05T05:00:00Z"));
        check("cron(0 5 L * ? *)", UTC, noon, Some("2026-03-31T05:00:00Z"));
        check("cron(0 5 1 1 ? 2025)", UTC, noon, None);
        check("cron(0 5 30 2 ? *)", UTC, noon, None);
        check("cron(0 5 * * ? *)", Europe::Berlin, noon, Some("2026-03-05T04:00:00Z"));
        check("at(2026-03-04T13:00:00)", Europe::Berlin, "2026-03-04T11:00:00Z", Some(noon));
        check("at(2026-03-04T13:00:00)", Europe::Berlin, noon, None);
    }

    #[test]
    fn what_was_due_is_found_once() {
        let time = |text| rfc3339::parse(text).unwrap();
        let five = Expression::parse("cron(0 5 * * ? *)").unwrap();
        let due = |last, now| five.due(time(last), time(now), UTC, time(last)).map(rfc3339::format);
        assert_eq!(
            due("2026-03-04T04:59:59Z", "2026-03-04T05:00:00Z").as_deref(),
            Some("2026-03-04T05:00:00Z")
        );
        assert_eq!(due("2026-03-04T05:00:00Z", "2026-03-04T05:00:01Z"), None);
        assert_eq!(due("2026-03-04T05:00:59Z", "2026-03-04T05:01:00Z"), None);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(0 minutes)",
            "rate(5)",
            "rate(5 weeks)",
            "cron(0 5 * * *)",
            "cron(0 5 * * * *)",
            "cron(0 5 ? * ? *)",
            "cron(60 5 * * ? *)",
            "at(tomorrow)",
            "5 minutes",
            "",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
