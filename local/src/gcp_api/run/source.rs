//! Direct source: an archive out of a bucket, unpacked, and its program checked.

use super::deploy::Broken;
use crate::gcp_api::{Cloud, storage};
use flate2::read::GzDecoder;
use omnifn_package::{Architecture, Executable};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
};

/// What an archive may unpack to, and of how many files.
const MOST_UNPACKED: u64 = 2 * 1024 * 1024 * 1024;
const MOST_FILES: usize = 50_000;

/// Puts the archive's files into `directory`, and tells what is run.
pub(super) async fn import(
    cloud: &Cloud,
    place: &Value,
    container: &Value,
    directory: PathBuf,
) -> Result<Value, Broken> {
    let of = |field: &str| place[field].as_str().unwrap_or_default();
    let generation = place["generation"].as_str();
    let (object, sha256) = storage::find_object(cloud, of("bucket"), of("object"), generation)
        .map_err(|failure| {
            Broken::new(
                "CONTAINER_MISSING",
                format!("The source could not be read: {}", failure.message),
            )
        })?;
    let size = object["size"].as_str().and_then(|size| size.parse::<u64>().ok());
    if size.is_none_or(|size| size > super::LARGEST_SOURCE) {
        let message = format!("The source has more than {} bytes.", super::LARGEST_SOURCE);
        return Err(Broken::new("CONTAINER_MISSING", message));
    }
    let archive = cloud.blobs.path(&sha256);
    let command = command(container);
    blocking(move || {
        let unpacked = open(&archive).and_then(|file| unpack_any(file, &directory));
        unpacked.map_err(|why| Broken::new("CONTAINER_MISSING", format!("The source could not be unpacked: {why}.")))?;
        let program = within(&directory, &directory, &command[0]);
        let program = program.ok_or_else(|| outside(&command[0]))?;
        check(&program, &command[0])?;
        Ok(json!({"path": program, "arguments": command[1..], "directory": directory, "environment": {}}))
    })
    .await
}

/// `command` and `args`.
pub(super) fn command(container: &Value) -> Vec<String> {
    let of = |field: &str| container[field].as_array().cloned().unwrap_or_default();
    of("command")
        .iter()
        .chain(&of("args"))
        .filter_map(|word| Some(word.as_str()?.to_owned()))
        .collect()
}

pub(super) async fn blocking<T, W>(work: W) -> Result<T, Broken>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, Broken> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Broken::new("UNKNOWN", error.to_string())))
}

pub(super) fn open(archive: &Path) -> Result<File, String> {
    File::open(archive).map_err(|error| error.to_string())
}

/// A tar.gz, or the zip of Cloud Functions with its Go program.
fn unpack_any(mut file: File, directory: &Path) -> Result<(), String> {
    let mut magic = [0; 2];
    file.read_exact(&mut magic).map_err(|error| format!("it is empty ({error})"))?;
    file.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
    match &magic {
        b"PK" => unpack_zip(file, directory),
        [0x1f, 0x8b] => unpack(GzDecoder::new(file), directory),
        _ => Err("it is no tar.gz".to_owned()),
    }
}

fn unpack_zip(file: File, directory: &Path) -> Result<(), String> {
    let damaged = |error: &dyn std::error::Error| format!("the zip is damaged ({error})");
    let mut archive = zip::ZipArchive::new(file).map_err(|error| damaged(&error))?;
    let (mut unpacked, mut has_module) = (0, false);
    if archive.len() > MOST_FILES {
        return Err(format!("it has more than {MOST_FILES} files"));
    }
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = file.name().map_err(|error| damaged(&error))?.into_owned();
        let path = relative(Path::new(&name)).filter(|path| !path.as_os_str().is_empty());
        let path = path.ok_or_else(|| format!("`{}` would lead out of it", name.escape_debug()))?;
        if file.is_symlink() || file.encrypted() {
            return Err(format!("`{}` is a link, or encrypted", name.escape_debug()));
        }
        if file.is_dir() {
            continue;
        }
        has_module |= path == Path::new("go.mod");
        let mode = file.unix_mode().unwrap_or(0o644);
        let written =
            write(&mut (&mut file).take(MOST_UNPACKED - unpacked + 1), &directory.join(path), mode);
        unpacked += written.map_err(|error| format!("`{}`: {error}", name.escape_debug()))?;
        if unpacked > MOST_UNPACKED {
            return Err(format!("it unpacks to more than {MOST_UNPACKED} bytes"));
        }
    }
    if !has_module {
        return Err("it has no go.mod, so the runtime of Go cannot build it".to_owned());
    }
    Ok(())
}

/// Writes the files of a tar below `directory`: no links, no devices, no name that leads out.
pub(super) fn unpack(source: impl Read, directory: &Path) -> Result<(), String> {
    let damaged = |error: io::Error| format!("the tar is damaged ({error})");
    fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    // Headers and long names are beside the files themselves: they have bounds, too.
    let mut archive = tar::Archive::new(source.take(MOST_UNPACKED * 2));
    let (mut names, mut unpacked) = (BTreeSet::new(), 0);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let shown = path.display().to_string();
        let path = relative(&path)
            .ok_or_else(|| format!("`{}` would lead out of it", shown.escape_debug()))?;
        let kind = entry.header().entry_type();
        let target = directory.join(&path);
        if kind.is_dir() {
            fs::create_dir_all(&target).map_err(|error| format!("`{shown}`: {error}"))?;
            continue;
        }
        if !kind.is_file() {
            return Err(format!("`{}` is a link, or a device", shown.escape_debug()));
        }
        if names.len() >= MOST_FILES {
            return Err(format!("it has more than {MOST_FILES} files"));
        }
        if path.as_os_str().is_empty() || !names.insert(path) {
            return Err(format!(
                "it has two files called `{}`, or one without a name",
                shown.escape_debug()
            ));
        }
        let mode = entry.header().mode().map_err(damaged)?;
        let written = write(&mut (&mut entry).take(MOST_UNPACKED - unpacked + 1), &target, mode);
        unpacked += written.map_err(|error| format!("`{}`: {error}", shown.escape_debug()))?;
        if unpacked > MOST_UNPACKED {
            return Err(format!("it unpacks to more than {MOST_UNPACKED} bytes"));
        }
    }
    Ok(())
}

pub(super) fn write(source: &mut impl Read, target: &Path, mode: u32) -> io::Result<u64> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create_new(target)?;
    let written = io::copy(source, &mut file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Whoever runs this may always write, so that it can be removed.
        file.set_permissions(fs::Permissions::from_mode(mode & 0o777 | 0o200))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    Ok(written)
}

/// The path without `.`, if nothing in it leads elsewhere.
pub(super) fn relative(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

/// Where a command is found: below `root` if it is absolute, else below `working`.
pub(super) fn within(root: &Path, working: &Path, command: &str) -> Option<PathBuf> {
    let path = Path::new(command);
    match path.strip_prefix("/") {
        Ok(path) => Some(root.join(relative(path)?)),
        Err(_) => Some(working.join(relative(path)?)),
    }
}

pub(super) fn outside(command: &str) -> Broken {
    Broken::new(
        "HEALTH_CHECK_CONTAINER_ERROR",
        format!("The command `{}` leads out of the container.", command.escape_debug()),
    )
}

/// That the program is there, may be executed, and is one for Linux on x86-64, which is all that Cloud Run has.
pub(super) fn check(program: &Path, command: &str) -> Result<(), Broken> {
    let refuse = |why: String| {
        Err(Broken::new(
            "HEALTH_CHECK_CONTAINER_ERROR",
            format!("The command `{}` cannot be started: {why}.", command.escape_debug()),
        ))
    };
    let Ok(about) = fs::symlink_metadata(program) else {
        return refuse("there is no such file in the archive".to_owned());
    };
    if !about.is_file() {
        return refuse("it is no file".to_owned());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = about.permissions().mode() & 0o777;
        // The container's user is not the owner of the files (buildpacks `google_24/run.Dockerfile`: 33).
        if mode & 0o001 == 0 {
            return refuse(format!("it has mode {mode:04o}, but must have 0755"));
        }
    }
    let bytes = match fs::read(program) {
        Ok(bytes) => bytes,
        Err(error) => return refuse(error.to_string()),
    };
    match Executable::read(&bytes) {
        Ok(executable) if executable.architecture == Architecture::X86_64 => Ok(()),
        Ok(executable) => refuse(format!(
            "exec format error: it is for {}, but Cloud Run has x86_64",
            executable.architecture
        )),
        Err(unfit) => refuse(format!("exec format error: {unfit}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{unpack, within};
    use std::{fs, path::Path};

    fn tar(name: &str, kind: tar::EntryType) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        // Not by `set_path`, which refuses what is tested here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        let size = usize::from(kind.is_file());
        header.set_size(size as u64);
        header.set_mode(0o755);
        if kind.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &b"x"[..size]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn nothing_leaves_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        for name in ["../out", "/out", "a/../../out"] {
            let error = unpack(&tar(name, tar::EntryType::Regular)[..], &inside).unwrap_err();
            assert!(error.contains("lead out"), "{error}");
        }
        let error = unpack(&tar("link", tar::EntryType::Symlink)[..], &inside).unwrap_err();
        assert!(error.contains("link"), "{error}");
        assert!(!directory.path().join("out").exists());
        unpack(&tar("./bin/run", tar::EntryType::Regular)[..], &inside).unwrap();
        assert_eq!(fs::read(inside.join("bin/run")).unwrap(), b"x");
    }

    #[test]
    fn a_command_stays_in_its_container() {
        let (root, working) = (Path::new("/r"), Path::new("/r/workspace"));
        assert_eq!(within(root, working, "./a").as_deref(), Some(Path::new("/r/workspace/a")));
        assert_eq!(within(root, working, "/bin/a").as_deref(), Some(Path::new("/r/bin/a")));
        assert_eq!(within(root, working, "../../a"), None);
    }
}
