#!/usr/bin/env python3
"""Holds crit-x against the answers of Python crit 4.2.1 (text) and go-criu's crit (JSON) on real checkpoints.

usage: corpus_x.py BIN CORPUS      CORPUS has dev/ (images) and dev-expected/ (answers)

Text must be the same bytes. Of JSON, each field of go-criu must be there with its value, or with the number or the key
that stands for it (see as_gocrit); ours has more. Where a peer is wrong, the difference has
a row below, with the reason, and everything else on that line or in that object must agree.
On every checkpoint, whether a peer answered or not, each explorer ends by itself and prints JSON.
"""
import collections
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import corpus_answers
from explore_gocrit import as_gocrit

WORDS = ("ps", "fds", "mems", "rss", "sk")

# crit's line, ours: may they differ so?
TEXT_DIFFERENCES = {
    "crit knows no memfd: 'unknown path'":
        lambda theirs, ours: "memfd:" in ours and same_around("unknown path", theirs, ours),
    "shared anonymous memory is a memory file to CRIU, which crit does not find":
        lambda theirs, ours: "unknown path" in theirs and re.split(r" shmem\[", ours)[0] == theirs.partition(" unknown path")[0],
    "a name that breaks its line is escaped":
        lambda theirs, ours: re.search(r"\\(?:n|t|x[0-9a-f]{2})", ours) is not None,
    "crit shows pages that are not in this set as if they were":
        lambda theirs, ours: re.sub(" (?:parent|lazy)(?= )", lambda word: " " * len(word[0]), ours) == theirs,
}

# Path of the field, go-criu's value, ours, our object.
JSON_DIFFERENCES = {
    "go-criu loses the name of a shared mapping that begins at its file's begin, and of every memfd":
        lambda path, theirs, ours, _: path in ("mems.mems.resource", "rss.rss.resource") and
        (theirs == " (s)" and ours.endswith(" (s)") or "memfd:" in ours and same_around("unknown", theirs, ours)),
    "shared anonymous memory is a memory file to CRIU, which go-criu does not find":
        lambda path, theirs, ours, _: path == "mems.mems.resource" and ours.startswith("shmem[") and
        (theirs.startswith("unknown") or theirs.startswith("shmem[") or theirs == " (s)"),
    "go-criu counts System V segments and packet sockets from 0; crit, and we, show CRIU's number":
        lambda path, theirs, ours, _: path == "mems.mems.resource" and ours.startswith(("ips[", "packet[")) and
        theirs == re.sub(r"\d+", lambda number: str(int(number[0]) - 1), ours),
    "go-criu has no names for the protocols of netlink and packet sockets, which it reads as their type, too":
        lambda path, theirs, ours, socket: path in ("sk.sockets.type", "sk.sockets.protocol") and
        socket["fd_type"] in ("NETLINKSK", "PACKETSK"),
    "go-criu has numbers for FIFOs, terminals and memory files, which have paths":
        lambda path, theirs, ours, file: path == "fds.files.path" and
        file["fd_type"] in ("FIFO", "TTY", "MEMFD") and theirs == f"{file['fd_type']}.{file['id']}",
    "go-criu shows the zero byte that ends the path of a unix socket":
        lambda path, theirs, ours, socket: path == "sk.sockets.src_addr" and socket["fd_type"] == "UNIXSK" and
        theirs.rstrip("\0") == ours and not ours.startswith("\0"),
    "go-criu reads no number of pages before CRIU 4.2, and takes each run for an empty one":
        lambda path, theirs, ours, run: path in ("rss.rss.vmas", "rss.rss.resource") and run.get("theirs_is_empty"),
}


def same_around(word, theirs, ours):
    before, found, after = theirs.partition(word)
    return bool(found) and ours.startswith(before) and ours.endswith(after)


def answers(corpus, pattern):
    """Yields the checkpoint, the word and the answer."""
    for path in sorted(glob.glob(f"{corpus}/{pattern}", recursive=True)):
        text = corpus_answers.read(path)
        name = os.path.relpath(os.path.dirname(path), corpus)
        word = os.path.basename(path).split(".")[1]
        if not name.startswith("gocrit/") and word in WORDS:
            yield name, word, text


class Checker:
    def __init__(self, programs, corpus):
        self.program = os.path.join(programs, "crit-x")
        self.images = os.path.join(corpus, "dev")
        self.counts = collections.Counter()
        self.problems = []
        self.lock = threading.Lock()

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def input_of(self, name):
        if name.startswith("archives/"):
            return glob.glob(f"{self.images}/{os.path.dirname(name)}.*")[0]
        return f"{self.images}/{name}"

    def ask(self, name, word, *options):
        done = subprocess.run([self.program, self.input_of(name), word, *options], capture_output=True, check=False)
        if done.returncode not in (0, 2):
            self.problems.append(f"{name} {word}: ended with {done.returncode}")
        return done.stdout

    def differ(self, table, place, *values):
        for reason, holds in table.items():
            if holds(*values):
                self.count(reason)
                return
        self.problems.append(f"{place}: {values[:3]}"[:400])

    def check_text(self, name, word, theirs):
        ours = self.ask(name, word)
        self.count("texts")
        if ours == theirs:
            self.count("texts that are the same bytes")
            return
        lines = [text.decode(errors="surrogateescape").split("\n") for text in (theirs, ours)]
        # A name of two lines, which ours escapes: crit's second line goes to the first again.
        while len(lines[0]) > len(lines[1]):
            odd = next((i for i, (one, other) in enumerate(zip(*lines)) if one != other and "\\n" in other), None)
            if odd is None:
                break
            lines[0][odd:odd + 2] = [lines[0][odd] + "\n" + lines[0][odd + 1]]
        if len(lines[0]) != len(lines[1]):
            self.problems.append(f"{name} {word}: {len(lines[0])} lines, ours {len(lines[1])}")
        for one, other in zip(*lines):
            if one != other:
                self.differ(TEXT_DIFFERENCES, f"{name} {word}", one, other)

    def check_json(self, name, word, theirs):
        try:
            theirs = json.loads(theirs)
        except ValueError:
            return  # names that are no UTF-8, or nothing at all
        if theirs is None:
            return  # no root: it gave up
        self.count("JSON documents")
        ours = as_gocrit(json.loads(self.ask(name, word, "--json")), word)
        self.compare(f"{name} {word}", word, theirs, ours, None)

    def compare(self, place, path, theirs, ours, around):
        if isinstance(theirs, dict) and isinstance(ours, dict):
            if "phy_addr" in theirs and "phy_pages" not in theirs:
                ours["theirs_is_empty"] = True
            for key, value in theirs.items():
                self.compare(place, f"{path}.{key}", value, ours.get(key), ours)
        elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours) and path != "rss.rss.vmas":
            # Children come in any order, tasks in another.
            if theirs and isinstance(theirs[0], dict) and "pid" in theirs[0]:
                theirs, ours = (sorted(tasks, key=lambda task: task["pid"]) for tasks in (theirs, ours))
            for one, other in zip(theirs, ours):
                self.compare(place, path, one, other, around)
        elif theirs == ours:
            self.count("JSON values")
        else:
            self.differ(JSON_DIFFERENCES, f"{place}: {path}", path, theirs, ours or "", around)

    def check_all_forms(self, name):
        for word in WORDS:
            text = self.ask(name, word, "--json", "--long")
            if text:
                json.loads(text)
            for line in self.ask(name, word, "--lines").splitlines():
                json.loads(line)
            self.count("checkpoints explored")


def main():
    checker = Checker(*sys.argv[1:])
    expected = os.path.join(sys.argv[2], "dev-expected")
    folders = [os.path.relpath(folder, checker.images) for folder, _, files in os.walk(checker.images)
               if any(file.endswith(".img") for file in files)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = [pool.submit(checker.check_text, *one) for one in answers(expected, "**/x.*.txt*")]
        work += [pool.submit(checker.check_json, *one) for one in answers(f"{expected}/gocrit", "**/x.*.json*")]
        work += [pool.submit(checker.check_all_forms, folder) for folder in folders]
        for one in work:
            one.result()
    for what, count in sorted(checker.counts.items()):
        print(f"{count:8} {what}")
    for problem in checker.problems[:40]:
        print(f"FAIL {problem}")
    print(f"{len(checker.problems)} differences without a reason")
    return 1 if checker.problems or not checker.counts["texts"] else 0


sys.exit(main())
