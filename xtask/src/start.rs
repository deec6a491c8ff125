//! `cargo xtask start`: does what `docs/start.md` says, to the letter, in an empty folder.
//!
//! Blocks of `sh` are run a line at a time. A block of `text` below holds lines that must have been printed, in this order;
//! `[..]` stands for anything within one.

use crate::command::{self, root};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

#[derive(Debug, PartialEq, Eq)]
enum Block {
    Commands(Vec<String>),
    Expected(Vec<String>),
}

pub(crate) fn run() -> Result<()> {
    let page = fs::read_to_string(root().join("docs/start.md"))?;
    let blocks = blocks(&page);
    ensure!(blocks.len() > 2, "docs/start.md has no commands to follow");
    let program = command::program("cargo-omnifn")?;
    let folder = env::temp_dir().join(format!("omnifn-start-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let mut shell = Shell { folder: folder.clone(), path: path(&program)? };
    let started = Instant::now();
    let followed = follow(&blocks, &mut shell);
    if followed.is_err() {
        // The page's own last command was not reached: no process stays behind.
        let _ = shell.run("cargo omnifn local stop");
    }
    fs::remove_dir_all(&folder).context("the folder cannot be removed")?;
    followed?;
    println!(
        "\ndocs/start.md: every command did what the page says, {} s",
        started.elapsed().as_secs()
    );
    Ok(())
}

fn follow(blocks: &[Block], shell: &mut Shell) -> Result<()> {
    let mut output = String::new();
    for block in blocks {
        match block {
            Block::Commands(lines) => {
                output.clear();
                for line in lines {
                    println!("$ {line}");
                    let (printed, succeeded) = shell.run(line)?;
                    println!("{}", printed.trim_end());
                    ensure!(succeeded, "`{line}` of docs/start.md failed");
                    output += printed.trim_end();
                    output.push('\n');
                }
            }
            Block::Expected(lines) => compare(&output, lines)?,
        }
    }
    Ok(())
}

/// The page's blocks that can be followed. `sh,install` is left out: what it installs is what was built.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let inside: Vec<_> = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect();
        match language {
            "sh" => blocks.push(Block::Commands(inside)),
            "text" => blocks.push(Block::Expected(inside)),
            _ => {}
        }
    }
    blocks
}

/// Each line was printed, one after the other.
fn compare(output: &str, expected: &[String]) -> Result<()> {
    let mut printed = output.lines();
    for line in expected {
        if !printed.any(|printed| matches(printed.trim_end(), line)) {
            bail!("docs/start.md says that this is printed, but it is not, or not there:\n{line}");
        }
    }
    Ok(())
}

/// `[..]` is anything.
fn matches(printed: &str, expected: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

/// Where commands run.
struct Shell {
    folder: PathBuf,
    path: OsString,
}

impl Shell {
    /// What the command printed on either stream, and whether it succeeded.
    fn run(&mut self, line: &str) -> Result<(String, bool)> {
        if let Some(folder) = line.strip_prefix("cd ") {
            self.folder.push(folder);
            return Ok((String::new(), self.folder.is_dir()));
        }
        // Both streams in one, in the order of their writing; what stays behind in the background holds neither.
        let file = env::temp_dir().join(format!("omnifn-start-{}.log", std::process::id()));
        let output = fs::File::create(&file)?;
        let status = Command::new("sh")
            .args(["-c", line])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()?;
        let printed = fs::read_to_string(&file)?;
        fs::remove_file(&file)?;
        Ok((printed, status.success()))
    }
}

/// With the command line that was built in front.
fn path(program: &Path) -> Result<OsString> {
    let folder = program.parent().context("a program is in a folder")?;
    let mut folders = vec![folder.to_owned()];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    Ok(env::join_paths(folders)?)
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks, compare, matches};

    #[test]
    fn blocks_are_commands_and_what_they_print() {
        let page =
            "a\n```sh,install\nx\n```\n```sh\nb\nc\n```\n\n```text\nd\n\ne\n```\n```rs\nf\n```\n";
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let expected = [Block::Commands(words(&["b", "c"])), Block::Expected(words(&["d", "e"]))];
        assert_eq!(blocks(page), expected);
    }

    #[test]
    fn a_gap_stands_for_anything() {
        for (printed, expected, is_match) in [
            ("a b c", "a b c", true),
            ("a b c", "a b", false),
            ("a b c", "a[..]", true),
            ("a b c", "[..]b[..]", true),
            ("a b c", "a [..] c", true),
            ("a b c", "[..]c", true),
            ("a b c", "[..]b", false),
            ("a b c", "b[..]", false),
        ] {
            assert_eq!(matches(printed, expected), is_match, "{printed} {expected}");
        }
    }

    #[test]
    fn lines_must_come_in_their_order() {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(compare("1\n2\n3\n", &lines(&["1", "3"])).is_ok());
        assert!(compare("1\n2\n3\n", &lines(&["3", "1"])).is_err());
    }
}
