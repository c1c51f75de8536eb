#!/usr/bin/env python3
"""Memory at addresses where it cannot be: every mode of every program that walks over addresses comes to an end.

usage: addresses.py BIN

Checkpoints are made with runs and mappings at 0, at the top of the address space, unaligned, overlapping, out of order,
empty and far too long, with and without bytes for them, and with page sizes that do not fit. Each program must exit by
itself, with 0, 1 or 2, soon, without much output or memory.
"""
import itertools
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import varint

PROGRAMS = sys.argv[1]
PAGE, TOP = 4096, 1 << 64
PARENT, LAZY, PRESENT = 1, 2, 4
SECONDS, OUTPUT, MEMORY = 20, 64 << 20, 4 << 30
failures = checks = 0


def entry(*fields):
    message = b"".join(varint(number << 3) + varint(value) for number, value in fields)
    return struct.pack("<I", len(message)) + message


def pagemap(runs, pages_id=1):
    image = struct.pack("<II", 0x54564319, 0x56084025) + entry((1, pages_id))
    for vaddr, pages, flags in runs:
        image += entry((1, vaddr), (2, 0), (4, flags), (5, pages))
    return image


def image(name, entries, directory):
    document = json.dumps({"magic": name, "entries": entries})
    made = subprocess.run([os.path.join(PROGRAMS, "crit-fromjson")], input=document.encode(), capture_output=True)
    assert made.returncode == 0, made.stderr
    file = {"PSTREE": "pstree.img", "MM": "mm-7.img"}[name]
    with open(os.path.join(directory, file), "wb") as out:
        out.write(made.stdout)


def checkpoint(directory, runs, mappings, pages):
    os.makedirs(directory)
    with open(os.path.join(directory, "pagemap-7.img"), "wb") as out:
        out.write(pagemap(runs))
    with open(os.path.join(directory, "pages-1.img"), "wb") as out:
        out.write(b"AAAA" * (PAGE // 4) * pages)
    if mappings is None:
        return
    image("PSTREE", [{"pid": 7, "ppid": 0, "pgid": 7, "sid": 7, "threads": [7]}], directory)
    space = {f"mm_{key}": value for key, value in zip(
        ("start_code", "end_code", "start_data", "end_data", "start_stack", "start_brk", "brk", "arg_start", "arg_end",
         "env_start", "env_end"), [0] * 7 + [mappings[0][0], mappings[0][1], mappings[-1][0], mappings[-1][1]])}
    vmas = [{"start": start, "end": end, "pgoff": pgoff, "shmid": 5, "prot": 3, "flags": 34, "status": status, "fd": -1}
            for start, end, pgoff, status in mappings]
    image("MM", [space | {"exe_file_id": 0, "vmas": vmas}], directory)
    with open(os.path.join(directory, "pagemap-shmem-5.img"), "wb") as out:
        out.write(pagemap(runs[:2], 2))
    with open(os.path.join(directory, "pages-2.img"), "wb") as out:
        out.write(b"BBBB" * (PAGE // 4))


def limits():
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    if "asan" not in PROGRAMS:  # the address sanitizer maps terabytes of shadow
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def ends(what, *command):
    global failures, checks
    checks += 1
    with tempfile.TemporaryFile() as out:
        try:
            done = subprocess.run([os.path.join(PROGRAMS, command[0]), *command[1:]], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.PIPE, timeout=SECONDS, preexec_fn=limits)
            result = f"exit {done.returncode}: {done.stderr.decode(errors='replace')[:200]}"
            if done.returncode in (0, 1, 2):
                return
        except subprocess.TimeoutExpired:
            result = f"still runs after {SECONDS} s"
    failures += 1
    print(f"{what}: {' '.join(command)}: {result}")


def try_all(what, directory, other, page_sizes):
    at = ("0:64", "0x1000:8192", hex(TOP - 2 * PAGE) + ":4096", hex(TOP - 300 * PAGE) + ":1M")
    sizes = [()] + [("--page-size", str(size)) for size in page_sizes]
    for size, mode in itertools.product(sizes, (
            ["--summary"], ["--contents"], ["--list"], ["--list", "--json"], ["--check"], ["--map"], ["--argv"], ["--env"],
            ["--html", os.path.join(os.path.dirname(directory), "page.html")],
            *(["--by", by, "--contents"] for by in ("vma", "file", "process", "flags")),
            *(["--at", text, "--holes", "zero"] for text in at))):
        ends(what, "crit-pages", *size, *mode, directory)
    for size in sizes:
        ends(what, "crit-pages", *size, "--diff", directory, other)
        ends(what, "crit-grep", *size, "--memory", "-c", "-F", "AAAA", directory)
    for view in ("ps", "mems", "rss"):
        ends(what, "crit-x", directory, view)


RUNS = {
    "zero": [(0, 1, PRESENT), (PAGE, 3, LAZY)],
    "top": [(TOP - 2 * PAGE, 1, PRESENT)],
    "last mebibyte": [(TOP - (1 << 20), 16, PRESENT), (TOP - (1 << 19), 127, LAZY)],
    "near the top": [(TOP - 300 * PAGE, 2, PRESENT), (TOP - 20 * PAGE, 2, LAZY)],
    "up to the top": [(TOP - 65536, 15, PRESENT)],
    "unaligned": [(0x1800, 2, PRESENT), (0x5001, 1, LAZY), (0x9fff, 3, PRESENT)],
    "by one byte": [(0x1000, 1, LAZY), (0x1001, 1, LAZY), (0x1002, 1, PRESENT), (0x2001, 1, 0)],
    "overlaps": [(0x1000, 4, PRESENT), (0x2000, 4, PRESENT), (0x1000, 9, LAZY), (0x2000, 1, PRESENT | PARENT)],
    "descending": [(0x9000, 1, PRESENT), (0x5000, 1, PRESENT), (0, 1, LAZY)],
    "empty": [(0x1000, 0, PRESENT), (0, 0, LAZY), (TOP - PAGE, 0, PRESENT), (TOP - 1, 0, 0)],
    "endless": [(0, (1 << 44) - 1, PRESENT)],
    "endless and lazy": [(0x1000, (1 << 43), LAZY), (0x2000, 1 << 43, PRESENT)],
    "too long": [(0x1000, 1 << 60, PRESENT), (TOP - PAGE, 8, PRESENT)],
    "in no parent": [(0, 2, PARENT), (TOP - 4 * PAGE, 3, PARENT), (1, 1, PARENT | PRESENT)],
}
MAPPINGS = (
    None,
    [(0, 0x10000, 0, 513)],
    [(0x1000, 0x3800, 0, 513), (0x2000, 0x2001, 0, 2049), (0x3000, TOP - 1, 1, 2049)],
    [(TOP - 300 * PAGE, TOP - PAGE, TOP - PAGE, 2049), (TOP - PAGE, TOP - 1, 0, 513)],
    [(0x5000, 0x1000, 0, 513), (0x1000, 0x1000, 0, 513), (TOP - 1, 0, 0, 2049)],
    [(0, TOP - PAGE, 0, 2049), (0x1000, 0x2000, 0x123, 2049)],
)


def random_address(source):
    base = source.choice((0, 0, PAGE, 1 << 20, 1 << 47, TOP - (1 << 21), TOP - (1 << 20), TOP - 64 * PAGE, TOP - 1))
    return (base + source.choice((0, 0, PAGE, 1, 0x800)) * source.randrange(40)) % TOP


def main():
    source = random.Random(11)
    with tempfile.TemporaryDirectory() as scratch:
        plain = os.path.join(scratch, "plain")
        checkpoint(plain, [(0x1000, 2, PRESENT), (TOP - 3 * PAGE, 1, LAZY)], None, 2)
        cases = [(name, runs, source.choice(MAPPINGS)) for name, runs in RUNS.items()]
        cases += [(f"{name}, no mappings", runs, None) for name, runs in RUNS.items()]
        for number in range(12):
            runs = [(random_address(source), source.choice((0, 1, 1, 2, 7, 256, 1 << 30)), source.randrange(8))
                    for _ in range(source.randrange(1, 9))]
            mappings = [(random_address(source), random_address(source), random_address(source),
                         source.choice((513, 2049))) for _ in range(source.randrange(1, 6))]
            cases.append((f"random {number}", sorted(runs) if number % 2 else runs, mappings))
        for number, (name, runs, mappings) in enumerate(cases):
            directory = os.path.join(scratch, f"c{number}")
            checkpoint(directory, runs, mappings, source.choice((0, 1, 40)))
            try_all(name, directory, plain, [source.choice((65536, 1 << 20))])
    print(f"{checks} runs, {failures} did not end as they should")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
