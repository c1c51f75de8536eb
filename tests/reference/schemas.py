#!/usr/bin/env python3
"""schemas.py: what programs print as JSON is what schemas/PROGRAM.json says, and a column has one type.

usage: schemas.py BIN CHECKPOINTS SCHEMAS

1. Each output of each program, over all checkpoints, with numbers as they are and as text, is valid by the schema that is
   installed for it, and has no key that the schema does not name.
2. The lines of one kind, over all checkpoints, have in each key one type beside null: a table of SQL needs no cast. With
   --big-numbers=text the keys of 64 bits are text in all lines. They are loaded into SQLite and come out as they went in.
   Lines of crit-x and crit-inspect have no lists and objects, and rows of all kinds of them share a key only if it has one type.
An output without a form in its schema is a failure, and so is a form of these programs that nothing here prints. A schema
names its forms in its anyOf.
"""
import concurrent.futures
import glob
import json
import os
import re
import sqlite3
import subprocess
import sys

BIN, CHECKPOINTS, SCHEMAS = sys.argv[1:4]
failures = []
# Program, form of its schema, arguments.
LINES = [
    ("crit-cat", "list", "--list --json"), ("crit-cat", "list", "--list --json --all"),
    ("crit-tojson", "line", "--lines"), ("crit-grep", "line", "--lines 'index < 3'"),
    ("crit-grep", "match", r"--memory --json -C 8 -m 200 '[\x80-\xff]{2}|ELF'"),
    ("crit-pages", "run", "--list --json"), ("crit-pages", "by_vma", "--by vma --json"), ("crit-pages", "by_file", "--by file --json --contents"),
    ("crit-pages", "by_process", "--by process --json"), ("crit-pages", "by_flags", "--by flags --json"),
    ("crit-pages", "argv", "--argv --json"), ("crit-pages", "env", "--env --json"), ("crit-pages", "auxv", "--auxv --json"),
    ("crit-pages", "finding", "--check --json --except 'pages-*'"), ("crit-pages", "difference", "--diff --json demo"),
    ("crit-x", "ps_line", "ps --lines"), ("crit-x", "fds_line", "fds --lines --long"), ("crit-x", "mems_line", "mems --lines --long"),
    ("crit-x", "rss_line", "rss --lines"), ("crit-x", "sk_line", "sk --lines --long"), ("crit-stats", "line", "--lines"),
    ("crit-check", "finding", "--lines --severity note"), ("crit-inspect", "line", "--lines --environment"),
]
DOCUMENTS = [
    ("crit-inspect", "document", "--json --environment"), ("crit-pages", "summary", "--summary --json"), ("crit-pages", "summary", "--contents --json"), ("crit-tojson", "member", "--no-payload"),
    ("crit-tojson", "document", "INVENTORY"), ("crit-stats", "document", "--json"),
    ("crit-check", "document", "--json --severity note"), ("crit-check", "rules", "--rules --json #"), ("crit-inspect", "table", "--table --json"),
    ("crit-inspect", "checkpointctl", "--checkpointctl --environment"), ("crit-repack", "document", "--compress --plan --json"),
] + [("crit-x", word, f"{word} --json") for word in ("ps", "fds", "mems", "rss", "sk")]
TOGETHER = ("crit-x", "crit-inspect")   # whose lines go into one table
SHAPES = ("type", "enum", "const", "minimum", "pattern", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "$ref",
          "description", "title", "$schema", "$id", "$defs", "definitions")
NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def fail(what, detail):
    if failures.count(what) < 2:
        print(f"FAIL {what}: {detail}", file=sys.stderr)
    failures.append(what)


def why_not(value, shape, root, place=""):
    """None where the value has the shape, else the first thing that is wrong. Keys that no shape names are wrong."""
    unknown = set(shape) - set(SHAPES)
    if unknown:
        return f"{place}: the schema has {unknown}, which this test does not know"
    if "$ref" in shape:
        inner = root
        for step in shape["$ref"].split("/")[1:]:
            inner = inner[step]
        return why_not(value, inner, root, place)
    for word, wanted in (("anyOf", range(1, 1000)), ("oneOf", (1,))):
        wrong = [why_not(value, one, root, place) for one in shape.get(word, [])]
        if wrong and wrong.count(None) not in wanted:
            return next(filter(None, wrong), f"{place}: fits more than one shape")
    types = shape.get("type", [])
    types = [types] if isinstance(types, str) else types
    name = NAMES[type(value)]
    if types and name not in types and not (name == "integer" and "number" in types):
        return f"{place}: {name}, not {types}"
    if "const" in shape and value != shape["const"] or "enum" in shape and value not in shape["enum"]:
        return f"{place}: {value!r}"
    if "pattern" in shape and isinstance(value, str) and not re.search(shape["pattern"], value):
        return f"{place}: {value!r} is not {shape['pattern']}"
    if "minimum" in shape and name in ("integer", "number") and value < shape["minimum"]:
        return f"{place}: {value} is less than {shape['minimum']}"
    if isinstance(value, list) and "items" in shape:
        return next(filter(None, (why_not(one, shape["items"], root, f"{place}[]") for one in value)), None)
    if not isinstance(value, dict):
        return None
    for key in shape.get("required", []):
        if key not in value:
            return f"{place}: no {key}"
    for key, inner in value.items():
        other = shape.get("additionalProperties", "properties" not in shape)
        inner_shape = shape.get("properties", {}).get(key, other)
        if inner_shape is False or inner_shape is True and other is False:
            return f"{place}: the schema has no key {key}"
        if inner_shape is not True:
            wrong = why_not(inner, inner_shape, root, f"{place}.{key}")
            if wrong:
                return wrong
    return None


def run(program, arguments, checkpoint):
    words = arguments.replace("INVENTORY", "")
    where = checkpoint + ("/inventory.img" if "INVENTORY" in arguments else "")
    done = subprocess.run(["bash", "-c", f"{program} {words} {where}"], cwd=CHECKPOINTS, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False)
    return done.stdout.decode("utf-8")


def outputs(jobs, checkpoints):
    """For each job the texts of all checkpoints."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        started = [[pool.submit(run, program, arguments, checkpoint) for checkpoint in checkpoints] for program, _, arguments in jobs]
        for (program, form, arguments), texts in zip(jobs, started):
            yield program, form, arguments, [text.result() for text in texts]


def check_columns(what, rows):
    """One type a column, and SQLite gives back what was put in."""
    types = {}
    for row in rows:
        for key, value in row.items():
            if value is not None:
                name = NAMES[type(value)]
                types.setdefault(key, set()).add("number" if name == "integer" and "number" in types.get(key, ()) else name)
    for key, found in types.items():
        if len(found) > 1 and found != {"integer", "number"}:
            fail(what, f"the column {key} has {sorted(found)}")
    base = sqlite3.connect(":memory:")
    base.execute("create table lines (line text)")
    base.executemany("insert into lines values (?)", ([json.dumps(row)] for row in rows))
    for key, found in types.items():
        if found & {"object", "array", "boolean"}:
            continue
        wanted = [row.get(key) for row in rows]
        if any(isinstance(value, str) and "\0" in value or isinstance(value, int) and abs(value) >= 1 << 63 for value in wanted):
            continue        # SQLite has no such texts and numbers
        got = [value for (value,) in base.execute("select line ->> ? from lines order by rowid", (f'$."{key}"',))]
        if got != wanted:
            fail(what, f"SQLite changes the column {key}")


def check_records(program, schema):
    """Of lines that are records of several kinds, which may not all occur here, the schema says the types of columns."""
    for form in schema["$defs"].values():
        types = {}
        for record in form.get("anyOf", []):
            shape = schema["$defs"].get(record.get("$ref", "").removeprefix("#/$defs/"), {})
            if "record" in shape.get("properties", {}):
                for key, inner in shape["properties"].items():
                    types.setdefault(key, set()).add(inner.get("type", inner.get("$ref", "string")))
        for key, found in types.items():
            if len(found) > 1:
                fail(f"schemas/{program}.json", f"the column {key} has {sorted(found)}")


def main():
    os.environ["PATH"] = os.path.abspath(BIN) + ":" + os.environ["PATH"]
    schemas = {}
    for path in glob.glob(f"{SCHEMAS}/*.json"):
        with open(path, encoding="utf-8") as file:
            schemas[os.path.basename(path)[:-5]] = json.load(file)
    checkpoints = sorted(os.path.relpath(os.path.dirname(path), CHECKPOINTS)
                         for path in glob.glob(f"{CHECKPOINTS}/**/inventory.img", recursive=True))
    printed, together = set(), {}
    big = [(program, form, f"{arguments} --big-numbers=text") for program, form, arguments in LINES + DOCUMENTS[:3]
           if program != "crit-check"]
    for program, form, arguments, texts in outputs(LINES + DOCUMENTS + big, checkpoints):
        what = f"{program} {arguments}"
        if form not in schemas.get(program, {}).get("$defs", {}):
            fail(what, f"schemas/{program}.json has no {form}")
            continue
        is_lines = (program, form) in {(program, form) for program, form, _ in LINES} or form == "member"
        rows = [json.loads(line) for text in texts for line in (text.splitlines() if is_lines else [text] if text.strip() else [])]
        printed |= {(program, form)} if rows else set()
        for row in rows:
            wrong = why_not(row, {"$ref": f"#/$defs/{form}"}, schemas[program])
            if wrong:
                fail(what, wrong)
        if is_lines and form != "member":
            check_columns(what, rows)
            if program in TOGETHER:
                together.setdefault("--big-numbers=text" in arguments, []).extend(rows)
                if nested := [key for row in rows for key, value in row.items() if isinstance(value, (dict, list))]:
                    fail(what, f"{nested[0]} is no column")
    for rows in together.values():
        check_columns(" and ".join(TOGETHER), rows)
    for program, schema in schemas.items():
        check_records(program, schema)
        for one in schema["anyOf"]:
            form = one["$ref"].removeprefix("#/$defs/")
            if program in {job[0] for job in LINES} and (program, form) not in printed:
                fail(f"schemas/{program}.json", f"nothing printed {form}")
    print("schemas: done" if not failures else f"schemas: {len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
