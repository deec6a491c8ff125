use std::fmt;

/// A number as a database holds it: 38 decimal digits on `DynamoDB`, 64-bit integers and floats on Firestore. Kept as
/// its text, so that nothing is lost.
///
/// ```
/// use omnifn_core::Number;
///
/// let number = Number::parse("12345678901234567890.123456789").expect("a number");
/// assert_eq!(number.as_str(), "12345678901234567890.123456789");
/// assert_eq!(number.to_i64(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Reads a number in JSON's notation, or one of `NaN`, `Infinity` and `-Infinity`.
    pub fn parse(text: &str) -> Option<Self> {
        (is_json_number(text.as_bytes()) || is_not_finite(text)).then(|| Self(text.to_owned()))
    }

    /// All its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, if it is such an integer.
    pub fn to_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        // Both notations are Rust's own, `Infinity` and `NaN` included.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// Whether it is a number at all, and finite.
    pub fn is_finite(&self) -> bool {
        !is_not_finite(&self.0)
    }
}

fn is_not_finite(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent =
            exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let length = digits(exponent);
        if length == 0 {
            return false;
        }
        rest = &exponent[length..];
    }
    rest.is_empty()
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<f64> for Number {
    /// The shortest text that reads as the same float, with a point where it could be taken for an integer.
    fn from(number: f64) -> Self {
        if number.is_nan() {
            return Self("NaN".to_owned());
        }
        if number.is_infinite() {
            return Self(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned());
        }
        Self(format!("{number:?}"))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn what_json_takes_for_a_number_is_one() {
        for text in ["0", "-0", "7", "-12.50", "1e9", "1E+21", "1.5e-7", "NaN", "-Infinity"] {
            assert_eq!(Number::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "+1", "0x1", "1 ", "inf", "nan", "1_0"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_convert() {
        assert_eq!(Number::from(i64::MIN).to_i64(), Some(i64::MIN));
        assert_eq!(Number::from(3.0).as_str(), "3.0");
        assert_eq!(Number::from(1e300).as_str(), "1e300");
        assert_eq!(Number::from(0.1).to_f64().to_bits(), 0.1_f64.to_bits());
        assert_eq!(Number::from(3.0).to_i64(), None);
        assert!(Number::from(f64::NAN).to_f64().is_nan());
        assert!(!Number::from(f64::NEG_INFINITY).is_finite());
    }
}
