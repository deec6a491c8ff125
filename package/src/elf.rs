//! What a Linux program says of itself: its processor, its C library, the libraries it needs.

use crate::Architecture;
use object::{
    Endianness,
    elf::{self, FileHeader64},
    read::{
        StringTable,
        elf::{Dyn as _, FileHeader as _, ProgramHeader as _, SectionTable, Sym as _},
    },
};
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, fmt};

/// A version of glibc, such as 2.34.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlibcVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl GlibcVersion {
    /// `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }

    /// From the name of a symbol's version: `GLIBC_2.34`, `GLIBC_2.2.5`.
    fn from_symbol(name: &str) -> Option<Self> {
        // What a linker asks for by it came with 2.36.
        if name == "GLIBC_ABI_DT_RELR" {
            return Some(Self::new(2, 36));
        }
        let mut parts = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        let mut next = || parts.next().transpose().ok();
        let (major, minor, patch) = (next()??, next()??, next()?.unwrap_or(0));
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

impl Serialize for GlibcVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The glibc without which a program does not start, and a symbol that asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Glibc {
    /// At least this version.
    pub version: GlibcVersion,
    /// One of the symbols that came with it.
    pub symbol: String,
}

/// A Linux program of 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Executable {
    /// The processor that it is for.
    pub architecture: Architecture,
    /// The program that loads it, if it is linked dynamically.
    pub loader: Option<String>,
    /// The newest glibc that it needs, if it needs one.
    pub glibc: Option<Glibc>,
    /// The shared libraries that it needs.
    pub libraries: Vec<String>,
}

/// Why a file is no program that a cloud could start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Something else altogether.
    #[error("it is {0}, not a Linux program (ELF)")]
    NotElf(&'static str),
    /// For processors of 32 bits.
    #[error("it is a program of 32 bits, but clouds run those of 64 bits")]
    Class32,
    /// For another system.
    #[error("it is for a processor of the kind {0}, but clouds have x86_64 (62) and arm64 (183)")]
    Machine(u16),
    /// A library.
    #[error("it is a shared library, but a program is wanted: build a `bin` target")]
    Library,
    /// An object file or a core dump.
    #[error("it is no finished program (ELF type {0}): has it been linked?")]
    Unlinked(u16),
    /// Cut off, or damaged.
    #[error("it is damaged or cut off ({0})")]
    Damaged(String),
    /// What it needs cannot be told.
    #[error(
        "its section headers are gone, so that nobody can tell which glibc it needs: strip it less"
    )]
    Stripped,
}

impl From<object::read::Error> for Unfit {
    fn from(error: object::read::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// More entries than any linker writes: whoever made them wants this to take long.
const MOST_VERSIONS: usize = 65_536;

type Header = FileHeader64<Endianness>;

impl Executable {
    /// Reads the headers of the program `bytes`. Never panics, whatever they are.
    ///
    /// ```no_run
    /// use omnifn_package::Executable;
    /// let hello = std::fs::read("target/release/hello")?;
    /// let executable = Executable::read(&hello)?;
    /// println!("{} with {:?}", executable.architecture, executable.glibc);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When they are not a complete ELF program of 64 bits for a processor that clouds have.
    pub fn read(bytes: &[u8]) -> Result<Self, Unfit> {
        check_identity(bytes)?;
        let header = Header::parse(bytes)?;
        let endian = header.endian()?;
        let architecture = match header.e_machine(endian) {
            elf::EM_X86_64 => Architecture::X86_64,
            elf::EM_AARCH64 => Architecture::Arm64,
            other => return Err(Unfit::Machine(other.0)),
        };
        let mut found = Self { architecture, loader: None, glibc: None, libraries: Vec::new() };
        let is_position_independent = found.read_segments(header, endian, bytes)?;
        match header.e_type(endian) {
            elf::ET_EXEC => {}
            elf::ET_DYN if found.loader.is_some() || is_position_independent => {}
            elf::ET_DYN => return Err(Unfit::Library),
            other => return Err(Unfit::Unlinked(other.0)),
        }
        let sections = header.sections(endian, bytes)?;
        if sections.is_empty() && found.loader.is_some() {
            return Err(Unfit::Stripped);
        }
        found.read_sections(&sections, endian, bytes)?;
        Ok(found)
    }

    /// Finds the loader; tells whether the dynamic segment says that this is a program.
    fn read_segments(
        &mut self,
        header: &Header,
        endian: Endianness,
        bytes: &[u8],
    ) -> Result<bool, Unfit> {
        let mut is_program = false;
        for segment in header.program_headers(endian, bytes)? {
            let end = segment.p_offset(endian).checked_add(segment.p_filesz(endian));
            if end.is_none_or(|end| end > bytes.len() as u64) {
                return Err(Unfit::Damaged("a segment lies behind its end".to_owned()));
            }
            if let Some(loader) = segment.interpreter(endian, bytes)? {
                self.loader = Some(String::from_utf8_lossy(loader).into_owned());
            }
            for entry in segment.dynamic(endian, bytes)?.unwrap_or_default() {
                let is_flags = entry.tag(endian) == elf::DT_FLAGS_1;
                is_program |= is_flags && entry.val(endian) & DF_1_PIE != 0;
            }
        }
        Ok(is_program)
    }

    fn read_sections(
        &mut self,
        sections: &SectionTable<'_, Header>,
        endian: Endianness,
        bytes: &[u8],
    ) -> Result<(), Unfit> {
        let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(()) };
        let strings = sections.strings(endian, bytes, link)?;
        for entry in entries {
            if entry.tag(endian) == elf::DT_NEEDED {
                self.libraries.push(text(entry.string(endian, strings)?));
            }
        }
        let versions = needed_versions(sections, endian, bytes)?;
        let newest = versions.iter().max_by_key(|(index, version)| (version.1, **index));
        if let Some((&index, (name, version))) = newest {
            // A version without a symbol of its own is one by itself, such as GLIBC_ABI_DT_RELR.
            let symbol = symbol_of(index, sections, endian, bytes)?;
            self.glibc =
                Some(Glibc { version: *version, symbol: symbol.unwrap_or_else(|| name.clone()) });
        }
        Ok(())
    }
}

const DF_1_PIE: u64 = 0x0800_0000;

/// The first bytes: those of a program of 64 bits?
fn check_identity(bytes: &[u8]) -> Result<(), Unfit> {
    const MAGIC: &[u8] = b"\x7fELF";
    if !bytes.starts_with(MAGIC) {
        return Err(Unfit::NotElf(match bytes {
            [] => "empty",
            [b'#', b'!', ..] => "a script",
            [b'M', b'Z', ..] => "a program for Windows",
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
                "a program for macOS"
            }
            [b'P', b'K', ..] => "a zip archive",
            _ => "something else",
        }));
    }
    match bytes.get(4) {
        Some(1) => Err(Unfit::Class32),
        Some(2) => Ok(()),
        _ => Err(Unfit::Damaged("its header is incomplete".to_owned())),
    }
}

/// The versions of glibc that it cannot start without, by their index: name and version.
fn needed_versions(
    sections: &SectionTable<'_, Header>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<BTreeMap<u16, (String, GlibcVersion)>, Unfit> {
    let mut found = BTreeMap::new();
    let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes)? else { return Ok(found) };
    let strings: StringTable<'_> = sections.strings(endian, bytes, link)?;
    let mut seen = 0;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            seen += 1;
            if seen > MOST_VERSIONS {
                return Err(Unfit::Damaged("it names too many versions of symbols".to_owned()));
            }
            // The loader starts a program without the weak ones.
            if version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK) {
                continue;
            }
            let name = text(version.name(endian, strings)?);
            if let Some(glibc) = GlibcVersion::from_symbol(&name) {
                found.insert(version.vna_other(endian).index().0, (name, glibc));
            }
        }
        seen += 1;
    }
    Ok(found)
}

/// The name of the first symbol of this version.
fn symbol_of(
    index: u16,
    sections: &SectionTable<'_, Header>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Option<String>, Unfit> {
    let Some((versions, _)) = sections.gnu_versym(endian, bytes)? else { return Ok(None) };
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM)?;
    let mut pairs = symbols.iter().zip(versions);
    let found = pairs.find(|(_, version)| version.0.get(endian).index().0 == index);
    found.map(|(symbol, _)| Ok(text(symbol.name(endian, symbols.strings())?))).transpose()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Executable, GlibcVersion, Unfit};

    #[test]
    fn versions_are_ordered_as_numbers() {
        let version = |name| GlibcVersion::from_symbol(name).unwrap();
        assert!(version("GLIBC_2.34") > version("GLIBC_2.4"));
        assert!(version("GLIBC_2.2.5") < version("GLIBC_2.3"));
        assert_eq!(version("GLIBC_2.2.5").to_string(), "2.2.5");
        assert_eq!(version("GLIBC_ABI_DT_RELR"), GlibcVersion::new(2, 36));
        for other in ["GLIBC_PRIVATE", "GCC_3.0", "GLIBC_", "GLIBC_2", "GLIBC_2.x", "GLIBC_2.1.y"] {
            assert_eq!(GlibcVersion::from_symbol(other), None, "{other}");
        }
    }

    #[test]
    fn other_files_are_called_what_they_are() {
        for (bytes, expected) in [
            (&b""[..], "it is empty, not a Linux program (ELF)"),
            (b"#!/bin/sh\n", "it is a script, not a Linux program (ELF)"),
            (b"MZ\x90", "it is a program for Windows, not a Linux program (ELF)"),
            (b"\xcf\xfa\xed\xfe", "it is a program for macOS, not a Linux program (ELF)"),
            (b"\x7fELF", "it is damaged or cut off (its header is incomplete)"),
            (b"\x7fELF\x01", "it is a program of 32 bits, but clouds run those of 64 bits"),
        ] {
            assert_eq!(Executable::read(bytes).unwrap_err().to_string(), expected);
        }
    }

    /// This test's own program, where it is one.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn a_program_cut_anywhere_is_an_error_and_no_panic() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let executable = Executable::read(&whole).unwrap();
        assert!(executable.glibc.is_some());
        assert!(executable.libraries.iter().any(|name| name == "libc.so.6"));
        let ends = (0..4096).step_by(7).chain((4096..whole.len()).step_by(whole.len() / 64));
        for end in ends {
            let error = Executable::read(&whole[..end]).unwrap_err();
            assert!(matches!(error, Unfit::Damaged(_) | Unfit::NotElf(_)), "{end}: {error}");
        }
    }
}
