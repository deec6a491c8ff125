//! What a profile says, wherever it says so.

use crate::Cargo;
use std::{fs, path::Path};
use toml::Table;

/// A profile of the workspace's.
#[derive(Debug)]
pub(crate) struct Profile<'a> {
    name: &'a str,
    cargo: &'a Cargo,
    manifest: Table,
    settings: &'a [Table],
}

impl<'a> Profile<'a> {
    /// That of the workspace in `root`, whose configuration files say `settings`.
    pub(crate) fn new(name: &'a str, root: &Path, cargo: &'a Cargo, settings: &'a [Table]) -> Self {
        let text = fs::read_to_string(root.join("Cargo.toml"));
        let manifest = text.ok().and_then(|text| text.parse().ok()).unwrap_or_default();
        Self { name, cargo, manifest, settings }
    }

    /// Its value for `key`, where that is text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        if let Some(value) = self.cargo.var(self.variable(key)) {
            return value.into_string().ok();
        }
        self.value(key)?.as_str().map(str::to_owned)
    }

    /// Whether it says anything of `key`.
    pub(crate) fn says(&self, key: &str) -> bool {
        self.cargo.var(self.variable(key)).is_some() || self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<&toml::Value> {
        let mut tables = self.settings.iter().chain([&self.manifest]);
        tables.find_map(|table| table.get("profile")?.get(self.name)?.get(key))
    }

    fn variable(&self, key: &str) -> String {
        let name = self.name.to_uppercase().replace('-', "_");
        format!("CARGO_PROFILE_{name}_{}", key.to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;
    use crate::Cargo;
    use std::fs;

    #[test]
    fn configuration_wins_over_the_manifest_and_variables_over_both() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[profile.release]\npanic = \"abort\"\nstrip = true";
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        let settings = ["profile.release.panic = \"unwind\"".parse().unwrap()];
        let mut cargo = Cargo::new();
        let profile = Profile::new("release", folder.path(), &cargo, &[]);
        assert_eq!(profile.text("panic").as_deref(), Some("abort"));
        assert!(profile.says("strip") && !profile.says("debug"));
        let profile = Profile::new("release", folder.path(), &cargo, &settings);
        assert_eq!(profile.text("panic").as_deref(), Some("unwind"));
        cargo.env("CARGO_PROFILE_RELEASE_PANIC", "abort");
        let profile = Profile::new("release", folder.path(), &cargo, &settings);
        assert_eq!(profile.text("panic").as_deref(), Some("abort"));
    }
}
