"""Compares requests with botocore's models of AWS's services.

    python aws_requests.py requests.jsonl

Each line of the file is a request as `omnifn_deploy::testing::Proxy` keeps it. Prints `N passed, M failed`; ends with 1 when one fails.
"""

import base64
import datetime
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as xml

import botocore.session
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
# What a credential scope calls a service, where botocore calls it otherwise.
NAMES = {"monitoring": "cloudwatch"}


class Mismatch(Exception):
    """The model knows no such thing."""


def model_of(service):
    return SESSION.get_service_model(NAMES.get(service, service))


def value(shape, wire, where):
    """What botocore's validator takes for what is on the wire."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(wire, dict):
            raise Mismatch(f"{where} is no object")
        known = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        result = {}
        for name, inner in wire.items():
            if name not in known:
                raise Mismatch(f"{where} has no member {name}")
            if inner is not None:
                result[known[name][0]] = value(known[name][1], inner, f"{where}.{name}")
        return result
    if kind == "list":
        return [value(shape.member, inner, f"{where}[]") for inner in wire]
    if kind == "map":
        return {name: value(shape.value, inner, f"{where}.{name}") for name, inner in wire.items()}
    if kind == "blob":
        return base64.b64decode(wire)
    if kind == "timestamp":
        return datetime.datetime.fromtimestamp(wire, datetime.timezone.utc) if isinstance(wire, (int, float)) else wire
    return wire


def text_value(shape, text):
    """The same for what travels as text: a part of a path, a query, a form."""
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name in ("float", "double"):
        return float(text)
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[text.lower()]
    return text


def query(uri):
    return urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query, keep_blank_values=True)


def rest_operation(model, method, uri, headers):
    """The operation that a path, a query and headers mean, with what they carry."""
    path = urllib.parse.urlsplit(uri).path
    pairs = query(uri)
    best = None
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.http["method"] != method or operation.deprecated:
            continue
        template, _, wanted = operation.http["requestUri"].partition("?")
        pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", template.rstrip("/") or "/")
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        match = re.fullmatch(pattern + "/?", path)
        flags = [flag.partition("=")[::2] for flag in wanted.split("&") if flag]
        if not match or any((key, text) not in pairs for key, text in flags):
            continue
        shape = operation.input_shape
        members = shape.members if shape else {}
        known = {m.serialization.get("name", n): (n, m) for n, m in members.items() if m.serialization.get("location") == "querystring"}
        unknown = [key for key, _ in pairs if key not in known and key not in dict(flags) and key != "x-id"]
        if unknown and not any(m.type_name == "map" for _, m in known.values()):
            continue
        required = [n for n in (shape.required_members if shape else []) if members[n].serialization.get("location") == "header"]
        if any(members[n].serialization["name"].lower() not in headers for n in required):
            continue
        score = (len(flags), len(required), -len(match.groups()))
        if best is None or score > best[0]:
            params = {}
            for member_name, member in members.items():
                location, wire = member.serialization.get("location"), member.serialization.get("name", member_name)
                if location == "uri" and wire in match.groupdict():
                    params[member_name] = text_value(member, urllib.parse.unquote(match[wire]))
                elif location == "querystring" and member.type_name == "list":
                    values = [text for key, text in pairs if key == wire]
                    if values:
                        params[member_name] = values
                elif location == "querystring" and wire in dict(pairs):
                    params[member_name] = text_value(member, dict(pairs)[wire])
                elif location == "header" and wire.lower() in headers:
                    params[member_name] = text_value(member, headers[wire.lower()])
            best = (score, operation, params)
    if best is None:
        raise Mismatch(f"no operation of {model.service_name} is {method} {uri}")
    return best[1], best[2]


def from_xml(shape, element, where):
    """An XML body as what the validator takes."""
    if shape.type_name == "structure":
        known = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
        result = {}
        for child in element:
            tag = child.tag.rpartition("}")[2]
            if tag not in known:
                raise Mismatch(f"{where} has no member {tag}")
            name, member = known[tag]
            if member.type_name == "list" and member.serialization.get("flattened"):
                result.setdefault(name, []).append(from_xml(member.member, child, f"{where}.{tag}"))
            else:
                result[name] = from_xml(member, child, f"{where}.{tag}")
        return result
    if shape.type_name == "list":
        return [from_xml(shape.member, child, where) for child in element]
    return text_value(shape, element.text or "")


def from_form(shape, pairs, where):
    """`Tags.member.1.Key=x` as what the validator takes."""
    if shape.type_name == "structure":
        result = {}
        for name, member in shape.members.items():
            prefix = member.serialization.get("name", name)
            inner = {key[len(prefix):].lstrip("."): text for key, text in pairs.items() if key == prefix or key.startswith(prefix + ".")}
            if inner:
                result[name] = from_form(member, inner, f"{where}.{name}")
                for key in [key for key in pairs if key == prefix or key.startswith(prefix + ".")]:
                    del pairs[key]
        if pairs:
            raise Mismatch(f"{where} has no member {next(iter(pairs))}")
        return result
    if shape.type_name in ("list", "map"):
        groups = {}
        for key, text in pairs.items():
            parts = key.split(".")
            parts = parts[1:] if parts[0] in ("member", "entry") else parts
            if not parts[0].isdigit():
                raise Mismatch(f"{where}: {key}")
            groups.setdefault(int(parts[0]), {})[".".join(parts[1:])] = text
        ordered = [groups[number] for number in sorted(groups)]
        if shape.type_name == "list":
            return [from_form(shape.member, group, f"{where}[]") for group in ordered]
        return {group["key"]: group["value"] for group in ordered}
    return text_value(shape, pairs[""])


def check(request):
    headers = {name.lower(): text for name, text in request["headers"]}
    service = headers["x-credential-scope"].split("/")[2]
    model = model_of(service)
    body = request["body"] or ""
    if "x-amz-target" in headers:
        operation = model.operation_model(headers["x-amz-target"].rpartition(".")[2])
        params = value(operation.input_shape, json.loads(body or "{}"), operation.name)
    elif headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        operation = model.operation_model(form.pop("Action"))
        version = form.pop("Version")
        if version != model.api_version:
            raise Mismatch(f"version {version}")
        params = from_form(operation.input_shape, form, operation.name) if operation.input_shape else {}
    else:
        operation, params = rest_operation(model, request["method"], request["uri"], headers)
        shape = operation.input_shape
        payload = shape.serialization.get("payload") if shape else None
        if payload and shape.members[payload].type_name == "blob":
            params[payload] = b""
        elif payload and body:
            member = shape.members[payload]
            params[payload] = from_xml(member, xml.fromstring(body), payload) if body.startswith("<") else value(member, json.loads(body), payload)
        elif body:
            located = {name for name, member in shape.members.items() if member.serialization.get("location")}
            decoded = value(shape, json.loads(body), operation.name)
            misplaced = located & set(decoded)
            if misplaced:
                raise Mismatch(f"{operation.name} has {misplaced} in its body")
            params.update(decoded)
    if operation.input_shape:
        report = ParamValidator().validate(params, operation.input_shape)
        if report.has_errors():
            raise Mismatch(report.generate_report())
    return f"{service}:{operation.name}"


def main():
    seen, failed = {}, 0
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            try:
                name = check(request)
                seen[name] = seen.get(name, 0) + 1
            except (Mismatch, KeyError, ValueError) as error:
                failed += 1
                print(f"FAILED {request['method']} {request['uri']}: {error!r}")
    for name in sorted(seen):
        print(f"ok {name} x{seen[name]}")
    passed = sum(seen.values())
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
