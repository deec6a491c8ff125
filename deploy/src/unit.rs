//! Values that are written with their unit.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// An amount of memory, written as `"256MiB"` or `"1GiB"`; in whole MiB, as every cloud counts it.
///
/// ```
/// use omnifn_deploy::Memory;
/// let memory: Memory = "1GiB".parse()?;
/// assert_eq!((memory.mib(), memory.to_string().as_str()), (1024, "1GiB"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory(u32);

impl Memory {
    /// So many MiB.
    pub const fn from_mib(mib: u32) -> Self {
        Self(mib)
    }

    /// In MiB.
    pub const fn mib(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            mib if mib != 0 && mib.is_multiple_of(1024) => write!(f, "{}GiB", mib / 1024),
            mib => write!(f, "{mib}MiB"),
        }
    }
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no amount of memory: write it with its unit, such as \"256MiB\" or \"1GiB\""
            )
        };
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let factor = match unit {
            "MiB" => 1,
            "GiB" => 1024,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(factor)
            .and_then(|mib| u32::try_from(mib).ok())
            .map(Self)
            .ok_or_else(wrong)
    }
}

/// A length of time, written as `"500ms"`, `"30s"`, `"5m"`, `"2h"` or `"14d"`.
///
/// ```
/// use omnifn_deploy::Period;
/// let period: Period = "90s".parse()?;
/// assert_eq!(period.duration().as_secs(), 90);
/// assert_eq!("2h".parse::<Period>()?.to_string(), "2h");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The same as Rust's own type.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// In whole seconds, rounded up: what clouds count in must not become shorter.
    pub fn seconds(self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }

    /// In whole days, if it is a number of those.
    pub fn days(self) -> Option<u64> {
        (self.0.subsec_nanos() == 0 && self.0.as_secs().is_multiple_of(DAY))
            .then_some(self.0.as_secs() / DAY)
    }
}

const DAY: u64 = 24 * 60 * 60;
const UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", DAY * 1_000)];

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let mut units = UNITS.iter().rev();
        let (unit, factor) = units
            .find(|(_, factor)| millis != 0 && millis.is_multiple_of(*factor))
            .unwrap_or(&("s", 1_000));
        write!(f, "{}{unit}", millis / factor)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no length of time: write it with its unit, such as \"500ms\", \"30s\", \"5m\", \"2h\" or \"14d\""
            )
        };
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number.checked_mul(*factor).map(Duration::from_millis).map(Self).ok_or_else(wrong)
    }
}

/// `256MiB` into 256 and `MiB`.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Both are text wherever they are written.
macro_rules! as_text {
    ($type:ident, $pattern:literal, $description:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

as_text!(
    Memory,
    "^[0-9]+(MiB|GiB)$",
    "An amount of memory with its unit, such as \"256MiB\" or \"1GiB\"."
);
as_text!(
    Period,
    "^[0-9]+(ms|s|m|h|d)$",
    "A length of time with its unit, such as \"30s\", \"5m\" or \"14d\"."
);

#[cfg(test)]
mod tests {
    use super::{Memory, Period};

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["0MiB", "128MiB", "1GiB", "1025MiB"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
        for text in ["0s", "500ms", "30s", "5m", "90s", "2h", "14d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_value_without_its_unit_is_refused() {
        for text in ["", "256", "256MB", "MiB", "-1MiB", "4294967296MiB", "99999999999999999999MiB"]
        {
            text.parse::<Memory>().unwrap_err();
        }
        for text in
            ["", "30", "30 sec", "s", "-1s", "99999999999999999999s", "18446744073709551615d"]
        {
            text.parse::<Period>().unwrap_err();
        }
    }

    #[test]
    fn seconds_are_rounded_up_and_days_are_exact() {
        assert_eq!("1500ms".parse::<Period>().unwrap().seconds(), 2);
        assert_eq!("14d".parse::<Period>().unwrap().days(), Some(14));
        assert_eq!("36h".parse::<Period>().unwrap().days(), None);
    }
}
