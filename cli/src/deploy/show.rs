//! Plans as people read them.

use crate::shell::{ADDED, CHANGED, REMOVED, STRONG};
use omnifn_deploy::{Action, Change, Identity, Plan, is_known_later, is_masked};
use serde_json::Value;
use std::fmt::Write as _;

/// The widest that a value may be.
const WIDEST: usize = 120;

/// A plan with what differs; values of environment variables only if they may be shown.
pub(super) fn plan(plan: &Plan, identity: &Identity, shows_values: bool) -> String {
    let mut text = String::new();
    let Plan { provider, scope, steps, .. } = plan;
    let (account, region) = (&identity.account, &identity.region);
    let principal =
        identity.principal.as_ref().map(|principal| format!(" as {principal}")).unwrap_or_default();
    let function = &scope.function;
    writeln!(text, "{STRONG}{function}{STRONG:#} on {provider} {region}, {account}{principal}")
        .ok();
    for step in steps {
        let (sign, style) = match step.action {
            Action::Create => ('+', ADDED),
            Action::Delete => ('-', REMOVED),
            _ => ('~', CHANGED),
        };
        writeln!(text, "  {style}{sign} {}{style:#} {}", step.action, step.id).ok();
        // What goes, goes with all that it has.
        if step.action != Action::Delete {
            for change in &step.changes {
                writeln!(text, "      {}", change_line(change, step.action, shows_values)).ok();
            }
        }
    }
    writeln!(text, "  {}", sum(plan)).ok();
    text
}

fn change_line(change: &Change, action: Action, shows_values: bool) -> String {
    let show = |value: &Option<Value>| match value {
        None => "(none)".to_owned(),
        Some(_) if is_masked(&change.path) && !shows_values => "***".to_owned(),
        Some(value) => shorten(&value.to_string()),
    };
    let path = &change.path;
    if is_known_later(change) {
        return format!("{path} = (known when it is there)");
    }
    match action {
        Action::Create => format!("{path} = {}", show(&change.to)),
        _ => format!("{path}: {} -> {}", show(&change.from), show(&change.to)),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(WIDEST - 2) {
        Some((end, _)) if text.chars().count() > WIDEST => format!("{}..", &text[..end]),
        _ => text.to_owned(),
    }
}

/// `2 to create, 1 unchanged`
pub(super) fn sum(plan: &Plan) -> String {
    let count = |action| plan.steps.iter().filter(|step| step.action == action).count();
    let parts = [
        (count(Action::Create), "to create"),
        (count(Action::Update), "to update"),
        (count(Action::Delete), "to delete"),
        (plan.unchanged.len(), "unchanged"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() { "nothing is there".to_owned() } else { parts.join(", ") }
}
