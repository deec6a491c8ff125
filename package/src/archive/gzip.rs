use crate::{Error, Result};
use flate2::{Compression, GzBuilder};
use std::io::Write as _;

/// gzip without a name and a time, from no particular system.
pub(super) fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    const UNKNOWN_SYSTEM: u8 = 255;
    let mut writer = GzBuilder::new()
        .mtime(0)
        .operating_system(UNKNOWN_SYSTEM)
        .write(Vec::with_capacity(bytes.len() / 2), Compression::best());
    writer
        .write_all(bytes)
        .and_then(|()| writer.finish())
        .map_err(|error| Error::write("archive", error))
}
