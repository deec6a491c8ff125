//! ELF files that no compiler would make.

/// What a program shall say of itself.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    /// 2: 64 bits.
    pub(crate) class: u8,
    /// 62: `x86_64`; 183: arm64.
    pub(crate) machine: u16,
    /// 2: a program; 3: a library, or a program that can be anywhere.
    pub(crate) kind: u16,
    pub(crate) loader: Option<&'static str>,
    pub(crate) libraries: Vec<&'static str>,
    /// Symbols with the versions that they need, and the flags of these.
    pub(crate) symbols: Vec<(&'static str, &'static str, u16)>,
    /// `DT_FLAGS_1`
    pub(crate) flags: u64,
    pub(crate) has_sections: bool,
}

pub(crate) const X86_64: u16 = 62;
pub(crate) const ARM64: u16 = 183;
pub(crate) const LIBRARY: u16 = 3;
pub(crate) const WEAK: u16 = 2;
pub(crate) const PIE: u64 = 0x0800_0000;

impl Elf {
    /// A program as rustc makes it for AL2023.
    pub(crate) fn new() -> Self {
        Self {
            class: 2,
            machine: X86_64,
            kind: 3,
            loader: Some("/lib64/ld-linux-x86-64.so.2"),
            libraries: vec!["libgcc_s.so.1", "libc.so.6"],
            symbols: vec![("malloc", "GLIBC_2.2.5", 0), ("__libc_start_main", "GLIBC_2.34", 0)],
            flags: PIE,
            has_sections: true,
        }
    }

    /// One that needs nothing.
    pub(crate) fn new_static() -> Self {
        Self { loader: None, libraries: vec![], symbols: vec![], flags: 0, kind: 2, ..Self::new() }
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut strings = Strings(vec![0]);
        let (mut symbols, mut versions, mut needs) = (vec![0; 24], vec![0; 2], Vec::new());
        let last = self.symbols.len().saturating_sub(1);
        for (index, (symbol, version, flags)) in self.symbols.iter().enumerate() {
            let number = u16::try_from(index).unwrap() + 2;
            symbols.extend(strings.add(symbol).to_le_bytes());
            symbols.extend([0x12, 0, 0, 0]);
            symbols.extend([0; 16]);
            versions.extend(number.to_le_bytes());
            let next: u32 = if index == last { 0 } else { 32 };
            needs.extend([1, 0, 1, 0]);
            for word in [strings.add("libc.so.6"), 16, next, 0] {
                needs.extend(word.to_le_bytes());
            }
            needs.extend(flags.to_le_bytes());
            needs.extend(number.to_le_bytes());
            for word in [strings.add(version), 0] {
                needs.extend(word.to_le_bytes());
            }
        }
        let mut dynamic = Vec::new();
        for library in &self.libraries {
            dynamic.extend(1_u64.to_le_bytes());
            dynamic.extend(u64::from(strings.add(library)).to_le_bytes());
        }
        dynamic.extend(0x6fff_fffb_u64.to_le_bytes());
        dynamic.extend(self.flags.to_le_bytes());
        dynamic.extend([0; 16]);

        let loader = self.loader.map(|path| [path.as_bytes(), b"\0"].concat()).unwrap_or_default();
        let count = u32::try_from(self.symbols.len()).unwrap();
        // Type, contents, link, info, size of an entry. The first is no section, as everywhere.
        let sections: [(u32, &[u8], u32, u32, u64); 7] = [
            (3, &strings.0, 0, 0, 0),
            (11, &symbols, 1, 1, 24),
            (0x6fff_ffff, &versions, 2, 0, 2),
            (0x6fff_fffe, &needs, 1, count, 0),
            (6, &dynamic, 1, 0, 16),
            (3, b"\0", 0, 0, 0),
            (1, &loader, 0, 0, 0),
        ];
        const HEADERS: usize = 64 + 2 * 56;
        let mut body = Vec::new();
        let mut table = vec![0; 64];
        let mut places = Vec::new();
        for (kind, contents, link, info, entry) in sections {
            body.resize(body.len().next_multiple_of(8), 0);
            let offset = (HEADERS + body.len()) as u64;
            places.push((offset, contents.len() as u64));
            body.extend(contents);
            table.extend(0_u32.to_le_bytes());
            table.extend(kind.to_le_bytes());
            for word in [0, 0, offset, contents.len() as u64] {
                table.extend(word.to_le_bytes());
            }
            table.extend(link.to_le_bytes());
            table.extend(info.to_le_bytes());
            table.extend(8_u64.to_le_bytes());
            table.extend(entry.to_le_bytes());
        }
        body.resize(body.len().next_multiple_of(8), 0);

        let mut file = vec![0x7f, b'E', b'L', b'F', self.class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(self.kind.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        let table_at = if self.has_sections { (HEADERS + body.len()) as u64 } else { 0 };
        for word in [0x1000, 64, table_at] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0_u32.to_le_bytes());
        let sections = if self.has_sections { 8 } else { 0 };
        for half in [64_u16, 56, 2, 64, sections, if sections == 0 { 0 } else { 6 }] {
            file.extend(half.to_le_bytes());
        }
        let segments = [(if loader.is_empty() { 0_u32 } else { 3 }, places[6]), (2, places[4])];
        for (kind, (offset, size)) in segments {
            file.extend(kind.to_le_bytes());
            file.extend(4_u32.to_le_bytes());
            for word in [offset, 0, 0, size, size, 8] {
                file.extend(word.to_le_bytes());
            }
        }
        assert_eq!(file.len(), HEADERS);
        file.extend(body);
        if self.has_sections {
            file.extend(table);
        }
        file
    }
}

struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u32 {
        let at = u32::try_from(self.0.len()).unwrap();
        self.0.extend(text.as_bytes());
        self.0.push(0);
        at
    }
}
