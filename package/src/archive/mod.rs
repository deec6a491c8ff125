//! Writing archives that depend on nothing but the names, modes and bytes of their files.

mod gzip;
mod image;
mod shim;
mod tar;
mod zip;

pub use image::{Blob, Image};
pub(crate) use shim::ENTRY_POINT;

use crate::{Kind, Result, Target, Tree};

/// An archive's bytes, and what an image has besides.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) image: Option<Image>,
    /// Names, modes and sizes of what is in it.
    pub(crate) files: Vec<File>,
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct File {
    /// Its path in the archive.
    pub path: String,
    /// Its size when unpacked, in bytes.
    pub size: u64,
    /// Its permissions, such as `0755`.
    #[serde(serialize_with = "octal")]
    pub mode: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn octal<S: serde::Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

/// Packs `tree`, which has the program as `bootstrap`, into the form that `target` takes.
pub(crate) fn pack(tree: &Tree, target: &Target) -> Result<Packed> {
    let mut files = Vec::with_capacity(tree.len());
    let (bytes, image) = match target.kind() {
        Kind::Bootstrap => (zip::write(tree, &mut files)?, None),
        Kind::Source => {
            let archive = tar::write(tree, "", &mut files)?;
            (gzip::compress(&archive)?, None)
        }
        Kind::Functions => {
            let mut tree = tree.clone();
            shim::add(&mut tree)?;
            (zip::write(&tree, &mut files)?, None)
        }
        Kind::Image => {
            let image = Image::new(tree, target.architecture(), &mut files)?;
            (image.layout()?, Some(image))
        }
    };
    Ok(Packed { bytes, image, files })
}
