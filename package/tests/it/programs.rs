//! Which programs are packed for which image, and what is said of the others.

use crate::craft::{ARM64, Elf, LIBRARY, PIE, WEAK};
use omnifn_package::{Architecture, Artifact, Executable, Kind, Program, Result, Target, base};
use std::fs;

fn pack(bytes: &[u8], target: &Target) -> Result<Artifact> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders");
    fs::write(&path, bytes).unwrap();
    Program::new(path).pack(target)
}

fn aws() -> Target {
    Target::aws(Architecture::X86_64)
}

/// The error, without the folder of its file.
#[track_caller]
fn refused(bytes: &[u8], target: &Target) -> String {
    let error = pack(bytes, target).unwrap_err().to_string();
    let (before, after) = error.split_once('`').unwrap();
    let (path, after) = after.split_once('`').unwrap();
    assert!(path.ends_with("orders"), "{error}");
    format!("{before}`orders`{after}")
}

#[test]
fn a_program_for_the_image_is_packed() {
    let artifact = pack(&Elf::new().bytes(), &aws()).unwrap();
    let glibc = artifact.glibc.unwrap();
    assert_eq!((glibc.version.to_string(), &*glibc.symbol), ("2.34".into(), "__libc_start_main"));
    assert_eq!(artifact.libraries, ["libgcc_s.so.1", "libc.so.6"]);
    assert_eq!(artifact.binary, "orders");
    assert_eq!(artifact.warnings, []);
    pack(&Elf::new().bytes(), &Target::gcp(Kind::Source).unwrap()).unwrap();
}

#[test]
fn a_static_program_runs_everywhere() {
    let musl = Elf::new_static();
    let pie = Elf { kind: LIBRARY, flags: PIE, ..Elf::new_static() };
    let bare = Elf { has_sections: false, ..Elf::new_static() };
    for elf in [musl, pie, bare] {
        for target in [aws(), aws().on(&base::PROVIDED_AL2), Target::gcp(Kind::Image).unwrap()] {
            assert_eq!(pack(&elf.bytes(), &target).unwrap().glibc, None);
        }
    }
}

#[test]
fn a_newer_glibc_is_refused_with_its_symbol_and_the_remedy() {
    let newer = Elf {
        symbols: vec![
            ("__isoc23_strtol", "GLIBC_2.38", 0),
            ("malloc", "GLIBC_2.2.5", 0),
            ("other", "GCC_9.9", 0),
        ],
        ..Elf::new()
    };
    assert_eq!(
        refused(&newer.bytes(), &aws()),
        "`orders` needs glibc 2.38 for the symbol `__isoc23_strtol`, but `provided.al2023` has 2.34: build with \
         cargo-zigbuild (it links for `x86_64-unknown-linux-gnu.2.34`), for a musl target, with \
         `-C target-feature=+crt-static`, or on a system with glibc 2.34"
    );
    pack(&newer.bytes(), &Target::gcp(Kind::Source).unwrap()).unwrap();
    assert!(refused(&Elf::new().bytes(), &aws().on(&base::PROVIDED_AL2)).contains("has 2.26"));
    let newest = Elf { symbols: vec![("x", "GLIBC_2.41", 0)], ..Elf::new() };
    let google = refused(&newest.bytes(), &Target::gcp(Kind::Source).unwrap());
    assert!(google.contains("needs glibc 2.41") && google.contains("has 2.39"), "{google}");
    let relative = Elf { symbols: vec![("x", "GLIBC_ABI_DT_RELR", 0)], ..Elf::new() };
    assert!(refused(&relative.bytes(), &aws()).contains("needs glibc 2.36"));
}

#[test]
fn a_weak_symbol_may_be_missing() {
    let weak = Elf {
        symbols: vec![("gettid", "GLIBC_2.40", WEAK), ("malloc", "GLIBC_2.2.5", 0)],
        ..Elf::new()
    };
    assert_eq!(pack(&weak.bytes(), &aws()).unwrap().glibc.unwrap().version.to_string(), "2.2.5");
}

#[test]
fn another_processor_is_refused() {
    let arm = Elf { machine: ARM64, loader: Some("/lib/ld-linux-aarch64.so.1"), ..Elf::new() };
    pack(&arm.bytes(), &Target::aws(Architecture::Arm64)).unwrap();
    assert_eq!(
        refused(&arm.bytes(), &aws()),
        "`orders` is built for arm64, but x86_64 is wanted: build for `x86_64-unknown-linux-gnu`"
    );
    assert_eq!(
        refused(&Elf::new().bytes(), &Target::aws(Architecture::Arm64)),
        "`orders` is built for x86_64, but arm64 is wanted: build for `aarch64-unknown-linux-gnu`"
    );
    for kind in [Kind::Source, Kind::Functions, Kind::Image] {
        assert_eq!(
            refused(&arm.bytes(), &Target::gcp(kind).unwrap()),
            "`orders` is built for arm64, but x86_64 is wanted: build for `x86_64-unknown-linux-gnu`"
        );
    }
    let riscv = Elf { machine: 243, ..Elf::new() };
    assert!(refused(&riscv.bytes(), &aws()).contains("a processor of the kind 243"));
}

#[test]
fn what_is_no_program_is_refused() {
    for (bytes, expected) in [
        (b"#!/bin/sh\necho no\n".to_vec(), "it is a script, not a Linux program (ELF)"),
        (Elf { class: 1, ..Elf::new() }.bytes(), "it is a program of 32 bits"),
        (Elf { kind: LIBRARY, flags: 0, loader: None, ..Elf::new() }.bytes(), "a shared library"),
        (Elf { kind: 1, ..Elf::new() }.bytes(), "it is no finished program (ELF type 1)"),
        (Elf { has_sections: false, ..Elf::new() }.bytes(), "its section headers are gone"),
    ] {
        let error = refused(&bytes, &aws());
        assert!(error.starts_with("`orders` cannot be a function: "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn another_loader_is_refused() {
    let musl = Elf { loader: Some("/lib/ld-musl-x86_64.so.1"), ..Elf::new() };
    assert_eq!(
        refused(&musl.bytes(), &aws()),
        "`orders` is loaded by `/lib/ld-musl-x86_64.so.1`, which `provided.al2023` does not have: build for \
         `x86_64-unknown-linux-gnu`, or link it statically"
    );
}

#[test]
fn a_missing_library_is_warned_of() {
    let elf = Elf { libraries: vec!["libc.so.6", "libssl.so.3"], ..Elf::new() };
    let warnings = |target| {
        let warnings = pack(&elf.bytes(), &target).unwrap().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(aws()),
        ["it needs `libssl.so.3`, which `provided.al2023` is not known to have"]
    );
    assert!(warnings(Target::gcp(Kind::Source).unwrap()).is_empty());
}

#[test]
fn a_file_cut_or_changed_anywhere_is_an_answer_and_no_panic() {
    let whole = Elf::new().bytes();
    let good = Executable::read(&whole).unwrap();
    for end in 0..whole.len() {
        Executable::read(&whole[..end]).unwrap_err();
    }
    for place in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[place] = value;
            // Not every byte matters: what counts is that each is answered, and soon.
            if let Ok(executable) = Executable::read(&changed) {
                assert!(executable.libraries.len() <= good.libraries.len() * 200);
            }
        }
    }
}
