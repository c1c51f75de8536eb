#!/usr/bin/env python3
"""Pre-dumps, which say nowhere how large their pages are: every program finds it, in each form and order of members.

usage: page_sizes.py BIN

Sets without tasks are made with pages of 4, 16 and 64 KiB, plain and in LZ4 blocks, and chains of two whose last has all
pages in the first. What the programs say of a directory they must say of archives, of streams, and of both in a pipe. From
a pipe pages may have gone by before their size is known: then a program says so, and is right with --page-size.
"""
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blocks
import image_stream
import wire

PARENT, PRESENT = 1, 4
BEGIN, PAGES, ZEROS = 0x10000, 6, 2  # the third page is zeros
NEEDLE = b"needle"


def contents(page_size):
    """Pages of words that compress, with a needle at both ends of each."""
    made = []
    for page in range(PAGES):
        words = b"".join(b"%d of page %d, " % (i * i % 977, page) for i in range(page_size // 8))
        made.append(bytes(page_size) if page == ZEROS else NEEDLE + words[:page_size - 2 * len(NEEDLE)] + NEEDLE)
    return b"".join(made)


def pagemap(flags, tail=b""):
    return wire.PAGEMAP + wire.entry((1, 1)) + blocks.entry(
        blocks.number(1, BEGIN) + blocks.number(2, 0) + blocks.number(4, flags) + blocks.number(5, PAGES) + tail)


def predump(page_size, per_block):
    """[(name, bytes)], the pages plain where there are no pages in a block."""
    data = contents(page_size)
    if per_block == 0:
        return [("pagemap-7.img", pagemap(PRESENT)), ("pages-1.img", data)]
    stored = []
    for at in range(0, len(data), per_block * page_size):
        block = data[at:at + per_block * page_size]
        stored.append(blocks.lz4(block) if any(block) else b"")
    tail = blocks.block_list("now", [len(one) for one in stored], per_block)
    return [("pagemap-7.img", pagemap(PRESENT, tail)), ("pages-1.img", b"".join(stored))]


def tar(members, links=()):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


class Tester:
    def __init__(self, programs):
        self.programs, self.checks, self.wrong, self.nr_refused = programs, 0, 0, 0

    def same(self, have, want, what):
        self.checks += 1
        if have != want:
            self.wrong += 1
            print(f"{what}: have {have!r}, want {want!r}")

    def call(self, *words, data=None):
        """What it prints, its errors, and its exit code."""
        done = subprocess.run([os.path.join(self.programs, words[0]), *words[1:]], input=data or b"", capture_output=True,
                              check=False)
        return done.stdout.decode(), done.stderr.decode(), done.returncode

    def json(self, *words, data=None):
        out, errors, _ = self.call(*words, data=data)
        try:
            return json.loads(out)
        except ValueError:
            self.same((out, errors), "JSON", " ".join(words))
            return None

    def look(self, want, found, words, page_size, data, what):
        """With the page size, too. Of a pipe, the answer may be an error that says what to do."""
        for option in ([], ["--page-size", str(page_size)]):
            out, errors, code = self.call(*words, *option, data=data)
            if data and code == 2 and re.search("not a pipe|--page-size", errors):
                self.nr_refused += 1
                continue
            self.same((found(out), errors), (want, ""), " ".join([what, *words, *option]))

    def answers(self, name, page_size, data, what):
        """`data`: the input is a pipe, and `name` is -."""
        rows = self.json("crit-x", name, "rss", "--json", data=data) or []
        self.same({one["page_size"] for one in rows}, {page_size}, f"{what}: crit-x")
        statistics = self.json("crit-stats", "--lines", name, data=data) or {}
        self.same(statistics.get("page_size"), page_size, f"{what}: crit-stats")
        inspected = self.json("crit-inspect", "--json", name, data=data) or {"checkpoints": []}
        self.same({one["page_size"] for one in inspected["checkpoints"]}, {page_size}, f"{what}: crit-inspect")
        out, errors, _ = self.call("crit-check", name, data=data)
        faults = [line for line in out.splitlines() if re.search(r"damaged|pages-(?!only)", line)]
        self.same((faults, errors), ([], ""), f"{what}: crit-check")
        total = (self.json("crit-pages", "--json", name, data=data) or {}).get("total", {})
        self.same(total.get("pages"), PAGES, f"{what}: crit-pages")
        self.look("", str, ["crit-pages", "--check", name], page_size, data, what)
        at = f"{BEGIN + page_size - 6:#x}:12"
        self.look("needleneedle", str, ["crit-pages", "--at", at, name], page_size, data, what)
        ends = [BEGIN + page * page_size + offset for page in range(PAGES) if page != ZEROS for offset in (0, page_size - 6)]
        self.look(ends, lambda out: sorted(json.loads(line)["vaddr"] for line in out.splitlines()),
                  ["crit-grep", "--memory", "--lines", "-F", "needle", name], page_size, data, what)


def write(members, folder, links=()):
    for name, data in members:
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
    for name, target in links:
        os.symlink(target, f"{folder}/{name}")


def forms(members, folder, links=()):
    """Name, bytes of a pipe or none, and what it is: each form of a set, in both orders of members."""
    write(members, f"{folder}/d", links)
    yield f"{folder}/d/checkpoint" if links else f"{folder}/d", None, "directory"
    for order, listed in (("", members), (" reversed", members[::-1])):
        archive = tar(listed, links)
        packed = subprocess.run(["zstd", "-qc"], input=archive, stdout=subprocess.PIPE, check=True).stdout
        made = [("tar", archive), ("tar.zst", packed)]
        if not links:
            made.append(("stream", image_stream.write(listed)))
        for suffix, data in made:
            write([(f"set.{suffix}", data)], folder)
            yield f"{folder}/set.{suffix}", None, suffix + order
            yield "-", data, f"{suffix}{order} in a pipe"


def chain(page_size, per_block, statistics):
    """A set whose pages are all in its parent, as engines name the two."""
    above = [(f"pre-checkpoint/{name}", data) for name, data in predump(page_size, per_block)]
    return [("checkpoint/pagemap-7.img", pagemap(PARENT)), ("checkpoint/pages-1.img", b""),
            ("checkpoint/stats-dump", statistics), *above]


def statistics_of(programs):
    entry = {"dump": {"freezing_time": 1, "frozen_time": 1, "memdump_time": 1, "memwrite_time": 1, "pages_scanned": PAGES,
                      "pages_skipped_parent": 0, "pages_written": PAGES, "pages_lazy": 0}}
    text = json.dumps({"magic": "STATS", "entries": [entry]}).encode()
    return subprocess.run([os.path.join(programs, "crit-fromjson")], input=text, check=True, stdout=subprocess.PIPE).stdout


def main(programs):
    tester = Tester(programs)
    statistics = statistics_of(programs)
    for page_size in (4096, 16384, 65536):
        for per_block in (0, 1, 4):
            with tempfile.TemporaryDirectory() as folder:
                made = [("stats-dump", statistics), *predump(page_size, per_block)]
                what = f"{page_size >> 10} KiB, {per_block} in a block"
                for name, data, form in forms(made, folder):
                    tester.answers(name, page_size, data, f"{what}, {form}")
                made = chain(page_size, per_block, statistics)
                for name, data, form in forms(made, f"{folder}/chain", [("checkpoint/parent", "../pre-checkpoint")]):
                    tester.answers(name, page_size, data, f"{what}, chain, {form}")
    print(f"{tester.checks} answers, {tester.wrong} of them wrong; {tester.nr_refused} of pipes were refused")
    return 1 if tester.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
