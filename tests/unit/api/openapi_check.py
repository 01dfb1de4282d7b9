"""Holds schemas/openapi.yaml against a running server: openapi_check.py OPENAPI SOCKET "METHOD PATH"...

Every route is described and nothing else is; every example fits its schema; every operation, asked with everything that
is described for it, answers as described, with no field beside those; an unknown query parameter is refused with a problem.
The schemas of the command line's JSON beside it describe the same runs.
"""
import copy
import http.client
import json
import pathlib
import re
import socket
import sys
import urllib.parse

import jsonschema
import yaml

METHODS = ("get", "post", "put", "delete", "patch", "head", "options", "trace")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("baton", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def walk(node, visit):
    visit(node)
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        walk(child, visit)


def close(node):
    if isinstance(node, dict) and isinstance(node.get("properties"), dict):
        node.setdefault("additionalProperties", False)


def closed(document):
    """The document with every described object closed, so that what is answered but not described is found."""
    document = copy.deepcopy(document)
    walk(document["paths"], close)
    walk(document["components"], close)
    return document


class Description:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = closed(yaml.safe_load(file))
        self.resolver = jsonschema.RefResolver.from_schema(self.document)

    def resolve(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def validate(self, value, schema, what):
        errors = list(jsonschema.Draft202012Validator(schema, resolver=self.resolver).iter_errors(value))
        assert not errors, f"{what}: {errors[0].message} at {errors[0].json_path} in {json.dumps(value)[:500]}"

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    parameters = item.get("parameters", []) + item[method].get("parameters", [])
                    yield method.upper(), path, item[method], [self.resolve(parameter) for parameter in parameters]

    def check_itself(self):
        jsonschema.Draft202012Validator.check_schema({"$defs": self.document["components"]["schemas"]})

        def check_reference(node):
            if isinstance(node, dict) and isinstance(node.get("$ref"), str):
                self.resolver.resolve(node["$ref"])
            if isinstance(node, dict) and "schema" in node and "example" in node:
                self.validate(node["example"], node["schema"], f"example {node['example']}")

        walk(self.document, check_reference)
        for name, schema in self.document["components"]["schemas"].items():
            for example in schema.get("examples", []):
                self.validate(example, schema, f"example of {name}")
        names = [operation["operationId"] for _, _, operation, _ in self.operations()]
        assert len(names) == len(set(names)), "an operationId is used twice"
        for _, path, operation, parameters in self.operations():
            captures = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
            assert captures == re.findall(r"{(\w+)}", path), f"{path}: its path parameters are {captures}"
            assert "default" in operation["responses"], f"{path}: has no problem"


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def request_for(method, path, operation, parameters, description):
    """Everything the description says may be sent, as (target, body, headers)."""
    query, headers, body = [], {}, None
    for parameter in parameters:
        value = parameter["example"]
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(value, safe=""))
        elif parameter["in"] == "header":
            headers[parameter["name"]] = text(value)
        else:
            query += [(parameter["name"], text(item)) for item in (value if isinstance(value, list) else [value])]
    if "requestBody" in operation:
        content = description.resolve(operation["requestBody"])["content"]["application/json"]
        assert set(content["example"]) == set(description.resolve(content["schema"])["properties"]), f"{path}: example"
        body = json.dumps(content["example"])
        headers["Content-Type"] = "application/json"
    return path + ("?" + urllib.parse.urlencode(query) if query else ""), body, headers


def ask(socket_path, method, target, body, headers):
    connection = UnixConnection(socket_path)
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    answer = response.status, response.getheader("Content-Type"), response.read(), response.headers
    connection.close()
    return answer


def check_answer(description, operation, answer, what):
    status, kind, body, headers = answer
    responses = operation["responses"]
    described = description.resolve(responses.get(str(status)) or responses["default"])
    assert kind in described["content"], f"{what}: answered {status} with {kind}"
    for name in described.get("headers", {}):
        assert name in headers, f"{what}: no header {name}"
    schema = described["content"][kind].get("schema")
    if schema and kind == "application/x-ndjson":
        for line in body.splitlines():
            description.validate(json.loads(line), schema, what)
    elif schema:
        description.validate(json.loads(body), schema, what)


def check_command_line_schemas(folder, socket_path):
    def get(target):
        return json.loads(ask(socket_path, "GET", target, None, {})[2])

    run = get("/v1/runs/last") | {"tasks": get("/v1/runs/last/tasks")["items"]}
    runs = get("/v1/runs")["items"]
    for name, printed in (("run", run), ("runs", runs)):
        schema = json.loads((folder / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        walk(schema, close)
        jsonschema.Draft202012Validator(schema).validate(printed)


def main():
    description = Description(sys.argv[1])
    socket_path, routes = sys.argv[2], sys.argv[3:]
    description.check_itself()
    described = sorted(f"{method} {path}" for method, path, _, _ in description.operations())
    assert described == sorted(routes), f"described and served differ: {set(described) ^ set(routes)}"
    for method, path, operation, parameters in description.operations():
        target, body, headers = request_for(method, path, operation, parameters, description)
        what = f"{method} {target}"
        answer = ask(socket_path, method, target, body, headers)
        assert answer[0] in (200, 201), f"{what}: answered {answer[0]}: {answer[2]}"
        assert str(answer[0]) in operation["responses"], f"{what}: {answer[0]} is not described"
        check_answer(description, operation, answer, what)
        stranger = ask(socket_path, method, target + ("&" if "?" in target else "?") + "stranger=1", body, headers)
        assert stranger[0] == 400, f"{what}: an unknown query parameter is answered with {stranger[0]}"
        check_answer(description, operation, stranger, what)
    check_command_line_schemas(pathlib.Path(sys.argv[1]).parent, socket_path)


if __name__ == "__main__":
    main()
