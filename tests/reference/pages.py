#!/usr/bin/env python3
"""Holds the figures of crit-pages against a slow reader of pagemaps and pages, which shares no code with it.

usage: reference.py BIN CHECKPOINTS...

Below CHECKPOINTS each directory with pagemaps is a checkpoint. Of each, --summary, --contents, --list and --at are
worked out here once more, from the bytes of the images, with parents where there are links; --summary also of a tar
of it, and its sums against what CRIU wrote in stats-dump. Then from each with pages a chain of three is made, with
every second run in a parent and pagemaps of the oldest generation at its bottom: its bytes must be those of the
first, --diff must see no difference, --check no fault.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

PAGE = 4096
PARENT, LAZY, PRESENT = 1, 2, 4
MAGICS = struct.pack("<II", 0x54564319, 0x56084025)


def entries_of(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 4 if data[:4] == MAGICS[4:] else 8          # the oldest images have one magic
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        yield dict(wire.fields(data[at + 4:at + 4 + size]))
        at += 4 + size


class Memory:
    """A pagemap: (vaddr, pages, flags, first page in the image or None)."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ("shmem" if "shmem" in name else "pid", int(name.split("-")[-1].split(".")[0]))
        head, *entries = entries_of(os.path.join(folder, name))
        self.image = os.path.join(folder, f"pages-{head[1]}.img")
        self.runs, page = [], 0
        for entry in entries:
            pages = entry[5] if entry.get(5) else entry[2]
            flags = entry[4] if 4 in entry else (PARENT if entry.get(3) else PRESENT)
            self.runs.append((entry[1], pages, flags, page if flags & PRESENT else None))
            page += pages if flags & PRESENT else 0
        self.data = open(self.image, "rb").read() if os.path.exists(self.image) else None

    def count(self, flag):
        return sum(pages for _, pages, flags, _ in self.runs if flags & flag)

    def page_at(self, vaddr):
        """Its bytes; None: not stored, or not here."""
        for start, pages, flags, page in self.runs:
            if start <= vaddr < start + pages * PAGE:
                if flags & PARENT:
                    above = os.path.join(self.folder, "parent")
                    exists = os.path.exists(os.path.join(above, self.name))
                    return Memory(above, self.name).page_at(vaddr) if exists else None
                if page is None or self.data is None:
                    return None
                offset = page * PAGE + vaddr - start
                return self.data[offset:offset + PAGE]
        return None


class Tester:
    def __init__(self, programs):
        self.program = os.path.join(programs, "crit-pages")
        self.failures = self.checks = 0
        self.is_failed_dump = False

    def run(self, *arguments, data=None, exits=0):
        done = subprocess.run([self.program, *arguments], input=data, capture_output=True, check=False)
        # A dump that failed lacks images, which are named.
        errors = done.stderr.splitlines()
        if self.is_failed_dump and errors and all(line.endswith(b".img: this image is missing") for line in errors):
            exits = 2
        self.same(done.returncode, exits, f"exit of {arguments}: {done.stderr.decode()[:300]}")
        return done.stdout

    def same(self, have, want, what):
        self.checks += 1
        if have != want:
            self.failures += 1
            print(f"{what}: have {have!r}, want {want!r}"[:500])

    def summary(self, memories, answer, where):
        have = {("pid", one["pid"]): one for one in answer["processes"]}
        have.update({("shmem", one["id"]): one for one in answer["shmem"]})
        self.same(sorted(have), sorted(memory.key for memory in memories), where)
        for memory in memories:
            want = {"entries": len(memory.runs), "pages": sum(run[1] for run in memory.runs),
                    "present": memory.count(PRESENT), "parent": memory.count(PARENT), "lazy": memory.count(LAZY)}
            for key, value in want.items():
                self.same(have[memory.key][key], value, f"{where} {memory.key} {key}")
        for key in ("entries", "pages", "present", "parent", "lazy"):
            self.same(answer["total"][key], sum(one[key] for one in have.values()), f"{where} total {key}")
        return have

    def contents(self, memories, where, folder):
        if not any(memory.data for memory in memories):
            return
        answer = json.loads(self.run("--contents", "--json", folder))
        have = self.summary(memories, answer, where)
        everything = []
        for memory in memories:
            data = memory.data or b""
            pages = [data[at:at + PAGE] for at in range(0, len(data), PAGE)]
            everything += pages
            self.content_figures(have[memory.key], pages, f"{where} {memory.key}")
        self.content_figures(answer["total"], everything, f"{where} total")

    def content_figures(self, have, pages, what):
        distinct = len(set(pages))
        want = {"zero": pages.count(bytes(PAGE)), "distinct": distinct, "duplicate": len(pages) - distinct}
        for key, value in want.items():
            self.same(have[key], value, f"{what} {key}")

    def listing(self, memories, where, folder):
        have = {}
        for line in self.run("--list", "--json", folder).splitlines():
            one = json.loads(line)
            key = ("pid", one["pid"]) if "pid" in one else ("shmem", one["shmem"])
            have.setdefault(key, []).append((one["vaddr"], one["nr_pages"], one["flags"], one["offset"]))
            image = one["pages_image"]
            memory = next(memory for memory in memories if memory.key == key)
            self.same(image, os.path.basename(memory.image) if one["flags"] & PRESENT else None, f"{where} image")
        want = {memory.key: [(*run[:3], None if run[3] is None else run[3] * PAGE) for run in memory.runs]
                for memory in memories if memory.runs}
        self.same(have, want, f"{where} --list")

    def bytes_at(self, memories, where, folder):
        chance = random.Random(6)
        for memory in memories:
            if memory.key[0] == "shmem":
                continue
            for run in chance.sample(memory.runs, min(4, len(memory.runs))):
                vaddr = run[0] + chance.randrange(run[1]) * PAGE
                want = memory.page_at(vaddr)
                if want is not None:
                    have = self.run("--pid", str(memory.key[1]), "--at", f"{vaddr:#x}:{PAGE}", folder)
                    self.same(have, want, f"{where} {memory.key} at {vaddr:#x}")

    def stats(self, memories, where, folder):
        path = os.path.join(folder, "stats-dump")
        tasks = [memory for memory in memories if memory.key[0] == "pid"]
        if not os.path.exists(path) or not any(os.path.getsize(path) > 8 and memory.data for memory in memories):
            return
        dump = next((value for number, value in wire.fields(open(path, "rb").read()[12:]) if number == 1), b"")
        written = dict(wire.fields(dump)).get(7)
        if written is not None:
            self.same(sum(memory.count(PRESENT) for memory in tasks), written, f"{where} pages written")

    def chain(self, memories, folder, work):
        """3 -> 2 -> 1: the whole, every second run of it in the parent, and of those again every second."""
        folders = write_chain(memories, folder, work)
        for target in folders[1:]:
            self.same(self.run("--check", target).decode(), "", f"--check of a chain of {folder}")
            self.run("--diff", folder, target)
            made = [Memory(target, memory.name) for memory in memories]
            self.summary(made, json.loads(self.run("--json", target)), target)
            self.listing(made, target, target)
            self.contents(made, target, target)
        for memory in memories:
            for run in memory.runs[:6]:
                if memory.key[0] == "pid" and memory.page_at(run[0]):
                    have = self.run("--pid", str(memory.key[1]), "--at", f"{run[0]:#x}:{PAGE}", folders[2])
                    self.same(have, memory.page_at(run[0]), f"chain of {folder} {memory.key} at {run[0]:#x}")

    def checkpoint(self, folder):
        self.is_failed_dump = os.path.basename(folder).startswith("failed-")
        names = sorted(name for name in os.listdir(folder) if name.startswith("pagemap-"))
        memories = [Memory(folder, name) for name in names]
        self.summary(memories, json.loads(self.run("--json", folder)), folder)
        tar = subprocess.run(["tar", "-C", folder, "-cf", "-", "."], stdout=subprocess.PIPE, check=True).stdout
        self.summary(memories, json.loads(self.run("--json", data=tar)), folder + " as tar")
        self.contents(memories, folder, folder)
        self.listing(memories, folder, folder)
        self.bytes_at(memories, folder, folder)
        self.stats(memories, folder, folder)
        if all(memory.data is not None and memory.count(PARENT | LAZY) == 0 for memory in memories):
            with tempfile.TemporaryDirectory() as work:
                self.chain(memories, folder, work)


def varint_bytes(number, value):
    out = bytearray([number << 3])
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def write_chain(memories, folder, work):
    """1, 2 and 3 in that directory, each the parent of the next."""
    folders = [os.path.join(work, str(level)) for level in (1, 2, 3)]
    for level, target in enumerate(folders):
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns("pages-*", "pagemap-*"))
        if level:
            os.symlink(f"../{level}", os.path.join(target, "parent"))
        for memory in memories:
            write_level(memory, target, level)
    return folders


def write_level(memory, target, level, counts=5):
    """counts: the field with the number of pages in the newest level, 2 before CRIU 4.2."""
    pagemap = bytearray(MAGICS)

    def put(*fields):
        entry = b"".join(varint_bytes(number, value) for number, value in fields)
        pagemap.extend(struct.pack("<I", len(entry)) + entry)

    put((1, int(os.path.basename(memory.image)[6:-4])))
    kept = []
    for index, (vaddr, pages, _, page) in enumerate(memory.runs):
        here = index % (1 << level) == 0
        if here:
            kept.append(memory.data[page * PAGE:(page + pages) * PAGE])
        if level == 2:
            number = ((2, 0), (5, pages)) if counts == 5 else ((2, pages),)
            put(*sorted(((1, vaddr), (4, PRESENT if here else PARENT)) + number))
        elif level == 1:
            put((1, vaddr), (2, pages), (4, PRESENT if here else PARENT))
        else:
            put((1, vaddr), (2, pages))
    with open(os.path.join(target, memory.name), "wb") as file:
        file.write(pagemap)
    with open(os.path.join(target, os.path.basename(memory.image)), "wb") as file:
        file.write(b"".join(kept))


def main():
    tester = Tester(sys.argv[1])
    folders = sorted(root for top in sys.argv[2:] for root, _, names in os.walk(top)
                     if any(name.startswith("pagemap-") for name in names))
    for folder in folders:
        tester.checkpoint(folder)
    print(f"{len(folders)} checkpoints, {tester.checks} figures, {tester.failures} differ")
    return 1 if tester.failures or not folders else 0


if __name__ == "__main__":
    sys.exit(main())
