use crate::{
    Base, Error, Executable, File, Image, Limit, Provider, Result, Target, Tree,
    archive::{self, Packed},
    cache::Cache,
    digest,
    elf::Glibc,
    limits::{self, Above, Measure},
    target::{Architecture, Kind},
    tree::{Content, Entry},
};
use omnifn_core::ManifestFunction;
use serde::{Serialize, Serializer};
use std::{
    fmt, fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// An archive that a cloud takes as it is, and all that is known about it. Serialised it is a summary, without the
/// archive's bytes.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Artifact {
    /// The package that it was built from; the binary's name where there was none.
    pub package: String,
    /// The binary in it.
    pub binary: String,
    /// The functions of the binary, where it runs here and tells them. Which of them runs is chosen when the archive is
    /// deployed (`OMNIFN_FUNCTION`): one archive serves all.
    pub functions: Option<Vec<ManifestFunction>>,
    /// The cloud that it is for.
    pub provider: Provider,
    /// The processor that it is for.
    pub architecture: Architecture,
    /// Its form.
    pub kind: Kind,
    /// The image that it was checked against.
    pub base: &'static Base,
    /// The name that its file should have.
    pub file_name: &'static str,
    /// Its size, in bytes.
    pub size: u64,
    /// The size of all files in it.
    pub unpacked_size: u64,
    /// The SHA-256 of the archive, in hexadecimal digits.
    pub sha256: String,
    /// The same in base64, as Lambda's `CodeSha256`.
    pub code_sha256: String,
    /// The glibc that the program needs; nothing where it is linked statically.
    pub glibc: Option<Glibc>,
    /// The shared libraries that it needs.
    pub libraries: Vec<String>,
    /// What is in it.
    pub files: Vec<File>,
    /// What may go wrong.
    pub warnings: Vec<Warning>,
    /// The archive.
    #[serde(skip)]
    pub archive: Vec<u8>,
    /// The parts of the image, where it is one: what a registry takes.
    #[serde(skip)]
    pub image: Option<Image>,
}

/// Without the archive's bytes.
impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("binary", &self.binary)
            .field("provider", &self.provider)
            .field("architecture", &self.architecture)
            .field("kind", &self.kind)
            .field("size", &self.size)
            .field("sha256", &self.sha256)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// What does not stand in the way, but should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The program needs a library that the image is not known to have.
    Library {
        /// Its name.
        library: String,
        /// The image.
        base: &'static str,
    },
    /// Larger than the usual way of uploading takes.
    Large {
        /// Its size, in bytes.
        size: u64,
        /// The limit.
        limit: &'static Limit,
    },
    /// Paths of this machine are in the program, so that it differs elsewhere.
    Path {
        /// The path.
        path: PathBuf,
    },
    /// A panic would end the process, and nobody would hear of it.
    PanicAbort,
    /// The program runs here, but does not tell its functions.
    Manifest {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library { library, base } => {
                write!(f, "it needs `{library}`, which `{base}` is not known to have")
            }
            Self::Large { size, limit } => write!(
                f,
                "the {} has {size} bytes, more than {}: {}",
                limit.measure.as_str(),
                limit.bytes,
                limit.remedy
            ),
            Self::Path { path } => write!(
                f,
                "`{}` is written in the program, which is therefore another one elsewhere: `env!`, a build script or C \
                 code put it there",
                path.display()
            ),
            Self::PanicAbort => f.write_str(
                "the profile has `panic = \"abort\"`: a panic ends the instance, and its report is lost",
            ),
            Self::Manifest { reason } => write!(f, "it does not tell its functions: {reason}"),
        }
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A program that is built already, and what is to be packed with it.
///
/// [`Build`](crate::Build) makes these from function crates. Whoever builds in another way begins here:
///
/// ```no_run
/// use omnifn_package::{Architecture, Program, Target};
/// let mut program = Program::new("target/x86_64-unknown-linux-musl/release/orders");
/// program.include = vec!["assets".to_owned()];
/// program.root = "functions/orders".into();
/// let artifact = program.pack(&Target::aws(Architecture::X86_64))?;
/// println!("{} {}", artifact.size, artifact.sha256);
/// artifact.write_to("dist".as_ref())?;
/// # Ok::<(), omnifn_package::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Program {
    /// The executable file.
    pub path: PathBuf,
    /// The package that it comes from.
    pub package: String,
    /// The binary's name.
    pub binary: String,
    /// Files to pack with it that are not below `root`.
    pub files: Tree,
    /// Files and folders to pack with it, as paths below `root`.
    pub include: Vec<String>,
    /// The package's directory; without one, the current one.
    pub root: PathBuf,
    /// Its functions, where they are known.
    pub functions: Option<Vec<ManifestFunction>>,
    /// What is known to be amiss.
    pub warnings: Vec<Warning>,
}

impl Program {
    /// The program at `path`, alone; named after its file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { path, package: name.clone(), binary: name, ..Self::default() }
    }

    /// Checks it and packs it.
    ///
    /// # Errors
    /// When it does not start on the target's image, something to be included cannot be, or the archive is larger
    /// than the cloud takes.
    pub fn pack(&self, target: &Target) -> Result<Artifact> {
        self.pack_with(target, None)
    }

    /// The same, but an archive of the same files is not packed again.
    pub(crate) fn pack_with(&self, target: &Target, cache: Option<&Cache>) -> Result<Artifact> {
        let bytes = fs::read(&self.path).map_err(|error| Error::read(&self.path, error))?;
        let executable = Executable::read(&bytes)
            .map_err(|reason| Error::Unfit { path: self.path.clone(), reason })?;
        let mut warnings = self.warnings.clone();
        warnings.extend(executable.verify(target, &self.path)?);
        let mut tree = self.files.clone();
        let content = Content::Bytes(bytes.into());
        tree.insert("bootstrap", Entry { is_executable: true, content })?;
        let here = Path::new(".");
        let root = if self.root.as_os_str().is_empty() { here } else { &self.root };
        for include in &self.include {
            tree.include(root, include)?;
        }
        let unpacked_size = tree.size()?;
        if unpacked_size > MOST_UNPACKED {
            return Err(Error::Memory { size: unpacked_size, most: MOST_UNPACKED });
        }
        // Before the work of packing, and again by what came out of it.
        warnings.extend(check_size(target.kind(), Measure::Unpacked, unpacked_size)?);
        let pack = || archive::pack(&tree, target);
        let packed = match cache {
            Some(cache) => {
                let form = format!("{}-{}-{}", self.binary, target.kind(), target.architecture());
                cache.archive_or(&form, &form, &tree, pack)?
            }
            None => pack()?,
        };
        let Packed { bytes: archive, image, files } = packed;
        let size = archive.len() as u64;
        warnings.extend(check_size(target.kind(), Measure::Archive, size)?);
        let sha256 = digest::sha256(&archive);
        Ok(Artifact {
            package: self.package.clone(),
            binary: self.binary.clone(),
            functions: self.functions.clone(),
            provider: target.provider(),
            architecture: target.architecture(),
            kind: target.kind(),
            base: target.base(),
            file_name: target.kind().file_name(),
            size,
            unpacked_size: files.iter().map(|file| file.size).sum(),
            sha256: digest::hex(&sha256),
            code_sha256: digest::base64(&sha256),
            glibc: executable.glibc,
            libraries: executable.libraries,
            files,
            warnings,
            archive,
            image,
        })
    }
}

/// Archives are packed in memory.
const MOST_UNPACKED: u64 = 2 * 1024 * 1024 * 1024;

/// Compares with the limits of this kind.
fn check_size(kind: Kind, measure: Measure, size: u64) -> Result<Option<Warning>> {
    let mut limits = limits::of(kind).filter(|limit| limit.measure == measure);
    let Some(limit) = limits.find(|limit| size > limit.bytes) else { return Ok(None) };
    match limit.above {
        Above::Detour => Ok(Some(Warning::Large { size, limit })),
        Above::Refused => Err(Error::TooLarge {
            what: measure.as_str(),
            size,
            limit: limit.bytes,
            provider: limit.provider,
            remedy: limit.remedy,
        }),
    }
}

impl Artifact {
    /// Writes the archive into `directory`, which is made if it is not there: all of it or nothing. Returns where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_to(&self, directory: &Path) -> Result<PathBuf> {
        let path = directory.join(self.file_name);
        let failed = |error| Error::write(&path, error);
        fs::create_dir_all(directory).map_err(failed)?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // Less what the umask takes away, as for any file.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.prefix(".omnifn-").tempfile_in(directory).map_err(failed)?;
        file.write_all(&self.archive).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Measure, check_size};
    use crate::Kind;

    #[test]
    fn above_a_limit_it_is_refused_or_goes_another_way() {
        const MIB: u64 = 1024 * 1024;
        let check = |kind, measure, size| match check_size(kind, measure, size) {
            Ok(warning) => warning.map(|warning| format!("warning: {warning}")),
            Err(error) => Some(error.to_string()),
        };
        assert_eq!(check(Kind::Bootstrap, Measure::Archive, 50 * MIB), None);
        assert_eq!(
            check(Kind::Bootstrap, Measure::Archive, 50 * MIB + 1).unwrap(),
            "warning: the archive has 52428801 bytes, more than 52428800: upload it through S3"
        );
        assert_eq!(
            check(Kind::Bootstrap, Measure::Unpacked, 250 * MIB + 1).unwrap(),
            "the unpacked archive has 262144001 bytes, but aws allows 262144000: strip the binary, or include less"
        );
        assert_eq!(
            check(Kind::Source, Measure::Archive, 300 * MIB).unwrap(),
            "the archive has 314572800 bytes, but gcp allows 262144000: strip the binary, include less, or use the kind \
             `image`"
        );
        assert_eq!(check(Kind::Image, Measure::Archive, 10_000 * MIB), None);
    }
}
