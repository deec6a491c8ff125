//! A function's archive: from where it comes, what is taken, and where it is unpacked.

use super::function::Code;
use crate::aws_api::{
    Cloud,
    error::Fault,
    state::{hex, write_whole},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{self, Cursor, Read as _},
    path::{Component, Path, PathBuf},
};
use zip::ZipArchive;

/// Sent with the call, in bytes.
const LARGEST_ZIPPED: usize = 52_428_800;
/// Unpacked, in bytes.
const LARGEST_UNZIPPED: u64 = 262_144_000;
/// Files and folders in an archive: more is taken for an attack.
const MOST_ENTRIES: usize = 50_000;
/// The longest target of a symbolic link.
const LONGEST_LINK: u64 = 4_096;

/// The code that a call names, unpacked and kept.
pub(super) fn take(
    cloud: &Cloud,
    source: &Map<String, Value>,
    architecture: String,
    keep: bool,
) -> Result<Code, Fault> {
    let archive = archive(cloud, source)?;
    let digest = Sha256::digest(&archive);
    let code = Code {
        digest: hex(&digest),
        sha256: BASE64_STANDARD.encode(digest),
        size: archive.len() as u64,
        architecture,
    };
    let folder = folder(cloud, &code);
    if !folder.exists() {
        let part = folder.with_extension("unpacking");
        fs::remove_dir_all(&part).ok();
        fs::create_dir_all(&part).map_err(Fault::internal)?;
        let unpacked = unpack(&archive, &part);
        if unpacked.is_err() || !keep {
            fs::remove_dir_all(&part).ok();
        }
        unpacked?;
        if keep {
            write_whole(&folder.with_extension("zip"), &archive).map_err(Fault::internal)?;
            fs::rename(&part, &folder).map_err(Fault::internal)?;
        }
    }
    Ok(code)
}

/// Where the code is unpacked.
pub(in crate::aws_api) fn folder(cloud: &Cloud, code: &Code) -> PathBuf {
    cloud.directory.join("code").join(&code.digest)
}

/// Removes code that no version of any function has any longer.
pub(super) fn forget(cloud: &Cloud, codes: &[Code]) {
    let functions = cloud.functions.all();
    let versions = cloud.versions.all();
    for code in codes {
        let latest = functions.iter().map(|(_, function)| &function.latest);
        let is_used = latest
            .chain(versions.iter().map(|(_, version)| version))
            .any(|version| version.code.digest == code.digest);
        if !is_used {
            let folder = folder(cloud, code);
            fs::remove_file(folder.with_extension("zip")).ok();
            fs::remove_dir_all(folder).ok();
        }
    }
}

fn archive(cloud: &Cloud, source: &Map<String, Value>) -> Result<Bytes, Fault> {
    let text = |name: &str| source.get(name).and_then(Value::as_str);
    if text("ImageUri").is_some() {
        return Err(Fault::parameter("container images do not run here: send a zip archive"));
    }
    match (text("ZipFile"), text("S3Bucket"), text("S3Key")) {
        (Some(encoded), None, None) => {
            let archive = BASE64_STANDARD.decode(encoded).map_err(|_| unreadable())?;
            if archive.len() > LARGEST_ZIPPED {
                let message = format!("Zipped size must be smaller than {LARGEST_ZIPPED} bytes");
                return Err(Fault::parameter(message));
            }
            Ok(archive.into())
        }
        (None, Some(bucket), Some(key)) => {
            let object = crate::aws_api::s3::read(cloud, bucket, key).map_err(|fault| {
                Fault::parameter(format!(
                    "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                    fault.code, fault.message
                ))
            })?;
            if object.len() as u64 > LARGEST_UNZIPPED {
                return Err(too_large());
            }
            Ok(object)
        }
        (None, None, None) => Err(Fault::parameter("Please provide a source for function code.")),
        _ => Err(Fault::parameter(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
    }
}

fn unpack(archive: &[u8], folder: &Path) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|_| unreadable())?;
    if archive.is_empty() {
        return Err(Fault::parameter("Uploaded file must be a non-empty zip"));
    }
    if archive.len() > MOST_ENTRIES {
        let message =
            format!("the archive has {} entries, more than {MOST_ENTRIES}", archive.len());
        return Err(Fault::parameter(message));
    }
    let mut left = LARGEST_UNZIPPED;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|_| unreadable())?;
        let name = entry.name().map_err(|_| unreadable())?.into_owned();
        let path = PathBuf::from(&name);
        let is_inside =
            path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside || name.is_empty() || name.contains(['\0', '\\']) {
            return Err(outside(&name));
        }
        let path = folder.join(path);
        if entry.is_dir() {
            fs::create_dir_all(&path).map_err(|error| unpackable(&name, &error))?;
            continue;
        }
        if entry.is_symlink() {
            let mut target = String::new();
            let read = entry.take(LONGEST_LINK).read_to_string(&mut target);
            read.map_err(|error| unpackable(&name, &error))?;
            if !stays_inside(Path::new(&name), Path::new(&target)) {
                return Err(outside(&format!("{name} -> {target}")));
            }
            links.push((name, path, target));
            continue;
        }
        let mode = entry.unix_mode().unwrap_or(0o644);
        let written = write(&mut (&mut entry).take(left + 1), &path, mode);
        let written = written.map_err(|error| unpackable(&name, &error))?;
        left = left.checked_sub(written).ok_or_else(too_large)?;
    }
    // Last, so that nothing was written through one of them.
    for (name, path, target) in links {
        link(&target, &path).map_err(|error| unpackable(&name, &error))?;
    }
    Ok(())
}

fn write(entry: &mut impl io::Read, path: &Path, mode: u32) -> io::Result<u64> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::File::create_new(path)?;
    let written = io::copy(entry, &mut file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Ours to read, whatever the archive says; never with the set-user-id bits.
        file.set_permissions(fs::Permissions::from_mode(mode & 0o777 | 0o400))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    Ok(written)
}

/// Whether a link at `name` to `target` leads to something in the same archive.
fn stays_inside(name: &Path, target: &Path) -> bool {
    let mut depth = name.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    !target.as_os_str().is_empty()
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_: &str, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "symbolic links need a Unix system"))
}

fn unreadable() -> Fault {
    Fault::parameter(
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
}

fn too_large() -> Fault {
    Fault::parameter(format!("Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes"))
}

fn outside(name: &str) -> Fault {
    Fault::parameter(format!(
        "Could not unzip uploaded file: `{name}` leads out of the archive, or is no path"
    ))
}

fn unpackable(name: &str, error: &io::Error) -> Fault {
    Fault::parameter(format!("Could not unzip uploaded file: `{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{stays_inside, unpack};
    use std::{fs, io::Write as _, path::Path};
    use zip::{ZipWriter, write::SimpleFileOptions};

    fn zipped(fill: impl FnOnce(&mut ZipWriter<std::io::Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        fill(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    fn refusal(archive: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let fault = unpack(archive, &inside).unwrap_err();
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(names, [inside], "something was written outside");
        assert_eq!(fault.code, "InvalidParameterValueException");
        fault.message
    }

    #[test]
    fn an_archive_that_leaves_its_folder_is_refused() {
        for name in ["../evil", "/tmp/evil", "a/../../evil", "a\\..\\evil"] {
            let archive = zipped(|zip| {
                zip.start_file(name, SimpleFileOptions::default()).unwrap();
                zip.write_all(b"x").unwrap();
            });
            let message = refusal(&archive);
            assert!(message.contains("leads out of the archive"), "{name}: {message}");
        }
        for target in ["../evil", "/etc/passwd"] {
            let archive = zipped(|zip| {
                zip.add_symlink("link", target, SimpleFileOptions::default()).unwrap();
            });
            assert!(refusal(&archive).contains("link -> "));
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let archive = zipped(|zip| {
            zip.add_symlink("a", ".", SimpleFileOptions::default()).unwrap();
            zip.start_file("a/file", SimpleFileOptions::default()).unwrap();
        });
        assert!(refusal(&archive).contains("`a`"));
        assert!(stays_inside(Path::new("a/b"), Path::new("../c")));
        assert!(!stays_inside(Path::new("a/b"), Path::new("../../c")));
    }

    #[test]
    fn an_archive_that_unpacks_to_too_much_is_refused() {
        let archive = zipped(|zip| {
            zip.start_file("zeros", SimpleFileOptions::default()).unwrap();
            let zeros = vec![0; 1024 * 1024];
            for _ in 0..251 {
                zip.write_all(&zeros).unwrap();
            }
        });
        assert!(archive.len() < 1024 * 1024, "{}", archive.len());
        assert_eq!(refusal(&archive), "Unzipped size must be smaller than 262144000 bytes");
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(refusal(b"hello").starts_with("Could not unzip uploaded file."));
        assert_eq!(refusal(&zipped(|_| {})), "Uploaded file must be a non-empty zip");
    }
}
