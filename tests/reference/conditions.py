#!/usr/bin/env python3
"""Holds crit-grep's conditions against the same conditions in Python over the JSON of every entry.

usage: conditions.py BIN DIR...      DIR has checkpoints: directories with images, at any depth

For each checkpoint and each row of the table, the image stream that crit-grep passes on must hold the images that have a
match, and of these the bytes of the entries that match, cut from the original by the rules of the format.
"""
import base64
import concurrent.futures
import json
import os
import re
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import image_stream

COMMON, SERVICE = 0x54564319, 0x55105940


def at(entry, path):
    """All values that the path leads to, through lists."""
    found = [entry]
    for name in path.split("."):
        step = []
        for value in found:
            if isinstance(value, dict) and name in value:
                inside = value[name]
                step.extend(inside if isinstance(inside, list) else [inside])
        found = step
    return found


def anywhere(value, name):
    if isinstance(value, dict):
        for key, inside in value.items():
            if key == name:
                yield from inside if isinstance(inside, list) else [inside]
            yield from anywhere(inside, name)
    elif isinstance(value, list):
        for inside in value:
            yield from anywhere(inside, name)


def some(path, test):
    return lambda entry, _: any(test(value) for value in at(entry, path))


def address(words):
    if len(words) == 1:
        return struct.pack("<I", words[0])
    return struct.pack("<4I", *words) if len(words) == 4 else None


def in_net(path, net, bits):
    def test(entry, _):
        for holder in at(entry, path.rsplit(".", 1)[0]):
            packed = address(holder.get(path.rsplit(".", 1)[1], []))
            if packed and len(packed) == len(net):
                shift = 8 * len(net) - bits
                if int.from_bytes(packed, "big") >> shift == int.from_bytes(net, "big") >> shift:
                    return True
        return False
    return test


def both(*tests):
    return lambda entry, image: all(test(entry, image) for test in tests)


def either(*tests):
    return lambda entry, image: any(test(entry, image) for test in tests)


def no(test):
    return lambda entry, image: not test(entry, image)


def of_pagemap(test):
    return lambda entry, image: image["magic"] == "PAGEMAP" and test(entry, image)


def plain(value):
    """Texts that are no UTF-8 as texts."""
    return base64.b64decode(value["base64"]).decode("latin-1") if set(value) == {"base64"} else value


READ, WRITE, EXEC, VDSO, HEAP, FILE_PRIVATE = 1, 2, 4, 8, 32, 64
LATE = 0x7f0000000000
TABLE = [
    ("vaddr >= 0x7f0000000000 && nr_pages > 4",
     both(some("vaddr", lambda v: v >= LATE), some("nr_pages", lambda v: v > 4))),
    ("vaddr < 0x7f0000000000", some("vaddr", lambda v: v < LATE)),
    ("compat_nr_pages <= 1", some("compat_nr_pages", lambda v: v <= 1)),
    ("flags & PE_LAZY", of_pagemap(some("flags", lambda v: v & 2))),        # of other kinds it is no name of a flag
    ("flags == PE_PRESENT || in_parent", of_pagemap(either(some("flags", lambda v: v == 4), some("in_parent", bool)))),
    ("tc.comm == \"shopd\"", some("tc.comm", lambda v: v == "shopd")),
    ("tc.comm != \"shop\"", some("tc.comm", lambda v: v != "shop")),
    ("tc.comm =~ /^[a-m]/", some("tc.comm", lambda v: re.search("^[a-m]", v))),
    ("tc.comm !~ /^[a-m]/", some("tc.comm", lambda v: not re.search("^[a-m]", v))),
    ("tc.comm =~ /SH/i", some("tc.comm", lambda v: re.search("SH", v, re.I))),
    ("tc.task_state == Alive", some("tc.task_state", lambda v: v == 1)),
    ("tc.task_state != Alive", some("tc.task_state", lambda v: v != 1)),
    ("has(tc)", lambda e, _: "tc" in e),
    ("!has(tc) && has(thread_core)", lambda e, _: "tc" not in e and "thread_core" in e),
    ("has(tc.timers) && tc.oom_score_adj >= 0",
     both(lambda e, _: bool(at(e, "tc.timers")), some("tc.oom_score_adj", lambda v: v >= 0))),
    ("tc.rlimits.rlimits.cur > 1M", some("tc.rlimits.rlimits.cur", lambda v: v > 1 << 20)),
    ("tc.rlimits.rlimits[cur > 0 && cur < 0xffffffffffffffff]",
     lambda e, _: any(0 < v["cur"] < 2**64 - 1 for v in at(e, "tc.rlimits.rlimits"))),
    ("thread_core.sched_nice > 0", some("thread_core.sched_nice", lambda v: v > 0)),
    ("thread_core.sched_nice <= 0", some("thread_core.sched_nice", lambda v: v <= 0)),
    ("thread_core.creds.uid == 0 && thread_core.creds.cap_eff > 0",
     both(some("thread_core.creds.uid", lambda v: v == 0), some("thread_core.creds.cap_eff", lambda v: v > 0))),
    ("mtype == X86_64", some("mtype", lambda v: v == "X86_64")),
    ("mtype =~ /^X86/", some("mtype", lambda v: v.startswith("X86"))),
    ("thread_info.clear_tid_addr & 0xfff", some("thread_info.clear_tid_addr", lambda v: v & 0xfff)),
    ("thread_info.gpregs.orig_ax == 34", some("thread_info.gpregs.orig_ax", lambda v: v == 34)),
    ("!(thread_info.gpregs.orig_ax >= -1)", no(some("thread_info.gpregs.orig_ax", lambda v: True))),
    ("vmas.status & VMA_AREA_VDSO", some("vmas.status", lambda v: v & VDSO)),
    ("vmas.status =~ /HEAP/", some("vmas.status", lambda v: v & HEAP)),
    ("vmas.prot == PROT_READ|PROT_WRITE", some("vmas.prot", lambda v: v == READ | WRITE)),
    ("vmas.prot & (PROT_WRITE | PROT_EXEC) == PROT_WRITE | PROT_EXEC",
     some("vmas.prot", lambda v: v & (WRITE | EXEC) == WRITE | EXEC)),
    ("vmas[status & VMA_AREA_HEAP && prot & PROT_WRITE]",
     lambda e, _: any(v["status"] & HEAP and v["prot"] & WRITE for v in e.get("vmas", []))),
    ("vmas[status & VMA_FILE_PRIVATE && prot & PROT_EXEC && pgoff >= 4K]",
     lambda e, _: any(v["status"] & FILE_PRIVATE and v["prot"] & EXEC and v["pgoff"] >= 4096 for v in e.get("vmas", []))),
    ("vmas.fd == -1", some("vmas.fd", lambda v: v == -1)),
    ("vmas.fd > -2", some("vmas.fd", lambda v: v > -2)),
    ("mm_saved_auxv == 6", some("mm_saved_auxv", lambda v: v == 6)),
    ("dumpable", some("dumpable", bool)),
    ("reg.name =~ /\\.so/", some("reg.name", lambda v: ".so" in v)),
    ("reg.flags & O_RDWR && reg.pos == 0",
     both(some("reg.flags", lambda v: v & 2), some("reg.pos", lambda v: v == 0))),
    ("reg.flags & 0100000", some("reg.flags", lambda v: v & 0o100000)),
    ("reg.size > 64K && !(reg.size > 1M)",
     both(some("reg.size", lambda v: v > 65536), no(some("reg.size", lambda v: v > 1 << 20)))),
    ("type == REG", some("type", lambda v: v == "REG")),
    ("type == INETSK || type == \"UNIXSK\"",
     either(some("type", lambda v: v == "INETSK"), some("type", lambda v: v == "UNIXSK"))),
    ("isk.src_port == 8081 || isk.dst_port == 5306",
     either(some("isk.src_port", lambda v: v == 8081), some("isk.dst_port", lambda v: v == 5306))),
    ("isk.src_addr == 127.0.0.0/8", in_net("isk.src_addr", bytes([127, 0, 0, 0]), 8)),
    ("isk.dst_addr == 0.0.0.0", in_net("isk.dst_addr", bytes(4), 32)),
    ("isk.src_addr == ::/0", in_net("isk.src_addr", bytes(16), 0)),
    ("isk.state == LISTEN && isk.family == INET6",
     both(some("isk.state", lambda v: v == 10), some("isk.family", lambda v: v == 10))),
    ("usk.name =~ /^=00/ || usk.uflags == 0",
     either(some("usk.name", lambda v: v.startswith("=00")), some("usk.uflags", lambda v: v == 0))),
    ("usk.peer", some("usk.peer", bool)),
    ("..name =~ /^\\/dev/", lambda e, _: any(isinstance(v, str) and v.startswith("/dev") for v in anywhere(e, "name"))),
    ("..uid == 0", lambda e, _: any(v == 0 for v in anywhere(e, "uid") if isinstance(v, int))),
    ("has(extra)", lambda e, _: "extra" in e),
    ("extra", lambda e, _: bool(e.get("extra")) and e["extra"] != {"inq": "", "outq": ""}),
    ("magic == PAGEMAP && index > 0", lambda e, i: i["magic"] == "PAGEMAP" and i["index"] > 0),
    ("image =~ /^core-1.*img$/", lambda e, i: bool(re.search("^core-1.*img$", i["image"]))),
    ("index == 0 && !(magic == CORE)", lambda e, i: i["index"] == 0 and i["magic"] != "CORE"),
    ("bytes > 0 && size >= 4K", both(some("bytes", lambda v: v > 0), some("size", lambda v: v >= 4096))),
    ("ppid == 0 || sid == 1", either(some("ppid", lambda v: v == 0), some("sid", lambda v: v == 1))),
    ("threads > 100000", some("threads", lambda v: v > 100000)),
    ("pages_id == 1", some("pages_id", lambda v: v == 1)),
    ("dump.freezing_time >= 0", some("dump.freezing_time", lambda v: v >= 0)),
]


def extra_size(magic, index, entry, rest):
    """Bytes behind the message."""
    if magic in ("PIPES_DATA", "FIFO_DATA"):
        return entry.get("bytes", 0)
    if magic == "SK_QUEUES":
        return entry["length"]
    if magic == "TCP_STREAM":
        return entry["inq_len"] + entry["outq_len"]
    if magic == "BPFMAP_DATA":
        return entry["keys_bytes"] + entry["values_bytes"]
    if magic == "IPCNS_SEM":
        return (2 * entry["nsems"] + 7) // 8 * 8
    if magic == "IPCNS_SHM":
        return 0 if entry.get("in_pagemaps") else (entry["size"] + 3) // 4 * 4
    if magic == "IPCNS_MSG":
        at_byte = 0
        for message in entry.get("extra", [])[::2]:
            at_byte += 4 + struct.unpack_from("<I", rest, at_byte)[0] + (message["msize"] + 7) // 8 * 8
        return at_byte
    if magic == "GHOST_FILE":
        if index == 0:
            return 0 if entry.get("chunks") else len(rest)
        return entry["len"]
    return 0


def cut(data, magic, entries):
    """The head, and the bytes of each entry."""
    word = struct.unpack_from("<I", data)[0]
    offset = 8 if word in (COMMON, SERVICE) else 4
    head, pieces = data[:offset], []
    for index, entry in enumerate(entries):
        size = 4 + struct.unpack_from("<I", data, offset)[0]
        size += extra_size(magic, index, entry, data[offset + size:])
        pieces.append(data[offset:offset + size])
        offset += size
    assert offset == len(data), (magic, offset, len(data))
    return head, pieces


def images_of_stream(stream):
    """{name: bytes} of an image stream, which may end early."""
    images, current = {}, None
    for _, fields, data in image_stream.markers(stream):
        if 2 in fields:
            current = fields[2].decode()
        if current is not None and {2, 3} & set(fields):
            images[current] = images.get(current, b"") + data
    return images


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


class Checkpoint:
    def __init__(self, programs, folder):
        self.folder, self.programs = folder, programs
        self.images = {}
        lines = run(os.path.join(programs, "crit-tojson"), "--lines", folder).stdout
        for line in lines.decode("utf-8").splitlines():
            row = json.loads(line, object_hook=plain)
            if "index" in row and "/" not in row["image"]:
                self.images.setdefault(row["image"], []).append(row)
        self.cuts = {}
        for name, rows in self.images.items():
            with open(os.path.join(folder, name), "rb") as file:
                self.cuts[name] = cut(file.read(), rows[0]["magic"], [row["entry"] for row in rows])

    def wanted(self, test):
        images = {}
        for name, rows in self.images.items():
            hits = [index for index, row in enumerate(rows) if test(row["entry"], row)]
            if not hits:
                continue
            head, pieces = self.cuts[name]
            if rows[0]["magic"] == "PAGEMAP" or rows[0]["entry"].get("chunks") and rows[0]["magic"] == "GHOST_FILE":
                hits = sorted({0, *hits})
            images[name] = head + b"".join(pieces[index] for index in hits)
        return images

    def check(self, row):
        text, test = row
        result = run(os.path.join(self.programs, "crit-grep"), text, self.folder)
        got = {name: data for name, data in images_of_stream(result.stdout).items() if "/" not in name}
        want = self.wanted(test)
        faults = [f"{name}: in {'both' if name in got and name in want else 'crit-grep' if name in got else 'Python'}"
                  for name in sorted(got.keys() | want.keys()) if got.get(name) != want.get(name)]
        message = result.stderr.decode()
        missing = "no image of the input has a field" in message
        if result.returncode != (0 if got else 2 if missing else 1) or (message and not missing):
            faults.append(f"exit {result.returncode}: {message}")
        return len(want), [f"{self.folder}: {text}: {fault}" for fault in faults]


def main():
    programs, *folders = sys.argv[1:]
    if not folders:
        sys.exit(__doc__)
    checkpoints = sorted({path for folder in folders for path, _, names in os.walk(folder)
                          if any(name.endswith(".img") for name in names)})
    found = dict.fromkeys((text for text, _ in TABLE), 0)
    faults = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in checkpoints:
            checkpoint = Checkpoint(programs, path)
            for (text, _), (hits, wrong) in zip(TABLE, pool.map(checkpoint.check, TABLE)):
                found[text] += hits
                faults += wrong
    for fault in faults:
        print(fault)
    idle = [text for text, hits in found.items() if not hits]
    print(f"{len(checkpoints)} checkpoints, {len(TABLE)} conditions, {sum(found.values())} images with matches, "
          f"{len(idle)} conditions without any: {'; '.join(idle)}")
    sys.exit(bool(faults) or not checkpoints)


if __name__ == "__main__":
    main()
