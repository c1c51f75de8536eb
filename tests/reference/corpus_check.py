#!/usr/bin/env python3
"""corpus_check.py: crit-check on real checkpoints: it accuses no good one, and finds what made CRIU's restores fail.

usage: corpus_check.py BIN CORPUS

CORPUS/dev and CORPUS/engines are the corpus of tests/reference/corpus.py; engines/fail-*/failures/CASE each have a script that
damages a copy of their set and what CRIU said of it.
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checking import check, done
from corpus_failures import LOSSES, failures

BIN, CORPUS = map(os.path.abspath, sys.argv[1:3])
ARCHIVES = (".tar", ".tar.gz", ".tar.zst", ".criu")
# What lies outside of the images: files of the disk, a pid that is taken, a directory that is to be mounted.
OUTSIDE = {"given-missing-folder", "binary-missing", "binary-other-size", "file-missing", "file-shrunk", "pid-taken"}
# CRIU wants options for these, which the images alone don't say are not given.
OPTIONS = {"not-given", "given-wrong-key", "no-root", "without-tcp-established"}


def crit_check(*words):
    finished = subprocess.run([f"{BIN}/crit-check", "--lines", "--severity=note", *words], capture_output=True, timeout=120,
                              check=False)
    return [json.loads(line) for line in finished.stdout.splitlines()], finished.returncode, finished.stderr.decode()


def good_sets():
    for folder, _, names in sorted(os.walk(CORPUS)):
        if "/failures" in folder or "/failed-" in folder or "synthetic-" in folder or "/expected" in folder:
            continue
        if "pstree.img" in names:
            yield folder
        for name in sorted(names):
            if name.endswith(ARCHIVES) and "rootfs" not in name:
                yield os.path.join(folder, name)


def is_pre_dump(path):
    """An archive of a pre-dump alone, as podman writes it: pre-checkpoint/ and no checkpoint/."""
    if os.path.isdir(path):
        return False
    listed = subprocess.run([f"{BIN}/crit-cat", "--list", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return b"pre-checkpoint/" in listed.stdout and b"pstree.img" not in listed.stdout


def check_good():
    """Copies without pages, and pre-dumps by themselves, are told from all others by what is said of them."""
    nr_sets = 0
    for path in good_sets():
        nr_sets += 1
        findings, code, said = crit_check(path)
        has_pages = not os.path.isdir(path) or any(name.startswith("pages-") for name in os.listdir(path))
        told = ({"pages-missing"} if not has_pages else set()) | ({"pre-dump"} if is_pre_dump(path) else set())
        rules = {finding["rule"] for finding in findings if finding["severity"] in ("error", "loss")}
        check(path, rules <= told and ("pre-dump" in rules) == ("pre-dump" in told), json.dumps(findings[:3]))
        check(f"{path}: exit code", code == (1 if rules else 0), code)
        check(f"{path}: standard error", not said, said)
    return nr_sets


def restore_options(command, copy):
    words = shlex.split(command.replace("SET", copy))[2:]
    directory = words[words.index("-D") + 1]
    at = words.index("-D")
    return directory, [word for word in words[:at] + words[at + 2:] if word != "-d"]


def check_failure(folder, case):
    failure = os.path.join(folder, "failures", case)
    with open(os.path.join(failure, "result.json"), encoding="utf-8") as file:
        result = json.load(file)
    with tempfile.TemporaryDirectory() as scratch:
        copy = os.path.join(scratch, "set")
        source = next(os.path.join(folder, name) for name in ("images", "chain") if os.path.isdir(os.path.join(folder, name)))
        shutil.copytree(source, copy, symlinks=True)
        subprocess.run(["sh", os.path.join(failure, "apply.sh"), copy], check=True)
        directory, options = restore_options(result["restore"], copy)
        alone = crit_check(directory)
        exact = crit_check("--exact", *options, directory)
    return result, alone, exact


def check_failures():
    nr_errors = 0
    for folder, case in failures(CORPUS):
        result, (alone, code, _), (exact, exact_code, _) = check_failure(folder, case)
        what = f"{os.path.basename(folder)}/{case}"
        worst = {finding["severity"] for finding in alone}
        worst_exact = {finding["severity"] for finding in exact}
        if os.environ.get("VERBOSE"):
            shown = [f"{f['severity']} {f['rule']}: {f['reason']}" for f in alone if f["severity"] != "note"][:2]
            print(what, result["rc"], code, exact_code, "; ".join(shown))
        if not result["fails"]:
            errors = [finding for finding in alone + exact if finding["severity"] == "error"]
            check(f"{what}: restores, and is an error", not errors, errors[:2])
            check(f"{what}: loss", ("loss" in worst) == (case in LOSSES), sorted(worst))
        elif case in OUTSIDE:
            check(f"{what}: is not in the images", "error" not in worst | worst_exact, exact[:2])
        else:
            nr_errors += "error" in worst
            check(f"{what}: is not found", ("error" in worst) == (case not in OPTIONS), sorted(worst))
            check(f"{what}: is not found with its options", "error" in worst_exact, sorted(worst_exact))
        check(f"{what}: exit code", code == (1 if worst & {"error", "loss"} else 0), code)
    return nr_errors


nr_good = check_good()
nr_found = check_failures()
done(f"{nr_good} good checkpoints, {nr_found} failures seen in images alone, ")
