//! Bars of the figures that count, as SVG.

use std::fmt::Write;

use crate::cases::{CASES, Load, Work};
use crate::report::{main_figure, number};
use crate::results::{Measured, Results};

const WIDTH: f64 = 760.0;
const LABEL: f64 = 200.0;
const BAR: f64 = 400.0;
const ROW: f64 = 20.0;
const TITLE: f64 = 34.0;
/// A bar that is longer than so many of the base's is cut off, lest the others cannot be told apart.
const CUT: f64 = 8.0;
const OURS: &str = "#c2410c";
const THEIRS: &str = "#94a3b8";

/// The plots by name: each has a panel for each case.
pub(crate) fn draw(results: &Results) -> Vec<(&'static str, String)> {
    let of = |is_in: fn(&Load, &Work) -> bool| {
        let cases = CASES.iter().filter(|case| is_in(&case.load, &case.work));
        let cases: Vec<_> = cases.filter_map(|case| results.case(case.name)).collect();
        panels(&cases)
    };
    let lambda = of(|load, work| *load == Load::RuntimeApi && !matches!(work, Work::Starts));
    let http = of(|load, work| *load == Load::Http && !matches!(work, Work::Starts));
    let start = of(|_, work| matches!(work, Work::Starts));
    vec![("start", start), ("lambda", lambda), ("http", http)]
}

fn panels(cases: &[&Measured]) -> String {
    let rows: usize = cases.iter().map(|case| case.subjects.len()).sum();
    let height = rows as f64 * ROW + cases.len() as f64 * (TITLE + 8.0) + 12.0;
    // A String takes everything.
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#0f172a">
<rect width="100%" height="100%" fill="#ffffff"/>"##
    );
    let mut top = 0.0;
    for case in cases {
        panel(&mut svg, case, top);
        top += case.subjects.len() as f64 * ROW + TITLE + 8.0;
    }
    svg.push_str("</svg>\n");
    svg
}

/// One bar for each subject, and a line from p10 to p90 on it.
fn panel(svg: &mut String, case: &Measured, top: f64) {
    let (main, unit) = main_figure(case);
    let largest = case
        .subjects
        .iter()
        .filter_map(|subject| subject.figures.get(main))
        .map(|figure| figure.p90);
    let base = case.subject(&case.base).and_then(|base| base.median(main));
    let end = largest.fold(f64::MIN_POSITIVE, f64::max).min(base.unwrap_or(f64::MAX) * CUT);
    let at = |figure: f64| (figure / end).min(1.0) * BAR;
    let _ = writeln!(
        svg,
        r#"<text x="12" y="{}" font-weight="bold">{}: {unit}</text>"#,
        top + 24.0,
        escaped(&case.title)
    );
    for (index, subject) in case.subjects.iter().enumerate() {
        let Some(figure) = subject.figures.get(main) else { continue };
        let y = top + TITLE + index as f64 * ROW;
        let middle = y + ROW / 2.0;
        let is_ours = subject.name.ends_with("-omnifn") || subject.name.starts_with("hello");
        let _ = writeln!(
            svg,
            r##"<text x="{}" y="{}" text-anchor="end">{}</text>
<rect x="{LABEL}" y="{}" width="{:.1}" height="{}" fill="{}"/>
<line x1="{:.1}" x2="{:.1}" y1="{middle}" y2="{middle}" stroke="#0f172a"/>
<text x="{:.1}" y="{}">{}{}</text>"##,
            LABEL - 8.0,
            middle + 4.0,
            escaped(&subject.name),
            y + 3.0,
            at(figure.median),
            ROW - 6.0,
            if is_ours { OURS } else { THEIRS },
            LABEL + at(figure.p10),
            LABEL + at(figure.p90),
            LABEL + at(figure.p90.max(figure.median)) + 8.0,
            middle + 4.0,
            number(figure.median),
            if figure.median > end { " (cut off)" } else { "" },
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
