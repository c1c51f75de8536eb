#!/usr/bin/env python3
"""Holds the programs against real checkpoints and the answers of Python crit 4.2.1.

usage: corpus.py BIN CORPUS        CORPUS has dev/ (images) and dev-expected/ (answers, status.tsv)

Each image, and of those that are alike a share (see sampling.py), is decoded plain and pretty, counted, and encoded again from both forms. Where crit answered, ours must be the
same bytes; where it did not answer rightly, the reason stands in the table below and ours must still come back whole.
"""
import collections
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from corpus_answers import answer
from sampling import LONG, Sample

COMMON = (0x54564319, 0x55105940)
RAW = ("pages-", "tmpfs-", "ifaddr-", "route-", "route6-", "rule-", "iptables-", "ip6tables-", "nftables-",
       "netns-ct-", "netns-exp-", "amdgpu-")


def run(*command, data=None):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def is_raw(name):
    return name.startswith(RAW) and not name.startswith(("pagemap",))


def without_head(document):
    """What crit would have printed: heads of the first image version are the one thing it leaves out."""
    return document.replace(b', "head": "bare"', b"", 1).replace(b'\n    "head": "bare",', b"", 1)


class Checker:
    def __init__(self, programs, corpus):
        self.programs = programs
        self.images = os.path.join(corpus, "dev")
        self.answers = os.path.join(corpus, "dev-expected")

    def program(self, name):
        return os.path.join(self.programs, name)

    def check(self, set_name, name):
        """Yields (what, ok or the reason of a known difference, detail)."""
        path = os.path.join(self.images, set_name, name)
        with open(path, "rb") as file:
            image = file.read()
        if is_raw(name):
            result = run(self.program("crit-tojson"), path)
            yield "raw", result.returncode == 2 and b"raw image" in result.stderr, result.stderr
            back = run(self.program("crit-fromjson"), data=run(self.program("crit-tojson"), "--raw", path).stdout)
            yield "raw recode", back.stdout == image, back.stderr
            return
        bare = int.from_bytes(image[:4], "little") not in COMMON and name != "inventory.img"
        for form, arguments in (("decode", []), ("show", ["--pretty"])):
            ours = run(self.program("crit-tojson"), *arguments, path)
            theirs = answer(f"{self.answers}/{set_name}/{name}.{form}.json")
            if theirs and wrong(name, theirs):
                yield form + " where crit is wrong", ours.returncode == 0, ours.stderr
            elif theirs:
                text = without_head(ours.stdout) if bare else ours.stdout
                yield form, text.rstrip(b"\n") == theirs.rstrip(b"\n"), ours.stderr or first_difference(text, theirs)
            else:
                yield form + " where crit fails", ours.returncode == 0, ours.stderr
            back = run(self.program("crit-fromjson"), data=ours.stdout)
            yield form + " recode", back.stdout == image and back.returncode == 0, back.stderr
        lines = run(self.program("crit-tojson"), "--lines", path)
        if lines.stdout:
            back = run(self.program("crit-fromjson"), data=lines.stdout)
            yield "lines recode", back.stdout == image and back.returncode == 0, back.stderr
        theirs = answer(f"{self.answers}/{set_name}/{name}.info.json")
        if theirs and not any(kind in name for kind in MISCOUNTED):
            ours = run(self.program("crit"), "info", path)
            yield "info", ours.stdout == theirs, first_difference(ours.stdout, theirs)
        ours = run(self.program("crit-cat"), path)
        yield "cat", ours.stdout == image and ours.returncode == 0, ours.stderr


# Kinds with extras: crit counts words inside them.
MISCOUNTED = ("pipes-data", "fifo-data", "sk-queues", "tcp-stream", "ipcns-sem", "ipcns-shm", "ipcns-msg", "bpfmap-data",
              "ghost-file")


def wrong(name, theirs):
    """crit takes what follows an IPCNS_SHM entry for its contents, even where these are in a pagemap."""
    return name.startswith("ipcns-shm") and b'"in_pagemaps": true' in theirs and b'"extra": "",' not in theirs \
        and b'"extra": ""\n' not in theirs and b'"extra": ""}' not in theirs


def first_difference(ours, theirs):
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    begin = max(0, at - 60)
    return b"at %d: ours ...%s, crit ...%s" % (at, ours[begin:at + 60], theirs[begin:at + 60])


SAMPLE = Sample(5, first=12)
known = set()


def is_wanted(path):
    """Many sets have the same image of what is the same on a machine."""
    with open(path, "rb") as file:
        what = os.path.basename(path), hashlib.sha256(file.read()).digest()
    if what in known and not LONG:
        return False
    known.add(what)
    return SAMPLE.takes(re.sub("[0-9a-f]*[0-9][0-9a-f]*", "", what[0]))


def main():
    checker = Checker(sys.argv[1], sys.argv[2])
    work = []
    for set_name in sorted(os.listdir(checker.images)):
        folder = os.path.join(checker.images, set_name)
        if set_name == "archives" or not os.path.isdir(folder):
            continue
        work += [(set_name, name) for name in sorted(os.listdir(folder))
                 if os.path.isfile(os.path.join(folder, name)) and not os.path.islink(os.path.join(folder, name))
                 and (name.endswith(".img") or name in ("stats-dump", "stats-restore", "irmap-cache"))
                 and is_wanted(os.path.join(folder, name))]
    passed, failed = collections.Counter(), collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() + 1) as pool:
        results = pool.map(lambda item: (item, list(checker.check(*item))), work)
        for (set_name, name), checks in results:
            for what, ok, detail in checks:
                (passed if ok else failed)[what] += 1
                if not ok and failed[what] <= 20:
                    print(f"FAIL {what}: {set_name}/{name}: {detail.decode(errors='replace').strip()[:300]!r}")
    for what in sorted(set(passed) | set(failed)):
        print(f"{what}: {passed[what]} right, {failed[what]} wrong")
    print(f"{sum(passed.values())} passed, {sum(failed.values())} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
