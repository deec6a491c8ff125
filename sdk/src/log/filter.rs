//! Which events become lines: `RUST_LOG` in the small.

use tracing::{Metadata, level_filters::LevelFilter};

/// Levels by target: `info,my_crate=debug,hyper=off`.
///
/// A target stands for every target that begins with it, and the longest that fits counts. One without a level means
/// all of its levels, a level without a target is for all else. Spans and fields (`[span{field=1}]=debug`) are not
/// understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    others: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

/// Targets of ours that are there for others to read: metrics are no lines, unless they are asked for.
const SILENT: &str = "omnifn::metrics";

impl Filter {
    pub(super) fn new(others: LevelFilter) -> Self {
        Self { others, targets: vec![(SILENT.to_owned(), LevelFilter::OFF)] }
    }

    /// Reads directives. Also gives those that are none.
    pub(super) fn parse(text: &str) -> (Self, Vec<&str>) {
        let (mut filter, mut unread) = (Self::new(LevelFilter::INFO), vec![]);
        for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            let read = match directive.split_once('=') {
                Some((target, level)) => level_of(level).map(|level| (target.trim(), level)),
                None => match level_of(directive) {
                    Some(level) => {
                        filter.others = level;
                        continue;
                    }
                    None => Some((directive, LevelFilter::TRACE)),
                },
            };
            let is_target = |target: &str| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
                !target.is_empty() && target.chars().all(is_part)
            };
            match read.filter(|(target, _)| is_target(target)) {
                Some((target, level)) => {
                    filter.targets.retain(|(known, _)| known != target);
                    filter.targets.push((target.to_owned(), level));
                }
                None => unread.push(directive),
            }
        }
        (filter, unread)
    }

    /// The level under which nothing is ever enabled.
    pub(super) fn most(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(self.others, LevelFilter::max)
    }

    pub(super) fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level(metadata.target())
    }

    fn level(&self, target: &str) -> LevelFilter {
        let fitting = self.targets.iter().filter(|(start, _)| target.starts_with(start.as_str()));
        let found = fitting.max_by_key(|(start, _)| start.len());
        found.map_or(self.others, |(_, level)| *level)
    }
}

/// A level by its name in any case; `FATAL` is Lambda's name for the highest.
pub(super) fn level_of(name: &str) -> Option<LevelFilter> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("fatal") {
        return Some(LevelFilter::ERROR);
    }
    // Numbers are levels to `tracing`, but to nobody who writes them.
    name.parse().ok().filter(|_| name.chars().all(|c| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use tracing::level_filters::LevelFilter;

    #[track_caller]
    fn check(text: &str, target: &str, expected: LevelFilter) {
        let (filter, unread) = Filter::parse(text);
        assert_eq!(filter.level(target), expected, "{text}: {target}");
        assert_eq!(unread, Vec::<&str>::new());
    }

    #[test]
    fn the_longest_target_that_fits_counts() {
        check("", "shop", LevelFilter::INFO);
        check("warn", "shop", LevelFilter::WARN);
        check("my_crate=trace", "shop", LevelFilter::INFO);
        check("my_crate=trace", "my_crate::orders", LevelFilter::TRACE);
        check("my_crate", "my_crate", LevelFilter::TRACE);
        let text = "warn, shop=debug ,shop::orders=OFF,hyper=error";
        check(text, "shop", LevelFilter::DEBUG);
        check(text, "shop::orders::new", LevelFilter::OFF);
        check(text, "hyper::client", LevelFilter::ERROR);
        check(text, "tokio", LevelFilter::WARN);
        check("a=info,a=warn", "a", LevelFilter::WARN);
        check("trace", "omnifn::metrics", LevelFilter::OFF);
        check("omnifn::metrics=info", "omnifn::metrics", LevelFilter::INFO);
        assert_eq!(Filter::parse("warn,a=debug").0.most(), LevelFilter::DEBUG);
    }

    #[test]
    fn what_is_no_directive_is_told() {
        let (filter, unread) = Filter::parse("[span{a=1}]=debug,a=loud,=info,7,warn");
        assert_eq!(filter.level("a"), LevelFilter::WARN);
        assert_eq!(unread, ["[span{a=1}]=debug", "a=loud", "=info"]);
    }
}
