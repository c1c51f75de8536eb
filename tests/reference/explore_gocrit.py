#!/usr/bin/env python3
"""Holds the JSON of crit-x against that of go-criu's crit, key by key, on real checkpoints.

usage: explore_gocrit.py BIN CORPUS        CORPUS has dev/ and dev-expected/gocrit/SET/x.WHAT.json

Every key that go-criu prints must be in ours with the same value, and none of its keys may be in ours where it has
none, but for the differences of the table below.
"""
import collections
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from corpus_answers import answer

KEYS = {
    "ps": {"pid", "pgid", "sid", "comm", "children"},
    "fds": {"pid", "files", "fd", "type", "path"},
    "mems": {"pid", "exe", "mems", "start", "end", "protection", "resource"},
    "rss": {"pid", "rss", "phy_addr", "phy_pages", "vmas", "addr", "pages", "resource"},
    "sk": {"pid", "sockets", "fd", "fd_type", "family", "protocol", "type", "state", "src_addr", "src_port",
           "dest_addr", "dest_port", "send_buf", "recv_buf"},
}


def is_file(value):
    return isinstance(value, str) and not re.match(r"\[|ips\[|shmem\[|packet\[", value)


# (what, where, is it that difference?, why ours is right)
DIFFERENCES = (
    ("mems", "/mems/resource", lambda go, ours: is_file(ours) and go in (None, " (s)", " *"),
     "go-criu drops the name of a file that is mapped from its start"),
    ("mems", "/mems/resource", lambda go, ours: "memfd:" in str(ours) and str(go).startswith("unknown"),
     "go-criu looks for a memfd among the regular files"),
    ("mems", "/mems/resource",
     lambda go, ours: re.match(r"(ips|shmem|packet)\[", str(go)) and str(go)[:3] == str(ours)[:3],
     "go-criu numbers shared objects from 0, crit from 1"),
    ("mems", "/mems/resource",
     lambda go, ours: str(ours).startswith("shmem[") and (go in (None, " (s)", " *") or str(go).startswith("unknown")),
     "shared anonymous memory is a memory file to CRIU, which go-criu does not find"),
    ("rss", "/rss/resource", lambda go, ours: str(ours).startswith(("memfd:", "shmem[")), "as above"),
    ("sk", "/sockets/type", lambda go, ours: go is None or go.isdigit(),
     "go-criu takes the protocol of packet and netlink sockets for their type"),
    ("sk", "/sockets/src_addr", lambda go, ours: ours and go == ours + "\0" and ours[0] != "\0",
     "go-criu shows the zero byte that ends the path of a unix socket"),
    ("sk", "/sockets/protocol", lambda go, ours: go == "IP" or go.isdigit(),
     "go-criu has no names for the protocols of netlink and packet sockets"),
    ("fds", "/files/path", lambda go, ours: re.fullmatch(r"(FIFO|TTY|MEMFD)\.\d+", str(go)),
     "go-criu has numbers for FIFOs, terminals and memory files, which have paths"),
)


def chosen(value, what, place=""):
    """Only what go-criu has keys for. Its `pages` is one of mappings, ours also one of runs."""
    if isinstance(value, list):
        return [chosen(one, what, place) for one in value]
    if isinstance(value, dict):
        return {key: chosen(one, what, f"{place}/{key}") for key, one in value.items()
                if key in KEYS[what] and f"{place}/{key}" != "/rss/pages"}
    return value


def number(value):
    """Ours are numbers, never text or true."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no number")
    return value


def size_text(size):
    """A number of bytes as go-criu writes it."""
    power = (size.bit_length() - 1) // 10
    return f"{size / 1024 ** power:.1f} {'KMGTPE'[power - 1]}B" if power > 0 else f"{size} B"


def as_gocrit(value, what):
    """Our document with go-criu's keys for descriptors and sizes of buffers, which it has as text."""
    for task in value:
        for one in task.get("files", []) if what == "fds" else []:
            one["fd"] = str(number(one["fd"])) if "fd" in one else one["directory"]
            if "fd_type" in one:
                one["type"] = one["fd_type"]
        for one in task.get("sockets", []) if what == "sk" else []:
            number(one["fd"])
            for theirs, ours in (("send_buf", "send_buffer"), ("recv_buf", "receive_buffer")):
                if ours in one:
                    one[theirs] = size_text(number(one[ours]))
    return value


def ordered(value):
    """go-criu prints the children of a task in a random order."""
    if isinstance(value, dict):
        return {key: sorted(map(ordered, one), key=lambda child: child["pid"]) if key == "children" else one
                for key, one in value.items()}
    return value


def differences(go, ours, place=""):
    if isinstance(go, dict) and isinstance(ours, dict):
        for key in sorted(set(go) | set(ours)):
            yield from differences(go.get(key), ours.get(key), f"{place}/{key}")
    elif isinstance(go, list) and isinstance(ours, list) and len(go) == len(ours):
        for one, other in zip(go, ours):
            yield from differences(one, other, place)
    elif go != ours:
        yield place, go, ours


def counts_no_pages(go):
    """Before CRIU 4.2 the count stands in a field that go-criu does not look at."""
    return any("phy_pages" not in run for task in go for run in task.get("rss", []))


def main():
    programs, corpus = sys.argv[1:3]
    counts, failed = collections.Counter(), 0
    answers = os.path.join(corpus, "dev-expected", "gocrit")
    for folder, _, _ in sorted(os.walk(answers)):
        name = os.path.relpath(folder, answers)
        for what in KEYS:
            theirs = answer(os.path.join(folder, f"x.{what}.json"))
            if not theirs or not os.path.isdir(os.path.join(corpus, "dev", name)):
                continue
            go = json.loads(theirs)
            if what == "rss" and counts_no_pages(go):
                counts["rss of images whose pages go-criu does not count"] += 1
                continue
            done = subprocess.run([os.path.join(programs, "crit-x"), os.path.join(corpus, "dev", name), what, "--json"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            ours = chosen(as_gocrit(json.loads(done.stdout), what), what)
            counts[what] += 1
            for place, one, other in differences(ordered(go), ordered(ours)):
                if any(what == w and place == p and right(one, other) for w, p, right, _ in DIFFERENCES):
                    counts[f"{what} where ours is right"] += 1
                    continue
                failed += 1
                print(f"FAIL {name}: {what}: {place}: go-criu {one!r}, ours {other!r}"[:300])
    for what, count in sorted(counts.items()):
        print(f"{what}: {count}")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
