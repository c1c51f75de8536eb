#!/usr/bin/env python3
"""keys.py: which checkpoint an object is of, in every mode that prints JSON: always both keys, the same in all programs.

usage: keys.py BIN FOLDER

FOLDER holds checkpoint directories. The inputs are a directory, with slashes at its end, by another path, given twice; an
archive with one set at its top, in `checkpoint/`, in a directory of its own, with several sets; a pipe; an image by itself;
and mixtures. What stands beside an input changes nothing in its keys, but that the second DIR is DIR#2.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

BIN = os.path.abspath(sys.argv[1])
FOLDER = os.path.abspath(sys.argv[2])
os.environ["PATH"] = BIN + ":" + os.environ["PATH"]
failures = []

# Command lines in which INPUTS stands for the inputs, and what they print something of: "all" sets, sets with "memory",
# images by themselves "too", or whatever is "found" (perhaps nothing).
MODES = [
    ("crit-cat --list --json INPUTS", "all too"),
    ("crit-tojson INPUTS", "all"),
    ("crit-tojson --lines INPUTS", "all"),
    ("crit-tojson --lines --pretty -j 1 INPUTS", "all"),
    ("crit-grep --lines 'index == 0' INPUTS", "all"),
    ("crit-grep --json 'index == 0' INPUTS", "all"),
    ("crit-grep --memory --json -F ELF INPUTS", "memory"),
    ("crit-grep --memory --lines -F ELF INPUTS", "memory"),
    ("crit-pages --json INPUTS", "memory"),
    ("crit-pages --json --contents INPUTS", "memory"),
    ("crit-pages --list --json INPUTS", "memory"),
    ("crit-pages --by vma --json INPUTS", "memory"),
    ("crit-pages --by file --json INPUTS", "memory"),
    ("crit-pages --by process --json INPUTS", "memory"),
    ("crit-pages --by flags --contents --json INPUTS", "memory"),
    ("crit-pages --argv --json INPUTS", "memory"),
    ("crit-pages --env --auxv --json INPUTS", "memory"),
    ("crit-pages --check --json INPUTS", "found"),
    ("crit-inspect --json INPUTS", "all"),
    ("crit-inspect --lines INPUTS", "all"),
    ("crit-stats --json INPUTS", "all"),
    ("crit-stats --lines INPUTS", "all"),
] + [(f"crit-x --{form} INPUTS {word}", "found" if word == "sk" else "all")
     for form in ("json", "lines") for word in ("ps", "fds", "mems", "rss", "sk")]
# What --help offers and MODES must have: options that print JSON.
JSON_OPTIONS = ("--json", "--lines")


def check(what, condition, detail=""):
    if not condition:
        failures.append(what)
        print(f"FAIL {what}: {detail}", file=sys.stderr)


def values(text):
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        yield value


def objects(value):
    """What is of one checkpoint: documents, lines, and in the summary of several checkpoints the rows of its lists."""
    if isinstance(value, list):
        for element in value:
            yield from objects(element)
    elif "schema" in value and "sockets" in (value.get("checkpoints") or [{}])[0]:  # of crit-inspect
        yield from value["checkpoints"]
    elif "processes" in value:
        for name in ("processes", "shmem", "checkpoints", "unclaimed"):
            yield from value.get(name, [])
        if "checkpoints" not in value:
            yield value
    else:
        yield value
        if "other" in value:
            yield value["other"]


def keys_of(command, stdin=None):
    done = subprocess.run(["bash", "-c", command], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    found = set()
    for value in values(done.stdout):
        for item in objects(value):
            check(command, "checkpoint" in item and "set" in item, "a key is missing in " + json.dumps(item)[:200])
            found.add((item.get("checkpoint"), item.get("set")))
    return found, done


def make_inputs():
    demo = f"{FOLDER}/demo/checkpoint"
    shutil.copytree(demo, "DIR")
    os.makedirs("below/checkpoint")
    os.makedirs("pod/app/checkpoint")
    os.makedirs("pod/side/checkpoint")
    for name in os.listdir(demo):
        for folder in ("below/checkpoint", "pod/app/checkpoint", "pod/side/checkpoint"):
            shutil.copy(f"{demo}/{name}", f"{folder}/{name}")
    subprocess.run("tar cf flat.tar -C DIR . && tar cf usual.tar -C below checkpoint && tar cf own.tar DIR &&"
                   "tar cf pod.tar -C pod app side && zstd -q pod.tar && crit-cat DIR > dir.stream && mkdir sub &&"
                   "cp flat.tar sub", shell=True, check=True)


def main():
    make_inputs()
    for program in sorted(set(command.split()[0] for command, _ in MODES)):
        offered = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for option in JSON_OPTIONS:
            used = any(command.startswith(program) and option in command.split() for command, _ in MODES)
            check(f"{program} {option}", option + " " not in offered or used, "no mode of this test prints it")
    here = os.path.realpath(".")
    pod = {("pod.tar", "app"), ("pod.tar", "side")}
    table = {
        "DIR": {("DIR", "")},
        "DIR/": {("DIR", "")},
        "DIR//": {("DIR", "")},
        "./DIR": {("./DIR", "")},
        f"{here}/DIR": {(f"{here}/DIR", "")},
        "below": {("below", "")},
        "flat.tar": {("flat.tar", "")},
        "usual.tar": {("usual.tar", "")},
        "own.tar": {("own.tar", "DIR")},
        "pod.tar": pod,
        "pod.tar.zst": {("pod.tar.zst", "app"), ("pod.tar.zst", "side")},
        "dir.stream": {("dir.stream", "")},
        "- < pod.tar": {("-", "app"), ("-", "side")},
        "< usual.tar": {("-", "")},
        "- < <(cat own.tar)": {("-", "DIR")},
        "DIR DIR": {("DIR", ""), ("DIR#2", "")},
        "DIR flat.tar DIR/": {("DIR", ""), ("flat.tar", ""), ("DIR#2", "")},
        "flat.tar DIR flat.tar": {("flat.tar", ""), ("DIR", ""), ("flat.tar#2", "")},
        "flat.tar sub/flat.tar": {("flat.tar", ""), ("sub/flat.tar", "")},
        "pod.tar DIR pod.tar": pod | {("DIR", ""), ("pod.tar#2", "app"), ("pod.tar#2", "side")},
        "own.tar usual.tar - < flat.tar": {("own.tar", "DIR"), ("usual.tar", ""), ("-", "")},
        "--set app pod.tar": {("pod.tar", "app")},
    }
    for inputs, wanted in table.items():
        for mode, prints in MODES:
            left, _, redirection = inputs.partition("<")
            command = mode.replace("INPUTS", left) + ("<" + redirection if redirection else "")
            found, done = keys_of(command)
            right = found <= wanted if prints == "found" else found == wanted
            check(command, right, f"{sorted(found)}, not {sorted(wanted)}; {done.stderr[:300]}")
    found, _ = keys_of("crit-pages --diff --json DIR pod.tar --set '' ; crit-pages --diff --json DIR own.tar")
    check("--diff", found == {("DIR", ""), ("own.tar", "DIR")}, found)
    # Findings: one of a directory, one of an archive beside it.
    shutil.copytree("DIR", "damaged")
    pages = next(name for name in sorted(os.listdir("damaged")) if name.startswith("pages-"))
    os.truncate(f"damaged/{pages}", 4096)
    subprocess.run("tar cf damaged.tar damaged", shell=True, check=True)
    found, _ = keys_of("crit-pages --check --json DIR damaged damaged.tar damaged/")
    check("--check", found == {("damaged", ""), ("damaged.tar", "damaged"), ("damaged#2", "")}, found)
    alone()
    unknown()
    one_table()
    text()
    print("keys: done" if not failures else f"keys: {len(failures)} failures")
    return 1 if failures else 0


def alone():
    """An image by itself is of the directory in its name. Its documents and lines are crit's, without the keys."""
    image = next(name for name in sorted(os.listdir("DIR")) if name.startswith("pagemap-"))
    shutil.copy(f"DIR/{image}", image)
    for path, wanted in ((f"DIR/{image}", "DIR"), (image, "."), (f"./{image}", "."), (f"- < {image}", "-")):
        for mode in ("crit-cat --list --json", "crit-pages --json", "crit-pages --list --json", "crit-pages --by vma --json"):
            found, done = keys_of(f"{mode} {path}")
            check(f"{mode} {path}", found == {(wanted, "")}, f"{found} {done.stderr}")
        for mode in ("crit-tojson", "crit-tojson --lines", "crit-grep --lines 'index == 0'"):
            lines = subprocess.run(f"{mode} {path}", shell=True, stdout=subprocess.PIPE, text=True).stdout
            check(f"{mode} {path}", all("checkpoint" not in value and "set" not in value for value in values(lines)))
    found, _ = keys_of("crit-stats --json DIR/stats-dump DIR")
    check("stats-dump and its directory", found == {("DIR", "")} or found == {("DIR", ""), ("DIR#2", "")}, found)


def unknown():
    """What is no image has the keys of its input in every list."""
    os.makedirs("odd")
    for name in ("odd/c1.tar.zst", "c1.tar.zst"):
        with open(name, "w", encoding="utf-8") as file:
            file.write("junk")
    for mode in ("crit-cat --list --json", "crit-tojson", "crit-tojson --lines"):
        found, _ = keys_of(f"{mode} odd/c1.tar.zst c1.tar.zst")
        check(mode, found == {("odd/c1.tar.zst", ""), ("c1.tar.zst", "")}, found)


def one_table():
    """Rows of crit-x and crit-inspect about one process or descriptor have the same in every key that they share."""
    def rows(command):
        done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return {(row["checkpoint"], row["set"], row["pid"], row.get("fd")): row for row in map(json.loads, done.stdout.splitlines())
                if "pid" in row and "directory" not in row}
    paths = " ".join(sorted(f"{FOLDER}/{name}" for name in os.listdir(FOLDER) if os.path.isdir(f"{FOLDER}/{name}")))
    inspected = rows(f"crit-inspect --lines {paths}")
    shared = set()
    for word in ("ps", "fds", "sk"):
        for of, row in rows(f"crit-x {word} --lines {paths}").items():
            other = inspected.get(of)
            check(f"crit-x {word}", other is not None, f"crit-inspect has no {of}")
            for key in set(row) & set(other or {}):
                shared.add(key)
                check(f"crit-x {word} and crit-inspect", row[key] == other[key], f"{of}: {key}: {row[key]!r}, {other[key]!r}")
    check("keys of both", shared >= {"comm", "command", "fd_type", "path", "about", "domain", "protocol", "type", "state", "inode"}, sorted(shared))


def text():
    """For people: INPUT, and INPUT (SET) where an input holds several sets."""
    def lines(command):
        return subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for mode, shown in (("crit-x INPUTS ps", lambda line: line.startswith("==> ")),
                        ("crit-pages --summary INPUTS", lambda line: not line.startswith(" ")),
                        ("crit-grep --memory -c -F ELF INPUTS", lambda line: True),
                        ("crit-grep --memory -l -F ELF INPUTS", lambda line: True),
                        ("crit-grep --memory -F ELF INPUTS", lambda line: True),
                        ("crit-stats --table INPUTS", lambda line: True)):
        def headings(inputs):
            return "\n".join(line for line in lines(mode.replace("INPUTS", inputs)) if shown(line))
        check(mode, "(" not in headings("own.tar").replace("(deleted)", "").replace("(times in ms)", ""), headings("own.tar")[:300])
        check(mode, "(" not in headings("own.tar DIR").replace("(deleted)", "").replace("(times in ms)", ""), headings("own.tar DIR")[:300])
        for name in ("pod.tar (app)", "pod.tar (side)"):
            check(mode, name in headings("pod.tar") and name in headings("pod.tar DIR"), headings("pod.tar")[:300])
        check(mode, "pod.tar" not in headings("pod.tar --set app") or "(app)" not in headings("pod.tar --set app"),
              headings("pod.tar --set app")[:300])


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    sys.exit(main())
