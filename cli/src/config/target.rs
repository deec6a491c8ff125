//! One function on one cloud, with all that holds for it there.

use super::{
    Known, Sources, layers,
    node::{Node, Place},
    validate::validate,
};
use crate::{check::rules, error::Error};
use omnifn_deploy::{Settings, package::Provider};

/// Values in other languages, and words for people, in which braces mean something else.
const UNTOUCHED: &[&str] = &["description", "document", "filter", "input", "pattern"];

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) known: Known,
    pub(crate) provider: Provider,
    pub(crate) settings: Settings,
    /// The same, with the place of each value.
    pub(crate) values: Node,
    pub(crate) region: Option<String>,
    pub(crate) project: Option<String>,
    /// Where those two were written.
    pub(crate) locations: Vec<(&'static str, Node)>,
}

impl Target {
    pub(super) fn resolve(
        sources: &Sources,
        known: &Known,
        provider: Provider,
        (app, stage): (&str, &str),
    ) -> Result<Self, Vec<Error>> {
        let fill = |text: &str| interpolate(text, app, stage);
        let mut values = layers::settings(sources, known, provider, stage);
        values.each_text(&|name| UNTOUCHED.contains(&name), &fill);
        let document = &sources.document;
        let mut errors = validate(&values, &document["$defs"]["Settings"], document);
        for (name, trigger) in values.get("triggers").and_then(Node::members).into_iter().flatten()
        {
            if trigger.get("type").is_none() {
                errors.push(
                    Error::usage(format!("trigger `{name}` has no `type`"))
                        .code(rules::WRONG_VALUE)
                        .at(&trigger.place)
                        .help("types: http, queue, timer, storage, database, event, direct"),
                );
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let settings: Settings = serde_json::from_value(values.to_json()).map_err(|error| {
            vec![
                Error::usage(format!("the settings of `{}` are not understood", known.name))
                    .code(rules::WRONG_VALUE)
                    .at(&known.place)
                    .caused_by(&error)
                    .help("`cargo omnifn config show --origin` tells where each comes from"),
            ]
        })?;
        let mut locations = Vec::new();
        for key in ["region", "project"] {
            if let Some(node) = layers::location(sources, provider, stage, key) {
                let mut node = node.clone();
                node.each_text(&|_| false, &fill);
                locations.push((key, node));
            }
        }
        let location = |key: &str| {
            let found = locations.iter().find(|(name, _)| *name == key);
            found.and_then(|(_, node)| node.as_str()).map(str::to_owned)
        };
        let (region, project) = (location("region"), location("project"));
        Ok(Self { known: known.clone(), provider, settings, values, region, project, locations })
    }

    /// Where the setting at this path (`env.TOKEN`) was written, or what is nearest to it.
    pub(crate) fn place(&self, path: &str) -> &Place {
        let own = self.provider.as_str();
        let place = &self.values.nearest(path.split('.')).place;
        let place = match self.values.at(&[own]) {
            // A key of the cloud's own may be told without its table.
            Some(table) if self.values.at(&path.split('.').collect::<Vec<_>>()).is_none() => {
                table.get(path).map_or(place, |node| &node.place)
            }
            _ => place,
        };
        if *place == Place::BuiltIn { &self.known.place } else { place }
    }

    /// `orders (aws)`
    pub(crate) fn label(&self) -> String {
        format!("{} ({})", self.known.name, self.provider)
    }
}

/// `{stage}` and `{app}` become the names; doubled braces stay as single ones.
fn interpolate(text: &str, app: &str, stage: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let forms =
            [("{{stage}}", "{stage}"), ("{{app}}", "{app}"), ("{stage}", stage), ("{app}", app)];
        if let Some((form, value)) = forms.iter().find(|(form, _)| rest.starts_with(form)) {
            filled.push_str(value);
            rest = &rest[form.len()..];
        } else {
            filled.push('{');
            rest = &rest[1..];
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::interpolate;

    #[test]
    fn only_the_stage_and_the_app_are_filled_in() {
        for (text, expected) in [
            ("", ""),
            ("shop-{stage}", "shop-prod"),
            ("{app}-{stage}-{stage}", "shop-prod-prod"),
            ("users/{user}", "users/{user}"),
            ("{{stage}}", "{stage}"),
            ("{\"a\": {\"{stage}\": 1}}", "{\"a\": {\"prod\": 1}}"),
            ("{", "{"),
            ("ü{stage}ü{", "üprodü{"),
        ] {
            assert_eq!(interpolate(text, "shop", "prod"), expected);
        }
    }
}
