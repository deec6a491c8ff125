//! `cargo xtask docs`: the parts of documents that are made from the code, between markers that name them:
//!
//! ```text
//! <!-- platforms: written by cargo xtask docs -->
//! ...
//! <!-- end of platforms -->
//! ```

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{command, reference};

/// Parts of documents.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write nothing, and fail if a document is not up to date
    #[arg(long)]
    check: bool,
    /// The folder with the documents
    #[arg(long, value_name = "FOLDER", default_value_os_t = command::root())]
    root: PathBuf,
}

/// A part of a document.
struct Part {
    document: &'static str,
    name: &'static str,
    make: fn() -> Result<String>,
}

const PARTS: &[Part] = &[
    Part {
        document: "README.md",
        name: "platforms",
        make: || command::output(&mut Command::new(command::example("platforms")?)),
    },
    Part {
        document: "docs/configuration.md",
        name: "configuration",
        make: || reference::configuration(&omnifn(&["config", "schema"])?),
    },
    Part { document: "docs/environment.md", name: "environment", make: reference::environment },
    Part {
        document: "docs/errors.md",
        name: "errors",
        make: || reference::errors(&omnifn(&["explain", "--format", "json"])?),
    },
];

/// What the command line prints.
fn omnifn(arguments: &[&str]) -> Result<String> {
    command::output(Command::new(command::program("cargo-omnifn")?).arg("omnifn").args(arguments))
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stale = vec![];
    for part in PARTS {
        let path = options.root.join(part.document);
        let shown = path.display();
        let before =
            fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
        let content = (part.make)().with_context(|| format!("{} of {shown}", part.name))?;
        let after = replace(&before, part.name, &content).with_context(|| shown.to_string())?;
        if after == before {
            println!("{} of {}: up to date", part.name, part.document);
        } else if options.check {
            stale.push(format!("{} of {}", part.name, part.document));
        } else {
            fs::write(&path, after).with_context(|| format!("{shown} cannot be written"))?;
            println!("{} of {}: written", part.name, part.document);
        }
    }
    if !stale.is_empty() {
        bail!("{} is out of date: run `cargo xtask docs`", stale.join(", "));
    }
    Ok(())
}

/// The document with other content between the part's markers.
fn replace(document: &str, name: &str, content: &str) -> Result<String> {
    let begin = format!("<!-- {name}: written by cargo xtask docs -->\n");
    let end = format!("<!-- end of {name} -->");
    let places = document.matches(&begin).count();
    let parts = document.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    match parts {
        Some((before, after)) if places == 1 => {
            // Blank lines, so that Markdown takes neither marker for a part of a table.
            Ok(format!("{before}{begin}\n{}\n\n{end}{after}", content.trim_end()))
        }
        _ => bail!(
            "there are {places} places for {name}: put `{}` and, below it, `{end}` where it belongs, once",
            begin.trim_end()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::replace;

    const DOCUMENT: &str =
        "a\n<!-- x: written by cargo xtask docs -->\nold\n<!-- end of x -->\nb\n";

    #[test]
    fn a_part_is_replaced_and_nothing_else() {
        let expected =
            "a\n<!-- x: written by cargo xtask docs -->\n\n| new |\n\n<!-- end of x -->\nb\n";
        let replaced = replace(DOCUMENT, "x", "| new |\n").unwrap();
        assert_eq!(replaced, expected);
        assert_eq!(replace(&replaced, "x", "| new |\n").unwrap(), expected);
    }

    #[test]
    fn a_document_without_the_place_says_what_to_write() {
        for (document, name) in [
            (DOCUMENT, "y"),
            ("<!-- x: written by cargo xtask docs -->\n", "x"),
            (&DOCUMENT.repeat(2), "x"),
        ] {
            let error = replace(document, name, "").unwrap_err().to_string();
            assert!(error.contains(&format!("places for {name}: put `<!-- {name}: ")), "{error}");
        }
    }
}
