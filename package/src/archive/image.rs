use super::{File, gzip, tar};
use crate::{Architecture, Error, Result, Tree, digest};
use serde::Serialize;
use std::{fmt, io};

/// An OCI image of one layer that any registry takes: no Docker has a part in it.
///
/// The program lies in `/workspace` and starts there as the user 33, as on Google's own images. Programs that are linked
/// dynamically need an image below that has glibc: on Cloud Run `baseImageUri: osonly24` adds it.
/// Source: OCI image specification 1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// The files: a tar, compressed.
    pub layer: Blob,
    /// How it starts.
    pub config: Blob,
    /// What names the two.
    pub manifest: Blob,
}

/// A part of an image, as a registry keeps it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blob {
    /// What it is.
    pub media_type: &'static str,
    /// `sha256:` and 64 hexadecimal digits: its name in the registry.
    pub digest: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Without the bytes.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("media_type", &self.media_type)
            .field("digest", &self.digest)
            .field("size", &self.bytes.len())
            .finish()
    }
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let digest = format!("sha256:{}", digest::hex(&digest::sha256(&bytes)));
        Self { media_type, digest, bytes }
    }

    fn json(media_type: &'static str, value: &impl Serialize) -> Result<Self> {
        Ok(Self::new(media_type, to_json(value)?))
    }

    fn descriptor(&self) -> Descriptor<'_> {
        Descriptor {
            media_type: self.media_type,
            digest: &self.digest,
            size: self.bytes.len() as u64,
        }
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

// Structs, since the order of their keys is part of the digest.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
struct Config<'a> {
    architecture: &'a str,
    os: &'a str,
    created: &'a str,
    config: Start<'a>,
    rootfs: Layers<'a>,
    history: [History<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start<'a> {
    entrypoint: [String; 1],
    #[serde(rename = "WorkingDir")]
    working_directory: String,
    user: &'a str,
}

#[derive(Serialize)]
struct Layers<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct History<'a> {
    created: &'a str,
    created_by: &'a str,
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::write("archive", error.into()))
}

const EPOCH: &str = "1970-01-01T00:00:00Z";

/// Where it lies, as on Google's images.
const FOLDER: &str = "workspace";

impl Image {
    pub(super) fn new(
        tree: &Tree,
        architecture: Architecture,
        files: &mut Vec<File>,
    ) -> Result<Self> {
        let archive = tar::write(tree, FOLDER, files)?;
        let layer = Blob::new(LAYER, gzip::compress(&archive)?);
        let config = Blob::json(
            CONFIG,
            &Config {
                architecture: architecture.as_oci(),
                os: "linux",
                created: EPOCH,
                config: Start {
                    entrypoint: [format!("/{FOLDER}/bootstrap")],
                    working_directory: format!("/{FOLDER}"),
                    user: "33:33",
                },
                rootfs: Layers {
                    kind: "layers",
                    diff_ids: [format!("sha256:{}", digest::hex(&digest::sha256(&archive)))],
                },
                history: [History { created: EPOCH, created_by: "omnifn" }],
            },
        )?;
        let manifest = Blob::json(
            MANIFEST,
            &Manifest {
                schema_version: 2,
                media_type: MANIFEST,
                config: config.descriptor(),
                layers: [layer.descriptor()],
            },
        )?;
        Ok(Self { layer, config, manifest })
    }

    /// The image as one file: the tar of an OCI layout, which `skopeo`, `podman` and `crane` read.
    pub(super) fn layout(&self) -> Result<Vec<u8>> {
        let index = to_json(&Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: [self.manifest.descriptor()],
        })?;
        let mut blobs = [&self.layer, &self.config, &self.manifest];
        blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
        let mut builder = ::tar::Builder::new(Vec::with_capacity(self.layer.bytes.len() + 8192));
        let written = (|| -> io::Result<Vec<u8>> {
            for blob in blobs {
                let path = format!("blobs/{}", blob.digest.replace(':', "/"));
                tar::append(&mut builder, &path, &blob.bytes)?;
            }
            tar::append(&mut builder, "index.json", &index)?;
            tar::append(&mut builder, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
            builder.into_inner()
        })();
        written.map_err(|error| Error::write("archive", error))
    }
}
