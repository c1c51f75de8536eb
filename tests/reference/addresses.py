#!/usr/bin/env python3
"""Checkpoints that cannot be: every mode of every program comes to an end, and names what is wrong.

usage: addresses.py BIN [SHARE]      SHARE: do one in SHARE of the runs, default 6; CRITPIPE_TEST_LONG=ON: all

Sets are made with runs and mappings at 0, at the top of the address space, unaligned, overlapping, out of order, empty and
far too long, with and without bytes for them, and with page sizes that do not fit; and good ones of which a part is missing,
cut or of another kind. The modes are the rows of each program's --help, with values for what they take: a new option has to
get one here. Each run must exit by itself, with 0, 1 or 2, soon, without much output or memory; with 2 it says why, and where
a part is wrong, whoever fails for it names it.
"""
import collections
import concurrent.futures
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sampling import Sample
from wire import PAGEMAP, entry

PROGRAMS, SHARE = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6
PAGE, TOP = 4096, 1 << 64
PARENT, LAZY, PRESENT = 1, 2, 4
SECONDS, OUTPUT, MEMORY = 20, 64 << 20, 4 << 30


def pagemap(runs, pages_id=1):
    image = PAGEMAP + entry((1, pages_id))
    for vaddr, pages, flags in runs:
        image += entry((1, vaddr), (2, 0), (4, flags), (5, pages))
    return image


def image(name, entries, directory):
    document = json.dumps({"magic": name, "entries": entries})
    made = subprocess.run([os.path.join(PROGRAMS, "crit-fromjson")], input=document.encode(), capture_output=True)
    assert made.returncode == 0, made.stderr
    file = {"PSTREE": "pstree.img", "MM": "mm-7.img", "CORE": "core-7.img", "FDINFO": "fdinfo-1.img", "FS": "fs-7.img",
            "FILES": "files.img", "INVENTORY": "inventory.img", "STATS": "stats-dump"}[name]
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


# What options take, by the word in --help, or by name where a word means several things. {new} is a path that does not
# exist, {other} another checkpoint, {list} a file that names the set.
VALUES = {
    "WHAT": ("vma", "file", "process", "flags"), "HOW": ("zero",), "FILE": ("{new}",), "DIR": ("{new}",), "GLOB": ("*-[17]*",),
    "ADDR[:LEN]": ("0:64", "0x1000:8192", hex(TOP - 2 * PAGE) + ":4096", hex(TOP - 300 * PAGE) + ":1M"),
    "SIZE": ("65536", "1M"), "N": ("2",), "PID": ("7",), "SET": ("",), "A:B": ("0:0xfffffffffffff000",), "BYTES": ("3",),
    "format": ("stream", "dir", "tar"), "big-numbers": ("text",), "INPUT": ("{other}",),
    "severity": ("error", "note"), "external": ("mnt[a]:/b",), "inherit-fd": ("fd[3]:/a",), "sort": ("size", "input"),
    "LIST": ("{list}",),
    "BLOCK": ("4096", "4M"), "PARENT": ("{other}",), "EXPR": ("flags & MAP_ANON",),
    "AREA": ("anon",), "LETTERS": ("rw",), "WHEN": ("always",), "REGEX": ("A+",), "LEVEL": ("1",),
}
# What a program has to be given for an option to mean something.
BASES = {
    "crit-cat": ((),), "crit-tojson": ((),), "crit-stats": ((),),
    "crit-grep": (("vaddr > 0",), ("--memory", "AA+")),
    "crit-check": ((),), "crit-inspect": ((), ("--table",)),
    "crit-repack": (("--compress",), ("--flatten",)),
    "crit-pages": ((), ("--at", "0:64"), ("--contents",)),
    "crit-x": tuple((word,) for word in ("ps", "fds", "mems", "rss", "sk")),
    "crit-restore": ((),),
}
# Of a program that acts, what only looks at its input.
LOOKING = {"crit-restore": [("--check", *more) for more in (
    (), ("--json",), ("--shell-job", "--tcp-established", "--file-locks", "--ext-unix-sk"), ("--tcp-close", "--root=/"),
    ("--external=mnt[a]:/b",), ("--inherit=/a=0",), ("--set-name=",))]}
# What no program needs: it tells restores about the machine, and how the dump went.
NOT_NOTICED = ("inventory.img missing", "inventory.img of another kind")
# Which programs read an image for what it means: each says that it is of another kind, in some mode at least.
READERS = {
    "pagemap-7.img": ("crit-pages", "crit-grep", "crit-x", "crit-inspect"),
    "mm-7.img": ("crit-pages", "crit-grep", "crit-x", "crit-inspect", "crit-stats"),
    "pstree.img": ("crit-pages", "crit-grep", "crit-x", "crit-inspect"),
    "core-7.img": ("crit-pages", "crit-grep", "crit-x", "crit-inspect"),
    "files.img": ("crit-pages", "crit-grep", "crit-x", "crit-inspect"),
    "fdinfo-1.img": ("crit-x", "crit-inspect"),
    "fs-7.img": ("crit-x", "crit-inspect"),
    "stats-dump": ("crit-stats", "crit-inspect"),
}
# Not of an image set: crit-fromjson gets what crit-tojson prints, and crit calls the others. crit-container, crit-criu and crit-dump
# act on processes, through CRIU, which reads the sets; crit-stream needs CRIU's socket.
OTHERS = ("crit", "crit-container", "crit-fromjson", "crit-criu", "crit-dump", "crit-stream")
INPUTS_OF = {"--diff": 2}


def modes_of(program):
    """The command lines that --help has rows for, each with the words that stand before the inputs."""
    if program in LOOKING:
        yield from LOOKING[program]
        return
    told = subprocess.run([os.path.join(PROGRAMS, program), "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"^ {2}(?:-\w, |    )--([\w-]+)(\[?=[\w:\[\]]+)?", told, re.M)
    assert options, program
    words = re.search(r"\[INPUT\.\.\.\] ([\w|]+)$", told, re.M)
    assert not words or {(word,) for word in words[1].split("|")} == set(BASES[program]), words[1]
    for base in BASES[program]:
        yield base
        for name, takes in options:
            if name in ("help", "version", "rewrite"):  # which changes its input
                continue
            word = name if name in VALUES else takes.strip("[]=") if takes.startswith("[") else takes[1:]
            for value in VALUES[word] if takes else (None,):
                yield base + (f"--{name}" if value is None else f"--{name}={value}",)


def limits():
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    if "asan" not in PROGRAMS:  # the address sanitizer maps terabytes of shadow
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


Case = collections.namedtuple("Case", "name directory other wrong")  # wrong: the image that is; empty: any may be
Outcome = collections.namedtuple("Outcome", "case mode command code error")


def inputs_of(words, directory, other):
    return [directory, other][:max(INPUTS_OF.get(word, 1) for word in (*words, ""))]


def ends(case, program, words, inputs):
    """Runs one mode; what is wrong with its end, or None."""
    new = tempfile.mktemp(dir=os.path.dirname(case.directory))
    values = {"{new}": new, "{other}": case.other, "{list}": case.directory + ".list"}
    command = [program, *(re.sub(r"\{\w+\}", lambda match: values[match[0]], word) for word in words)]
    command = [program, *command[2:], *inputs, command[1]] if program == "crit-x" else command + inputs
    with tempfile.TemporaryFile() as out:
        try:
            done = subprocess.run([os.path.join(PROGRAMS, program), *command[1:]], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.PIPE, timeout=SECONDS)
            code, error = done.returncode, done.stderr.decode(errors="replace")
        except subprocess.TimeoutExpired:
            code, error = None, f"still runs after {SECONDS} s"
    if os.path.isdir(new):
        shutil.rmtree(new)
    elif os.path.exists(new):
        os.remove(new)
    return Outcome(case, (program, words), " ".join(command), code, error)


def fault_of(outcome):
    case, _, command, code, error = outcome
    program = command.split()[0]
    if code not in (0, 1, 2):
        return f"exit {code}"
    lines = error.splitlines()
    if code == 2 and not lines:
        return "exit 2 without a reason"
    if any(not line.startswith((f"{program}: ", f"Try: {program} ")) for line in lines):
        return "a line that does not begin with the program's name"
    # A command line that means nothing is refused before anything is read: no input is named.
    if code == 2 and case.wrong and case.directory in error and case.wrong not in error:
        return f"does not name {case.wrong}"
    return None


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


def good_set(directory):
    """A whole checkpoint of one task, with a descriptor, a mapping and pages."""
    checkpoint(directory, [(0x1000, 2, PRESENT), (0x8000, 1, LAZY)], [(0x1000, 0x9000, 0, 513)], 2)
    os.remove(os.path.join(directory, "pagemap-shmem-5.img"))
    os.remove(os.path.join(directory, "pages-2.img"))
    core = {"mtype": "X86_64", "tc": {"task_state": 1, "exit_code": 0, "personality": 0, "flags": 0, "blk_sigset": 0,
                                      "comm": "seven"}, "ids": {"vm_id": 1, "files_id": 1, "fs_id": 1, "sighand_id": 1}}
    image("CORE", [core], directory)
    image("FDINFO", [{"id": 1, "flags": 0, "type": "REG", "fd": 0}], directory)
    image("FS", [{"cwd_id": 1, "root_id": 1}], directory)
    image("FILES", [{"type": "REG", "id": 1, "reg": {"id": 1, "flags": 0, "pos": 0, "name": "/a", "fown": {
        "uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}}}], directory)
    image("INVENTORY", [{"img_version": 2}], directory)
    image("STATS", [{"dump": {key: 1 for key in ("freezing_time", "frozen_time", "memdump_time", "memwrite_time",
                                                 "pages_scanned", "pages_skipped_parent", "pages_written", "irmap_resolve",
                                                 "pages_lazy")}}], directory)


def damaged_sets(scratch, plain):
    """A good set, and copies of it with each image missing, cut, and another's bytes in its place."""
    good = os.path.join(scratch, "good")
    good_set(good)
    yield Case("good", good, plain, "")
    for name in sorted(os.listdir(good)):
        for what in ("missing", "cut", "of another kind", "empty"):
            directory = os.path.join(scratch, f"{what.split()[-1]}-{name}")
            shutil.copytree(good, directory)
            path = os.path.join(directory, name)
            if what == "missing":
                os.remove(path)
            elif what == "of another kind":
                shutil.copy(os.path.join(good, "fs-7.img" if name != "fs-7.img" else "core-7.img"), path)
            else:
                os.truncate(path, max(os.path.getsize(path) - 5, 0) if what == "cut" else 0)
            yield Case(f"{name} {what}", directory, plain, name)


def odd_sets(scratch, plain):
    source = random.Random(11)
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
        if (number + number // len(RUNS)) % 2:  # of each kind of runs, one is an archive
            with tarfile.open(directory + ".tar", "w") as archive:
                archive.add(directory, "checkpoint")
            directory += ".tar"
        yield Case(name, directory, plain, "")


def main():
    present = {name for name in os.listdir(PROGRAMS) if name == "crit" or name.startswith("crit-")}
    assert present == set(BASES) | set(OTHERS), f"say how to run {present ^ (set(BASES) | set(OTHERS))}"
    modes = [(program, words) for program in sorted(BASES) for words in modes_of(program)]
    failures = collections.Counter()
    seen = collections.defaultdict(bool)  # did a mode fail that does not where all is well?
    noticed = set()                       # the same, by case and program, where it says that a kind is another
    usual = {}
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        plain = os.path.join(scratch, "plain")
        checkpoint(plain, [(0x1000, 2, PRESENT), (TOP - 3 * PAGE, 1, LAZY)], None, 2)
        cases = [*damaged_sets(scratch, plain), *odd_sets(scratch, plain)]
        for case in cases:
            with open(case.directory + ".list", "w", encoding="utf-8") as file:
                file.write(case.directory + "\n")
        limits()  # of the programs, too
        # A command line that means nothing is refused whatever the set is: once is enough.
        good = cases.pop(0)
        first = {(program, words): pool.submit(ends, good, program, words, inputs_of(words, good.directory, plain))
                 for program, words in modes}
        work = list(first.values())
        taken = [mode for mode, one in first.items() if "\nTry: " not in one.result().error]
        assert {program for program, _ in taken} == set(BASES)
        sample, skipped = Sample(SHARE), []
        for number, case in enumerate(cases):
            for at, (program, words) in enumerate(taken):
                # What walks over addresses sees every set, what does not a third of them.
                walks = program in ("crit-pages", "crit-grep", "crit-check", "crit-inspect")
                if not walks and not case.wrong and (number + at) % 3 != 0:
                    continue
                run = (case, program, words, inputs_of(words, case.directory, plain))
                if sample.takes((case.name, program)):
                    work.append(pool.submit(ends, *run))
                else:
                    skipped.append(run)

        def judge(outcome):
            if outcome.case is good:
                usual[outcome.mode] = outcome.code
            seen[outcome.case.name] |= not outcome.case.wrong or usual[outcome.mode] != 2 and outcome.code == 2
            if "its name says something else" in outcome.error and outcome.code == 2:
                noticed.add((outcome.case.name, outcome.mode[0]))
            fault = fault_of(outcome)
            if fault:
                failures[fault.split()[0]] += 1
                if failures.total() <= 40:
                    print(f"{outcome.case.name}: {outcome.command}: {fault}: {outcome.error[:300]}")

        def unnoticed():
            """(case, program): nobody says that something is wrong, or a program that reads the image does not."""
            yield from ((name, "") for name, worse in seen.items() if not worse and name not in NOT_NOTICED)
            yield from ((f"{name} of another kind", program) for name, programs in READERS.items() for program in programs
                        if (f"{name} of another kind", program) not in noticed)

        for one in work:
            judge(one.result())
        # In a mode that was skipped somebody may.
        for name, program in list(unnoticed()):
            for run in skipped:
                if run[0].name == name and program in ("", run[1]) and (name, program) in unnoticed():
                    judge(ends(*run))
        for name, program in unnoticed():
            failures["unnoticed"] += 1
            print(f"{name}: {program or 'no mode of any program'} does not say that something is wrong")
    print(f"{len(modes)} modes, {len(taken)} of them mean something; {len(cases) + 1} sets, {len(work)} runs, {failures.total()} did not end as they should")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
