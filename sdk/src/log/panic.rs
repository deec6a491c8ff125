//! A panic on one line, where lines are JSON.

use super::{
    Lines,
    fields::Fields,
    line::{Format, Line},
    sort,
    subscriber::current_scope,
};
use std::{
    any::Any,
    panic::{self, PanicHookInfo},
    ptr,
    sync::Arc,
    time::SystemTime,
};
use tracing::{Level, level_filters::LevelFilter};

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Lets panics become lines, unless the user has a panic hook or asks for backtraces, or the lines are text: for people,
/// the standard library's own report is the better one.
pub(super) fn log(lines: &Arc<Lines>) {
    if matches!(lines.format, Format::Text { .. }) || lines.filter.most() < LevelFilter::ERROR {
        return;
    }
    let present = panic::take_hook();
    if !is_default(&present) {
        panic::set_hook(present);
        return;
    }
    let lines = lines.clone();
    panic::set_hook(Box::new(move |info| write(&lines, info)));
}

/// Whether it is the standard library's own hook, which taking the hook has put back in place.
fn is_default(hook: &Hook) -> bool {
    let default = panic::take_hook();
    // Two boxes of nothing are told apart by their type's table alone. A wrong answer leaves panics as they were.
    ptr::eq(&raw const **hook, &raw const *default)
}

/// Without `tracing`'s macros: the panic may have come from within one.
fn write(lines: &Lines, info: &PanicHookInfo<'_>) {
    let mut fields = Fields::default();
    fields.message = message(info.payload());
    let location = info.location();
    let (invocation, spans) = sort(current_scope());
    if let (Some(location), Format::Lambda) = (location, &lines.format) {
        fields.others.push(("location", location.to_string().into()));
    }
    lines.write_line(&Line {
        time: SystemTime::now(),
        level: Level::ERROR,
        fields: &fields,
        invocation: invocation.as_ref(),
        exported: None,
        spans: &spans,
        file: location.map(panic::Location::file),
        line: location.map(panic::Location::line),
        module: None,
    });
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "a value that is not text",
    };
    format!("panicked: {text}")
}
