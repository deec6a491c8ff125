use crate::{Code, Deployment, Scope, Settings};
use omnifn_package::{Architecture, Kind, Program, Provider, Target};

/// A small archive for `provider`. Its program is a real executable file that does nothing; `marker` is in it, so that
/// other markers make other archives.
///
/// # Panics
/// When it cannot be written to the temporary directory.
pub fn archive(provider: Provider, marker: &str) -> Code {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("orders");
    std::fs::write(&path, executable(marker)).expect("the temporary directory can be written to");
    let target = match provider {
        Provider::Gcp => Target::gcp(Kind::Source).expect("a kind of Google's"),
        _ => Target::aws(Architecture::X86_64),
    };
    Program::new(path).pack(&target).expect("the program is a good one").into()
}

/// A deployment of `shop`, stage `test`, without triggers.
///
/// # Panics
/// When the name is none for the clouds.
pub fn deployment(provider: Provider, function: &str) -> Deployment {
    let scope = Scope::new("shop", "test", function).expect("names for the clouds");
    Deployment::new(scope, Settings::default(), archive(provider, "first"))
        .expect("settings that fit")
}

/// An ELF file for x86-64, linked statically, that ends with 0 at once.
fn executable(marker: &str) -> Vec<u8> {
    // mov edi, 0; mov eax, 60 (exit); syscall
    const CODE: &[u8] = &[0xbf, 0, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    const HEADERS: u64 = 64 + 56;
    const BASE: u64 = 0x40_0000;
    let size = HEADERS + CODE.len() as u64 + marker.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // Executable, x86-64; entry, program headers, no sections.
    file.extend([2_u16, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([BASE + HEADERS, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    // One segment: all of the file, to be read and executed.
    file.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    file.extend([0, BASE, BASE, size, size, 0x1000].map(u64::to_le_bytes).concat());
    file.extend(CODE);
    file.extend(marker.as_bytes());
    file
}
