//! The keys that there are, from the types that read them: what editors complete, and what is checked.

use super::release;
use omnifn_deploy::{Settings, settings};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How functions are built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Build {
    /// What builds: `auto`, `cargo`, `zigbuild` or `cross`; `auto` is cargo where it can, else what is installed [default: auto].
    #[schemars(extend("enum" = ["auto", "cargo", "zigbuild", "cross"]))]
    pub(crate) compiler: Option<String>,
    /// The profile of cargo's [default: release].
    pub(crate) profile: Option<String>,
    /// Features of the crates that are turned on: `tls`, or `orders/tls`.
    pub(crate) features: Vec<String>,
    /// Whether the crates' default features are on, too [default: true].
    pub(crate) default_features: Option<bool>,
}

/// What is packed beside the program.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "read from the manifest by omnifn-package; here for its schema")]
struct PackageBuild {
    /// Files and folders, as paths below the package's directory.
    include: Option<Vec<String>>,
}

/// Where functions are on a cloud.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "read key by key; here for its schema")]
struct Location {
    /// The region [default: that of the cloud's own configuration on this machine].
    region: Option<String>,
    /// On Google: the project [default: that of the credentials].
    project: Option<String>,
}

/// All there is, as one JSON Schema of `omnifn.toml`; `[package.metadata.omnifn]` is `#/$defs/Package` in it.
pub(crate) fn document() -> Value {
    let mut generator = SchemaGenerator::default();
    let settings = generator.subschema_for::<Settings>();
    let parts = [
        generator.subschema_for::<Build>(),
        generator.subschema_for::<PackageBuild>(),
        generator.subschema_for::<Location>(),
        generator.subschema_for::<release::Keys>(),
        generator.subschema_for::<settings::Aws>(),
    ];
    debug_assert!(settings.get("$ref").is_some() && parts.len() == 5);
    let mut defs = Map::new();
    for (name, schema) in generator.take_definitions(true) {
        defs.insert(name, schema);
    }
    if let Some(binding) = defs.get("Binding").cloned() {
        let inlined = inline(&binding, &defs);
        defs.insert("Binding".to_owned(), inlined);
    }
    let take = |name: &str| properties(&defs[name]);
    let (location, build) = (take("Location"), reference("PackageBuild"));
    let mut common = take("Settings");
    let on_aws = united(&without(&common, &["aws", "gcp"]), &take("Aws"));
    let on_google = united(&without(&common, &["aws", "gcp"]), &take("Gcp"));
    common.insert("aws".to_owned(), reference("OnAws"));
    common.insert("gcp".to_owned(), reference("OnGcp"));
    common.insert("providers".to_owned(), providers());
    let functions = map_of("Function", "Functions, by their names.");
    let mut binary = common.clone();
    binary.insert("build".to_owned(), build);
    binary.insert("functions".to_owned(), functions.clone());
    let mut package = binary.clone();
    package.insert("bin".to_owned(), map_of("Binary", "Binaries, where a package has several."));
    let mut workspace = common.clone();
    workspace.insert("app".to_owned(), text(APP));
    let clouds = json!({ "aws": reference("ProviderAws"), "gcp": reference("ProviderGcp") });
    let clouds = closed("What holds for all functions on a cloud.", &clouds);
    for (name, description, members) in [
        ("OnAws", "What holds on AWS only.", on_aws.clone()),
        ("OnGcp", "What holds on Google only.", on_google.clone()),
        (
            "ProviderAws",
            "What holds for all functions on AWS.",
            united(&on_aws, &without(&location, &["project"])),
        ),
        ("ProviderGcp", "What holds for all functions on Google.", united(&on_google, &location)),
        ("Function", "One function.", common),
        ("Binary", "One binary of several.", binary),
        ("Package", "A function crate: the keys of `[package.metadata.omnifn]`.", package),
        ("Workspace", "The keys of `[workspace.metadata.omnifn]`.", workspace),
    ] {
        defs.insert(name.to_owned(), closed(description, &Value::Object(members)));
    }
    let protect = "A deploy asks for the stage's name, or takes `--confirm STAGE`.";
    let stage = json!({
        "protect": { "type": "boolean", "description": protect, "default": false },
        "build": reference("Build"),
        "release": reference("Release"),
        "providers": clouds,
        "functions": functions,
    });
    defs.insert("Stage".to_owned(), closed("What differs in one stage.", &stage));
    let members = json!({
        "version": { "const": 1, "description": "The version of this format." },
        "app": text(APP),
        "default-stage": text("The stage where none is told [default: dev]."),
        "build": reference("Build"),
        "release": reference("Release"),
        "providers": clouds,
        "functions": functions,
        "stages": map_of("Stage", "Stages, by their names."),
    });
    let mut root = closed("omnifn.toml: where functions go, and what differs there.", &members);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "omnifn.toml".into();
    root["$defs"] = Value::Object(defs);
    root
}

const APP: &str = "The name of all functions that are deployed together [default: the package's, or that of the workspace's folder].";

fn providers() -> Value {
    json!({
        "type": "array",
        "items": { "type": "string", "enum": ["aws", "gcp"] },
        "description": "The clouds that it goes to [default: those with a table of their own].",
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn map_of(name: &str, description: &str) -> Value {
    json!({ "type": "object", "additionalProperties": reference(name), "description": description })
}

fn closed(description: &str, properties: &Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn without(members: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let mut members = members.clone();
    members.retain(|name, _| !names.contains(&name.as_str()));
    members
}

fn united(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut members = one.clone();
    members.extend(other.clone());
    members
}

/// The kinds of triggers as whole objects: a reference beside `type` would forbid `type`. None is required, since a
/// stage may change a trigger whose type stands elsewhere.
fn inline(binding: &Value, defs: &Map<String, Value>) -> Value {
    let branches = binding.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let whole = branches.into_iter().map(|branch| {
        let name = branch.get("$ref").and_then(Value::as_str).unwrap_or_default();
        let target = defs.get(name.trim_start_matches("#/$defs/")).cloned().unwrap_or_default();
        let members = united(&properties(&target), &properties(&branch));
        let description = target.get("description").or_else(|| branch.get("description"));
        let description = description.and_then(Value::as_str).unwrap_or_default();
        closed(description, &Value::Object(members))
    });
    let description = binding.get("description").cloned().unwrap_or_default();
    json!({ "anyOf": whole.collect::<Vec<_>>(), "description": description })
}

/// The schema that `schema` refers to.
pub(crate) fn resolve<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    let mut schema = schema;
    // Nothing refers to itself, and nothing this deep.
    for _ in 0..8 {
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|path| document.pointer(path.trim_start_matches('#')));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The branches of a schema that is one of several; none stands for null.
pub(crate) fn branches<'a>(schema: &'a Value, document: &'a Value) -> Vec<&'a Value> {
    let schema = resolve(schema, document);
    let list = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    match list {
        None => vec![schema],
        Some(list) => list
            .iter()
            .flat_map(|branch| branches(branch, document))
            .filter(|branch| branch.get("type").and_then(Value::as_str) != Some("null"))
            .collect(),
    }
}

/// The schema of a member, by its exact name.
pub(crate) fn member<'a>(schema: &'a Value, name: &str, document: &'a Value) -> Option<&'a Value> {
    branches(schema, document).into_iter().find_map(|branch| {
        let named = branch.get("properties").and_then(|members| members.get(name));
        named.or_else(|| branch.get("additionalProperties").filter(|all| all.is_object()))
    })
}

/// Names that a table's schema knows.
pub(crate) fn names<'a>(schema: &'a Value, document: &'a Value) -> Vec<&'a str> {
    let branches = branches(schema, document).into_iter();
    let members = branches.filter_map(|branch| branch.get("properties")?.as_object());
    let mut names: Vec<_> =
        members.flat_map(|members| members.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    names
}
