//! Whether a program that was built handles what its triggers send.

use super::{
    rules,
    target::{Finding, Findings},
};
use crate::{
    config::Target,
    error::{Error, Result},
    project::{Project, sources_of},
    session::block_on,
};
use omnifn_local::{Binary, Manifest};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Compares what each program says of itself with its functions' triggers. Programs that were not built, or have changed
/// since, say nothing.
pub(super) fn check(targets: &[Target], project: &Project) -> Result<Vec<Finding>> {
    let mut programs: BTreeMap<&str, Option<PathBuf>> = BTreeMap::new();
    for target in targets.iter().filter(|target| target.known.tells_functions) {
        let binary = target.known.binary.as_str();
        programs.entry(binary).or_insert_with(|| newest(project, binary));
    }
    let manifests = block_on(async |interrupt| {
        tokio::select! {
            () = interrupt.next() => Err(Error::interrupted()),
            manifests = ask(&programs) => Ok(manifests),
        }
    })?;
    let of = |target: &Target| {
        let manifest = manifests.get(target.known.binary.as_str());
        manifest.map(|manifest| compare(target, manifest)).unwrap_or_default()
    };
    Ok(targets.iter().flat_map(of).collect())
}

/// A program that tells nothing is `dev`'s and `build`'s to report.
async fn ask<'a>(programs: &BTreeMap<&'a str, Option<PathBuf>>) -> BTreeMap<&'a str, Manifest> {
    let mut manifests = BTreeMap::new();
    for (binary, path) in programs {
        let Some(path) = path else { continue };
        if let Ok(manifest) = Binary::new(path).manifest().await {
            manifests.insert(*binary, manifest);
        }
    }
    manifests
}

fn compare(target: &Target, manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Findings { target, found: Vec::new() };
    let functions = &manifest.functions;
    let named = functions.iter().find(|function| function.name == target.known.name);
    let Some(function) = (if functions.len() == 1 { functions.first() } else { named }) else {
        let known: Vec<_> = functions.iter().map(|known| format!("`{}`", known.name)).collect();
        findings.add_with(
            rules::UNKNOWN_FUNCTION,
            "",
            format!(
                "the program has no function `{}`: it has {}",
                target.known.name,
                known.join(", ")
            ),
            "name the program's functions in `[package.metadata.omnifn.functions.<name>]`",
            vec![format!("the program is {}", target.known.source.shown)],
        );
        return findings.found;
    };
    let mut triggers = target.settings.triggers.iter();
    if let Some((name, binding)) =
        triggers.find(|(_, binding)| binding.trigger() != function.trigger)
    {
        findings.add_with(
            rules::OTHER_KIND,
            &format!("triggers.{name}"),
            format!(
                "trigger `{name}` is of kind `{}`, but the program's function handles `{}`",
                binding.trigger(),
                function.trigger
            ),
            "change the trigger's `type`, or the handler",
            vec![said_at(target)],
        );
    }
    findings.found
}

/// The other place of a disagreement.
pub(crate) fn said_at(target: &Target) -> String {
    format!("the program says so at {}", target.known.source.place_of(&target.known.name))
}

/// The program that was built last for this machine, if no source of it has changed since.
fn newest(project: &Project, binary: &str) -> Option<PathBuf> {
    let target = &project.target_directory;
    let triple = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut found: Vec<(SystemTime, PathBuf)> = [target.clone(), target.join(triple)]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|profile| profile.path().join(format!("{binary}{}", env::consts::EXE_SUFFIX)))
        .filter_map(|path| {
            Some((fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.modified().ok()?, path))
        })
        .collect();
    found.sort();
    let (built, path) = found.pop()?;
    let told = fs::read_to_string(path.with_extension("d")).ok()?;
    let is_older = |source: &Path| {
        let changed = fs::metadata(source).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| changed <= built)
    };
    let mut sources = told.lines().flat_map(sources_of).peekable();
    sources.peek()?;
    sources.all(|source| is_older(&project.workspace_root.join(source))).then_some(path)
}
