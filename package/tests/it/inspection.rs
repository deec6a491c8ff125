//! Archives that others made, some of them to do harm.

use crate::craft::Elf;
use flate2::{Compression, write::GzEncoder};
use omnifn_package::Inspection;
use std::{
    fs,
    io::{Cursor, Write as _},
};
use tar::{EntryType, Header};
use zip::{ZipWriter, write::SimpleFileOptions};

fn inspect(bytes: &[u8]) -> Result<Inspection, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, bytes).unwrap();
    let result = Inspection::of(&path);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    result.map_err(|error| error.to_string())
}

fn zip(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, mode) in files {
        let options = SimpleFileOptions::default().unix_permissions(*mode);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar.gz whose names are written as they are, whatever they are.
fn tar(files: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, bytes) in files {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        if *kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

#[test]
fn an_archive_of_other_tools_is_understood() {
    let program = Elf::new().bytes();
    let inspection =
        inspect(&zip(&[("lib/x", b"", 0o644), ("bootstrap", &program, 0o755)])).unwrap();
    assert_eq!(inspection.fits[0].problem, None);
    assert_eq!(inspection.files[0].path, "bootstrap");
    let files =
        [("./", EntryType::Directory, &b""[..]), ("./bootstrap", EntryType::Regular, &program)];
    assert_eq!(inspect(&tar(&files)).unwrap().fits[0].problem, None);
}

#[test]
fn what_a_cloud_could_not_start_is_said() {
    let program = Elf::new().bytes();
    for (bytes, expected) in [
        (zip(&[("orders", &program, 0o755)]), "it has no `bootstrap` to start"),
        (zip(&[("bootstrap", &program, 0o644)]), "`bootstrap` is not executable"),
        (zip(&[("bootstrap", b"#!/bin/sh", 0o755)]), "it is a script"),
        (
            tar(&[(
                "bootstrap",
                EntryType::Regular,
                &Elf { machine: crate::craft::ARM64, ..Elf::new() }.bytes(),
            )]),
            "gcp runs x86_64 only",
        ),
    ] {
        let problem = inspect(&bytes).unwrap().fits[0].problem.clone().unwrap();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn what_would_lead_out_is_refused() {
    for name in ["../bootstrap", "/etc/passwd", "a/../../b", "a\\..\\b", "a//b"] {
        for bytes in [zip(&[(name, b"", 0o644)]), tar(&[(name, EntryType::Regular, b"")])] {
            let error = inspect(&bytes).unwrap_err();
            assert!(error.contains("would lead out of it") || name == "/etc/passwd", "{error}");
        }
    }
    let error = inspect(&tar(&[("link", EntryType::Symlink, b"")])).unwrap_err();
    assert!(error.ends_with("`link` is a link, or a device"), "{error}");
    let twice = [("a", EntryType::Regular, &b""[..]), ("a", EntryType::Regular, b"")];
    let error = inspect(&tar(&twice)).unwrap_err();
    assert!(error.ends_with("it has two files called `a`"), "{error}");
}

#[test]
fn bytes_that_are_no_archive_are_an_error_and_no_panic() {
    let whole = zip(&[("bootstrap", &Elf::new().bytes(), 0o755)]);
    for end in (0..whole.len()).step_by(3) {
        inspect(&whole[..end]).unwrap_err();
    }
    let whole = tar(&[("bootstrap", EntryType::Regular, &Elf::new().bytes())]);
    for place in (0..whole.len()).step_by(5) {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        inspect(&changed).ok();
    }
    assert!(inspect(b"").unwrap_err().contains("neither a zip"));
}
