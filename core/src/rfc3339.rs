//! Points in time as RFC 3339 text, the form in which every cloud's events carry them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a date and time such as `2026-03-04T05:06:07.089Z` or `2026-03-04T06:06:07+01:00`.
///
/// Fractions of a second are kept up to nanoseconds. A leap second counts as the second after it. `None` for
/// anything that is not RFC 3339. Documents hold birthdays: times before 1970 are times.
///
/// ```
/// use omnifn_core::rfc3339;
///
/// let time = rfc3339::parse("1970-01-01T01:00:00.25+01:00").expect("valid");
/// assert_eq!(time, std::time::UNIX_EPOCH + std::time::Duration::from_millis(250));
/// ```
pub fn parse(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut nanos: u32 = 0;
    if is(at, b".") {
        at += 1;
        let start = at;
        let mut unit = 100_000_000;
        while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            nanos += u32::from(digit - b'0') * unit;
            unit /= 10;
            at += 1;
        }
        if at == start {
            return None;
        }
    }
    let offset = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && is(at + 3, b":") => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let seconds =
        days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    from_unix(seconds, nanos)
}

/// The point in time so many seconds after 1970 began, or before it where they are negative, and so many nanoseconds
/// after that. `None` where a [`SystemTime`] does not reach.
pub fn from_unix(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time =
        if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    time?.checked_add(Duration::from_nanos(nanos.into()))
}

/// The inverse of [`from_unix`]: whole seconds, rounded down, and nanoseconds.
pub fn to_unix(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
        Err(error) => {
            let until = error.duration();
            let seconds = i64::try_from(until.as_secs()).map_or(i64::MIN, |seconds| -seconds);
            match until.subsec_nanos() {
                0 => (seconds, 0),
                nanos => (seconds.saturating_sub(1), 1_000_000_000 - nanos),
            }
        }
    }
}

/// Writes a point in time in UTC with as many groups of three fractional digits as it needs:
/// `2026-03-04T05:06:07.089Z`. RFC 3339 has the years 0 to 9999: what lies outside is written as the first or last second.
pub fn format(time: SystemTime) -> String {
    // 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: RFC 3339 has four digits for the year.
    const FIRST: i64 = -62_167_219_200;
    const LAST: i64 = 253_402_300_799;
    let (seconds, nanos) = to_unix(time);
    let seconds = seconds.clamp(FIRST, LAST);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let fraction = match nanos {
        0 => String::new(),
        n if n % 1_000_000 == 0 => format!(".{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => format!(".{:06}", n / 1_000),
        n => format!(".{n:09}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counted in years that begin in March so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{format, from_unix, parse, to_unix};
    #[track_caller]
    fn check(text: &str, seconds: i64, nanos: u32, canonical: &str) {
        let time = parse(text).unwrap_or_else(|| panic!("{text} is valid"));
        assert_eq!(to_unix(time), (seconds, nanos), "{text}");
        assert_eq!(from_unix(seconds, nanos), Some(time), "{text}");
        assert_eq!(format(time), canonical);
    }

    #[test]
    fn reads_and_writes_times() {
        check("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z");
        check("2000-02-29T23:59:59Z", 951_868_799, 0, "2000-02-29T23:59:59Z");
        check("2026-03-04T05:06:07.089Z", 1_772_600_767, 89_000_000, "2026-03-04T05:06:07.089Z");
        check(
            "2026-03-04t06:06:07.5+01:00",
            1_772_600_767,
            500_000_000,
            "2026-03-04T05:06:07.500Z",
        );
        check("2026-03-03T23:36:07-05:30", 1_772_600_767, 0, "2026-03-04T05:06:07Z");
        check("2026-03-04 05:06:07.000000001Z", 1_772_600_767, 1, "2026-03-04T05:06:07.000000001Z");
        check(
            "2026-03-04T05:06:07.1234567891234Z",
            1_772_600_767,
            123_456_789,
            "2026-03-04T05:06:07.123456789Z",
        );
        check("2016-12-31T23:59:60Z", 1_483_228_800, 0, "2017-01-01T00:00:00Z");
        check("1969-12-31T23:59:59.75Z", -1, 750_000_000, "1969-12-31T23:59:59.750Z");
        check("1815-12-10T00:00:00Z", -4_861_728_000, 0, "1815-12-10T00:00:00Z");
        check("0000-01-01T00:00:00Z", -62_167_219_200, 0, "0000-01-01T00:00:00Z");
        check("9999-12-31T23:59:59Z", 253_402_300_799, 0, "9999-12-31T23:59:59Z");
    }

    #[test]
    fn refuses_what_is_not_rfc_3339() {
        for text in [
            "",
            "now",
            "2026-03-04",
            "2026-03-04T05:06:07",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-03-04T24:00:00Z",
            "2026-03-04T05:06:07.Z",
            "2026-03-04T05:06:07+1:00",
            "2026-03-04T05:06:07ZZ",
            "2026-03-04T05:06:07+24:00",
            "2026-03-04T05:06:07\u{fc}",
            "２026-03-04T05:06:07Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_has_no_year_of_four_digits_is_the_first_or_the_last() {
        for (seconds, text) in
            [(-100_000_000_000, "0000-01-01T00:00:00Z"), (300_000_000_000, "9999-12-31T23:59:59Z")]
        {
            assert_eq!(format(from_unix(seconds, 0).unwrap()), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives() {
        for day in -73_048..73_049 {
            let time = from_unix(day * 86_400, 0).unwrap();
            assert_eq!(parse(&format(time)), Some(time));
        }
    }
}
