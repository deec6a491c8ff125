use super::File;
use crate::{Error, Result, Tree};
use std::io::{self, Cursor, Write as _};
use zip::{CompressionMethod, DateTime, System, ZipWriter, write::SimpleFileOptions};

/// A zip of files that all are from 1980, the first year that a zip knows.
pub(super) fn write(tree: &Tree, files: &mut Vec<File>) -> Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, entry) in tree.iter() {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            // Wherever it is packed: else the modes would not count.
            .system(System::Unix)
            .last_modified_time(DateTime::default())
            .unix_permissions(entry.mode());
        let bytes = entry.read()?;
        writer.start_file(name, options).map_err(failed)?;
        writer.write_all(&bytes).map_err(|error| Error::write("archive", error))?;
        let size = bytes.len() as u64;
        files.push(File { path: name.to_owned(), size, mode: entry.mode() });
    }
    writer.finish().map(Cursor::into_inner).map_err(failed)
}

fn failed(error: zip::result::ZipError) -> Error {
    Error::write("archive", io::Error::other(error))
}
