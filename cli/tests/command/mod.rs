//! The command as its users start it.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs `cargo omnifn` in the workspace's root.
pub(crate) fn omnifn(arguments: &[&str]) -> Output {
    omnifn_with(arguments, "")
}

/// The same, with something on standard input.
pub(crate) fn omnifn_with(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-omnifn"))
        .arg("omnifn")
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

/// Standard output and standard error, once the exit code is right.
#[track_caller]
pub(crate) fn check(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}
