"""Writes the tables of `local/src/gcp_api/schema/` from the discovery documents of google-api-python-client, or checks them.

    python gcp_schema.py write|check FOLDER

A line is a message: its name, and its fields as `name:type`. A type is `string`, `bool`, `int`, `int64`, `number`, `bytes`,
`time`, `duration`, `mask`, `any`, another message, or values of an enumeration between bars; `[]` before it is a list,
`{}` a map of strings. `-` before a name: the server alone writes it. Only messages that a root reaches are listed.
"""

import json
import pathlib
import sys

import googleapiclient

ROOTS = {
    ("run", "v2"): ["Service", "Revision", "Operation", "ListServices", "ListRevisions", "WaitOperation", "SetIamPolicy",
                    "TestIamPermissions", "UploadSource", "StorageSource"],
    ("cloudfunctions", "v2"): ["Function", "GenerateUploadUrl", "ListFunctions", "ListRuntimes", "SetIamPolicy"],
    ("eventarc", "v1"): ["Trigger", "ListTriggers", "SetIamPolicy"],
    ("cloudscheduler", "v1"): ["Job", "ListJobs", "RunJob", "PauseJob", "ResumeJob"],
    ("pubsub", "v1"): ["Topic", "Subscription", "Publish", "ListTopics", "ListSubscriptions", "UpdateTopic",
                       "UpdateSubscription", "ModifyPushConfig", "Pull", "Acknowledge", "ModifyAckDeadline", "SetIamPolicy"],
    ("storage", "v1"): ["Bucket", "Object", "Policy", "Notification"],
    ("artifactregistry", "v1"): ["Repository", "ListRepositories", "SetIamPolicy"],
    ("iam", "v1"): ["ServiceAccount", "CreateServiceAccount", "ListServiceAccounts", "PatchServiceAccount", "SetIamPolicy"],
    ("secretmanager", "v1"): ["Secret", "SecretVersion", "AddSecretVersion", "AccessSecretVersion", "ListSecrets",
                              "ListSecretVersions", "SetIamPolicy", "DestroySecretVersion"],
    ("cloudresourcemanager", "v3"): ["Project", "GetIamPolicy", "SetIamPolicy"],
    ("logging", "v2"): ["ListLogEntries", "LogEntry"],
}

SCALARS = {"boolean": "bool", "integer": "int", "number": "number", "any": "any"}
FORMATS = {"int64": "int64", "uint64": "int64", "byte": "bytes", "google-datetime": "time", "date-time": "time",
           "google-duration": "duration", "google-fieldmask": "mask"}


def document(api, version):
    folder = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    return json.loads((folder / f"{api}.{version}.json").read_text())


def find(schemas, root):
    """`Service` is `GoogleCloudRunV2Service` in some documents, a request or an answer in others."""
    for ending in ("", "Request", "Response"):
        for name in schemas:
            wanted = root + ending
            if name == wanted or name.endswith("V2" + wanted) or name.endswith("IamV1" + wanted):
                yield name


def type_of(field, reached):
    if "$ref" in field:
        reached.append(field["$ref"])
        return field["$ref"]
    if field["type"] == "array":
        return "[]" + type_of(field["items"], reached)
    if field["type"] == "object":
        return "{}" + type_of(field["additionalProperties"], reached) if "additionalProperties" in field else "any"
    if "enum" in field:
        return "|".join(field["enum"])
    return FORMATS.get(field.get("format")) or SCALARS.get(field["type"]) or "string"


def tables(api, version):
    schemas = document(api, version)["schemas"]
    # An object's own fields nest: give what has no name that of its place.
    def flatten(name, schema):
        for key, field in list(schema.get("properties", {}).items()):
            inner = field.get("items", field) if field.get("type") == "array" else field
            if inner.get("type") == "object" and "properties" in inner:
                nested = f"{name}.{key}"
                schemas[nested] = {"properties": inner.pop("properties")}
                inner.clear()
                inner["$ref"] = nested
                flatten(nested, schemas[nested])
            values = field.get("additionalProperties")
            if values and "properties" in values:
                nested = f"{name}.{key}"
                schemas[nested] = {"properties": values["properties"]}
                field["additionalProperties"] = {"$ref": nested}
                flatten(nested, schemas[nested])
    for name in list(schemas):
        flatten(name, schemas[name])
    reached = [name for root in ROOTS[api, version] for name in find(schemas, root)]
    done = {}
    while reached:
        name = reached.pop()
        if name in done:
            continue
        fields = []
        for key, field in sorted(schemas[name].get("properties", {}).items()):
            read_only = field.get("readOnly") or field.get("description", "").startswith("Output only")
            fields.append(("-" if read_only else "") + key + ":" + type_of(field, reached))
        done[name] = " ".join([name, *fields])
    return "".join(done[name] + "\n" for name in sorted(done))


def main(action, folder):
    different = []
    for api, version in ROOTS:
        path = pathlib.Path(folder) / f"{api}.txt"
        text = tables(api, version)
        if action == "write":
            path.write_text(text)
        elif path.read_text() != text:
            different.append(path.name)
    if different:
        sys.exit(f"these differ from the discovery documents: {', '.join(different)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
