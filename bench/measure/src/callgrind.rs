use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// What a call to the C library's allocator is named.
const ALLOCATING: &[&str] =
    &["malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign"];

/// The program and its arguments under valgrind's callgrind, which writes what it counted when the program ends.
pub fn under_callgrind(command: &Command, counts: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(command.get_program())
        .args(command.get_args());
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    valgrind.envs(set);
    valgrind
}

/// What callgrind counted of one run, the kernel's part left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Instructions.
    pub instructions: u64,
    /// Calls of the allocator; a reallocation counts as one.
    pub allocations: u64,
}

impl Counts {
    /// Reads what callgrind wrote.
    pub fn read(file: &Path) -> io::Result<Self> {
        let text = fs::read(file)?;
        Self::parse(&String::from_utf8_lossy(&text))
            .ok_or_else(|| io::Error::other(format!("{} has no totals", file.display())))
    }

    /// A function's name stands beside its number once, and is called by the number from then on.
    fn parse(text: &str) -> Option<Self> {
        let mut names = HashMap::new();
        let (mut instructions, mut allocations) = (None, 0);
        let mut called = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("cfn=").or(line.strip_prefix("fn=")) {
                let (number, name) = name.split_once(' ').unwrap_or((name, ""));
                called = if name.is_empty() {
                    names.get(number).copied().unwrap_or_default()
                } else {
                    names.insert(number, name);
                    name
                };
            } else if let Some(calls) = line.strip_prefix("calls=") {
                let name = called.split('\'').next().unwrap_or_default();
                if ALLOCATING.contains(&name) {
                    allocations += calls.split(' ').next()?.parse::<u64>().ok()?;
                }
            } else if let Some(total) = line.strip_prefix("totals: ") {
                instructions = total.trim().parse().ok();
            }
        }
        Some(Self { instructions: instructions?, allocations })
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn calls_of_the_allocator_are_summed_by_name_and_by_number() {
        let text = "fn=(1) main\ncfn=(2) malloc\ncalls=3 0\n0 9\ncfn=(3) free\ncalls=9 0\n0 1\n\
                    fn=(4) f\ncfn=(2)\ncalls=4 0\n0 1\ncfn=(5) realloc'2\ncalls=1 0\n0 1\ntotals: 77\n";
        assert_eq!(Counts::parse(text), Some(Counts { instructions: 77, allocations: 8 }));
        assert_eq!(Counts::parse("fn=(1) main\n"), None);
    }
}
