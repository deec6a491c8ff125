//! `cargo xtask size`: how large a function's binary is, stripped, with both clouds linked and with one.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo};

/// Features of `hello`, and the most bytes that it may have with them. The one that users get is built last, and stays.
///
/// `hello` has an HTTP function alone. With the decoders of the other triggers, which the optimizer leaves out of it, each
/// would be above its limit.
const LIMITS: &[(&str, u64)] = &[("aws", 1_500_000), ("gcp", 1_300_000), ("aws,gcp", 1_900_000)];

pub(crate) fn run() -> Result<()> {
    let mut too_large = vec![];
    println!("{:<10} {:>10} {:>8} {:>8}", "hello with", "bytes", "MB", "limit");
    for &(features, limit) in LIMITS {
        let bytes = build(features)?;
        println!("{features:<10} {bytes:>10} {:>8} {:>8}", megabytes(bytes), megabytes(limit));
        if bytes > limit {
            too_large.push(format!(
                "with {features} it has {bytes} bytes, {} more than allowed",
                bytes - limit
            ));
        }
    }
    if !too_large.is_empty() {
        bail!(
            "`hello` is too large: {}; `cargo tree -p hello -e normal` shows what it links",
            too_large.join("; ")
        );
    }
    Ok(())
}

/// Builds `hello` by itself, since cargo unifies the features of what it builds together.
fn build(features: &str) -> Result<u64> {
    command::run(cargo().args(["build", "--quiet", "--release", "-p", "hello"]).args([
        "--no-default-features",
        "--features",
        features,
    ]))?;
    let binary = command::target().join("release/hello");
    let file = fs::metadata(&binary).with_context(|| {
        format!("cargo built no {}, what is the package's binary called?", binary.display())
    })?;
    Ok(file.len())
}

/// Millions of bytes, with two decimals, rounded up so that nothing looks smaller than it is.
fn megabytes(bytes: u64) -> String {
    let hundredths = bytes.div_ceil(10_000);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn a_size_is_rounded_up_to_two_decimals() {
        assert_eq!(megabytes(2_000_000), "2.00");
        assert_eq!(megabytes(2_000_001), "2.01");
        assert_eq!(megabytes(987_654), "0.99");
    }
}
