//! What the fuzz targets begin with, and what they once found, run through the same checks (`cargo xtask fuzz` goes on from
//! there).

use fuzz_harness::Target;

#[test]
#[expect(clippy::print_stdout, reason = "a finding panics: the last line says in what")]
fn fixtures_and_past_findings_pass_every_target() {
    for target in Target::all() {
        for (name, input) in [target.seeds().unwrap(), target.crashes().unwrap()].concat() {
            println!("{target}: {name}");
            target.run(&input);
        }
    }
}

/// The folder of findings names no target that does not exist: else nobody would replay it.
#[test]
fn every_finding_belongs_to_a_target() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crashes");
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        name.parse::<Target>().unwrap();
    }
}
