"""Compares requests with Google's discovery documents, which come with google-api-python-client.

    python gcp_requests.py requests.jsonl

Each line of the file is a request as `omnifn_deploy::testing::Proxy` keeps it. Every one must be a method of an API: its path, its
query, its body with no field that is unknown, of another type or written by the server alone, and an update mask that names fields. Prints
`ok` and what was checked, one a line; ends with 1 when something is amiss.
"""

import base64
import json
import pathlib
import re
import sys
import urllib.parse

import googleapiclient

APIS = [("run", "v2"), ("cloudfunctions", "v2"), ("eventarc", "v1"), ("cloudscheduler", "v1"), ("pubsub", "v1"), ("storage", "v1"),
        ("artifactregistry", "v1"), ("iam", "v1"), ("secretmanager", "v1"), ("cloudresourcemanager", "v3"), ("logging", "v2")]
# No JSON API: a registry's own, and an address that holds its signature (`GenerateUploadUrl`).
OTHERS = [("registry", re.compile(r"/v2/[^?]+/(blobs|manifests)/")), ("upload address", re.compile(r"[^?]*upload[^?]*"))]
# What a deployer of everything sends at least. Services are made by `patch` with `allowMissing`.
EXPECTED = {
    "run.projects.locations.services": {"delete", "get", "list", "patch", "getIamPolicy", "setIamPolicy"},
    "run.projects.locations.services.revisions": {"list"},
    "cloudfunctions.projects.locations.functions": {"create", "delete", "get", "patch", "generateUploadUrl"},
    "eventarc.projects.locations.triggers": {"create", "delete", "list"},
    "cloudscheduler.projects.locations.jobs": {"create", "delete", "list", "patch"},
    "pubsub.projects.subscriptions": {"create", "delete", "list"},
    "storage.buckets": {"get", "insert"},
    "storage.objects": {"delete", "get", "insert", "list"},
    "artifactregistry.projects.locations.repositories": {"create", "get"},
    "artifactregistry.projects.locations.repositories.packages": {"delete"},
    "cloudresourcemanager.projects": {"get"},
    "logging.entries": {"list"},
}
FORMATS = {
    "google-duration": re.compile(r"\d+(\.\d{1,9})?s"),
    "google-datetime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
    "int64": re.compile(r"-?\d+"),
    "uint64": re.compile(r"\d+"),
}


class Mismatch(Exception):
    """The document knows no such thing."""


class Api:
    def __init__(self, name, version):
        folder = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
        self.document = json.loads((folder / f"{name}.{version}.json").read_text())
        self.schemas = self.document["schemas"]
        self.methods = list(self.methods_of(self.document))

    def methods_of(self, node):
        for method in node.get("methods", {}).values():
            yield method
        for inner in node.get("resources", {}).values():
            yield from self.methods_of(inner)

    def paths(self, method):
        yield "/" + self.document["servicePath"] + method["path"], False
        for protocol in method.get("mediaUpload", {}).get("protocols", {}).values():
            yield protocol["path"], True

    def match(self, verb, path):
        """The methods that a path could be one of."""
        for method in self.methods:
            if method["httpMethod"] != verb:
                continue
            for template, is_media in self.paths(method):
                if pattern(template, method).fullmatch(path):
                    yield method, is_media

    def check(self, method, query, body, is_media):
        known = {**self.document["parameters"], **method.get("parameters", {})}
        for name, text in query:
            if name == "uploadType" and is_media:
                continue
            if name not in known or known[name].get("location") != "query":
                raise Mismatch(f"it has no parameter {name}")
            self.value(known[name], int(text) if known[name]["type"] == "integer" else text == "true" if known[name]["type"] == "boolean" else text, name)
        for name, parameter in method.get("parameters", {}).items():
            if parameter.get("required") and parameter["location"] == "query" and name not in dict(query):
                raise Mismatch(f"it needs the parameter {name}")
        if is_media:
            return
        request = method.get("request")
        if body is not None and body != "":
            if request is None:
                raise Mismatch("it takes no body")
            self.value(request, json.loads(body), "body")
        for name, text in query:
            if name == "updateMask" and request is not None:
                for field in text.split(","):
                    self.field(request["$ref"], field)

    def field(self, schema, path):
        """A path of an update mask names a field."""
        name, _, rest = path.partition(".")
        camel = re.sub("_(.)", lambda found: found[1].upper(), name)
        properties = self.schemas[schema].get("properties", {})
        if camel not in properties:
            raise Mismatch(f"updateMask names {path}, which {schema} has not")
        if rest and "$ref" in properties[camel]:
            self.field(properties[camel]["$ref"], rest)

    def value(self, schema, value, where):
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        is_right = {
            "object": isinstance(value, dict), "array": isinstance(value, list), "string": isinstance(value, str),
            "boolean": isinstance(value, bool), "integer": isinstance(value, int) and not isinstance(value, bool),
            "number": isinstance(value, (int, float)) and not isinstance(value, bool), "any": True,
        }[kind]
        if not is_right:
            raise Mismatch(f"{where} is {value!r}, not of type {kind}")
        if kind == "object":
            for name, inner in value.items():
                found = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
                if found is None:
                    raise Mismatch(f"{where} has no field {name}")
                if found.get("readOnly") or found.get("description", "").startswith("Output only"):
                    raise Mismatch(f"{where}.{name} is written by the server alone")
                self.value(found, inner, f"{where}.{name}")
        if kind == "array":
            for inner in value:
                self.value(schema["items"], inner, f"{where}[]")
        if "enum" in schema and value not in schema["enum"]:
            raise Mismatch(f"{where} is {value!r}, not one of {', '.join(schema['enum'])}")
        form = FORMATS.get(schema.get("format"))
        if form and not form.fullmatch(value):
            raise Mismatch(f"{where} is {value!r}, no {schema['format']}")
        if schema.get("format") == "byte":
            base64.b64decode(value, validate=True)


def pattern(template, method):
    """A template as a regular expression: `{+name}` by the pattern of its parameter, `{name}` one segment."""
    def expression(found):
        name = found[1].lstrip("+")
        own = method["parameters"][name].get("pattern", "")
        return own.removeprefix("^").removesuffix("$") if own else ("[^?]+" if found[1].startswith("+") else "[^/?]+")
    parts = re.split(r"\{([^}]+)\}", template)
    return re.compile("".join(expression((None, part)) if index % 2 else re.escape(part) for index, part in enumerate(parts)))


def main(file):
    apis = [Api(name, version) for name, version in APIS]
    seen, others, failed = {}, {}, []
    for line in pathlib.Path(file).read_text().splitlines():
        sent = json.loads(line)
        url = urllib.parse.urlsplit(sent["uri"])
        query = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
        candidates = [(api, *found) for api in apis for found in api.match(sent["method"], url.path)]
        reasons = []
        for api, method, is_media in candidates:
            try:
                api.check(method, query, sent["body"], is_media)
            except Mismatch as error:
                reasons.append(f"{method['id']}: {error}")
                continue
            seen[method["id"]] = seen.get(method["id"], 0) + 1
            break
        else:
            other = next((name for name, form in OTHERS if not candidates and form.match(sent["uri"])), None)
            if other:
                others[other] = others.get(other, 0) + 1
            else:
                failed.append(f"{sent['method']} {sent['uri']}: {'; '.join(reasons) or 'no API has such a method'}\n    {sent['body']}")
    for resource, verbs in EXPECTED.items():
        failed += [f"{resource}.{verb} was never sent" for verb in sorted(verbs) if f"{resource}.{verb}" not in seen]
    for api, _ in APIS:
        methods = {name: count for name, count in seen.items() if name.startswith(api + ".")}
        if methods:
            print(f"ok what is sent: {sum(methods.values())} requests by {len(methods)} methods of {api}")
    for name, count in others.items():
        print(f"ok what is sent: {count} requests to a {name}, which has no document")
    if failed:
        sys.exit("\n".join(dict.fromkeys(failed)))


if __name__ == "__main__":
    main(sys.argv[1])
