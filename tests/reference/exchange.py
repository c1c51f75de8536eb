#!/usr/bin/env python3
"""exchange: Debian's crit reads our JSON and we read its, on the images that it brings back itself.

usage: exchange PROGRAMS CHECKPOINTS      exit 77: there is no crit in PATH, nor in CRITPIPE_PEER_CRIT

An image that crit decodes and encodes to the same bytes is of its generation. Then its encoder must make the same of our
JSON, and ours of its; plain and pretty. One image of each kind, so that it does not take all day.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

LARGEST_BYTES = 64 << 10
LEAST_KINDS = 15
RAW = re.compile(r"pages-|iptables-|ip6tables-|nftables-|tmpfs-|ifaddr-|route|rule-|netns-ct|packetsk-raw")


def run(*command, data=None):
    return subprocess.run([str(word) for word in command], input=data, stdin=None if data is not None else
                          subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)


def images(folder):
    """The largest image of each kind."""
    best = {}
    for top, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(top, name)
            if not name.endswith(".img") or RAW.match(name) or os.path.getsize(path) > LARGEST_BYTES:
                continue
            with open(path, "rb") as file:
                kind = file.read(8)
            if kind not in best or os.path.getsize(path) > os.path.getsize(best[kind]):
                best[kind] = path
    return list(best.values())


def words(json):
    return set(re.findall(rb"[A-Z][A-Z0-9_]{3,}", json))


def check(crit, programs, path):
    """(of its generation, failures)"""
    with open(path, "rb") as file:
        image = file.read()
    failures = []
    with tempfile.TemporaryDirectory() as work:
        theirs, back = f"{work}/theirs", f"{work}/back"
        for pretty in ([], ["--pretty"]):
            if run(crit, "decode", *pretty, "-i", path, "-o", theirs).returncode != 0:
                return False, []
            if run(crit, "encode", "-i", theirs, "-o", back).returncode != 0 or open(back, "rb").read() != image:
                return False, []
            here = run(f"{programs}/crit-fromjson", theirs)
            if here.stdout != image:
                failures.append(f"{path}: its JSON {pretty} read here: {here.stderr.decode()}")
            json = run(f"{programs}/crit-tojson", *pretty, path).stdout
            # It cannot read names of flags that are newer than it is: there it prints a number itself.
            if pretty and words(json) - words(open(theirs, "rb").read()):
                continue
            with open(f"{work}/ours", "wb") as file:
                file.write(json)
            there = run(crit, "encode", "-i", f"{work}/ours", "-o", back)
            if there.returncode != 0 or open(back, "rb").read() != image:
                failures.append(f"{path}: our JSON {pretty} read there: {there.stderr.decode()[-300:]}")
    return True, failures


def main():
    programs, checkpoints = sys.argv[1:]
    crit = os.environ.get("CRITPIPE_PEER_CRIT") or shutil.which("crit")
    if not crit:
        print("there is no crit of another here: apt-get install criu has it on Debian 12, python3-pycriu later")
        return 77
    paths = images(checkpoints)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda path: check(crit, programs, path), paths))
    failures = [failure for _, found in answers for failure in found]
    both = sum(of_both for of_both, _ in answers)
    for failure in failures:
        print("FAIL", failure)
    print(f"{both} kinds exchanged of {len(paths)}, {len(failures)} failed")
    return 1 if failures or both < LEAST_KINDS else 0


if __name__ == "__main__":
    sys.exit(main())
