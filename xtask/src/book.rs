//! The book in `docs/`: built by mdBook, and every link of it followed.

use crate::command::{self, root};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The newest that builds with the Rust of our command line.
const VERSION: &str = "0.4.52";

/// Builds the book into `target/book`, and checks its links.
pub(crate) fn run() -> Result<()> {
    let pages = pages()?;
    let listed = listed()?;
    let forgotten: Vec<_> = pages.iter().filter(|page| !listed.contains(*page)).collect();
    ensure!(forgotten.is_empty(), "docs/SUMMARY.md does not list {forgotten:?}");
    let mut broken = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(docs().join(page)).with_context(|| page.clone())?;
        broken.extend(links(&text).into_iter().filter_map(|link| check(page, &link)));
    }
    ensure!(broken.is_empty(), "links lead nowhere:\n  {}", broken.join("\n  "));
    // Without its own server and search.
    let mdbook = command::tool("mdbook", VERSION, &["--no-default-features"])?;
    let mut build = Command::new(mdbook);
    build.arg("build").arg(docs());
    command::run(&mut build)?;
    println!("{} pages, every link leads somewhere", pages.len());
    Ok(())
}

fn docs() -> PathBuf {
    root().join("docs")
}

/// Every page, by its file's name.
fn pages() -> Result<BTreeSet<String>> {
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(docs())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md")
            && name != "SUMMARY.md"
        {
            pages.insert(name);
        }
    }
    Ok(pages)
}

fn listed() -> Result<BTreeSet<String>> {
    Ok(links(&fs::read_to_string(docs().join("SUMMARY.md"))?).into_iter().collect())
}

/// Where the links of a page lead, outside code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let mut rest = if is_code { "" } else { line };
        while let Some((_, after)) = rest.split_once("](") {
            let Some((link, after)) = after.split_once(')') else { break };
            links.push(link.to_owned());
            rest = after;
        }
    }
    links
}

/// What is wrong with a link. Those to other sites are not followed: there is no network where this runs.
fn check(page: &str, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let file = if file.is_empty() { page } else { file };
    let Ok(text) = fs::read_to_string(docs().join(file)) else {
        return Some(format!("{page}: {link}"));
    };
    let is_there = anchor.is_empty() || anchors(&text).contains(anchor);
    (!is_there).then(|| format!("{page}: {link}"))
}

/// The ids that mdBook gives to headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| {
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    headings
        .map(|heading| {
            let kept = heading
                .trim()
                .chars()
                .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
            kept.map(|char| if char == ' ' { '-' } else { char.to_ascii_lowercase() }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{anchors, links};

    #[test]
    fn links_are_found_outside_code() {
        let text = "see [a](a.md) and [b](b.md#x)\n```\n[c](c.md)\n```\n[d](d.md)";
        assert_eq!(links(text), ["a.md", "b.md#x", "d.md"]);
    }

    #[test]
    fn headings_have_ids() {
        assert!(anchors("# What is `x`?\n").contains("what-is-x"));
        assert!(anchors("#no heading\n").is_empty());
    }
}
