#!/usr/bin/python3
"""Holds schemas/workflow.schema.json against the corpus that the parser is held against.

Good files, and the examples, must be valid. Bad files must be invalid, except for those that say `# schema: accepts` because no JSON schema
can know (cycles, references, expressions, …): these must be valid, so that the remark stays true.
"""
import json
import pathlib
import re
import sys

import jsonschema
import yaml


class CoreLoader(yaml.SafeLoader):
    """PyYAML with the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), as editors read it."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN",
     list("-+0123456789.")),
    ("merge", "<<", ["<"]),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


def construct_integer(loader, node):
    text = loader.construct_scalar(node)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def construct_map(loader, node):
    loader.flatten_mapping(node)
    result = {}
    for key_node, value_node in node.value:
        # A key is what it says: `on` and 7 are names of tasks.
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(loader.construct_object(key_node, True))
        result[key] = loader.construct_object(value_node, deep=True)
    return result


CoreLoader.add_constructor("tag:yaml.org,2002:int", construct_integer)
CoreLoader.add_constructor("tag:yaml.org,2002:map", construct_map)


def remark(text):
    """True if the file's comment lines at the beginning say that the schema accepts it."""
    for line in text.splitlines():
        if not line.startswith("# "):
            return False
        if line == "# schema: accepts":
            return True
    return False


def judge(validator, path):
    """An error text, or None if the schema accepts the file."""
    try:
        documents = list(yaml.load_all(path.read_bytes(), Loader=CoreLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return f"not YAML: {error}"
    if len(documents) != 1:
        return f"{len(documents)} documents"
    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(documents[0]))
    except RecursionError:
        return "endless"
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message}"[:300] if error else None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    schema = json.loads((root / "schemas/workflow.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    corpus = root / "tests/corpus/workflow"
    good = sorted((corpus / "good").rglob("*.yaml")) + sorted((root / "examples").rglob("*.yaml"))
    bad = sorted((corpus / "bad").rglob("*.yaml"))
    wrong = []
    if len(good) < 40 or len(bad) < 90:
        wrong.append(f"the corpus is incomplete: {len(good)} good, {len(bad)} bad files")
    for path in good + bad:
        accepts = path in set(good) or remark(path.read_bytes().decode(errors="replace"))
        error = judge(validator, path)
        if accepts and error:
            wrong.append(f"{path}: refused by the schema: {error}")
        elif not accepts and not error:
            wrong.append(f"{path}: accepted by the schema, but it is bad")
    for line in wrong:
        print(line)
    print(f"{len(good)} good and {len(bad)} bad files, {len(wrong)} misjudged")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
