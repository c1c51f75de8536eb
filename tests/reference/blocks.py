#!/usr/bin/env python3
"""Compressed pages against a slow reader and writer of LZ4 blocks and their lists, which shares no code with ours.

usage: blocks.py BIN CHECKPOINTS...

Of each checkpoint below CHECKPOINTS with pages, sets are made with the pages in blocks, in the three forms that
development versions of CRIU have written. What the programs say of these must be what they say of the plain set, in a
directory, an archive in both orders, and a pipe. What crit-repack writes is read here, page by page: compressed,
decompressed again, flattened out of a chain, without zeros. Last come lists of blocks that are wrong.
"""
import functools
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
import pages
import wire

PAGE, PARENT, PRESENT, ALIGNED = 4096, 1, 4, 8


def read_length(block, at, length):
    """The four bits, and the bytes that follow where they are all set; and the offset behind those."""
    more = 255 if length == 15 else 0
    while more == 255:
        more = block[at]
        length, at = length + more, at + 1
    return length, at


@functools.lru_cache(10_000)
def unlz4(block, size):
    out, at = bytearray(), 0
    while at < len(block):
        token = block[at]
        at += 1
        length, at = read_length(block, at, token >> 4)
        out += block[at:at + length]
        at += length
        if at == len(block):
            break
        offset, = struct.unpack_from("<H", block, at)
        at += 2
        length, at = read_length(block, at, token & 15)
        start, length = len(out) - offset, length + 4
        while length:               # what is copied may reach into what it makes
            piece = out[start:start + length]
            out += piece
            length -= len(piece)
    assert len(out) == size, (len(out), size)
    return bytes(out)


def length_bytes(length):
    out = bytearray()
    length -= 15
    while length >= 255:
        out.append(255)
        length -= 255
    return bytes(out) + bytes([length])


def sequence(literals, offset, match):
    token = min(len(literals), 15) << 4 | (min(match - 4, 15) if match else 0)
    out = bytes([token]) + (length_bytes(len(literals)) if len(literals) >= 15 else b"") + literals
    if match:
        out += struct.pack("<H", offset) + (length_bytes(match - 4) if match - 4 >= 15 else b"")
    return out


@functools.lru_cache(10_000)
def lz4(data):
    """Greedy, and far from good."""
    out, seen, begin, at = bytearray(), {}, 0, 0
    while at + 12 < len(data):
        word = data[at:at + 4]
        found = seen.get(word)
        seen[word] = at
        if found is None or at - found > 65535:
            at += 1
            continue
        length = 4
        while at + length < len(data) - 5 and data[found + length] == data[at + length]:
            length += 1
        out += sequence(data[begin:at], at - found, length)
        at += length
        begin = at
    return bytes(out + sequence(data[begin:], 0, 0))


def number(field, value):
    return wire.varint(field << 3) + wire.varint(value)


def blob(field, value):
    return wire.varint(field << 3 | 2) + wire.varint(len(value)) + value


def entry(payload):
    return struct.pack("<I", len(payload)) + payload


def block_list(form, sizes, per_block):
    packed = b"".join(map(wire.varint, sizes))
    if form == "draft":
        return b"".join(number(6, size) for size in sizes)
    if form == "july":
        return blob(6, packed) + number(7, sum(sizes)) + (number(8, per_block) if per_block > 1 else b"")
    return blob(6, blob(1, packed) + number(2, sum(sizes)) + number(3, per_block))


def write_set(folder, memories, target, form, per_block, chance):
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("pages-*", "pagemap-*"), symlinks=True)
    for memory in memories:
        pagemap = bytearray(pages.MAGICS)
        image, pages_id = bytearray(), int(memory.image.rsplit("-", 1)[1][:-4])
        pagemap += entry(number(1, pages_id))
        for vaddr, count, flags, page in memory.runs:
            payload = number(1, vaddr) + number(2, 0)
            if page is None:
                pagemap += entry(payload + number(4, flags) + number(5, count))
                continue
            data = memory.data[page * PAGE:(page + count) * PAGE]
            if chance.random() < 0.2:                        # plain between compressed ones
                image += bytes(-len(image) % PAGE)
                pagemap += entry(payload + number(4, flags | ALIGNED) + number(5, count))
                image += data
                continue
            if chance.random() < 0.3:
                flags |= ALIGNED
                image += bytes(-len(image) % PAGE)
            sizes = []
            for at in range(0, len(data), per_block * PAGE):
                block = data[at:at + per_block * PAGE]
                packed = b"" if not any(block) else lz4(block)
                if len(packed) >= len(block):
                    packed = block
                sizes.append(len(packed))
                image += packed
            pagemap += entry(payload + number(4, flags) + number(5, count) + block_list(form, sizes, per_block))
        open(os.path.join(target, memory.name), "wb").write(pagemap)
        open(os.path.join(target, f"pages-{pages_id}.img"), "wb").write(image)


def read_set(folder):
    """{pagemap: {vaddr: page, or None where it is in the parent}}, whatever the form."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if not name.startswith("pagemap-"):
            continue
        data = open(os.path.join(folder, name), "rb").read()
        at, messages = 8, []
        while at < len(data):
            size, = struct.unpack_from("<I", data, at)
            messages.append(list(wire.fields(data[at + 4:at + 4 + size])))
            at += 4 + size
        image = open(os.path.join(folder, f"pages-{dict(messages[0])[1]}.img"), "rb").read()
        offset, memory = 0, {}
        for message in messages[1:]:
            one = dict(message)
            count = one.get(5) or one[2]
            if one.get(4, PRESENT) & PARENT or not one.get(4, PRESENT) & PRESENT:
                memory.update((one[1] + i * PAGE, None) for i in range(count))
                continue
            if one.get(4, PRESENT) & ALIGNED:
                offset += -offset % PAGE
            if 6 not in one:
                content = image[offset:offset + count * PAGE]
                offset += count * PAGE
            else:
                blocks = dict(wire.fields(one[6]))
                sizes, where = [], 0
                while where < len(blocks[1]):
                    size, where = wire.read_varint(blocks[1], where)
                    sizes.append(size)
                assert sum(sizes) == blocks[2] and len(sizes) == -(-count // blocks[3])
                content = b""
                for i, size in enumerate(sizes):
                    length = min(blocks[3], count - i * blocks[3]) * PAGE
                    stored = image[offset:offset + size]
                    offset += size
                    content += bytes(length) if not size else stored if size == length else unlz4(stored, length)
            assert len(content) == count * PAGE
            memory.update((one[1] + i * PAGE, content[i * PAGE:(i + 1) * PAGE]) for i in range(count))
        assert offset == len(image), (name, offset, len(image))
        found[name] = memory
    return found


def page_through(memory, vaddr, held):
    while memory:
        index = held.setdefault(memory.folder, {start + i * PAGE: (flags, page, i) for start, count, flags, page in memory.runs
                                                for i in range(count)})
        if vaddr not in index:
            return None
        flags, page, i = index[vaddr]
        if not flags & PARENT:
            return None if page is None else memory.data[(page + i) * PAGE:(page + i + 1) * PAGE]
        above = os.path.join(memory.folder, "parent")
        key = (above, memory.name)
        if key not in held:
            held[key] = pages.Memory(above, memory.name) if os.path.exists(os.path.join(above, memory.name)) else None
        memory = held[key]
    return None


class Tester(pages.Tester):
    def __init__(self, programs):
        super().__init__(programs)
        self.programs = programs

    def call(self, program, *arguments, exits=0, data=None):
        self.program = os.path.join(self.programs, program)
        return self.run(*arguments, exits=exits, data=data)

    def peak(self, most, program, *arguments):
        """It takes no more memory than that, in KiB; a small process starts it."""
        done = subprocess.run(["/usr/bin/env", "python3", "-c", "import resource, subprocess, sys; "
                               "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
                               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                               os.path.join(self.programs, program), *arguments],
                              capture_output=True, text=True, check=True)
        peak = int(done.stdout.split()[-1])
        self.same(peak < most or "asan" in self.programs, True, f"{program} {arguments} takes {peak} KiB")

    def figures(self, *arguments, data=None):
        answer = json.loads(self.call("crit-pages", "--contents", "--json", *arguments, data=data))
        keys = ("pages", "present", "zero", "distinct", "duplicate", "classes")
        return [{key: one.get(key) for key in keys} for one in [*answer["processes"], *answer["shmem"], answer["total"]]]

    def matches(self, *arguments, data=None):
        return sorted(line[-40:] for line in self.call("crit-grep", "--memory", "--count", "-F", "root", *arguments,
                                                       data=data, exits=0).splitlines())

    def read_as(self, folder, plain, memories, what):
        self.same(self.figures(folder), self.figures(plain), what)
        self.same(self.call("crit-pages", "--check", folder), b"", what + " --check")
        for memory in memories:
            if memory.key[0] == "shmem":
                continue
            for vaddr, count, _, page in memory.runs[:40]:
                want = memory.data[page * PAGE:(page + count) * PAGE]
                at = f"{vaddr:#x}:{count * PAGE}"
                self.same(self.call("crit-pages", "--pid", str(memory.key[1]), "--at", at, folder), want, what + at)
        names = sorted(os.listdir(folder))
        for order in (names, names[::-1]):
            tar = os.path.join(folder + ".tar")
            subprocess.run(["tar", "-C", folder, "-cf", tar, *order], check=True)
            self.same(self.figures(tar), self.figures(plain), f"{what} tar {order[0]}")
            for memory in [one for one in memories if one.key[0] == "pid" and one.runs][:1]:
                vaddr, count, _, page = memory.runs[-1]
                at = f"{vaddr:#x}:{count * PAGE}"
                want = memory.data[page * PAGE:(page + count) * PAGE]
                pid = str(memory.key[1])
                self.same(self.call("crit-pages", "--pid", pid, "--at", at, tar), want, f"{what} tar {at}")
                self.same(self.call("crit-pages", "--pid", pid, "--at", at, data=open(tar, "rb").read()), want,
                          f"{what} pipe {at}")
            os.remove(tar)

    def repack(self, folder, memories, work):
        def made(*options, source=folder):
            target = os.path.join(work, "made")
            shutil.rmtree(target, ignore_errors=True)
            self.call("crit-repack", *options, source, "--into", target)
            return target

        want = read_set(folder)
        packed = os.path.join(work, "packed")
        for block in ("4096", "16K", "256K", "4M"):
            shutil.rmtree(packed, ignore_errors=True)
            shutil.copytree(made(f"--compress={block}"), packed)
            self.same(read_set(packed), want, f"{folder} --compress={block}")
            self.same(self.call("crit-pages", "--check", packed), b"", f"--check of --compress={block}")
            again = made("--decompress", source=packed)
            self.same(read_set(again), want, f"{folder} --decompress")
            for name in os.listdir(folder):
                if name.startswith(("pages-", "pagemap-")):
                    self.same(open(os.path.join(again, name), "rb").read(),
                              open(os.path.join(folder, name), "rb").read(), f"{folder} {name} there and back")
        first = [open(os.path.join(made("--compress=16K", "-j", str(jobs)), name), "rb").read()
                 for jobs in (1, 4) for name in sorted(os.listdir(folder)) if name.startswith("page")]
        self.same(first[:len(first) // 2], first[len(first) // 2:], f"{folder} with one thread and with four")
        bare = read_set(made("--drop-zero"))
        for name, memory in want.items():
            for vaddr, page in memory.items():
                if page != bare[name].get(vaddr, bytes(PAGE)):
                    self.same(vaddr, None, f"{folder} {name} --drop-zero")
            self.checks += len(memory)

    def flatten(self, memories, folder, work):
        folders = pages.write_chain(memories, folder, work)
        self.call("crit-repack", "--decompress", folders[1], "--into", os.path.join(work, "no"), exits=2)
        want = read_set(folder)
        for options in ([folders[2]], ["--compress", folders[2]], [*folders[::-1]]):
            target = os.path.join(work, "flat")
            shutil.rmtree(target, ignore_errors=True)
            self.call("crit-repack", "--flatten", *options, "--into", target)
            self.same(read_set(target), want, f"{folder} --flatten {len(options)}")
            self.same(os.path.lexists(os.path.join(target, "parent")), False, "no parent")

    def rebase(self, memories, folder, work):
        """On a parent of which some pages are others, and some are missing."""
        chance = random.Random(17)
        base, target = os.path.join(work, "base"), os.path.join(work, "rebased")
        shutil.copytree(folder, base, ignore=shutil.ignore_patterns("pages-*", "pagemap-*"))
        want, equal = read_set(folder), 0
        for memory in memories:
            pagemap, image = bytearray(pages.MAGICS), bytearray()
            pagemap += entry(number(1, int(memory.image.rsplit("-", 1)[1][:-4])))
            for vaddr, page in sorted(want[memory.name].items()):
                kind = chance.random()
                if page is None or kind < 0.2:
                    continue
                pagemap += entry(number(1, vaddr) + number(2, 0) + number(4, PRESENT) + number(5, 1))
                image += page if kind < 0.7 else page[:-1] + bytes([page[-1] ^ 1])
                equal += kind < 0.7
            open(os.path.join(base, memory.name), "wb").write(pagemap)
            open(os.path.join(base, os.path.basename(memory.image)), "wb").write(image)
        self.call("crit-repack", "--rebase", base, folder, "--into", target)
        self.same(os.path.realpath(os.path.join(target, "parent")), os.path.realpath(base), f"{folder} --rebase parent")
        have = read_set(target)
        self.same(sum(page is None for name in have for page in have[name].values()) -
                  sum(page is None for name in want for page in want[name].values()), equal, f"{folder} --rebase pages")
        for name in want:
            memory, held = pages.Memory(target, name), {}
            wrong = sum(page_through(memory, vaddr, held) != page for vaddr, page in want[name].items() if page is not None)
            self.same(wrong, 0, f"{folder} --rebase {name}")
        self.same(self.call("crit-pages", "--check", target), b"", f"{folder} --rebase --check")
        whole = os.path.join(work, "whole")
        self.call("crit-repack", "--flatten", target, "--into", whole)
        self.same(read_set(whole), want, f"{folder} --rebase, then --flatten")

    def checkpoint(self, folder):
        names = sorted(name for name in os.listdir(folder) if name.startswith("pagemap-"))
        memories = [pages.Memory(folder, name) for name in names]
        if not memories or any(not memory.data or memory.count(PARENT) for memory in memories):
            return
        chance = random.Random(16)
        with tempfile.TemporaryDirectory() as work:
            for form, per_block in (("draft", 1), ("july", 1), ("july", 16), ("august", 1), ("august", 64)):
                target = os.path.join(work, f"{form}{per_block}")
                write_set(folder, memories, target, form, per_block, chance)
                self.read_as(target, folder, memories, f"{folder} {form} {per_block}")
                shutil.rmtree(target)
            self.repack(folder, memories, work)
        with tempfile.TemporaryDirectory() as work:
            self.flatten(memories, folder, work)
            self.rebase(memories, folder, work)

    def real_chain(self, folder):
        """Flattened: each page is the one that a walk through the parents finds, and no more are stored."""
        with tempfile.TemporaryDirectory() as work:
            for options in ([], ["--compress"], ["--drop-zero"]):
                flat = os.path.join(work, "flat" + "".join(options))
                self.call("crit-repack", "--flatten", *options, folder, "--into", flat)
                have = read_set(flat)
                for name in have:
                    memory = pages.Memory(folder, name)
                    held = {}          # the pagemaps of parents are read once
                    wrong = missing = 0
                    want = {run[0] + i * PAGE for run in memory.runs for i in range(run[1])}
                    for vaddr in want:
                        page = page_through(memory, vaddr, held)
                        mine = have[name].get(vaddr)
                        if mine is None and page == bytes(PAGE) and "--drop-zero" in options:
                            continue
                        wrong += mine != page
                    missing = len(set(have[name]) - want)
                    self.same((wrong, missing), (0, 0), f"{folder} {name} {options} of {len(want)} pages")
                self.same(os.path.lexists(os.path.join(flat, "parent")), False, f"{flat} parent")
                self.same(self.call("crit-pages", "--check", flat), b"", f"{folder} --flatten --check")

    def hostile(self):
        """Each wrong list is one sentence and no answer."""
        page = bytes(range(256)) * 16
        good = lz4(page)
        august = lambda sizes, total, per: blob(6, blob(1, b"".join(map(wire.varint, sizes))) + number(2, total) + number(3, per))
        rows = [
            ("sum", 2, 4, august([len(good)] * 2, len(good), 1), good * 2, "the sum of the blocks"),
            ("few", 3, 4, august([len(good)] * 2, 2 * len(good), 1), good * 2, "the number of blocks"),
            ("many", 1, 4, august([len(good)] * 2, 2 * len(good), 1), good * 2, "the number of blocks"),
            ("long", 1, 4, august([4097], 4097, 1), bytes(4097), "larger than its pages"),
            ("huge", 1, 4, august([0xffffffff], 0xffffffff, 1), b"", "larger than its pages"),
            ("none", 1, 4, august([], 0, 1), b"", "a list without blocks"),
            ("zero", 1, 4, august([len(good)], len(good), 0), good, "blocks without pages"),
            ("absent", 1, 1, august([len(good)], len(good), 1), good, "not present"),
            ("4 MiB + 1 page", 1025, 4, august([0], 0, 1025), b"", "more than 4 MiB"),
            ("most pages", 1 << 40, 4, august([0], 0, 0xffffffff), b"", "number of blocks"),
            ("padded", 1, 4, blob(6, blob(1, wire.varint(len(good))) + number(2, len(good)) + number(3, 1) + number(4, 1)),
             good, "payload_padded"),
            ("cut", 1, 4, august([len(good)], len(good), 1), good[:-3], "make up"),
            ("noise", 1, 4, august([100], 100, 1), b"\xff" * 100, "damaged"),
            ("short block", 2, 4, august([len(good)], len(good), 2), good, "damaged"),
            ("July sum", 1, 4, blob(6, wire.varint(len(good))) + number(7, 5), good, "the sum of the blocks"),
        ]
        for name, count, flags, blocks, image, sentence in rows:
            with tempfile.TemporaryDirectory() as work:
                with open(os.path.join(work, "pagemap-5.img"), "wb") as file:
                    file.write(pages.MAGICS + entry(number(1, 1)) + entry(
                        number(1, 0x400000) + number(2, 0) + number(4, flags) + number(5, count) + blocks))
                open(os.path.join(work, "pages-1.img"), "wb").write(image)
                self.program = os.path.join(self.programs, "crit-pages")
                done = subprocess.run([self.program, "--check", work], capture_output=True, text=True, check=False)
                self.same(done.returncode in (1, 2), True, f"exit of {name}: {done.returncode}")
                self.same(sentence in done.stdout + done.stderr, True, f"{name}: {done.stdout}{done.stderr}")
                for arguments in (["--contents"], ["--pid", "5", "--at", "0x400000:4096"]):
                    done = subprocess.run([self.program, *arguments, work], capture_output=True, check=False, timeout=20)
                    self.same(done.returncode, 2, f"{name} {arguments[0]}")


    def edges(self):
        """Small sets: what is rewritten is all there or refused, and damage is found in every form."""
        with tempfile.TemporaryDirectory() as work:
            os.chdir(work)
            chance = random.Random(3)
            def put(folder, name, magic, *entries):
                os.makedirs(folder, exist_ok=True)
                open(os.path.join(folder, name), "wb").write(
                    self.call("crit-fromjson", data=json.dumps({"magic": magic, "entries": entries}).encode()))

            def files(folder):
                return {name: open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder))
                        if not os.path.islink(os.path.join(folder, name))}

            def pagemap(folder, *runs, flags=4):
                put(folder, "pagemap-5.img", "PAGEMAP", {"pages_id": 1},
                    *({"vaddr": vaddr, "compat_nr_pages": 0, "flags": flags, "nr_pages": count} for vaddr, count in runs))

            # A pre-dump with pages of 64 KiB, which only the size of the image tells.
            put("p64", "inventory.img", "INVENTORY", {"img_version": 0})
            pagemap("p64", (0x10000, 3), (0x100000, 70))
            content = b"".join(bytes([i]) * 65536 for i in range(73))
            open("p64/pages-1.img", "wb").write(content)
            want = files("p64")
            self.call("crit", "compress", "--in-place", "p64")
            self.same(len(files("p64")["pages-1.img"]) < len(content) // 50, True, "64K compressed")
            self.call("crit", "decompress", "--in-place", "p64")
            self.same(files("p64") == want, True, "64K and back")
            open("p64/pages-1.img", "ab").write(bytes(4096))
            want = files("p64")
            self.call("crit", "compress", "--in-place", "p64", exits=1)
            self.call("crit-repack", "--drop-zero", "p64", "--into", "none", exits=2)
            self.same((files("p64") == want, os.path.exists("none")), (True, False), "longer than its pagemap says")

            # Pages that no block makes smaller are plain again, behind the border of a page.
            put("raw", "inventory.img", "INVENTORY", {"img_version": 2})
            pagemap("raw", (0x10000, 1), (0x20000, 1))
            open("raw/pages-1.img", "wb").write(b"a" * 4096 + chance.randbytes(4096))
            self.call("crit-repack", "--compress", "raw", "--into", "packed")
            lines = self.call("crit-tojson", "packed/pagemap-5.img").decode()
            self.same(("_wire" in lines, lines.count("block_sizes"), '"flags": 12' in lines), (False, 1, True), lines)
            self.same(self.call("crit-fromjson", data=lines.encode()), files("packed")["pagemap-5.img"], "packed list")
            self.same(read_set("packed"), read_set("raw"), "blocks as they are")

            # A damaged block, in a directory, an archive and a stream.
            packed = bytearray(files("packed")["pages-1.img"])
            packed[0:4] = b"\xff" * 4
            open("packed/pages-1.img", "wb").write(packed)
            names = ["inventory.img", "pagemap-5.img", "pages-1.img"]
            subprocess.run(["tar", "-C", "packed", "-cf", "packed.tar", *names], check=True)
            subprocess.run(["tar", "-C", "packed", "-cf", "turned.tar", *names[::-1]], check=True)
            open("packed.str", "wb").write(self.call("crit-cat", "--stream", "packed"))
            for source in ("packed", "packed.tar", "packed.str"):
                for program, *options in (["crit-check"], ["crit-pages", "--check"]):
                    found = self.call(program, *options, source, exits=1)
                    self.same(b"damaged" in found, True, f"{program} {source}: {found}")
            self.same(b"damaged" in self.call("crit-pages", "--check", "turned.tar", exits=1), True, "pages first")
            self.same(b"not looked at: its blocks" in self.call("crit-check", "--severity=note", "turned.tar", exits=1), True, "pages first")

            # Addresses of 32-bit x86, with and without their sign.
            put("x32", "inventory.img", "INVENTORY", {"img_version": 2})
            pagemap("x32", (0xffffffffff7f0000, 2))
            open("x32/pages-1.img", "wb").write(bytes(8192))
            self.same(b" 0x0000ff7f0000-" in self.call("crit-pages", "--list", "x32"), True, "sign-extended")

            # Pages of a parent that is not here, and pages that are in two places.
            put("lost", "inventory.img", "INVENTORY", {"img_version": 2})
            pagemap("lost", (0x10000, 1), flags=1)
            open("lost/pages-1.img", "wb").write(b"")
            for options in (["crit-repack", "--decompress"], ["crit-repack", "--drop-zero"]):
                self.call(*options, "lost", "--into", "none", exits=2)
            self.call("crit", "compress", "lost", exits=1)
            pagemap("lost", (0x10000, 1), flags=5)
            open("lost/pages-1.img", "wb").write(bytes(4096))
            self.call("crit-repack", "--decompress", "lost", "--into", "none", exits=2)
            self.same(os.path.exists("none"), False, "nothing is written")

            # A list of a block for each page takes little more memory than its bytes.
            count = 4 << 20
            head = number(1, 0x1000000) + number(2, 0) + number(4, 4) + number(5, count)
            entries = entry(number(1, 1)) + entry(head + blob(6, blob(1, bytes(count)) + number(2, 0) + number(3, 1)))
            os.mkdir("many")
            open("many/pagemap-5.img", "wb").write(pages.MAGICS + entries)
            open("many/pages-1.img", "wb").write(b"")
            for option in ("--summary", "--check"):
                self.peak((16 << 10) + 6 * (count >> 10), "crit-pages", option, "many")

            # Nor do entries of a page each, which threads pack together and write in their order.
            count = 100000
            put("short", "inventory.img", "INVENTORY", {"img_version": 2})
            pagemap("short", *((0x10000 + i * 8192, 1) for i in range(count)), flags=4)
            with open("short/pages-1.img", "wb") as file:
                file.truncate(count * PAGE)
            self.peak(24 << 10, "crit-repack", "--compress", "-j", "1", "short")
            count = 12000
            lazy = b"".join(entry(number(1, 0x10000 + i * PAGE) + number(2, 0) + number(4, 4 if i % 3 else 2) + number(5, 1))
                            for i in range(count))
            open("short/pagemap-5.img", "wb").write(pages.MAGICS + entry(number(1, 1)) + lazy)
            with open("short/pages-1.img", "wb") as file:
                for i in range(count * 2 // 3):
                    file.write(b"%07d " % (i // 3) * (PAGE // 8) if i % 5 else chance.randbytes(PAGE))
            one, *others = (self.call("crit-repack", "--compress", "-j", str(jobs), "short") for jobs in (1, 2, 5))
            self.same([other == one for other in others], [True, True], "short entries with any number of threads")
            os.chdir("/")


def main():
    programs, *roots = (os.path.abspath(path) for path in sys.argv[1:])
    tester = Tester(programs)
    tester.hostile()
    tester.edges()
    for root in roots:
        for folder, _, files in sorted(os.walk(root)):
            if not any(name.startswith("pagemap-") for name in files):
                continue
            top = os.path.dirname(folder)
            links = [os.path.realpath(os.path.join(top, name, "parent")) for name in os.listdir(top)]
            if os.path.realpath(folder) in links:
                continue
            if os.path.islink(os.path.join(folder, "parent")):
                tester.real_chain(folder)
            else:
                tester.checkpoint(folder)
    print(f"{tester.checks} checks, {tester.failures} failures")
    sys.exit(tester.failures > 0)


if __name__ == "__main__":
    main()
