//! `--once`: the answers side by side.

use super::functions::Functions;
use crate::{error::Result, exit::Exit, shell::Shell};
use omnifn_local::{
    Answer, Provider,
    parity::{self, Row},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The widest that an answer may be in the table.
const WIDEST_ANSWER: usize = 44;

/// Sends all functions their samples, one function after the other.
pub(super) async fn compare(functions: &Functions<'_>, data: Option<&str>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for function in functions.iter() {
        let compared = parity::compare(std::slice::from_ref(&function.running), data).await?;
        rows.extend(
            compared.into_iter().map(|row| Row { function: function.label.clone(), ..row }),
        );
    }
    Ok(rows)
}

/// Prints what was found, and says what it means.
pub(super) fn show(rows: &[Row], shell: &Shell) -> Exit {
    Shell::print(&if shell.is_json() { as_json(rows) } else { as_text(rows) });
    if rows.iter().all(Row::is_same) { Exit::Done } else { Exit::Differences }
}

/// A table, what differs, and the sum.
fn as_text(rows: &[Row]) -> String {
    let providers: Vec<Provider> = rows
        .first()
        .map(|row| row.answers.iter().map(|(provider, _)| *provider).collect())
        .unwrap_or_default();
    let mut head = vec!["function".to_owned(), "event".to_owned()];
    head.extend(providers.iter().map(ToString::to_string));
    head.push("same".to_owned());
    let mut cells = vec![head];
    for row in rows {
        let mut line = vec![row.function.clone(), event(row)];
        line.extend(row.answers.iter().map(|(_, answer)| shorten(&answer.to_string())));
        line.push(if row.is_same() { "yes" } else { "NO" }.to_owned());
        cells.push(line);
    }
    let mut text = table(&cells);
    for row in rows.iter().filter(|row| !row.is_same()) {
        writeln!(text, "\n{}, {}:", row.function, event(row)).ok();
        for difference in &row.differences {
            writeln!(text, "  {difference}").ok();
        }
    }
    let (events, clouds) = (counted(rows.len(), "event"), counted(providers.len(), "cloud"));
    let verdict = match (rows.iter().filter(|row| !row.is_same()).count(), providers.len()) {
        (_, 0 | 1) => "nothing to compare with".to_owned(),
        (0, _) => "same answers".to_owned(),
        (1, _) => "1 event is answered differently".to_owned(),
        (different, _) => format!("{different} events are answered differently"),
    };
    writeln!(text, "\n{events} x {clouds}: {verdict}").ok();
    text
}

fn event(row: &Row) -> String {
    format!("{} {}", row.trigger, row.event)
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(WIDEST_ANSWER - 2) {
        Some((end, _)) if text.chars().count() > WIDEST_ANSWER => format!("{}..", &text[..end]),
        _ => text.to_owned(),
    }
}

fn table(cells: &[Vec<String>]) -> String {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let lengths = cells.iter().filter_map(|line| Some(line.get(column)?.chars().count()));
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in cells {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += padded.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// `{"rows": [{"function", "trigger", "event", "answers": {"aws": ..}, "same", "differences": [..]}], "same"}`
fn as_json(rows: &[Row]) -> String {
    let same = rows.iter().all(Row::is_same);
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let answers = row
                .answers
                .iter()
                .map(|(cloud, answer)| (cloud.to_string(), answer_as_json(answer)));
            json!({
                "function": row.function,
                "trigger": row.trigger.as_str(),
                "event": row.event,
                "answers": answers.collect::<serde_json::Map<_, _>>(),
                "same": row.is_same(),
                "differences": row.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    format!("{}\n", json!({"rows": rows, "same": same}))
}

fn answer_as_json(answer: &Answer) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match answer {
        Answer::Response(response) => {
            let headers = response.headers().iter();
            let headers =
                headers.map(|(name, value)| json!([name.as_str(), text(value.as_bytes())]));
            json!({
                "status": response.status().as_u16(),
                "headers": headers.collect::<Vec<_>>(),
                "body": text(response.body()),
            })
        }
        Answer::Batch { failed } => json!({"failed": failed}),
        Answer::Done { payload } => {
            json!({"payload": payload.as_ref().map(|payload| text(payload))})
        }
        Answer::Failed { error_type, message } => {
            json!({"error": {"type": error_type, "message": message}})
        }
        other => json!({"other": other.to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use super::{shorten, table};

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let cells =
            [["a", "bb", "c"], ["aaa", "b", "c"]].map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(table(&cells), "a    bb  c\naaa  b   c\n");
    }

    #[test]
    fn long_answers_are_cut() {
        assert_eq!(shorten(&"x".repeat(44)), "x".repeat(44));
        assert_eq!(shorten(&"ü".repeat(45)), "ü".repeat(42) + "..");
    }
}
