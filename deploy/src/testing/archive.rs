use crate::{Code, Deployment, Scope, Settings};
use omnifn_package::{Architecture, Kind, Program, Provider, Target};

/// A small archive for `provider`. Its program is a real executable file that answers every request; `marker` is in it, so
/// that other markers make other archives.
///
/// # Panics
/// When it cannot be written to the temporary directory.
pub fn archive(provider: Provider, marker: &str) -> Code {
    let target = match provider {
        Provider::Gcp => Target::gcp(Kind::Source).expect("a kind of Google's"),
        _ => Target::aws(Architecture::X86_64),
    };
    archive_for(&target, marker)
}

/// The same of another kind.
///
/// # Panics
/// When it cannot be written to the temporary directory.
pub fn archive_for(target: &Target, marker: &str) -> Code {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("orders");
    std::fs::write(&path, executable(marker)).expect("the temporary directory can be written to");
    Program::new(path).pack(target).expect("the program is a good one").into()
}

/// Another archive of the same kind.
pub(super) fn archive_like(code: &Code, marker: &str) -> Code {
    match (code.artifact().provider, code.kind()) {
        (Provider::Gcp, kind) => {
            archive_for(&Target::gcp(kind).expect("a kind of Google's"), marker)
        }
        (provider, _) => archive(provider, marker),
    }
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

/// An ELF file for x86-64, linked statically, that answers `ok` at the port `PORT` of the loopback interface; without one it ends with 0 at once.
fn executable(marker: &str) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    const BASE: u64 = 0x40_0000;
    let size = HEADERS + (CODE.len() + ANSWER.len() + marker.len()) as u64;
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
    file.extend(ANSWER);
    file.extend(marker.as_bytes());
    file
}

/// Finds `PORT=` in the environment and reads the number; socket, bind, listen; then for ever accept, read, sendto (with
/// `MSG_NOSIGNAL`: who only looks whether the port is open does not wait for the answer), close. It knows where [`ANSWER`] is.
#[rustfmt::skip]
const CODE: &[u8] = &[
    0x48, 0x8b, 0x0c, 0x24, 0x48, 0x8d, 0x74, 0xcc, 0x10, 0x48, 0xad, 0x48, 0x85, 0xc0, 0x0f, 0x84, 0xcb, 0x00, 0x00, 0x00, 0x81, 0x38, 0x50, 0x4f,
    0x52, 0x54, 0x75, 0xed, 0x80, 0x78, 0x04, 0x3d, 0x75, 0xe7, 0x48, 0x8d, 0x70, 0x05, 0x31, 0xdb, 0x31, 0xc0, 0xac, 0x2c, 0x30, 0x3c, 0x09, 0x77,
    0x07, 0x6b, 0xdb, 0x0a, 0x01, 0xc3, 0xeb, 0xf0, 0x86, 0xfb, 0xb8, 0x29, 0x00, 0x00, 0x00, 0xbf, 0x02, 0x00, 0x00, 0x00, 0xbe, 0x01, 0x00, 0x00,
    0x00, 0x31, 0xd2, 0x0f, 0x05, 0x89, 0xc5, 0x0f, 0xb7, 0xc3, 0xc1, 0xe0, 0x10, 0x83, 0xc8, 0x02, 0x48, 0xba, 0x00, 0x00, 0x00, 0x00, 0x7f, 0x00,
    0x00, 0x01, 0x48, 0x09, 0xd0, 0x6a, 0x00, 0x50, 0xb8, 0x31, 0x00, 0x00, 0x00, 0x89, 0xef, 0x48, 0x89, 0xe6, 0xba, 0x10, 0x00, 0x00, 0x00, 0x0f,
    0x05, 0xb8, 0x32, 0x00, 0x00, 0x00, 0x89, 0xef, 0xbe, 0x40, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x48, 0x81, 0xec, 0x00, 0x10, 0x00, 0x00, 0xb8, 0x2b,
    0x00, 0x00, 0x00, 0x89, 0xef, 0x31, 0xf6, 0x31, 0xd2, 0x0f, 0x05, 0x85, 0xc0, 0x78, 0x40, 0x41, 0x89, 0xc4, 0x31, 0xc0, 0x44, 0x89, 0xe7, 0x48,
    0x89, 0xe6, 0xba, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x05, 0xb8, 0x2c, 0x00, 0x00, 0x00, 0x44, 0x89, 0xe7, 0x48, 0x8d, 0x35, 0x28, 0x00, 0x00, 0x00,
    0xba, 0x3b, 0x00, 0x00, 0x00, 0x41, 0xba, 0x00, 0x40, 0x00, 0x00, 0x45, 0x31, 0xc0, 0x45, 0x31, 0xc9, 0x0f, 0x05, 0xb8, 0x03, 0x00, 0x00, 0x00,
    0x44, 0x89, 0xe7, 0x0f, 0x05, 0xeb, 0xaf, 0x31, 0xff, 0xb8, 0x3c, 0x00, 0x00, 0x00, 0x0f, 0x05,
];
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
