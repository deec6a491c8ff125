//! TOML files, with the line of each value.

use super::node::{Content, Node, Place, join};
use crate::{
    check::rules,
    error::{Error, Result},
};
use serde_json::Value;
use std::{fs, io::Read as _, path::Path, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Nobody writes more by hand.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The file at `path`; `root` is where places are told from.
pub(crate) fn file(path: &Path, root: &Path) -> Result<Node> {
    let shown = shown(path, root);
    let unreadable = |error: &std::io::Error| {
        Error::usage(format!("`{shown}` cannot be read"))
            .code(rules::UNREADABLE)
            .caused_by(error)
            .help("give its path with `--config`")
    };
    let mut text = String::new();
    let mut file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    let read = file.by_ref().take(LARGEST_FILE + 1).read_to_string(&mut text);
    if read.map_err(|error| unreadable(&error))? as u64 > LARGEST_FILE {
        return Err(Error::usage(format!("`{shown}` is larger than {LARGEST_FILE} bytes"))
            .code(rules::UNREADABLE)
            .help("it should hold configuration only"));
    }
    parse(&text, &shown)
}

/// Below the root, or as it is.
fn shown(path: &Path, root: &Path) -> String {
    let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    canonical.strip_prefix(&root).map_or_else(|_| path.display(), Path::display).to_string()
}

pub(crate) fn parse(text: &str, file: &str) -> Result<Node> {
    let source = Source { text, file: file.into() };
    let table = DeTable::parse(text).map_err(|error| {
        let line = source.line(error.span().map_or(0, |span| span.start));
        Error::usage(format!("`{file}` is no TOML: {}", error.message().replace('\n', ", ")))
            .code(rules::UNREADABLE)
            .place(format!("{file}:{line}"))
            .help("mend the line, then run `cargo omnifn config validate`")
    })?;
    Ok(source.table(table.get_ref(), source.place(0, "")))
}

struct Source<'a> {
    text: &'a str,
    file: Arc<str>,
}

impl Source<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.split(|byte| *byte == b'\n').count()
    }

    fn place(&self, offset: usize, key: &str) -> Place {
        Place::File { file: self.file.clone(), line: self.line(offset), key: key.to_owned() }
    }

    fn table(&self, table: &DeTable<'_>, place: Place) -> Node {
        let key = match &place {
            Place::File { key, .. } => key.clone(),
            _ => String::new(),
        };
        let members = table.iter().map(|(name, value)| {
            let path = join(&key, name.get_ref());
            // Where the name is: a table's own span may begin at its first member.
            let place = self.place(name.span().start, &path);
            (name.get_ref().to_string(), self.value(value, place))
        });
        Node { content: Content::Table(members.collect()), place }
    }

    fn value(&self, value: &Spanned<DeValue<'_>>, place: Place) -> Node {
        let content = match value.get_ref() {
            DeValue::Table(table) => return self.table(table, place),
            DeValue::Array(array) => {
                let key = match &place {
                    Place::File { key, .. } => key.clone(),
                    _ => String::new(),
                };
                let nodes = array.iter().enumerate().map(|(index, value)| {
                    let key = format!("{key}[{index}]");
                    self.value(value, self.place(value.span().start, &key))
                });
                Content::Array(nodes.collect())
            }
            DeValue::String(text) => Content::Value(Value::String(text.to_string())),
            DeValue::Boolean(truth) => Content::Value(Value::Bool(*truth)),
            DeValue::Integer(number) => {
                let text = number.as_str().replace('_', "");
                let read = i64::from_str_radix(&text, number.radix());
                Content::Value(read.map_or(Value::String(text), Value::from))
            }
            DeValue::Float(number) => {
                let text = number.as_str().replace('_', "");
                Content::Value(text.parse::<f64>().map_or(Value::String(text), Value::from))
            }
            DeValue::Datetime(time) => Content::Value(Value::String(time.to_string())),
        };
        Node { content, place }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn each_value_knows_its_line_and_key() {
        let text = "version = 1\n[functions.orders]\nmemory = \"1GiB\"\nenv = { A = \"1\",\n B = \"2\" }\n\
                    [functions.orders.aws]\nlayers = [\n\"x\",\n\"y\"]\n";
        let node = parse(text, "omnifn.toml").unwrap();
        let found: Vec<_> =
            node.leaves().into_iter().map(|(_, node)| node.place.to_string()).collect();
        assert_eq!(
            found,
            [
                "omnifn.toml:7 functions.orders.aws.layers",
                "omnifn.toml:4 functions.orders.env.A",
                "omnifn.toml:5 functions.orders.env.B",
                "omnifn.toml:3 functions.orders.memory",
                "omnifn.toml:1 version",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        for text in
            ["a = 1\nb =", "a = 1\na = 2", "x", "[a\n", "\"", "a = \u{0}", "=", "a.b.c = [[["]
        {
            let error = parse(text, "omnifn.toml").unwrap_err();
            assert!(error.to_string().contains("is no TOML"), "{error}");
        }
        let deep = "a = ".to_owned() + &"[".repeat(100_000);
        parse(&deep, "omnifn.toml").unwrap_err();
    }
}
