use crate::{
    Architecture, Error, Executable, File, Glibc, Kind, Limit, Provider, Result, Target, base,
    digest,
    elf::Unfit,
    limits::{self, Measure},
    unpack::{Contents, LARGEST},
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is in an archive of a function, whoever made it, and which cloud takes it.
///
/// ```no_run
/// use omnifn_package::Inspection;
/// let inspection = Inspection::of("target/omnifn/orders/aws/bootstrap.zip".as_ref())?;
/// for fit in &inspection.fits {
///     println!("{} {}: {}", fit.provider, fit.base, fit.problem.as_deref().unwrap_or("yes"));
/// }
/// # Ok::<(), omnifn_package::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The archive.
    pub path: PathBuf,
    /// Its form.
    pub kind: Kind,
    /// Its size, in bytes.
    pub size: u64,
    /// The size of all files in it.
    pub unpacked_size: u64,
    /// The SHA-256 of the archive, in hexadecimal digits.
    pub sha256: String,
    /// The same in base64, as Lambda's `CodeSha256`.
    pub code_sha256: String,
    /// The processor that its program is for.
    pub architecture: Option<Architecture>,
    /// The glibc that its program needs; nothing where it is linked statically.
    pub glibc: Option<Glibc>,
    /// The shared libraries that its program needs.
    pub libraries: Vec<String>,
    /// What is in it, in the order of their names.
    pub files: Vec<File>,
    /// The images that it could run on.
    pub fits: Vec<Fit>,
    /// The limits of its kind.
    pub limits: Vec<Limit>,
}

/// Whether an archive runs on an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fit {
    /// The cloud.
    pub provider: Provider,
    /// Its image.
    pub base: &'static str,
    /// Why it does not, if it does not.
    pub problem: Option<String>,
    /// What may go wrong if it does.
    pub warnings: Vec<String>,
}

impl Inspection {
    /// Reads the archive at `path` without writing anything of it anywhere. Whoever made it: names that lead out of it,
    /// links and sizes that were made to harm are errors.
    ///
    /// # Errors
    /// When it cannot be read, or is no archive of a function.
    pub fn of(path: &Path) -> Result<Self> {
        let read = |error| Error::read(path, error);
        let size = fs::metadata(path).map_err(read)?.len();
        let wrong = |message: String| Error::NotArchive { path: path.to_owned(), message };
        if size > LARGEST {
            return Err(wrong(format!("it has {size} bytes, more than any cloud takes")));
        }
        let bytes = fs::read(path).map_err(read)?;
        let mut contents = Contents::new(LARGEST);
        let kind = contents.read(&bytes).map_err(wrong)?;
        let sha256 = digest::sha256(&bytes);
        let mut files = contents.files;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let unpacked_size = files.iter().map(|file| file.size).sum();
        let fits = fits(kind, [size, unpacked_size], contents.program.as_ref(), &files);
        let program = contents.program.and_then(Result::ok);
        Ok(Self {
            path: path.to_owned(),
            kind,
            size,
            unpacked_size,
            sha256: digest::hex(&sha256),
            code_sha256: digest::base64(&sha256),
            architecture: program.as_ref().map(|program| program.architecture),
            glibc: program.as_ref().and_then(|program| program.glibc.clone()),
            libraries: program.map(|program| program.libraries).unwrap_or_default(),
            files,
            fits,
            limits: limits::of(kind).copied().collect(),
        })
    }
}

/// The images of the clouds that take this kind, and whether the program runs there.
fn fits(
    kind: Kind,
    [size, unpacked]: [u64; 2],
    program: Option<&Result<Executable, Unfit>>,
    files: &[File],
) -> Vec<Fit> {
    let mut fits = Vec::new();
    for base in base::BASES.iter().filter(|base| base.kinds.contains(&kind)) {
        let found = program.and_then(|program| program.as_ref().ok());
        let architecture = found.map_or(Architecture::X86_64, |program| program.architecture);
        let target = Target::new(base.provider, architecture, Some(kind)).map(|to| to.on(base));
        let mut warnings = Vec::new();
        let mut problem = match (target, program) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(_), None) => Some("it has no `bootstrap` to start".to_owned()),
            (Ok(_), Some(Err(unfit))) => Some(format!("`bootstrap` cannot be started: {unfit}")),
            (Ok(target), Some(Ok(program))) => {
                match program.verify(&target, Path::new("bootstrap")) {
                    Ok(found) => {
                        warnings.extend(found.iter().map(ToString::to_string));
                        None
                    }
                    Err(error) => Some(error.to_string()),
                }
            }
        };
        let bootstrap = files.iter().find(|file| file.path.rsplit('/').next() == Some("bootstrap"));
        if problem.is_none() && bootstrap.is_some_and(|file| file.mode & 0o111 != 0o111) {
            problem = Some("`bootstrap` is not executable for everybody (mode 0755)".to_owned());
        }
        for limit in limits::of(kind) {
            let measured = match limit.measure {
                Measure::Archive => size,
                Measure::Unpacked => unpacked,
            };
            if measured > limit.bytes {
                let what = limit.measure.as_str();
                let said = format!(
                    "the {what} has {measured} bytes, but {} allows {}: {}",
                    limit.provider, limit.bytes, limit.remedy
                );
                match limit.above {
                    limits::Above::Detour => warnings.push(said),
                    limits::Above::Refused => problem = problem.or(Some(said)),
                }
            }
        }
        fits.push(Fit { provider: base.provider, base: base.name, problem, warnings });
    }
    fits
}
