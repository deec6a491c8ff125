use crate::{
    Change, Error, Found, Known, Owner, Properties, Resource, ResourceId, Result, Scope,
    diff::diff, digest, has_reference, resource::masked,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What has to be done so that what is wanted is there. The same whoever looks at it, and when: a plan that is written down,
/// reviewed and made again is the same one, or [does not fit](Plan::check) any more.
///
/// Serialised it holds no value of an environment variable, just the beginnings of their SHA-256; that form can be read back as a
/// [`Reviewed`], which tells whether a plan that is made later is the same.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Whose.
    pub provider: &'static str,
    /// For which function.
    pub scope: Scope,
    /// The SHA-256 of the archive; none when everything is removed.
    pub code: Option<String>,
    /// The SHA-256 of what was found.
    pub state: String,
    /// What to do, in this order. Nothing to do: everything is as it should be.
    pub steps: Vec<Step>,
    /// What is there and stays as it is.
    pub unchanged: Vec<ResourceId>,
    /// What everything that is there tells.
    pub(crate) known: Known,
}

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It is not there yet.
    Create,
    /// Some of its members differ.
    Update,
    /// It is there, and not wanted any more.
    Delete,
}

impl Action {
    /// `create`, `update` or `delete`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One resource's change.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With what.
    pub id: ResourceId,
    /// What differs.
    pub changes: Vec<Change>,
    /// All that the resource should be, or was when it is deleted. References to what earlier steps make are still in
    /// there; [`apply`](crate::Provider::apply) gets them resolved.
    pub properties: Properties,
    /// Of what was found.
    pub etag: Option<String>,
    /// What was found tells.
    pub outputs: crate::Outputs,
    /// Which of that is something else afterwards.
    pub(crate) volatile: Vec<&'static str>,
}

/// `create function/shop-prod-orders`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.id)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("action", &self.action)
            .field("id", &self.id)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

impl Step {
    /// What differs, without values of environment variables.
    pub fn masked_changes(&self) -> Vec<Change> {
        self.changes.iter().map(Change::masked).collect()
    }
}

/// The steps from what is there to what is wanted. Pure: no clock, no network.
///
/// Made and changed is in the order of `wanted`; what is there and not wanted any more goes afterwards, in the reverse order of
/// `found`, so that nothing goes before what hangs on it.
///
/// # Errors
/// [`Error::NotOurs`] when a name is taken by something that omnifn did not make for this function, unless it is to be adopted.
pub fn plan(
    provider: &'static str,
    scope: &Scope,
    code: Option<&str>,
    wanted: &[Resource],
    found: &[Found],
    adopt: bool,
) -> Result<Plan> {
    let there: BTreeMap<&ResourceId, &Found> =
        found.iter().map(|found| (&found.id, found)).collect();
    let mut known = Known::default();
    for found in found {
        known.insert(&found.id, found.outputs.clone());
    }
    // What a changed resource tells may change with it.
    let mut settled = known.clone();
    let (mut steps, mut unchanged) = (Vec::new(), Vec::new());
    for resource in wanted {
        let properties = settled.resolve(&resource.properties);
        let (action, changes, etag, outputs) = match there.get(&resource.id) {
            None => {
                (Action::Create, diff(&Properties::new(), &properties), None, crate::Outputs::new())
            }
            Some(found) => {
                if found.owner == Owner::Other && !adopt {
                    return Err(Error::NotOurs { id: found.id.clone() });
                }
                let changes = diff(&found.properties, &properties);
                if resource.only_create || (changes.is_empty() && found.owner != Owner::Other) {
                    unchanged.push(resource.id.clone());
                    continue;
                }
                (Action::Update, changes, found.etag.clone(), found.outputs.clone())
            }
        };
        settled.forget(&resource.id, &resource.volatile);
        steps.push(Step {
            action,
            id: resource.id.clone(),
            changes,
            properties,
            etag,
            outputs,
            volatile: resource.volatile.clone(),
        });
    }
    let is_wanted = |id: &ResourceId| wanted.iter().any(|resource| resource.id == *id);
    steps.extend(
        found
            .iter()
            .rev()
            .filter(|found| found.owner != Owner::Other && !is_wanted(&found.id))
            .map(|found| Step {
                action: Action::Delete,
                id: found.id.clone(),
                changes: diff(&found.properties, &Properties::new()),
                properties: found.properties.clone(),
                etag: found.etag.clone(),
                outputs: found.outputs.clone(),
                volatile: Vec::new(),
            }),
    );
    Ok(Plan {
        provider,
        scope: scope.clone(),
        code: code.map(str::to_owned),
        state: state_of(found),
        steps,
        unchanged,
        known,
    })
}

/// The SHA-256 of what was found: etags are left out, since they change for reasons that nobody cares for.
fn state_of(found: &[Found]) -> String {
    let mut all: Vec<_> = found
        .iter()
        .map(|found| (found.id.to_string(), &found.properties, &found.outputs, found.owner))
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    digest::hex(serde_json::to_string(&all).unwrap_or_default().as_bytes())
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether this is the plan that was reviewed.
    ///
    /// # Errors
    /// [`Error::Stale`] with what differs.
    pub fn check(&self, reviewed: &Reviewed) -> Result<()> {
        let now = self.reviewed();
        let mut differences = Vec::new();
        let mut compare = |what: &str, then: String, now: String| {
            if then != now {
                differences.push(format!("{what} was {then}, and is {now}"));
            }
        };
        compare("the provider", reviewed.provider.clone(), now.provider.clone());
        compare("the function", reviewed.scope.to_string(), now.scope.to_string());
        let show = |code: &Option<String>| {
            code.as_deref().map_or("none".to_owned(), |code| code.chars().take(12).collect())
        };
        compare("the archive", show(&reviewed.code), show(&now.code));
        for then in &reviewed.steps {
            match now.steps.iter().find(|now| now.id == then.id) {
                None => differences.push(format!("`{}` is not to be changed any more", then.id)),
                Some(now) if now != then => {
                    differences.push(format!("`{}` is to be changed in another way", then.id));
                }
                Some(_) => {}
            }
        }
        for step in
            now.steps.iter().filter(|now| !reviewed.steps.iter().any(|then| then.id == now.id))
        {
            differences.push(format!("`{}` is to be changed, too", step.id));
        }
        if differences.is_empty() && reviewed.state != now.state {
            differences.push("what is there has changed".to_owned());
        }
        if differences.is_empty() && *reviewed != now {
            differences.push("the order of its steps is another one".to_owned());
        }
        if differences.is_empty() { Ok(()) } else { Err(Error::Stale { differences }) }
    }

    /// The form that is written down.
    pub fn reviewed(&self) -> Reviewed {
        Reviewed {
            version: 1,
            provider: self.provider.to_owned(),
            scope: self.scope.clone(),
            code: self.code.clone(),
            state: self.state.clone(),
            steps: self
                .steps
                .iter()
                .map(|step| ReviewedStep {
                    action: step.action,
                    id: step.id.clone(),
                    changes: step.masked_changes(),
                    properties: masked(&step.properties),
                })
                .collect(),
            unchanged: self.unchanged.clone(),
        }
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reviewed().serialize(serializer)
    }
}

/// A plan that was written down: what was to be done, without values of environment variables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reviewed {
    /// The version of this format: 1.
    pub version: u32,
    /// Whose.
    pub provider: String,
    /// For which function.
    pub scope: Scope,
    /// The SHA-256 of the archive.
    pub code: Option<String>,
    /// The SHA-256 of what was found.
    pub state: String,
    /// What was to be done.
    pub steps: Vec<ReviewedStep>,
    /// What was to stay as it was.
    pub unchanged: Vec<ResourceId>,
}

/// A step that was written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReviewedStep {
    /// What was to be done.
    pub action: Action,
    /// With what.
    pub id: ResourceId,
    /// What differed.
    pub changes: Vec<Change>,
    /// All that the resource was to be.
    pub properties: Properties,
}

/// Whether a member's value is known only when earlier steps are done.
pub fn is_known_later(change: &Change) -> bool {
    change.to.as_ref().is_some_and(has_reference)
        || has_reference(&Value::String(change.path.clone()))
}
