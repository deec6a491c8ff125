//! Pages of `docs/` that are made from the code, as Markdown: values in, text out. `cargo xtask docs` puts them in their places.

mod configuration;
mod environment;
mod errors;

pub(crate) use configuration::configuration;
pub(crate) use environment::environment;
pub(crate) use errors::errors;

/// A table's cell: a bar would end it, a line feed the row, and a lone `<` would begin an element.
fn cell(text: &str) -> String {
    let mut is_code = false;
    let mut cell = String::with_capacity(text.len());
    for char in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match char {
            '`' => is_code = !is_code,
            '|' => cell.push('\\'),
            '<' | '[' | ']' if !is_code => cell.push('\\'),
            _ => {}
        }
        cell.push(char);
    }
    cell
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn table(head: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let rule = vec!["---"; head.len()];
    let mut table = row(head) + &row(&rule);
    table.extend(rows);
    table
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn what_would_break_a_table_is_escaped() {
        assert_eq!(cell("a | b\n  `c<d>[e]` <f> [g]"), "a \\| b `c<d>[e]` \\<f> \\[g\\]");
    }
}
