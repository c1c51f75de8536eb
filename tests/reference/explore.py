#!/usr/bin/env python3
"""Holds crit-x against a slow explorer of a few lines, and against what Python crit 4.2.1 printed.

usage: explore.py BIN CHECKPOINTS [CORPUS]

CHECKPOINTS has a directory for each checkpoint. Of each, the text of ps, fds, mems and rss and the lines of sk are made
here once more, from what crit-tojson prints, and compared; then the checkpoint is packed (tar, tar.gz, tar.zst, image
stream) and asked again. CORPUS has dev/ and dev-expected/, with crit's answers as x.WHAT.txt.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from corpus_answers import answer

WHAT = ("ps", "fds", "mems", "rss")
RUNNING = (1, 3)
OLD_IMAGES = {"REG_FILES": "REG", "PIPES": "PIPE", "UNIXSK": "UNIXSK", "INETSK": "INETSK", "PACKETSK": "PACKETSK",
              "NETLINK_SK": "NETLINKSK"}
PARTS = {"reg": "REG", "pipe": "PIPE", "usk": "UNIXSK", "isk": "INETSK", "psk": "PACKETSK", "nlsk": "NETLINKSK",
         "memfd": "MEMFD"}


def run(*command, data=None, folder=None):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, check=False)


def text_of(value):
    """A string as crit-tojson prints it: text, or base64 of bytes that are none."""
    if isinstance(value, dict):
        import base64
        return base64.b64decode(value["base64"])
    return value.encode()


def shown(name):
    """A name as a line of text bears it: escaped as a whole where it is no UTF-8 or has a control character."""
    try:
        text = name.decode()
        if not any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 for c in text):
            return name
    except UnicodeDecodeError:
        pass
    parts = {"\n": "\\n", "\t": "\\t", "\\": "\\\\"}
    out = b""
    for c in name.decode(errors="surrogateescape"):
        raw = c.encode(errors="surrogateescape")
        odd = ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 or 0xdc80 <= ord(c) <= 0xdcff
        out += parts[c].encode() if c in parts else b"".join(b"\\x%02x" % byte for byte in raw) if odd else raw
    return out


class Set:
    """The entries of all images of a set, by name."""

    def __init__(self, programs, folder):
        self.images = {}
        lines = run(os.path.join(programs, "crit-tojson"), "--lines", "--no-payload", folder).stdout
        for line in lines.splitlines():
            one = json.loads(line)
            if "entry" in one:
                self.images.setdefault(one["image"], []).append(one)
        self.files, self.memfds, self.inodes = {}, {}, {}
        for name, entries in self.images.items():
            for one in entries:
                self.take_file(name, one["magic"], one["entry"])
        self.tasks = [one["entry"] for one in self.images.get("pstree.img", [])]

    def take_file(self, name, magic, entry):
        if magic == "FILES":
            for part, kind in PARTS.items():
                if part in entry:
                    self.files.setdefault((kind, entry["id"]), entry[part])
        elif magic in OLD_IMAGES:
            self.files.setdefault((OLD_IMAGES[magic], entry["id"]), entry)
        elif magic == "MEMFD_INODE":
            self.memfds[entry["inode_id"]] = text_of(entry["name"])
            self.inodes[entry["inode_id"]] = entry

    def entries(self, name):
        return [one["entry"] for one in self.images.get(name, [])]

    def first(self, name):
        return next(iter(self.entries(name)), {})

    def core(self, pid):
        return self.first(f"core-{pid}.img").get("tc", {})

    def running(self):
        return [task for task in self.tasks if self.core(task["pid"]).get("task_state") in RUNNING]

    def path(self, file_id):
        return shown(text_of(self.files.get(("REG", file_id), {}).get("name", ""))) or b"unknown path"

    def mappings(self, pid):
        return self.first(f"mm-{pid}.img").get("vmas") or self.entries(f"vmas-{pid}.img")

    def mapped(self, vma):
        memfd = self.files.get(("MEMFD", vma["shmid"])) if vma["status"] >> 14 & 1 else None
        if memfd and memfd["inode_id"] in self.memfds:
            return shown(b"memfd:" + self.memfds[memfd["inode_id"]])
        return self.path(vma["shmid"])

    def anonymous(self, vma):
        """The id of shared anonymous memory, which CRIU saves as a memory file of a name that the kernel gives."""
        memfd = self.files.get(("MEMFD", vma["shmid"])) if vma["status"] >> 14 & 1 and vma["flags"] & 1 else None
        inode = self.inodes.get(memfd["inode_id"]) if memfd else None
        return inode["shmid"] if inode and text_of(inode["name"]) in (b"/dev/zero", b"/anon_hugepage") else None


def unix_name(value):
    return text_of(value) if isinstance(value, dict) else value.encode()


def file_text(images, fd):
    file = images.files.get((fd["type"], fd["id"]))
    if fd["type"] == "REG":
        return images.path(fd["id"])
    if fd["type"] == "PIPE":
        return b"pipe[%d]" % file["pipe_id"] if file else b"pipe[?]"
    if fd["type"] == "UNIXSK":
        if not file:
            return b"unix[?]"
        name = unix_name(file["name"])
        return b"unix[%d (%d)%s]" % (file["ino"], file["peer"], b" " + shown(name) if name else b"")
    return b"%s.%d" % (fd["type"].encode(), fd["id"])


def ps(images):
    lines = [b"%7s%7s%7s   %s" % (b"PID", b"PGID", b"SID", b"COMM")]
    pids = {task["pid"] for task in images.tasks}

    def show(task, depth):
        lines.append(b"%7d%7d%7d   %s%s" % (task["pid"], task["pgid"], task["sid"], b" " * 4 * depth,
                                            shown(text_of(images.core(task["pid"]).get("comm", "")))))
        for child in images.tasks:
            if child["ppid"] == task["pid"]:
                show(child, depth + 1)
    for task in images.tasks:
        if task["ppid"] not in pids:
            show(task, 0)
    return lines


def fds(images):
    lines = []
    for task in images.running():
        lines.append(b"%d" % task["pid"])
        table = images.first(f"ids-{task['pid']}.img").get("files_id")
        for fd in images.entries(f"fdinfo-{table}.img"):
            lines.append(b"\t%7d: %s" % (fd["fd"], file_text(images, fd)))
        fs = images.first(f"fs-{task['pid']}.img")
        for name, key in ((b"cwd", "cwd_id"), (b"root", "root_id")):
            lines.append(b"\t%7s: %s" % (name, images.path(fs[key])))
    return lines


def suffix(images, vma, numbers):
    status = vma["status"]
    shared = next((word for bit, word in ((10, b"ips"), (8, b"shmem"), (11, b"packet")) if status >> bit & 1), None)
    anonymous = images.anonymous(vma)
    if anonymous is not None:
        return b" shmem[%x]" % numbers.setdefault(anonymous, len(numbers) + 1)
    if shared:
        return b" %s[%x]" % (shared, numbers.setdefault(vma["shmid"], len(numbers) + 1))
    if status & 0xc0:
        return b" %s%s%s" % (images.mapped(vma), b" + 0x%x" % vma["pgoff"] if vma["pgoff"] else b"",
                             b" (s)" if status & 0x80 else b"")
    for bit, word in ((1, b" [stack]"), (2, b" [vsyscall]"), (3, b" [vdso]")):
        if status >> bit & 1:
            return word
    return b" [stack?]" if vma["flags"] & 0x100 else b""


def mems(images):
    lines, numbers = [], {}
    for task in images.running():
        lines.append(b"%d" % task["pid"])
        lines.append(b"\t%-36s    %s" % (b"exe", images.path(images.first(f"mm-{task['pid']}.img")["exe_file_id"])))
        for vma in images.mappings(task["pid"]):
            prot = b"".join(letter if vma["prot"] & bit else b"-" for bit, letter in ((1, b"r"), (2, b"w"), (4, b"x")))
            lines.append(b"\t%-36s%s%s%s" % (b"%08x-%08x" % (vma["start"], vma["end"]), prot,
                                             suffix(images, vma, numbers), b"" if vma["status"] & 1 else b" *"))
    return lines


def mark(entry):
    flags = entry.get("flags", 4) | (1 if entry.get("in_parent") else 0)
    if "flags" not in entry and entry.get("in_parent"):
        flags = 1
    return b" parent" if flags & 1 else b"" if flags & 4 else b" lazy" if flags & 2 else b" absent"


def rss(images):
    lines = []
    for task in images.running():
        lines.append(b"%d" % task["pid"])
        vmas = sorted((vma for vma in images.mappings(task["pid"]) if not vma["status"] >> 16 & 1),
                      key=lambda vma: vma["start"])
        shown = None
        for entry in images.entries(f"pagemap-{task['pid']}.img")[1:]:
            pages = entry.get("nr_pages", entry["compat_nr_pages"])
            line = b"%-24s" % (b"\t%x / %-8s" % (entry["vaddr"], b"%d%s" % (pages, mark(entry))))
            for vma in vmas:
                if vma["end"] <= entry["vaddr"] or vma["start"] >= entry["vaddr"] + 4096 * pages:
                    continue
                line += b" ~" if vma is shown else b" %08x / %-8d%s" % (
                    vma["start"], (vma["end"] - vma["start"]) // 4096,
                    b" " + images.mapped(vma) if vma["status"] & 0xc0 else b"")
                line += b"\n\t%23s" % b""
                shown = vma
            lines.append(line)
    return lines


def sockets(images):
    """(pid, fd, type, inode, ports, bytes to be read) of each socket."""
    waiting = {}
    for packet in images.entries("sk-queues.img"):
        waiting[packet["id_for"]] = waiting.get(packet["id_for"], 0) + packet["length"]
    rows = []
    for task in images.running():
        table = images.first(f"ids-{task['pid']}.img").get("files_id")
        for fd in images.entries(f"fdinfo-{table}.img"):
            if fd["type"] not in ("INETSK", "UNIXSK", "PACKETSK", "NETLINKSK"):
                continue
            file = images.files[fd["type"], fd["id"]]
            stream = images.first(f"tcp-stream-{file['ino']:x}.img") if fd["type"] == "INETSK" else {}
            queue = waiting.get(fd["id"], 0) if fd["type"] == "UNIXSK" else stream.get("inq_len")
            rows.append((task["pid"], fd["fd"], fd["type"], file.get("ino", 0), file.get("src_port", 0),
                         file.get("dst_port", 0), queue))
    return rows


def our_sockets(lines):
    return [(one["pid"], one["fd"], one["fd_type"], one.get("inode", 0), one.get("src_port", 0),
             one.get("dest_port", 0), one.get("receive_queue")) for one in map(json.loads, lines.splitlines())]


class Checker:
    def __init__(self, programs):
        self.programs, self.passed, self.failed = programs, {}, 0

    def x(self, *words, **named):
        return run(os.path.join(self.programs, "crit-x"), *words, **named)

    def check(self, what, ours, theirs):
        if ours == theirs:
            self.passed[what.split(": ")[-1]] = self.passed.get(what.split(": ")[-1], 0) + 1
            return
        self.failed += 1
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        near = slice(max(0, at - 80), at + 80)
        print(f"FAIL {what}: at {at}: ours {ours[near]!r}, wanted {theirs[near]!r}")

    def packed(self, folder, work):
        """The same images as archives and as a stream."""
        parent, name = os.path.split(folder)
        for form, option in (("tar", "--no-auto-compress"), ("tar.gz", "--gzip"), ("tar.zst", "--zstd")):
            archive = os.path.join(work, f"{name}.{form}")
            subprocess.run(["tar", "-C", parent, option, "-cf", archive, name], check=True)
            yield form, [archive], None
        stream = run(os.path.join(self.programs, "crit-cat"), "--stream", folder).stdout
        yield "stream", [], stream

    def checkpoint(self, folder, work):
        name = os.path.basename(folder)
        images = Set(self.programs, folder)
        for what, reference in (("ps", ps), ("fds", fds), ("mems", mems), ("rss", rss)):
            theirs = b"".join(line + b"\n" for line in reference(images))
            self.check(f"{name}: {what}", self.x(folder, what).stdout, theirs)
        self.check(f"{name}: sk", our_sockets(self.x(folder, "sk", "--lines").stdout), sockets(images))
        answers = {what: self.x(folder, what).stdout for what in WHAT + ("sk",)}
        for form, words, data in self.packed(folder, work):
            for what, answer in answers.items():
                self.check(f"{name}: {what} of {form}", self.x(*words, what, data=data).stdout, answer)


# Where ours differs from what crit printed without an error, and why ours is right.
DIFFERENCES = (
    ("mems", re.compile(rb"memfd:[^\n]*?(?= \+ 0x| \(s\)|\n)"), rb"unknown path",
     "crit looks for a memfd among the regular files"),
    ("rss", re.compile(rb"memfd:[^\n]*"), rb"unknown path", "the same"),
    ("rss", re.compile(rb"/ (\d+) (?:parent|lazy)( *)"),
     lambda match: b"/ " + match[1].ljust(8) + b" " * max(0, len(match[0]) - 10 - max(0, len(match[1]) - 8)),
     "pages that are not in this checkpoint look like others"),
)


def unshared(ours, theirs):
    """Shared anonymous memory is a memory file to CRIU, which crit does not find; so its numbers count less."""
    lines, others = ours.split(b"\n"), theirs.split(b"\n")
    if len(lines) < len(others) or b"unknown path" not in theirs:
        return ours
    for i, (line, other) in enumerate(zip(lines, others)):
        is_same = line.partition(b" shmem[")[0] == re.split(rb" (?:unknown path|shmem\[)", other)[0]
        if b" shmem[" in line and is_same:
            lines[i] = other
    return b"\n".join(lines)


def unescaped(ours):
    """Lines with a name that was escaped, as crit breaks them."""
    def raw(line):
        if not re.search(rb"\\(n|t|x[0-9a-f]{2})", line):
            return line
        return re.sub(rb"\\(n|t|\\|x[0-9a-f]{2})", lambda part: {b"n": b"\n", b"t": b"\t", b"\\": b"\\"}.get(part[1]) or
                      bytes([int(part[1][1:], 16)]), line)
    return b"\n".join(map(raw, ours.split(b"\n")))


def as_crit(what, ours, theirs=b""):
    if unescaped(ours) == theirs:
        return theirs
    if what == "mems":
        ours = unshared(ours, theirs)
    for where, pattern, theirs, _ in DIFFERENCES:
        if where == what:
            ours = pattern.sub(theirs, ours)
    return re.sub(rb"(?m) +$", b"", ours) if what == "rss" else ours


def corpus_sets(status):
    """(set, what, crit's exit code) of each question that crit was asked."""
    with open(status, encoding="utf-8") as file:
        for line in file:
            image, tool, command, code = line.rstrip("\n").split("\t")[:4]
            if tool == "crit" and command.startswith("x "):
                yield image, command[2:], int(code)


def corpus(checker, folder):
    counts = {}
    for name, what, code in corpus_sets(os.path.join(folder, "dev-expected", "status.tsv")):
        path = os.path.join(folder, "dev", name)
        if not os.path.isdir(path):
            continue
        done = checker.x(path, what)
        theirs = answer(os.path.join(folder, "dev-expected", name, f"x.{what}.txt")) or b""
        if done.returncode not in (0, 2):
            checker.check(f"{name}: {what} exit", [done.returncode], [0])
        if code == 0:
            theirs = re.sub(rb"(?m) +$", b"", theirs) if what == "rss" else theirs
            checker.check(f"{name}: {what} as crit", as_crit(what, done.stdout, theirs), theirs)
            counts[what] = counts.get(what, 0) + (done.stdout == answer(os.path.join(folder, "dev-expected", name,
                                                                                     f"x.{what}.txt")))
        else:
            checker.check(f"{name}: {what} before crit fails", as_crit(what, done.stdout, theirs)[:len(theirs)], theirs)
    print("the same bytes as crit:", ", ".join(f"{what} {count}" for what, count in sorted(counts.items())))


def main():
    checker = Checker(os.path.abspath(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="critpipe-reference-") as work:
        for name in sorted(os.listdir(sys.argv[2])):
            folder = os.path.join(sys.argv[2], name)
            folder = os.path.join(folder, "checkpoint") if os.path.isdir(os.path.join(folder, "checkpoint")) else folder
            checker.checkpoint(os.path.abspath(folder), work)
    if len(sys.argv) > 3:
        corpus(checker, sys.argv[3])
    print(", ".join(f"{what}: {count}" for what, count in sorted(checker.passed.items())))
    print(f"{sum(checker.passed.values())} passed, {checker.failed} failed")
    return 1 if checker.failed else 0


if __name__ == "__main__":
    sys.exit(main())
