//! `cargo omnifn new` and `init`: a function crate from a template.

mod template;

use crate::{
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};
use template::{Source, Template};

/// Make a function crate in a new folder
///
/// From a template that is part of this program, with a test. Nothing is fetched, and nothing that is there is overwritten.
#[derive(Debug, Args)]
#[command(after_help = NEW_EXAMPLES)]
pub(crate) struct New {
    /// The folder, which is made
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What invokes the function
    #[arg(long, value_enum, value_name = "TRIGGER", default_value_t)]
    trigger: Template,
    /// The crate's name [default: the folder's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

const NEW_EXAMPLES: &str = "\
Examples:
  cargo omnifn new orders && cd orders && cargo omnifn dev --once
  cargo omnifn new thumbs --trigger storage";

/// Make a function crate of the crate in a folder
///
/// Adds the dependency, a `[package.metadata.omnifn]` to its Cargo.toml, an omnifn.toml, and a `src/main.rs` if there is none.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo omnifn init --trigger queue")]
pub(crate) struct Init {
    /// The crate's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// What invokes the function
    #[arg(long, value_enum, value_name = "TRIGGER", default_value_t)]
    trigger: Template,
}

/// A file to be written.
struct File {
    path: PathBuf,
    text: String,
}

pub(crate) fn new(options: &New, shell: &Shell) -> Result<Exit> {
    let folder = &options.folder;
    let name = options.name.clone().unwrap_or_else(|| {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    });
    check_name(&name)?;
    let is_taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || folder.is_file() {
        return Err(Error::usage(format!("`{}` is there already", folder.display())).help(
            "choose another folder, or make a function of the crate in it: `cargo omnifn init`",
        ));
    }
    let above = workspace_above(folder);
    let (source, trigger) = (Source::find(), options.trigger);
    let mut files = vec![
        File {
            path: "Cargo.toml".into(),
            text: manifest(&name, trigger, &source, above.is_none()),
        },
        File { path: "src/main.rs".into(), text: trigger.main().to_owned() },
    ];
    if above.is_none() {
        files.push(File { path: ".gitignore".into(), text: "/target\n".to_owned() });
        files.push(File { path: "omnifn.toml".into(), text: configuration(&name) });
        if let Some(text) = source.lock().and_then(|lock| fs::read_to_string(lock).ok()) {
            files.push(File { path: "Cargo.lock".into(), text });
        }
    }
    for file in files {
        write(&folder.join(file.path), &file.text)?;
    }
    let shown = folder.display();
    shell.status("Created", &format!("function `{name}` in {shown}"));
    if let Some(above) = above {
        shell.status(
            "Note",
            &format!("it is below the workspace {}: add it to its `members`", above.display()),
        );
    }
    shell.status("Next", &format!("cd {shown} && cargo omnifn dev --once"));
    Ok(Exit::Done)
}

pub(crate) fn init(options: &Init, shell: &Shell) -> Result<Exit> {
    let folder = &options.folder;
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| {
        Error::usage(format!("`{}` cannot be read", path.display()))
            .caused_by(&error)
            .help("`cargo omnifn new DIR` makes a new crate")
    })?;
    let manifest: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Error::usage(format!("`{}` is no TOML", path.display())).caused_by(&error)
    })?;
    let package = manifest.get("package").and_then(toml::Value::as_table).ok_or_else(|| {
        Error::usage(format!("`{}` is of no package", path.display()))
            .help("run this in the folder of a crate")
    })?;
    if package.get("metadata").and_then(|metadata| metadata.get("omnifn")).is_some() {
        return Err(Error::usage("this is a function crate already")
            .place(format!("{}: package.metadata.omnifn", path.display())));
    }
    let name = package.get("name").and_then(toml::Value::as_str).unwrap_or("function").to_owned();
    check_name(&name)?;
    let (source, trigger) = (Source::find(), options.trigger);
    let mut added = String::new();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    if !dependencies.is_some_and(|dependencies| dependencies.contains_key("omnifn")) {
        added += &as_table(&source.dependency(trigger.features()));
    }
    let table = "
[package.metadata.omnifn.triggers]
";
    added.extend([
        table,
        trigger.trigger(),
        "
",
    ]);
    let text = format!("{}\n{added}", text.trim_end());
    // What comes out must still be what cargo reads.
    text.parse::<toml::Table>().map_err(|error| {
        Error::failed(format!("`{}` could not be added to", path.display()))
            .caused_by(&error)
            .help("write `[dependencies.omnifn]` and `[package.metadata.omnifn.triggers]` by hand")
    })?;
    replace(&path, &text)?;
    shell.status("Changed", &path.display().to_string());
    let main = folder.join("src").join("main.rs");
    if main.exists() || package.contains_key("default-run") || manifest.contains_key("bin") {
        shell.status(
            "Note",
            "its `main` is to be `fn main() -> omnifn::Result<()> { omnifn::run(handler) }`",
        );
    } else {
        write(&main, trigger.main())?;
        shell.status("Created", &main.display().to_string());
        shell.status("Note", &format!("the template needs: {}", needs(trigger)));
    }
    let configured = folder.join("omnifn.toml");
    if workspace_above(folder).is_none() && !configured.exists() {
        write(&configured, &configuration(&name))?;
        shell.status("Created", &configured.display().to_string());
    }
    shell.status("Next", "cargo omnifn dev --once");
    Ok(Exit::Done)
}

/// Commands that add what the template's code and test use.
fn needs(trigger: Template) -> String {
    let mut commands = Vec::new();
    for line in trigger.dependencies().lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let features = if name == "serde" { " --features derive" } else { "" };
        commands.push(format!("cargo add {name}{features}"));
    }
    commands.push("cargo add --dev tokio --features macros,rt".to_owned());
    commands.join(" && ")
}

/// `omnifn = { path = .. }` as `[dependencies.omnifn]`, which can be added below everything else.
fn as_table(dependency: &str) -> String {
    let members = dependency.trim_start_matches("omnifn = {").trim_end().trim_end_matches('}');
    let mut table = "\n[dependencies.omnifn]\n".to_owned();
    // The features are the last, and hold commas of their own.
    let (place, features) = match members.split_once(", features = ") {
        Some((place, features)) => (place, Some(features)),
        None => (members, None),
    };
    table += place.trim();
    table.push('\n');
    if let Some(features) = features {
        table.extend(["features = ", features.trim(), "\n"]);
    }
    table
}

fn manifest(name: &str, trigger: Template, source: &Source, is_root: bool) -> String {
    let dependency = source.dependency(trigger.features());
    let mut features = trigger.features().to_vec();
    features.push("testing");
    let dev_dependency = source.dependency(&features);
    let dependencies = trigger.dependencies();
    let profile = if is_root { PROFILE } else { "" };
    let trigger = trigger.trigger();
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [package.metadata.omnifn]\nmemory = \"256MiB\"\ntimeout = \"30s\"\n\n\
         [package.metadata.omnifn.triggers]\n{trigger}\n\n\
         [dependencies]\n{dependency}{dependencies}\n\
         [dev-dependencies]\n{dev_dependency}tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\n{profile}"
    )
}

const PROFILE: &str = "
# Small, and fast to start. A panic must not end the process: it is reported.
[profile.release]
lto = \"fat\"
codegen-units = 1
strip = \"symbols\"

[workspace]
";

fn configuration(name: &str) -> String {
    let app = name.to_lowercase().replace('_', "-");
    format!(
        "# Where functions go: `cargo omnifn config schema` has all keys.\nversion = 1\napp = \"{app}\"\n\n\
         [providers.aws]\n# region = \"eu-west-1\"\n\n[providers.gcp]\n# project = \"{app}-{{stage}}\"\n# region = \"europe-west1\"\n\n\
         [stages.prod]\nprotect = true\n"
    )
}

/// What cargo takes as a package's name.
fn check_name(name: &str) -> Result<()> {
    let is_good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 40
        && !name.ends_with(['-', '_'])
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    let is_reserved = matches!(
        name,
        "test"
            | "core"
            | "std"
            | "alloc"
            | "omnifn"
            | "build"
            | "deps"
            | "examples"
            | "incremental"
            | "self"
            | "super"
            | "crate"
    );
    if is_good && !is_reserved {
        return Ok(());
    }
    Err(Error::usage(format!("`{name}` is no name for a function crate"))
        .help("pass `--name` with 1 to 40 small letters, digits and hyphens, a letter first"))
}

/// The nearest folder above whose Cargo.toml has a workspace.
fn workspace_above(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    let is_workspace = |above: &&Path| {
        let text = fs::read_to_string(above.join("Cargo.toml")).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|manifest| manifest.contains_key("workspace"))
    };
    folder.ancestors().skip(1).find(is_workspace).map(Path::to_owned)
}

/// Never over what is there.
fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |error: &std::io::Error| {
        Error::failed(format!("`{}` cannot be written", path.display())).caused_by(error)
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let file = fs::File::options().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(&error))
}

/// All of it or nothing.
fn replace(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("toml.partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        Error::failed(format!("`{}` cannot be written", path.display())).caused_by(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::{as_table, check_name, needs, template::Template};

    #[test]
    fn only_names_that_cargo_and_the_clouds_take_are_taken() {
        for good in ["orders", "a", "create-order", "a_b1"] {
            check_name(good).unwrap();
        }
        for wrong in [
            "",
            "Orders",
            "1a",
            "a-",
            "-a",
            "größe",
            "a b",
            "test",
            "omnifn",
            "a/b",
            &"a".repeat(41),
        ] {
            check_name(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_dependency_is_a_table_below_everything_else() {
        let written =
            as_table("omnifn = { path = \"/a, b\", features = [\"tower\", \"testing\"] }\n");
        let expected =
            "\n[dependencies.omnifn]\npath = \"/a, b\"\nfeatures = [\"tower\", \"testing\"]\n";
        assert_eq!(written, expected);
        assert_eq!(
            as_table("omnifn = { version = \"0.1.0\" }\n"),
            "\n[dependencies.omnifn]\nversion = \"0.1.0\"\n"
        );
    }

    #[test]
    fn what_a_template_needs_is_told_as_commands() {
        let axum = "cargo add axum && cargo add serde --features derive && cargo add --dev tokio --features macros,rt";
        assert_eq!(needs(Template::Axum), axum);
    }
}
