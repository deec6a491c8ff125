//! `cargo omnifn explain`: the long form of an error.

use super::rules::{self, Rule};
use crate::{
    answers,
    args::Format,
    error::{Error, Result},
    exit::Exit,
    shell::{STRONG, Shell},
    suggest,
};
use clap::Args;
use serde_json::{Value, json};

/// Tell more about an error by its code
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo omnifn explain OF0031")]
pub(crate) struct Explain {
    /// The code, such as OF0031 [default: list all]
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(crate) fn run(options: &Explain, shell: &Shell) -> Result<Exit> {
    let Some(code) = &options.code else {
        Shell::print(&list(shell.format()));
        return Ok(Exit::Done);
    };
    let rule = rules::find(code).ok_or_else(|| {
        let error = Error::usage(format!("no error has the code `{code}`"))
            .help("`cargo omnifn explain` lists all codes");
        suggest::add(error, &code.to_uppercase(), rules::ALL.iter().map(|rule| rule.code))
    })?;
    Shell::print(&match shell.format() {
        Format::Text => {
            let Rule { code, title, explanation, source } = rule;
            let explanation = wrap(explanation);
            format!("{STRONG}{code}{STRONG:#}: {title}\n\n{explanation}\n\nSource: {source}\n")
        }
        _ => format!("{}\n", as_json(&rule)),
    });
    Ok(Exit::Done)
}

fn list(format: Format) -> String {
    match format {
        Format::Text => answers::table(
            &rules::ALL
                .iter()
                .map(|rule| vec![rule.code.to_owned(), rule.title.to_owned()])
                .collect::<Vec<_>>(),
        ),
        Format::Json => {
            format!("{}\n", json!({ "errors": rules::ALL.iter().map(as_json).collect::<Vec<_>>() }))
        }
        Format::Ndjson => answers::lines(rules::ALL.iter().map(as_json)),
    }
}

fn as_json(rule: &Rule) -> Value {
    let Rule { code, title, explanation, source } = rule;
    json!({ "code": code, "title": title, "explanation": explanation, "source": source })
}

/// Lines of 80 characters at most, where words allow it.
fn wrap(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, String::len);
        if line > 0 && line + 1 + word.len() > 80 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
