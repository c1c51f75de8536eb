#!/usr/bin/env python3
"""Pre-dumps, which say nowhere how large their pages are: every program finds it, in each form and order of members.

usage: page_sizes.py BIN

Sets without tasks are made with pages of 4, 16 and 64 KiB, plain and in LZ4 blocks, and chains of two whose last has all
pages in the first; many sets at once, blocks that are all zeros or damaged, parents that are given or have tasks. What the
programs say of a directory they must say of archives, of streams, and of both in a pipe. From a pipe pages may have gone by
before their pagemap, or before those of their child: then a program says so, and is right with --page-size.
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
            if data and re.search("reversed|chain", what) and code == 2 and re.search("not a pipe|--page-size", errors):
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


def inventory_of(programs, block_bytes):
    text = json.dumps({"magic": "INVENTORY", "entries": [{"img_version": 2, "compress_block_size": block_bytes}]}).encode()
    return subprocess.run([os.path.join(programs, "crit-fromjson")], input=text, check=True, stdout=subprocess.PIPE).stdout


def many(tester, folder):
    """More sets than a program can keep all pages of, in one archive and as inputs of their own."""
    page_size, sets = 65536, range(20)
    write([("many.tar", tar([(f"s{i:02}/{name}", data) for i in sets for name, data in predump(page_size, 4)]))], folder)
    write([(f"one{i:02}.tar", tar(predump(page_size, 4))) for i in sets], folder)
    write([(f"tree/s{i:02}/{name}", data) for i in sets for name, data in predump(page_size, 4)], folder)
    for inputs in ([f"{folder}/many.tar"], [f"{folder}/one{i:02}.tar" for i in sets], [f"{folder}/tree/s{i:02}" for i in sets]):
        what = f"{len(inputs)} inputs: "
        tester.same(tester.call("crit-pages", "--check", *inputs)[2], 0, what + "crit-pages --check")
        found = tester.call("crit-grep", "--memory", "--lines", "-F", "needle", *inputs)[0].splitlines()
        tester.same(len(found), 2 * (PAGES - 1) * len(sets), what + "crit-grep")
        out = tester.call("crit-check", *inputs)[0]
        tester.same([line for line in out.splitlines() if "damaged" in line], [], what + "crit-check")
        out = "".join(tester.call("crit-x", one, "rss", "--json")[0] for one in inputs)
        tester.same(re.findall(r'"page_size": ?(\d+)', out), [str(page_size)] * len(sets), what + "crit-x")


def bytes_read(programs, folder):
    """By crit-stats, of 64 MiB of pages whose size it learns."""
    nr_pages = (64 << 20) // 4096
    plain = wire.PAGEMAP + wire.entry((1, 1)) + blocks.entry(
        blocks.number(1, BEGIN) + blocks.number(2, 0) + blocks.number(4, PRESENT) + blocks.number(5, nr_pages))
    made = [("stats-dump", statistics_of(programs)), ("pagemap-7.img", plain), ("pages-1.img", bytes(64 << 20))]
    write([("large.tar", tar(made))], folder)
    count = '"$0" "$1" >/dev/null; grep rchar /proc/$$/io'  # of the shell and what it has waited for
    done = subprocess.run(["sh", "-c", count, os.path.join(programs, "crit-stats"), f"{folder}/large.tar"],
                          stdout=subprocess.PIPE, check=True)
    return int(done.stdout.split()[1])


def zeros(tester, programs, folder):
    """Blocks that are all zeros: the inventory tells how large they are."""
    for page_size in (4096, 16384, 65536):
        per_block = 262144 // page_size
        tail = blocks.block_list("now", [0] * -(-PAGES // per_block), per_block)
        made = [("inventory.img", inventory_of(programs, 262144)), ("pagemap-7.img", pagemap(PRESENT, tail)),
                ("pages-1.img", b"")]
        for name, data, form in forms(made, f"{folder}/{page_size}"):
            what = f"{page_size >> 10} KiB, zeros, {form}: "
            rows = tester.json("crit-x", name, "rss", "--json", data=data) or []
            tester.same({one["page_size"] for one in rows}, {page_size}, what + "crit-x")
            pages = tester.json("crit-inspect", "--json", name, data=data) or {"checkpoints": []}
            tester.same({one["page_size"] for one in pages["checkpoints"]}, {page_size}, what + "crit-inspect")
            out, errors, _ = tester.call("crit-pages", "--list", name, data=data)
            tester.same((f"{BEGIN + PAGES * page_size:x}" in out, errors), (True, ""), what + "crit-pages")
            if data is None:
                into = f"{folder}/{page_size}/{form.replace(' ', '-')}.plain"
                tester.call("crit-repack", "--decompress", name, "--into", into)
                tester.same(os.path.getsize(f"{into}/pages-1.img"), PAGES * page_size, what + "crit-repack")


def given(tester, folder):
    """Parents that are given: the last of them tells the page size."""
    page_size = 65536
    child = tar([("pagemap-7.img", pagemap(PARENT)), ("pages-1.img", b"")])
    write([("child.tar", child), ("above.tar", child), ("pre.tar", tar(predump(page_size, 4)))], folder)
    for parents in (["pre.tar"], ["above.tar", "pre.tar"]):
        options = [word for parent in parents for word in ("--parent", f"{folder}/{parent}")]
        what = f"{len(parents)} given parents: "
        out, errors, code = tester.call("crit-pages", "--check", *options, f"{folder}/child.tar")
        tester.same((out, errors, code), ("", "", 0), what + "crit-pages --check")
        code = tester.call("crit-pages", "--diff", *options, f"{folder}/child.tar", f"{folder}/pre.tar")[2]
        tester.same(code, 0, what + "crit-pages --diff")
        inspected = tester.json("crit-inspect", "--json", *options, f"{folder}/child.tar") or {"checkpoints": []}
        tester.same([one["page_size"] for one in inspected["checkpoints"]], [page_size], what + "crit-inspect")


def damaged(tester, folder):
    """Blocks of a page each, some of them damaged: every other page is found, in each form."""
    for page_size in (4096, 65536):
        made = predump(page_size, 1)
        stored = bytearray(made[1][1])
        sizes = [len(blocks.lz4(one)) if any(one) else 0 for one in
                 (contents(page_size)[at:at + page_size] for at in range(0, PAGES * page_size, page_size))]
        for lost in ([0], [3], [PAGES - 1], [1, 4], [0, 1]):
            bad = bytearray(stored)
            for page in lost:
                bad[sum(sizes[:page]):sum(sizes[:page]) + 4] = b"\xff" * 4
            good = [page for page in range(PAGES) if page not in lost]
            ends = [BEGIN + page * page_size + at for page in good if page != ZEROS for at in (0, page_size - 6)]
            for name, data, form in forms([made[0], ("pages-1.img", bytes(bad))], f"{folder}/{page_size}/{lost}"):
                what = f"{page_size >> 10} KiB, blocks {lost} damaged, {form}: "
                for jobs in ("1", "2"):
                    words = ["crit-grep", "--memory", "--lines", "--jobs", jobs, "-F", "needle", name]
                    out, errors, code = tester.call(*words, data=data)
                    if data and "reversed" in form and "not a pipe" in errors:
                        tester.nr_refused += 1
                        continue
                    found = sorted(json.loads(line)["vaddr"] for line in out.splitlines())
                    tester.same((found, errors.count("do not decode"), errors.count("\n"), code), (ends, 1, 1, 2),
                                what + " ".join(words[:6]))
                out, errors, code = tester.call("crit-pages", "--contents", "--json", name, data=data)
                if not (data and "reversed" in form and "not a pipe" in errors):
                    counted = json.loads(out)["total"]
                    tester.same((counted["scanned"], counted["zero"], errors.count("\n"), code), (len(good), 1, 1, 2),
                                what + "crit-pages --contents")
                out, errors, _ = tester.call("crit-pages", "--check", name, data=data)
                if not (data and "reversed" in form and "not a pipe" in errors):
                    tester.same((out + errors).count("do not decode"), len(lost), what + "crit-pages --check")
                out = tester.call("crit-check", "--severity", "note", name, data=data)[0]
                if "reversed" in form:
                    continue
                tester.same((out.count("do not decode"), out.count("not looked at: its blocks")), (len(lost), 0),
                            what + "crit-check")


def over_tasks(tester, programs, folder):
    """A pre-dump whose pages are all in a parent that has tasks, which say how large pages are."""
    page_size = 65536
    text = json.dumps({"magic": "MM", "entries": [{
        **{name: 0 for name in ("mm_start_code", "mm_end_code", "mm_start_data", "mm_end_data", "mm_start_stack",
                                "mm_start_brk", "mm_brk", "mm_arg_start", "mm_arg_end", "mm_env_start", "mm_env_end",
                                "exe_file_id")}, "mm_saved_auxv": [6, page_size, 0, 0]}]}).encode()
    mm = subprocess.run([os.path.join(programs, "crit-fromjson")], input=text, check=True, stdout=subprocess.PIPE).stdout
    text = json.dumps({"magic": "PSTREE", "entries": [{"pid": 7, "ppid": 0, "pgid": 7, "sid": 7, "threads": [7]}]}).encode()
    tree = subprocess.run([os.path.join(programs, "crit-fromjson")], input=text, check=True, stdout=subprocess.PIPE).stdout
    for per_block in (0, 4):
        above = [("pre-checkpoint/pstree.img", tree), ("pre-checkpoint/mm-7.img", mm)]
        above += [(f"pre-checkpoint/{name}", data) for name, data in predump(page_size, per_block)]
        made = [("checkpoint/pagemap-7.img", pagemap(PARENT)), ("checkpoint/pages-1.img", b""),
                ("checkpoint/stats-dump", statistics_of(programs)), *above]
        for name, data, form in forms(made, f"{folder}/{per_block}", [("checkpoint/parent", "../pre-checkpoint")]):
            what = f"a parent with tasks, {per_block} in a block, {form}: "
            rows = tester.json("crit-x", name, "rss", "--json", data=data) or []
            tester.same({one["page_size"] for one in rows}, {page_size}, what + "crit-x")
            statistics = tester.json("crit-stats", "--lines", name, data=data) or {}
            tester.same(statistics.get("page_size"), page_size, what + "crit-stats")
            inspected = tester.json("crit-inspect", "--json", name, data=data) or {"checkpoints": []}
            tester.same({one["page_size"] for one in inspected["checkpoints"]}, {page_size}, what + "crit-inspect")
            out, _, _ = tester.call("crit-pages", "--list", name, data=data)
            tester.same(f"{BEGIN + PAGES * page_size:x}" in out, True, what + "crit-pages")


def main(programs):
    tester = Tester(programs)
    statistics = statistics_of(programs)
    with tempfile.TemporaryDirectory() as folder:
        many(tester, f"{folder}/many")
        zeros(tester, programs, f"{folder}/zeros")
        given(tester, f"{folder}/given")
        damaged(tester, f"{folder}/damaged")
        over_tasks(tester, programs, f"{folder}/tasks")
        tester.same(bytes_read(programs, f"{folder}/large") < 4 << 20, True, "crit-stats reads no more than the begin")
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
