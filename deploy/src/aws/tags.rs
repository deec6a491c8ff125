use super::Call;
use crate::{APP, FUNCTION, Owner, STAGE, Scope};
use std::collections::{BTreeMap, HashMap};

/// Tags by their names.
pub(super) type Tags = BTreeMap<String, String>;

/// The user's labels, and those by which we know our own.
pub(super) fn all(call: Call<'_>, labels: &Tags) -> Tags {
    let Scope { app, stage, function } = call.scope;
    let ours = [(APP, app), (STAGE, stage), (FUNCTION, function)];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.clone()));
    labels.clone().into_iter().chain(ours).collect()
}

/// Whose something with these tags is.
pub(super) fn owner(call: Call<'_>, tags: &Tags) -> Owner {
    if scope(tags).as_ref() == Some(call.scope) { Owner::Ours } else { Owner::Other }
}

/// The scope that the tags name.
pub(super) fn scope(tags: &Tags) -> Option<Scope> {
    let get = |name: &str| tags.get(name).map(String::as_str);
    Scope::new(get(APP)?, get(STAGE)?, get(FUNCTION)?).ok()
}

/// The user's part of the tags. Those of AWS itself are nobody's.
pub(super) fn labels(tags: &Tags) -> Tags {
    let is_users =
        |name: &str| ![APP, STAGE, FUNCTION].contains(&name) && !name.starts_with("aws:");
    tags.iter()
        .filter(|(name, _)| is_users(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Those to be set, and the names of those to be taken away. Nobody's are left alone.
pub(super) fn changes(there: &Tags, wanted: &Tags) -> (Tags, Vec<String>) {
    let set = wanted.iter().filter(|(name, value)| there.get(*name) != Some(value));
    let set = set.map(|(name, value)| (name.clone(), value.clone())).collect();
    let gone = there.keys().filter(|name| !wanted.contains_key(*name) && !name.starts_with("aws:"));
    (set, gone.cloned().collect())
}

pub(super) fn from_map(map: Option<&HashMap<String, String>>) -> Tags {
    map.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tags, changes};

    #[test]
    fn only_what_differs_is_changed() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let (set, gone) = changes(
            &tags(&[("a", "1"), ("b", "2"), ("aws:x", "y")]),
            &tags(&[("a", "1"), ("c", "3")]),
        );
        assert_eq!((set, gone), (tags(&[("c", "3")]), vec!["b".to_owned()]));
    }
}
