//! Answers of several clouds side by side: what `dev --once` and `parity` print.

use crate::{args::Format, error::Result, exit::Exit, session::functions::Functions, shell::Shell};
use omnifn_local::{
    Answer, Provider,
    parity::{self, Delivery, Envelopes, Row},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write as _};

/// The widest that an answer may be in the table.
const WIDEST_ANSWER: usize = 44;
/// The widest that something lost may be.
const WIDEST_LOSS: usize = 160;

/// Sends all functions their samples, one function after the other.
pub(crate) async fn to_samples(
    functions: &Functions<'_>,
    data: Option<&str>,
    envelopes: Envelopes,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for function in functions.iter() {
        let running = std::slice::from_ref(&function.running);
        let compared = parity::compare(running, data, envelopes).await?;
        rows.extend(
            compared.into_iter().map(|row| Row { function: function.label.clone(), ..row }),
        );
    }
    Ok(rows)
}

/// Prints what was found, and says what it means.
pub(crate) fn show(rows: &[Row], envelopes: Envelopes, shell: &Shell) -> Exit {
    Shell::print(&match shell.format() {
        Format::Text => as_text(rows, envelopes),
        Format::Json => as_json(rows),
        Format::Ndjson => lines(rows.iter().map(row_as_json)),
    });
    if rows.iter().all(Row::is_same) { Exit::Done } else { Exit::Differences }
}

/// Prints what of the events did not arrive; programs find that in the rows.
pub(crate) fn show_losses(rows: &[Row], shell: &Shell) {
    if shell.format() == Format::Text {
        Shell::print(&losses_as_text(rows));
    }
}

/// A table, what differs, and the sum.
fn as_text(rows: &[Row], envelopes: Envelopes) -> String {
    let mut text = table(&match envelopes {
        Envelopes::Usual => side_by_side(rows),
        Envelopes::All => one_below_the_other(rows),
    });
    for row in rows.iter().filter(|row| !row.is_same()) {
        writeln!(text, "\n{}, {}:", row.function, event(row)).ok();
        for difference in &row.differences {
            writeln!(text, "  {difference}").ok();
        }
    }
    writeln!(text, "\n{}", sum(rows, envelopes)).ok();
    text
}

/// A line for each event, with a column for each cloud.
fn side_by_side(rows: &[Row]) -> Vec<Vec<String>> {
    let mut head = vec!["function".to_owned(), "event".to_owned()];
    head.extend(providers(rows).iter().map(ToString::to_string));
    head.push("same".to_owned());
    let mut cells = vec![head];
    for row in rows {
        let mut line = vec![row.function.clone(), event(row)];
        line.extend(row.deliveries.iter().map(shown));
        line.push(verdict(row, row.is_same()).to_owned());
        cells.push(line);
    }
    cells
}

/// A line for each envelope of each event.
fn one_below_the_other(rows: &[Row]) -> Vec<Vec<String>> {
    let head = ["function", "event", "cloud", "envelope", "answer", "same"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        for delivery in &row.deliveries {
            let envelope = delivery.envelope.unwrap_or("-");
            let name = format!("{} {envelope}", delivery.provider);
            let is_same = row.differences.iter().all(|difference| difference.right.0 != name);
            cells.push(vec![
                row.function.clone(),
                event(row),
                delivery.provider.to_string(),
                envelope.to_owned(),
                shown(delivery),
                if delivery.answer.is_ok() { verdict(row, is_same) } else { "-" }.to_owned(),
            ]);
        }
    }
    cells
}

fn verdict(row: &Row, is_same: bool) -> &'static str {
    match (row.is_compared(), is_same) {
        (false, _) => "-",
        (true, true) => "yes",
        (true, false) => "NO",
    }
}

fn shown(delivery: &Delivery) -> String {
    match &delivery.answer {
        Ok(answer) => shorten(&answer.to_string(), WIDEST_ANSWER),
        Err(_) => "cannot be sent".to_owned(),
    }
}

fn sum(rows: &[Row], envelopes: Envelopes) -> String {
    let events = counted(rows.len(), "event");
    let deliveries: usize = rows.iter().map(|row| row.deliveries.len()).sum();
    let ways = match envelopes {
        Envelopes::Usual => format!("{events} x {}", counted(providers(rows).len(), "cloud")),
        Envelopes::All => format!("{events} in {}", counted(deliveries, "envelope")),
    };
    let different = rows.iter().filter(|row| !row.is_same()).count();
    let verdict = match different {
        0 if !rows.iter().any(Row::is_compared) => "nothing to compare with".to_owned(),
        0 => "same answers".to_owned(),
        1 => "1 event is answered differently".to_owned(),
        different => format!("{different} events are answered differently"),
    };
    format!("{ways}: {verdict}")
}

/// A table of what each cloud's envelopes cannot carry.
fn losses_as_text(rows: &[Row]) -> String {
    let mut cells = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows {
        for delivery in &row.deliveries {
            let envelope = delivery.envelope.unwrap_or("-").to_owned();
            let place = [event(row), delivery.provider.to_string(), envelope];
            // Several functions may have got the same event.
            if !seen.insert(place.clone()) {
                continue;
            }
            let lost = delivery.losses.iter().map(ToString::to_string);
            let whole = delivery
                .fails_whole
                .then(|| "which items failed: all are delivered again".to_owned());
            for lost in lost.chain(whole).chain(delivery.answer.as_ref().err().cloned()) {
                let mut line = place.to_vec();
                line.push(shorten(&lost, WIDEST_LOSS));
                cells.push(line);
            }
        }
    }
    if cells.is_empty() {
        return "\nnothing of these events was lost on the way\n".to_owned();
    }
    let head = ["event", "cloud", "envelope", "what it cannot carry"];
    cells.insert(0, head.map(str::to_owned).to_vec());
    format!("\n{}", table(&cells))
}

fn providers(rows: &[Row]) -> BTreeSet<Provider> {
    rows.iter().flat_map(|row| &row.deliveries).map(|delivery| delivery.provider).collect()
}

fn event(row: &Row) -> String {
    format!("{} {}", row.trigger, row.event)
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn shorten(text: &str, widest: usize) -> String {
    match text.char_indices().nth(widest - 2) {
        Some((end, _)) if text.chars().count() > widest => format!("{}..", &text[..end]),
        _ => text.to_owned(),
    }
}

/// Cells below each other in columns that are as wide as they must be.
pub(crate) fn table(cells: &[Vec<String>]) -> String {
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

/// Documents, one a line.
pub(crate) fn lines(documents: impl Iterator<Item = Value>) -> String {
    documents.fold(String::new(), |text, document| text + &document.to_string() + "\n")
}

/// `{"rows": [{"function", "trigger", "event", "answers": [..], "same", "differences": [..]}], "same"}`
fn as_json(rows: &[Row]) -> String {
    let same = rows.iter().all(Row::is_same);
    let rows: Vec<Value> = rows.iter().map(row_as_json).collect();
    format!("{}\n", json!({"rows": rows, "same": same}))
}

fn row_as_json(row: &Row) -> Value {
    json!({
        "function": row.function,
        "trigger": row.trigger.as_str(),
        "event": row.event,
        "answers": row.deliveries.iter().map(delivery_as_json).collect::<Vec<_>>(),
        "same": row.is_same(),
        "differences": row.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// `{"provider", "envelope", "answer" or "refused", "losses": [{"path", "sent", "received"}], "fails_whole"}`
fn delivery_as_json(delivery: &Delivery) -> Value {
    let losses = delivery
        .losses
        .iter()
        .map(|loss| json!({"path": loss.path, "sent": loss.sent, "received": loss.received}));
    let mut described = json!({
        "provider": delivery.provider.as_str(),
        "envelope": delivery.envelope,
        "losses": losses.collect::<Vec<_>>(),
        "fails_whole": delivery.fails_whole,
    });
    match &delivery.answer {
        Ok(answer) => described["answer"] = answer_as_json(answer),
        Err(reason) => described["refused"] = reason.as_str().into(),
    }
    described
}

pub(crate) fn answer_as_json(answer: &Answer) -> Value {
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
    use super::{as_text, losses_as_text, shorten, table};
    use omnifn_local::{
        Answer, Provider, Trigger,
        answer::differences,
        parity::{Delivery, Envelopes, Row},
    };

    fn delivery(provider: Provider, envelope: &'static str, failed: &[&str]) -> Delivery {
        let failed = failed.iter().map(|id| (*id).to_owned()).collect();
        let answer = Ok(Answer::Batch { failed });
        let losses = Vec::new();
        Delivery { provider, envelope: Some(envelope), answer, losses, fails_whole: false }
    }

    fn row(deliveries: Vec<Delivery>) -> Row {
        let name = |of: &Delivery| format!("{} {}", of.provider, of.envelope.unwrap());
        let first = (name(&deliveries[0]), deliveries[0].answer.clone().unwrap());
        let others = deliveries[1..].iter().filter(|delivery| delivery.answer.is_ok());
        let differences = others
            .flat_map(|other| {
                let answer = other.answer.as_ref().unwrap();
                differences((&first.0, &first.1), (&name(other), answer))
            })
            .collect();
        let (function, event) = ("ship".to_owned(), "message".to_owned());
        Row { function, trigger: Trigger::Queue, event, deliveries, differences }
    }

    #[test]
    fn every_envelope_has_its_line() {
        let rows = [row(vec![
            delivery(Provider::Aws, "sqs", &[]),
            delivery(Provider::Aws, "sns", &["1"]),
            Delivery {
                answer: Err("it has no batches".to_owned()),
                ..delivery(Provider::Gcp, "push", &[])
            },
        ])];
        let expected = "\
function  event          cloud  envelope  answer          same
ship      queue message  aws    sqs       all handled     yes
ship      queue message  aws    sns       failed: 1       NO
ship      queue message  gcp    push      cannot be sent  -

ship, queue message:
  failed items: aws sqs has none, aws sns has 1

1 event in 3 envelopes: 1 event is answered differently
";
        assert_eq!(as_text(&rows, Envelopes::All), expected);
        let lost = "
event          cloud  envelope  what it cannot carry
queue message  gcp    push      it has no batches
";
        assert_eq!(losses_as_text(&rows), lost);
    }

    #[test]
    fn one_answer_is_compared_with_none() {
        let rows = [row(vec![delivery(Provider::Aws, "sqs", &[])])];
        let expected = "\
function  event          aws          same
ship      queue message  all handled  -

1 event x 1 cloud: nothing to compare with
";
        assert_eq!(as_text(&rows, Envelopes::Usual), expected);
        assert!(losses_as_text(&rows).contains("nothing of these events was lost"));
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let cells =
            [["a", "bb", "c"], ["aaa", "b", "c"]].map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(table(&cells), "a    bb  c\naaa  b   c\n");
    }

    #[test]
    fn long_answers_are_cut() {
        assert_eq!(shorten(&"x".repeat(44), 44), "x".repeat(44));
        assert_eq!(shorten(&"ü".repeat(45), 44), "ü".repeat(42) + "..");
    }
}
