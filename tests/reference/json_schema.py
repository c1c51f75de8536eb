"""A validator for the few words of JSON Schema that schemas/ uses."""
import json

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
KNOWN = {"$schema", "$id", "$defs", "title", "description", "type", "const", "enum", "required", "properties",
         "additionalProperties", "items", "minimum", "$ref"}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def faults(schema, value, root=None, place="document"):
    """What is wrong with a value, one text each."""
    root = root or schema
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if unknown := set(schema) - KNOWN:
        yield f"{place}: the schema has words that are not known here: {sorted(unknown)}"
    wanted = TYPES.get(schema.get("type"), object)
    if not isinstance(value, wanted) or (wanted in (int, (int, float)) and isinstance(value, bool)):
        yield f"{place}: {value!r} is no {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is not one of {schema['enum']}"
    if value.__class__ is int and value < schema.get("minimum", value):
        yield f"{place}: {value} is below {schema['minimum']}"
    for i, item in enumerate(value if isinstance(value, list) and "items" in schema else []):
        yield from faults(schema["items"], item, root, f"{place}[{i}]")
    if not isinstance(value, dict):
        return
    for name in set(schema.get("required", ())) - set(value):
        yield f"{place}: {name} is missing"
    for name, member in value.items():
        if name in schema.get("properties", {}):
            yield from faults(schema["properties"][name], member, root, f"{place}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{place}: {name} is not in the schema"
