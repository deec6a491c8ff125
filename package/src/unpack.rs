//! Reading archives of any origin, in bounds, without writing anything of them anywhere.

use crate::{
    Executable, File, Kind, Result, digest,
    elf::Unfit,
    tree::{MOST_FILES, is_name},
};
use flate2::read::GzDecoder;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read},
};

/// The largest archive that is read, packed and unpacked: above all limits of clouds, below what takes long.
pub(crate) const LARGEST: u64 = 1024 * 1024 * 1024;

/// What unpacking finds.
pub(crate) struct Contents {
    /// The most that it may unpack to.
    most: u64,
    pub(crate) files: Vec<File>,
    names: BTreeSet<String>,
    pub(crate) program: Option<Result<Executable, Unfit>>,
    unpacked: u64,
}

impl Contents {
    pub(crate) fn new(most: u64) -> Self {
        let (files, names) = (Vec::new(), BTreeSet::new());
        Self { most, files, names, program: None, unpacked: 0 }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Kind, String> {
        const TAR_MAGIC: &[u8] = b"ustar";
        if bytes.starts_with(b"PK") {
            self.read_zip(bytes)?;
            let is_functions = self.names.contains("go.mod");
            Ok(if is_functions { Kind::Functions } else { Kind::Bootstrap })
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            self.read_tar(GzDecoder::new(bytes), "bootstrap")?;
            Ok(Kind::Source)
        } else if bytes.get(257..).is_some_and(|rest| rest.starts_with(TAR_MAGIC)) {
            self.read_image(bytes)?;
            Ok(Kind::Image)
        } else {
            Err("it is neither a zip, nor a tar.gz, nor the tar of an OCI image".to_owned())
        }
    }

    fn read_zip(&mut self, bytes: &[u8]) -> Result<(), String> {
        let damaged = |error: &dyn std::error::Error| format!("the zip is damaged ({error})");
        let mut archive =
            zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).map_err(|error| damaged(&error))?;
            let name = file.name().map_err(|error| damaged(&error))?.into_owned();
            if file.is_symlink() || file.encrypted() {
                return Err(format!("`{}` is a link, or encrypted", name.escape_debug()));
            }
            if !file.is_dir() {
                let mode = file.unix_mode().unwrap_or(0o644);
                self.add(&name, mode, &mut file, "bootstrap")?;
            } else if !is_name(name.trim_end_matches('/')) {
                return Err(outside(&name));
            }
        }
        Ok(())
    }

    fn read_tar(&mut self, source: impl Read, program: &str) -> Result<(), String> {
        let damaged = |error: io::Error| format!("the tar is damaged ({error})");
        // Headers and long names are beside the files themselves: they have bounds, too.
        let mut archive = tar::Archive::new(source.take(self.most.saturating_mul(2)));
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let name = String::from_utf8(entry.path_bytes().into_owned());
            let name = name.map_err(|_| "it has a name that is not UTF-8".to_owned())?;
            let kind = entry.header().entry_type();
            let short = name.trim_start_matches("./").trim_end_matches('/');
            if kind.is_dir() {
                if !short.is_empty() && !is_name(short) {
                    return Err(outside(&name));
                }
            } else if kind.is_file() {
                let mode = entry.header().mode().map_err(damaged)?;
                let short = short.to_owned();
                self.add(&short, mode, &mut entry, program)?;
            } else {
                return Err(format!("`{}` is a link, or a device", name.escape_debug()));
            }
        }
        Ok(())
    }

    fn read_image(&mut self, bytes: &[u8]) -> Result<(), String> {
        let index: Index = json(find(bytes, "index.json")?)?;
        let [manifest] = &index.manifests[..] else {
            return Err("it has other than one image".to_owned());
        };
        let manifest: Manifest = json(blob(bytes, manifest)?)?;
        let [layer] = &manifest.layers[..] else {
            return Err("its image has other than one layer".to_owned());
        };
        self.read_tar(GzDecoder::new(blob(bytes, layer)?), "workspace/bootstrap")
    }

    fn add(
        &mut self,
        name: &str,
        mode: u32,
        source: &mut impl Read,
        program: &str,
    ) -> Result<(), String> {
        if !is_name(name) {
            return Err(outside(name));
        }
        if self.files.len() >= MOST_FILES {
            return Err(format!("it has more than {MOST_FILES} files"));
        }
        if !self.names.insert(name.to_owned()) {
            return Err(format!("it has two files called `{name}`"));
        }
        let mut source = source.take(self.most - self.unpacked + 1);
        let damaged = |error: io::Error| format!("`{name}` cannot be unpacked ({error})");
        let size = if name == program {
            let mut bytes = Vec::new();
            let size = source.read_to_end(&mut bytes).map_err(damaged)?;
            self.program = Some(Executable::read(&bytes));
            size as u64
        } else {
            io::copy(&mut source, &mut io::sink()).map_err(damaged)?
        };
        self.unpacked += size;
        if self.unpacked > self.most {
            return Err(format!("it unpacks to more than {} bytes", self.most));
        }
        self.files.push(File { path: name.to_owned(), size, mode: mode & 0o7777 });
        Ok(())
    }
}

fn outside(name: &str) -> String {
    format!("`{}` would lead out of it, or is no name of a file", name.escape_debug())
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

fn json<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the image is damaged ({error})"))
}

/// The blob that a descriptor names, if its digest is right.
fn blob<'a>(bytes: &'a [u8], descriptor: &Descriptor) -> Result<&'a [u8], String> {
    let digest = &descriptor.digest;
    let found = find(bytes, &format!("blobs/{}", digest.replacen(':', "/", 1)))?;
    if format!("sha256:{}", digest::hex(&digest::sha256(found))) == *digest {
        Ok(found)
    } else {
        Err(format!("the image is damaged (`{digest}` has another digest)"))
    }
}

/// A file of a tar that lies in memory.
fn find<'a>(bytes: &'a [u8], name: &str) -> Result<&'a [u8], String> {
    let damaged = |error: io::Error| format!("the tar is damaged ({error})");
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if entry.path_bytes() == name.as_bytes() {
            let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
            let length = usize::try_from(entry.size()).unwrap_or(usize::MAX);
            let end = start.saturating_add(length);
            return bytes.get(start..end).ok_or_else(|| format!("`{name}` is cut off"));
        }
    }
    Err(format!("it has no `{}`", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::Contents;
    use flate2::{Compression, write::GzEncoder};
    use std::io::{Cursor, Write as _};
    use zip::{ZipWriter, write::SimpleFileOptions};

    #[test]
    fn a_bomb_does_not_go_off() {
        const MOST: u64 = 100_000;
        let nothing = vec![0; 1_000_000];
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["bootstrap", "other"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(&nothing[..60_000]).unwrap();
        }
        let zip = writer.finish().unwrap().into_inner();
        let error = Contents::new(MOST).read(&zip).unwrap_err();
        assert_eq!(error, "it unpacks to more than 100000 bytes");

        let mut header = tar::Header::new_gnu();
        header.set_path("bomb").unwrap();
        header.set_size(u64::MAX / 2);
        header.set_mode(0o644);
        header.set_cksum();
        let mut writer = GzEncoder::new(Vec::new(), Compression::best());
        writer.write_all(header.as_bytes()).unwrap();
        writer.write_all(&nothing).unwrap();
        let tar = writer.finish().unwrap();
        let mut contents = Contents::new(MOST);
        let error = contents.read(&tar).unwrap_err();
        assert_eq!(error, "it unpacks to more than 100000 bytes");
        assert!(contents.unpacked <= MOST + 1);
    }
}
