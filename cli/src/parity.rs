//! `cargo omnifn parity`: the same event as every cloud sends it, and what each cannot carry.

use crate::{
    answers,
    args::Parity,
    error::{Error, Result},
    exit::Exit,
    session::{Session, block_on, functions::Functions},
    shell::Shell,
};
use omnifn_local::{
    Sample,
    parity::{self, Envelopes, Row},
};
use std::{fs, io::Read as _, path::Path};

/// The largest event that is read, in bytes: no cloud carries more than this.
const LARGEST_EVENT: u64 = 64 * 1024 * 1024;

pub(crate) fn run(options: &Parity, shell: &Shell) -> Result<Exit> {
    // Before anything is built: a mistake in it is quickly told.
    let sample = options.event.as_deref().map(read).transpose()?;
    let envelopes = if options.all_envelopes { Envelopes::All } else { Envelopes::Usual };
    let project = options.selection.project()?;
    let session = Session {
        function: options.function.as_deref(),
        ..Session::new(&project, &options.selection, shell)?
    };
    block_on(async |interrupt| {
        let compared = session.once(interrupt, async |functions| match &sample {
            Some(sample) => to_one(functions, sample, envelopes).await,
            None => answers::to_samples(functions, None, envelopes).await,
        });
        let compared = compared.await?;
        Ok(compared.exit(|rows| {
            let exit = answers::show(&rows, envelopes, shell);
            answers::show_losses(&rows, shell);
            exit
        }))
    })
}

/// The event in a file, or on standard input.
pub(crate) fn read(path: &Path) -> Result<Sample> {
    let is_input = path == Path::new("-");
    let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let read = if is_input {
        std::io::stdin().lock().take(LARGEST_EVENT).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(LARGEST_EVENT).read_to_string(&mut text))
    };
    read.map_err(|error| Error::usage(format!("`{name}` cannot be read")).caused_by(&error))?;
    let shown = path.file_stem().filter(|_| !is_input).unwrap_or("input".as_ref());
    Sample::parse(shown.to_string_lossy(), &text).map_err(|error| {
        let error = match error {
            omnifn_local::Error::Sample { reason, .. } => {
                Error::usage(format!("`{name}` is not an event: {reason}"))
            }
            error => error.into(),
        };
        error.help(
            "`cargo omnifn event show queue --as neutral` prints one; `event list` has every kind",
        )
    })
}

/// Sends one event to every function of its kind.
async fn to_one(
    functions: &Functions<'_>,
    sample: &Sample,
    envelopes: Envelopes,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for function in functions.iter() {
        if function.running.function().trigger == sample.trigger() {
            let row = parity::row(&function.running, sample, envelopes).await?;
            rows.push(Row { function: function.label.clone(), ..row });
        }
    }
    if rows.is_empty() {
        let trigger = sample.trigger();
        let here = functions.iter().map(|function| {
            format!("`{}` handles {} events", function.label, function.running.function().trigger)
        });
        return Err(
            Error::usage(format!("no function here handles {trigger} events")).details(here)
        );
    }
    Ok(rows)
}
