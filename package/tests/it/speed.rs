//! Packing against `zip -9`. Chosen by `OMNIFN_PACK_SPEED=1`, since it measures; needs `zip`.

use omnifn_package::{Architecture, Program, Target};
use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

#[test]
fn packing_takes_at_most_as_long_as_zip_and_a_third_and_is_never_larger() {
    if env::var_os("OMNIFN_PACK_SPEED").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootstrap");
    // A program of this size that is there wherever this runs: this test's own.
    fs::copy(env::current_exe().unwrap(), &path).unwrap();
    Command::new("strip").arg(&path).status().unwrap();
    let zipped = folder.path().join("bootstrap.zip");
    let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
    let mut sizes = (0, 0);
    for _ in 0..5 {
        let start = Instant::now();
        let artifact = Program::new(&path).pack(&Target::aws(Architecture::X86_64)).unwrap();
        ours = ours.min(start.elapsed());
        fs::remove_file(&zipped).ok();
        let start = Instant::now();
        let status =
            Command::new("zip").args(["-9", "-q", "-X", "-j"]).args([&zipped, &path]).status();
        assert!(status.unwrap().success());
        theirs = theirs.min(start.elapsed());
        sizes = (artifact.size, zipped.metadata().unwrap().len());
    }
    let size = path.metadata().unwrap().len();
    let figures = format!(
        "{size} bytes: {} bytes in {ours:?}; zip -9: {} bytes in {theirs:?}\n",
        sizes.0, sizes.1
    );
    std::io::Write::write_all(&mut std::io::stderr(), figures.as_bytes()).unwrap();
    assert!(ours.as_secs_f64() <= 1.3 * theirs.as_secs_f64());
    assert!(sizes.0 <= sizes.1);
}
