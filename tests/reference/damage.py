#!/usr/bin/env python3
"""damage.py: crit-check finds what is done to good checkpoints.

usage: damage.py BIN FOLDER [SET...]

FOLDER holds directories of checkpoints, with their images in checkpoint/ or at the top. Of each set, one image after the other
is deleted, cut short, emptied, replaced by an image of another kind, and loses or repeats an entry; all images of a kind are
deleted; images of two tasks change places; what is in a list is taken out of it; mounts and tasks are put on each other; pages
images grow; and every reference from one image to another is bent. Each time crit-check must say that a restore will fail or lack something; what it can't see, or what
CRIU doesn't mind, is in TOLERATED, with the reason, and then there must be no finding of that kind, so that the table can't grow
stale. Of damages that are alike a share is done (see sampling.py). All JSON fits its schema, and each rule has found something, here or in a case of crit-check.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checking import check, done, fail
import json_schema
from sampling import Sample

BIN, FOLDER = map(os.path.abspath, sys.argv[1:3])
ONLY = sys.argv[3:]
MOST_ENTRIES = 6            # of an image, spread over it, that are deleted and repeated
NONSENSE = 40404
SCHEMA = json_schema.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../schemas/crit-check.json"))
SAMPLE = Sample(5, first=3)
counts = {"found": 0, "tolerated": 0}
rules = set()               # that found something

# Damage, image or kind, why: matched as regular expressions.
TOLERATED = [
    ("delete|cut|empty|swap|entry|twice", r"(stats-\w+|irmap-cache|STATS|IRMAP_CACHE)", "a restore does not read it"),
    ("delete|empty", r"cpuinfo\.img", "a dump has it only with --cpu-cap, and a restore looks at the machine without it"),
    ("delete", r"seccomp\.img", "no task has a filter: CRIU restores it"),
    ("delete|empty", r"(pipes-data|fifo-data|sk-queues|tty-data|filelocks|cgroup|apparmor|bpfmap-data)\.img",
     "nothing refers to it: a set without it looks like one that never had it"),
    ("delete|cut", r"(ip6?tables|nftables|netns-ct|netns-exp)-\d+\.img", "CRIU passes over rules that are not there"),
    ("delete|empty", r"ipcns-(shm|msg|sem)-\d+\.img", "a set without it looks like one of a namespace without objects"),
    ("delete|empty", r"(autofs|binfmt-misc)(-\d+)?\.img", "CRIU passes over it"),
    ("empty", r"fdinfo-\d+\.img", "a task with nothing open looks so, but for what only it had open"),
    ("entry|twice", r"(FILE_LOCKS|PIPES_DATA|FIFO_DATA|SK_QUEUES|TTY_DATA|IPCNS_\w+|NETDEV|BPFMAP_DATA)",
     "nothing refers to each of them, or says how many there are"),
    ("twice", r"(FILES|REMAP_FPATH|TTY_INFO|MEMFD_INODE)", "CRIU takes one of the two"),
    ("twice|entry", r"(PSTREE|MNTS)", "of the last task, or of a mount on which nothing is, nothing else speaks"),
    ("entry", r"(FDINFO|FILES|REMAP_FPATH|TTY_INFO)", "another descriptor has the file, or no task needs it"),
    ("entry", r"PAGEMAP", "a page that is not stored is zero"),
    ("entry|twice", r"GHOST_FILE", "what no chunk has is a hole, and two chunks of one place are one"),
    ("kind", r"(PIPES_DATA|FIFO_DATA|SK_QUEUES|TTY_DATA|FILE_LOCKS\w*|CGROUP|APPARMOR|BPFMAP_DATA|STATS|IRMAP_CACHE|CPUINFO|IP6?TABLES|"
     r"NFTABLES|NETNF_\w+|IPCNS_SHM|IPCNS_MSG|IPCNS_SEM|AUTOFS|BINFMT_MISC)", "a set without them looks like one that never had any"),
    ("kind", r"SECCOMP", "no task has a filter: CRIU restores it"),
    ("kind", r"network", "an engine that sets up the network itself has CRIU leave these out: a note says so"),
    ("kind", r"memory", "they may be with a page server: a warning says so, and with --exact an error"),
    ("exchange", r"(CORE|FS|IDS|MM)", "what the images of one task say may as well be the other's"),
    ("member", r"(MM|FILES|INVENTORY|CGROUP|SECCOMP|MNTS|TIMENS|NETDEV|SK_QUEUES)", "nothing says how many there are"),
]
# Tolerated in some cases and found in others: either is right.
EITHER = {("entry", "FDINFO"), ("entry", "FILES"), ("entry", "PSTREE"), ("twice", "PSTREE"), ("entry", "MNTS"), ("twice", "MNTS"),
          ("entry", "PAGEMAP"), ("twice", "FILES"), ("entry", "REMAP_FPATH"), ("entry", "TTY_INFO"), ("empty", "FDINFO"),
          ("exchange", "MM"), ("exchange", "CORE"), ("exchange", "FS"), ("exchange", "IDS"), ("exchange", "PAGEMAP"),
          ("member", "MM"), ("member", "FILES"), ("member", "SECCOMP"), ("member", "CGROUP"), ("member", "SK_QUEUES"),
          ("kind", "SECCOMP"), ("kind", "CGROUP"), ("kind", "IPCNS_SHM"), ("kind", "SK_QUEUES"), ("kind", "BPFMAP_DATA"),
          ("kind", "TTY_DATA"), ("kind", "AUTOFS"), ("entry", "UNIXSK"), ("kind", "TCP_STREAM"), ("kind", "GHOST_FILE"),
          ("entry", "IPCNS_SHM"), ("twice", "IPCNS_SHM"), ("cut", "GHOST_FILE"), ("delete", "SECCOMP"), ("delete", "CGROUP"),
          ("bend", "PAGEMAP"), ("bend", "PIPES_DATA"),      # of no pages, of a pipe that is empty
          ("empty", "CGROUP"), ("delete", "IPCNS_SHM"), ("empty", "IPCNS_SHM"), ("delete", "SK_QUEUES"), ("empty", "SK_QUEUES")}


def images_of(folder):
    return sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name)) and
                  re.search(r"\.img$|^stats-|^irmap-cache", name))


def crit_check(folder):
    finished = subprocess.run([f"{BIN}/crit-check", "--lines", folder], capture_output=True, timeout=60, check=False)
    return finished.returncode, [json.loads(line) for line in finished.stdout.splitlines()], finished.stderr.decode()


def to_json(path):
    finished = subprocess.run([f"{BIN}/crit-tojson", path], capture_output=True, timeout=60, check=False)
    return json.loads(finished.stdout) if finished.returncode == 0 and finished.stdout.startswith(b'{"magic"') else None


def from_json(document):
    return subprocess.run([f"{BIN}/crit-fromjson"], input=json.dumps(document).encode(), capture_output=True, check=True).stdout


class Damages:
    """One set, damaged in many ways, one after the other."""

    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(folder)
        self.images = images_of(folder)
        self.bytes = {name: self.read(name) for name in self.images}
        self.json = {name: to_json(os.path.join(folder, name)) for name in self.images}
        self.seen = set()

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def kind_of(self, name):
        return (self.json.get(name) or {}).get("magic", "")

    def check_json(self):
        """The document of --json, and each of the lines."""
        said = subprocess.run([f"{BIN}/crit-check", "--json", "--severity=note", self.folder], capture_output=True, check=False)
        document = json.loads(said.stdout)
        lines = subprocess.run([f"{BIN}/crit-check", "--lines", "--severity=note", self.folder], capture_output=True, check=False)
        for fault in json_schema.faults(SCHEMA["$defs"]["document"], document, SCHEMA):
            fail(f"{self.name}: --json", fault)
        check(f"{self.name}: --lines", [json.loads(line) for line in lines.stdout.splitlines()] == document["findings"])

    def judge(self, damage, name, about="", kind=None):
        """The set is damaged: is it found?"""
        code, findings, said = crit_check(self.folder)
        what = f"{self.name}: {damage} {name} {about}".rstrip()
        kind = kind or self.kind_of(name)
        why = next((why for word, image, why in TOLERATED if re.fullmatch(word, damage) and
                    (re.fullmatch(image, name) or re.fullmatch(image, kind))), None)
        rules.update(finding["rule"] for finding in findings)
        for finding in findings:
            for fault in json_schema.faults(SCHEMA["$defs"]["finding"], finding, SCHEMA):
                fail(what + ": schema", fault)
        bad = [finding for finding in findings if finding["severity"] in ("error", "loss")]
        check(what + ": standard error", not said, said)
        if (damage, kind) in EITHER:
            counts["found" if bad else "tolerated"] += 1
        elif why is None:
            check(what, code == 1 and bad, f"is not found: {[finding['rule'] for finding in findings]}")
            counts["found"] += 1
        else:
            check(what, code == 0 and not bad, f"is tolerated ({why}), and found: {json.dumps(bad[:1])}")
            counts["tolerated"] += 1

    def with_image(self, damage, name, data, about=""):
        self.with_all(damage, about, {name: data}, None)

    def with_json(self, damage, name, change, about=""):
        document = json.loads(json.dumps(self.json[name]))
        if change(document["entries"]) is not False:
            self.with_image(damage, name, document, about)

    def with_all(self, damage, about, changes, kind):
        """Several images at once: name -> bytes, a document, or None."""
        if not SAMPLE.takes((damage, kind or self.kind_of(min(changes)), re.sub(r"\d+", "", str(about)))):
            return
        for name, data in changes.items():
            if data is None:
                os.unlink(os.path.join(self.folder, name))
            else:
                self.write(name, from_json(data) if isinstance(data, dict) else data)
        self.judge(damage, min(changes), about, kind)
        for name in changes:
            self.write(name, self.bytes[name])

    def kinds(self):
        """All images of a kind are gone, or all of the memory, or of the network."""
        groups = {}
        for name in self.images:
            word = re.sub(r"-?[0-9a-f]*(\.tar\.gz)?(\.img)?$", "", name)
            kind = (self.json[name] or {}).get("magic") or word.upper().replace("-", "_")
            groups.setdefault(kind, set()).add(name)
        groups["memory"] = {name for name in self.images if re.match(r"pagemap-|pages-", name)}
        groups["network"] = {name for name in self.images if re.match(r"net(ns|dev)-|ifaddr|route|rule|ip6?tables|nftables", name)}
        for kind, names in groups.items():
            if names:
                self.with_all("kind", kind, dict.fromkeys(names), kind)

    def exchanges(self):
        """Two tasks have each other's images."""
        for word in ("core", "mm", "fs", "ids", "pagemap"):
            names = [name for name in self.images if re.fullmatch(word + r"-\d+\.img", name)]
            for one, other in zip(names, names[1:]):
                if self.bytes[one] != self.bytes[other]:
                    self.with_all("exchange", f"{one} {other}", {one: self.bytes[other], other: self.bytes[one]},
                                  self.json[one]["magic"])

    def members(self):
        """Something is taken out of a list within an entry."""
        for name, document in self.json.items():
            taken = TAKEN.get(document["magic"], ()) if document else ()
            for i, entry in enumerate(document["entries"] if taken else []):
                core = (self.json.get(f"core-{entry['pid']}.img") if document["magic"] == "PSTREE" else None) or document
                if document["magic"] == "PSTREE" and "thread_core" not in core["entries"][0]:
                    continue        # a zombie: nobody reads its list
                for path in lists_in(entry):
                    def take(copy, i=i, path=path):
                        owner, key = value_at([copy[i]], (0, *path))
                        owner[key].pop()
                    if path[-1] in taken:
                        self.with_json("member", name, take, f"{i} {path}")

    def circles(self):
        """Parents are children of their children."""
        for name, document in self.json.items():
            magic = document["magic"] if document else ""
            own, above = {"MNTS": ("mnt_id", "parent_mnt_id"), "PSTREE": ("pid", "ppid")}.get(magic, ("", ""))
            for i, entry in enumerate(document["entries"] if own else []):
                for j, child in enumerate(document["entries"]):
                    is_root = magic == "PSTREE" and entry[above] == 0
                    if child[above] == entry[own] and i != j and not is_root:
                        self.with_json("circle", name, lambda copy, i=i, to=child[own]: copy[i].update({above: to}), f"{i} {j}")
                        break
                is_top = magic == "MNTS" and entry["mountpoint"] in ("/", "./", ".")
                if magic == "MNTS" and not is_top:
                    self.with_json("circle", name, lambda copy, i=i: copy[i].update({above: copy[i][own]}), f"{i} itself")

    def growth(self):
        for name in self.images:
            if name.startswith("pages-"):
                self.with_image("grow", name, self.bytes[name] + bytes(4096))

    def spaces(self):
        """Addresses that the kernel refuses."""
        for name, document in self.json.items():
            if not document or document["magic"] != "MM":
                continue
            for begin, end in (("mm_start_code", "mm_end_code"), ("mm_start_brk", "mm_brk"), ("mm_arg_start", "mm_arg_end")):
                entry = document["entries"][0]
                if entry[begin] != entry[end]:
                    swapped = {begin: entry[end], end: entry[begin]}
                    self.with_json("order", name, lambda copy, swapped=swapped: copy[0].update(swapped), begin)
                self.with_json("order", name, lambda copy, begin=begin: copy[0].update({begin: "0x1"}), begin + " 1")

    def lengths(self):
        """The length of the first entry leads far out of the image."""
        for name, document in self.json.items():
            if document and document["entries"] and not name.startswith(("stats-", "irmap")):
                at = 4 if name == "inventory.img" else 8
                self.with_image("length", name, self.bytes[name][:at] + b"\xff\xff\xff\xff" + self.bytes[name][at + 4:])

    def whole_images(self):
        for name in self.images:
            data = self.bytes[name]
            if data:
                self.with_image("delete", name, None)
            if not data:
                continue
            if len(data) > 12:
                self.with_image("cut", name, data[:-1])
            if self.json[name] and len(self.json[name]["entries"]) > 0 and any(self.json[name]["entries"]):
                self.with_image("empty", name, data[:4 if name == "inventory.img" else 8])
            other = "fs-" if name.startswith("core-") else "core-"
            if self.json[name]:
                self.with_image("swap", name, next(self.bytes[each] for each in self.images if each.startswith(other)))

    def entries(self):
        for name, document in self.json.items():
            nr = len(document["entries"]) if document else 0
            first = 1 if document and document["magic"] in ("PAGEMAP", "GHOST_FILE") else 0     # of a message of its own
            nr -= first
            chosen = sorted({first + nr * i // MOST_ENTRIES for i in range(MOST_ENTRIES)}) if nr > 1 else []
            for i in chosen:
                self.with_json("entry", name, lambda entries, i=i: entries.pop(i), i)
                self.with_json("twice", name, lambda entries, i=i: entries.insert(i, entries[i]), i)

    def references(self):
        for pattern, path, accept in REFERENCES:
            for name, document in self.json.items():
                if document and re.fullmatch(pattern, name):
                    self.bend(name, path, accept)

    def bend(self, name, path, accept):
        """Each field at the path that `accept` takes, in some of the entries."""
        entries = self.json[name]["entries"]
        places = []
        for i, entry in enumerate(entries):
            places += [(i, *place) for place in places_of(entry, path.split("."))]
        places = [place for place in places if accept(*value_at(entries, place))]
        for place in sorted({places[len(places) * i // MOST_ENTRIES] for i in range(MOST_ENTRIES)}) if places else []:
            def change(copy, place=place):
                owner, key = value_at(copy, place)
                owner[key] = NONSENSE
            self.with_json("bend", name, change, ".".join(map(str, place)))


def places_of(value, path):
    if not path:
        return [()]
    if isinstance(value, list):
        return [(i, *rest) for i, item in enumerate(value) for rest in places_of(item, path)]
    if not isinstance(value, dict) or path[0] not in value:
        return []
    below = value[path[0]]
    if len(path) == 1 and isinstance(below, list):
        return [(path[0], i) for i in range(len(below))]
    return [(path[0], *rest) for rest in places_of(below, path[1:])]


def lists_in(value, path=()):
    """The paths of lists that are not empty."""
    if isinstance(value, dict):
        return [found for key, below in value.items() for found in lists_in(below, (*path, key))]
    return [path] if isinstance(value, list) and value else []


def value_at(entries, place):
    owner = entries
    for step in place[:-1]:
        owner = owner[step]
    return owner, place[-1]


def always(owner, key):
    return True


def not_zero(owner, key):
    return owner[key] != 0


def of_master(owner, key):
    return owner[key] != 0 and owner["rdev"] == "5:2"


def of_file(owner, key):
    """Has the mapping a file, and no shared object by another name?"""
    return bool(owner["status"] & 0b11000000)


# What is taken out of which lists.
TAKEN = {"PSTREE": {"threads"}, "MM": {"vmas"}, "FILES": {"tfd"}, "SECCOMP": {"seccomp_filters"}, "CGROUP": {"sets"},
         "SK_QUEUES": {"scm"}}

# Image, field, and whether it is a reference there.
REFERENCES = [
    (r"pstree\.img", "ppid", not_zero),
    (r"pstree\.img", "pid", always),
    (r"ids-\d+\.img", "mnt_ns_id", always),
    (r"fdinfo-\d+\.img", "id", always),
    (r"fs-\d+\.img", "cwd_id", always),
    (r"fs-\d+\.img", "root_id", always),
    (r"mm-\d+\.img", "exe_file_id", always),
    (r"mm-\d+\.img", "vmas.shmid", of_file),
    (r"mm-\d+\.img", "vmas.start", always),
    (r"pagemap-\d+\.img", "pages_id", always),
    (r"pagemap-shmem-\d+\.img", "pages_id", always),
    (r"pagemap-\d+\.img", "vaddr", always),
    (r"pagemap-\d+\.img", "nr_pages", always),
    (r"remap-fpath\.img", "orig_id", always),
    (r"remap-fpath\.img", "remap_id", always),
    (r"pipes-data\.img", "pipe_id", always),
    (r"sk-queues\.img", "id_for", always),
    (r"sk-queues\.img", "scm.rights", always),
    (r"tty-info\.img", "id", always),
    (r"files\.img", "tty.tty_info_id", always),
    (r"files\.img", "tty.regf_id", always),
    (r"files\.img", "fifo.regf_id", always),
    (r"files\.img", "memfd.inode_id", always),
    (r"files\.img", "usk.peer", not_zero),
    (r"files\.img", "id", always),
    (r"memfd\.img", "inode_id", always),
    (r"mountpoints-\d+\.img", "parent_mnt_id", always),
    (r"ipcns-shm-\d+\.img", "desc.id", always),
    (r"filelocks\.img", "pid", always),
    (r"filelocks\.img", "fd", always),
    (r"tty-info\.img", "sid", of_master),
    (r"tty-info\.img", "pgrp", not_zero),
    (r"ids-\d+\.img", "time_ns_id", always),
    # Of enumerations, values that CRIU does not know.
    (r"core-\d+\.img", "mtype", always),
    (r"core-\d+\.img", "tc.task_state", always),
    (r"core-\d+\.img", "thread_core.seccomp_mode", always),
    (r"files\.img", "type", always),
    (r"files\.img", "isk.family", always),
    (r"files\.img", "isk.type", always),
    (r"files\.img", "usk.type", always),
    (r"files\.img", "tfd.clockid", always),
    (r"sk-queues\.img", "scm.type", always),
    (r"filelocks\.img", "flag", always),
    (r"remap-fpath\.img", "remap_type", always),
    (r"tty-info\.img", "type", always),
    (r"netdev-\d+\.img", "type", always),
]


def check_rules():
    """Has each rule that makes a restore fail or lack something found something, here or in a case?"""
    listed = json.loads(subprocess.run([f"{BIN}/crit-check", "--rules", "--json"], capture_output=True, check=True).stdout)
    cases = ""
    for path in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../cases/crit-check/*/stdout")):
        with open(path, encoding="utf-8") as file:
            cases += file.read()
    for rule in listed["rules"]:
        name = rule["rule"]
        if not ONLY and rule.get("severity") in ("error", "loss"):
            check(f"rule {name}", name in rules or re.search(rf"^(error|loss|warning): .*\[{name}\]$", cases, re.MULTILINE),
                  "no damage touches it, and no case")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for name in sorted(os.listdir(FOLDER)):
            path = os.path.join(FOLDER, name)
            if os.path.isdir(os.path.join(path, "checkpoint")):
                path = os.path.join(path, "checkpoint")
            if not os.path.isfile(os.path.join(path, "pstree.img")) or (ONLY and name not in ONLY):
                continue
            copy = os.path.join(scratch, name)
            shutil.copytree(path, copy, symlinks=True)
            code, findings, said = crit_check(copy)
            if code != 0 or said:
                fail(f"{name}: it is good, and accused", f"{said}{json.dumps(findings[:1])}")
                continue
            damages = Damages(copy)
            damages.check_json()
            damages.whole_images()
            damages.entries()
            damages.references()
            for damage in (damages.kinds, damages.exchanges, damages.members, damages.circles, damages.growth, damages.spaces,
                           damages.lengths):
                damage()
            shutil.rmtree(copy)
    check_rules()
    check("damages", counts["found"] > 100, counts)
    done(f"{counts['found']} damages found, {counts['tolerated']} tolerated, ")


main()
