use super::File;
use crate::{Error, Result, Tree};
use std::{collections::BTreeSet, io};
use tar::{Builder, EntryType, Header};

/// A tar of root's files, all from 1970. Below `folder`, where that is not empty, with the folders that images need.
pub(super) fn write(tree: &Tree, folder: &str, files: &mut Vec<File>) -> Result<Vec<u8>> {
    let failed = |error: io::Error| Error::write("archive", error);
    let mut builder = Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for (name, entry) in tree.iter() {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if !folder.is_empty() {
            for (end, _) in path.match_indices('/') {
                if folders.insert(path[..end].to_owned()) {
                    let mut header = header(EntryType::Directory, 0o755, 0);
                    builder
                        .append_data(&mut header, format!("{}/", &path[..end]), io::empty())
                        .map_err(failed)?;
                }
            }
        }
        let bytes = entry.read()?;
        let size = bytes.len() as u64;
        let mut header = header(EntryType::Regular, entry.mode(), size);
        builder.append_data(&mut header, &path, &*bytes).map_err(failed)?;
        files.push(File { path, size, mode: entry.mode() });
    }
    builder.into_inner().map_err(failed)
}

/// Adds a file as it is: what a layout of OCI is made of.
pub(super) fn append(builder: &mut Builder<Vec<u8>>, path: &str, bytes: &[u8]) -> io::Result<()> {
    builder.append_data(&mut header(EntryType::Regular, 0o644, bytes.len() as u64), path, bytes)
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    // Names over 100 bytes: GNU's form has no limit, and every reader knows it.
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
