#!/usr/bin/env python3
"""Holds crit-x, crit-pages and crit-stats to what the kernel said of processes just before real engines dumped them.

usage: corpus_engines.py BIN CORPUS [SET...]      CORPUS has engines/: folders with checkpoints and their truth*.json

Of each process: its place in the tree, state, threads and namespaces; descriptors with their files, flags and positions;
mappings; each page that the kernel had in memory; arguments, environment and auxiliary vector; sockets. Of each folder and
archive: it passes --check, and its statistics are those of the engine and of the images. What may rightly differ has a row
in DIFFERENCES, with the reason; each row says when it applies, never to which set.
"""
import base64
import collections
import concurrent.futures
import functools
import glob
import json
import os
import re
import struct
import subprocess
import sys
import threading
import zlib

PAGE = 4096
CLOEXEC = 0o2000000
LARGEFILE = 0o100000  # the kernel adds it to what is open in 64-bit programs; /proc leaves it out or not
SHELLS = ("sh", "ash", "bash", "dash", "busybox")

# The reason: the figures that it concerns, and whether it holds for what the kernel said, what ours says and the place.
DIFFERENCES = {
    "the program runs on between the record and the dump":
        (("page", "page of a pre-dump"), lambda theirs, ours, place: place.process.runs_on),
    "CRIU keeps no flags of a pidfd":
        (("flags of a file",), lambda theirs, ours, place: place.about == "PIDFD"),
    "CRIU keeps no inode of a packet socket":
        (("inode of a pipe or socket",), lambda theirs, ours, place: place.about == "PACKETSK"),
    "all memory that grows down is a stack here, for the kernel only that of the program's start":
        (("name of a mapping",), lambda theirs, ours, place: (theirs, ours) == ("", "[stack]") and "gd" in place.area["vmflags"]),
    "CRIU counts no pages where it leaves lazy ones behind":
        (("bytes that the statistics say",), lambda theirs, ours, place: ours == 0),
    "a shell loop starts a new sleep each second":
        (("tasks",), lambda theirs, ours, place: [name for _, name in theirs] == [name for _, name in ours]),
    "the kernel keeps the number of the processor in the rseq area":
        (("page", "page of a pre-dump"), lambda theirs, ours, place: place.address in place.process.rseq_pages),
    "nanosleep writes the time left when the dump interrupts it":
        (("page", "page of a pre-dump"), lambda theirs, ours, place: place.process.sleeps and place.area["path"] == "[stack]"),
    "CRIU leaves out memory that the kernel may drop":
        (("page", "page of a pre-dump"), lambda theirs, ours, place: "dp" in place.area["vmflags"]),
    "lazy pages went to the restoring side":
        (("page", "arguments", "environment"), lambda theirs, ours, place: "lazy restore" in str(ours)),
    "the parent is another archive":
        (("page", "arguments", "environment", "check"), lambda theirs, ours, place: place.is_archive and "parent" in str(ours)),
    "a page server has the pages":
        (("page", "arguments", "environment", "auxiliary vector", "page size", "check"),
         lambda theirs, ours, place: place.pages_are_elsewhere),
    "the bytes are in a file outside the checkpoint, which the message names":
        (("page",), lambda theirs, ours, place: place.area["path"].startswith("/") and place.area["path"] in str(ours)),
}


def wakes_up(syscall):
    """Is a thread awake, or does it wait in this system call of x86-64 for a time that ends?"""
    words = [int(word, 0) for word in syscall.split() if word != "running"]
    if not words or words[0] < 0:
        return bool(syscall) and words[:1] != [-1]
    timeout = {7: 3, 232: 4, 281: 4}.get(words[0])  # poll, epoll_wait, epoll_pwait: milliseconds, or -1
    if timeout:
        return words[timeout] & 0xffffffff != 0xffffffff
    at = {23: 5, 202: 4, 270: 5, 271: 3, 35: 1, 230: 3}.get(words[0])  # select, futex, pselect6, ppoll and sleeps: a pointer
    return at is not None and words[at] != 0


class Process:
    """A process as the kernel had it."""

    def __init__(self, told):
        self.told = told
        self.pid = told["nspid"][-1]
        self.comm = told["comm"]
        self.rseq_pages = set()
        words = " ".join(told["cmdline"])
        self.sleeps = self.comm == "sleep" or "sleep" in words
        self.runs_on = (bool(told.get("changing_pages")) or self.comm in SHELLS or "change" in words or "while" in words or
                        any(wakes_up(thread["syscall"]) for thread in told["threads"]))

    def inner(self, field):
        """A number of the status as it is in the innermost pid namespace."""
        return int(self.told["status"][field].split("\t")[-1])


class Place:
    def __init__(self, source, process=None, area=None, address=None):
        self.process, self.area, self.address = process, area, address
        self.about = None
        self.is_archive = source.is_archive
        self.pages_are_elsewhere = source.pages_are_elsewhere


class Source:
    """A folder or an archive, and what the kernel said before it was made."""

    def __init__(self, name, path, truth):
        self.name, self.path, self.truth = name, path, truth
        self.is_archive = not os.path.isdir(path)
        files = [] if self.is_archive else os.listdir(path)
        self.has_tree = self.is_archive and "pre" not in os.path.basename(path).split(".")[0] or "pstree.img" in files
        self.pages_are_elsewhere = bool(files) and not any(file.startswith("pagemap-") for file in files)


@functools.lru_cache(maxsize=None)
def load(path):
    with open(path) as file:
        truth = json.load(file)
    if "containers" in truth and "processes" not in truth:  # a pod: each container has a truth of its own
        below = [load(os.path.join(os.path.dirname(path), one["truth"])) for one in truth["containers"].values()]
        truth["processes"] = [process for one in below for process in one["processes"]]
        truth["roots"] = [root for one in below for root in one["roots"]]
        truth["net"] = [net for one in below for net in one["net"]]
    return truth


def truth_of(folder, path):
    """The truth that was taken before this input was made: N/ and server/N have truth-N.json, or it is the last round."""
    word = os.path.basename(path).split(".")[0]
    for name in (f"truth-{word}.json", "truth.json"):
        if os.path.exists(os.path.join(folder, name)):
            return load(os.path.join(folder, name))
    return None


def sources_of(folder):
    for path, folders, files in os.walk(folder):
        # failures/ are damaged on purpose, store/ holds layers, and expected/ what others made of it.
        folders[:] = sorted(set(folders) - {"expected", "failures", "store", "sysroot"})
        if any(file.endswith(".img") for file in files):
            yield path
        if not any(file == "inventory.img" for file in files):
            yield from sorted(os.path.join(path, file) for file in files
                              if re.search(r"\.(tar|tgz)(\.\w+)?$", file) and not re.search(r"\.(docker|ocidir|oci)\.", file))


def families(truth):
    """The processes below each root."""
    for root in truth["roots"]:
        pids = {root}
        for _ in truth["processes"]:
            pids |= {one["pid"] for one in truth["processes"] if one["ppid"] in pids}
        yield [one for one in truth["processes"] if one["pid"] in pids]


def sharing(pairs):
    """Which of them have the same: tasks by the first of their group."""
    first = {}
    return {name: first.setdefault(value, name) for name, value in pairs}


class Checker:
    def __init__(self, programs, corpus, chosen):
        self.programs = programs
        self.engines = os.path.join(corpus, "engines")
        self.chosen = chosen
        self.counts = collections.Counter()
        self.reasons = collections.Counter()
        self.problems = []
        self.lock = threading.Lock()

    def run(self, program, *arguments):
        return subprocess.run([os.path.join(self.programs, program), *arguments], capture_output=True, check=False, timeout=300)

    def lines(self, *command):
        return [json.loads(line) for line in self.run(*command).stdout.splitlines()]

    def problem(self, place, text):
        with self.lock:
            self.problems.append(f"{place}: {text}"[:600])

    def same(self, where, figure, theirs, ours, place):
        with self.lock:
            self.counts[figure] += 1
        if theirs == ours:
            return
        for reason, (figures, holds) in DIFFERENCES.items():
            if figure in figures and holds(theirs, ours, place):
                with self.lock:
                    self.reasons[reason] += 1
                return
        self.problem(where, f"{figure}: {theirs!r}, ours {ours!r}")

    # A whole input.

    def check_source(self, source):
        checked = self.run("crit-pages", "--check", source.path)
        self.same(source.name, "check", (0, b""), (checked.returncode, checked.stdout + checked.stderr), Place(source))
        self.check_statistics(source)
        if source.truth is None:
            return
        if not source.has_tree:
            self.check_pages_only(source)
            return
        listed = self.run("crit-x", source.path, "ps", "--lines")
        self.same(source.name, "exit of crit-x", (0, b""), (listed.returncode, listed.stderr), Place(source))
        sets = collections.defaultdict(list)
        for line in listed.stdout.splitlines():
            task = json.loads(line)
            task["threads"] = json.loads(task.get("threads", "[]"))
            sets[task["set"]].append(task)
        if not sets:
            self.problem(source.name, "no tasks")
        for name, tasks in sets.items():
            self.check_set(source, name, tasks)

    def check_statistics(self, source):
        for one in self.lines("crit-stats", "--lines", source.path):
            if one["of"] != "dump":
                continue
            for told in re.findall(r'"criu_statistics": (\{[^}]*\})', str((source.truth or {}).get("after", {}).get("stdout"))):
                for key, value in json.loads(told).items():
                    self.same(source.name, "statistics that the engine printed", value, one.get(key), Place(source))
            if source.is_archive or not glob.glob(f"{source.path}/pages-*.img"):
                continue
            size = sum(os.path.getsize(path) for path in glob.glob(f"{source.path}/pages-*.img"))
            self.same(source.name, "bytes that the statistics say", size, one["bytes_written"], Place(source))

    def check_pages_only(self, source):
        """A pre-dump or what a page server wrote: pagemaps and pages, and nothing of tasks."""
        done = self.run("crit-x", source.path, "ps")
        self.same(source.name, "what has no tree", (2, b"", True),
                  (done.returncode, done.stdout, b"no pstree" in done.stderr), Place(source))
        maps = {int(re.search(r"pagemap-(\d+)", name)[1]) for name in glob.glob(f"{source.path}/pagemap-[0-9]*.img")}
        for family in families(source.truth):
            for told in family:
                if source.is_archive or told["nspid"][-1] in maps:
                    process = Process(told)
                    self.check_pages(source, (), process, "page of a pre-dump")

    # One set, which is one family of processes.

    def check_set(self, source, name, tasks):
        where = f"{source.name}{f' ({name})' if name else ''}"
        family = self.family_of(source, name, tasks)
        if family is None:
            self.problem(where, f"tasks {[(task['pid'], task['comm']) for task in tasks]} are none of the record")
            return
        chosen = ("--set", name) if name else ()
        processes = {one["nspid"][-1]: Process(one) for one in family}
        place = Place(source)
        self.same(where, "tasks", sorted((pid, one.comm) for pid, one in processes.items()),
                  sorted((task["pid"], task["comm"]) for task in tasks), place)
        by_pid = {task["pid"]: task for task in tasks if task["pid"] in processes}
        self.check_namespaces(where, source, processes, by_pid)
        outer = {one["pid"]: one["nspid"][-1] for one in family}
        files, areas, sockets = (self.lines("crit-x", source.path, word, "--lines", "--long", *chosen)
                                 for word in ("fds", "mems", "sk"))
        texts = {word: self.texts(source, chosen, word) for word in ("argv", "env", "auxv")}
        for pid, task in by_pid.items():
            process = processes[pid]
            self.check_task(f"{where} {pid}", source, process, task, outer)
            if process.told["state"][0] == "Z":
                continue
            process.rseq_pages = self.rseq_pages(source, chosen, task)
            self.check_files(f"{where} {pid}", source, process, [one for one in files if one["pid"] == pid])
            self.check_areas(f"{where} {pid}", source, process, [one for one in areas if one["pid"] == pid])
            self.check_texts(f"{where} {pid}", source, process, {word: texts[word].get(pid) for word in texts})
            self.check_pages(source, chosen, process, "page")
        self.check_sockets(where, source, processes, sockets)

    def texts(self, source, chosen, word):
        """By pid; bytes that are no UTF-8 as the record writes them, and where there are none the reason."""
        done = self.run("crit-pages", f"--{word}", "--json", source.path, *chosen)
        found = {}
        for line in done.stdout.splitlines():
            one = json.loads(line)
            found[one["pid"]] = one[word]
            if f"{word}_base64" in one:
                found[one["pid"]] = [base64.b64decode(text).decode(errors="backslashreplace") for text in one[f"{word}_base64"]]
            if one[word] is None:
                found[one["pid"]] = done.stderr.decode()
        return found

    def family_of(self, source, name, tasks):
        """By pids and names; where two containers are alike, by what they were started with."""
        ours = {task["pid"]: task["comm"] for task in tasks}
        alike = [family for family in families(source.truth)
                 if sum(ours.get(one["nspid"][-1]) == one["comm"] for one in family) * 2 > len(family)]
        if len(alike) < 2:
            return alike[0] if alike else None
        words = {one["pid"]: one["argv"] for one in
                 self.lines("crit-pages", "--argv", "--json", source.path, *(("--set", name) if name else ()))}
        return next((family for family in alike if all(words.get(one["nspid"][-1]) == one["cmdline"] for one in family)), None)

    def check_namespaces(self, where, source, processes, tasks):
        for ours, theirs in (("pid_ns", "pid"), ("net_ns", "net"), ("ipc_ns", "ipc"), ("uts_ns", "uts"), ("mnt_ns", "mnt"),
                             ("user_ns", "user"), ("cgroup_ns", "cgroup"), ("time_ns", "time")):
            known = [pid for pid, task in sorted(tasks.items()) if task.get(ours) and processes[pid].told["state"][0] != "Z"]
            self.same(where, "namespaces that are shared", sharing((pid, processes[pid].told["ns"][theirs]) for pid in known),
                      sharing((pid, tasks[pid][ours]) for pid in known), Place(source))

    def check_task(self, where, source, process, task, outer):
        place = Place(source, process)
        told = process.told
        same = lambda figure, theirs, ours: self.same(where, figure, theirs, ours, place)
        same("parent", outer.get(told["ppid"], 0), task["ppid"])
        same("name", process.comm, task["comm"])
        same("process group", process.inner("NSpgid"), task["pgid"])
        same("session", process.inner("NSsid"), task["sid"])
        same("state", {"Z": "zombie", "T": "stopped"}.get(told["state"][0], "alive"), task["state"])
        same("threads", sorted((int(str(one["nspid"]).split("\t")[-1]), one["comm"]) for one in told["threads"]),
             sorted((one["tid"], one.get("comm")) for one in task["threads"]))

    def rseq_pages(self, source, chosen, task):
        """Where the areas of its threads lie, which their core images say."""
        pages = set()
        for one in task["threads"]:
            for line in self.lines("crit-tojson", "--lines", source.path, "--only", f"core-{one['tid']}.img", *chosen):
                area = line.get("entry", line).get("thread_core", {}).get("rseq_entry", {}).get("rseq_abi_pointer", 0)
                address = int(str(area), 0)
                pages |= {address // PAGE * PAGE, (address + 31) // PAGE * PAGE}
        return pages

    # Of one task.

    def check_files(self, where, source, process, files):
        place = Place(source, process)
        ours = {one["fd"]: one for one in files if "fd" in one}
        directories = {one["directory"]: one for one in files if "directory" in one}
        told = {int(fd): file for fd, file in process.told["fds"].items()}
        self.same(where, "descriptors", sorted(told), sorted(ours), place)
        for name in ("cwd", "root"):
            if name in directories:
                self.same(where, name, process.told[name].removesuffix(" (deleted)"), directories[name]["path"], place)
        for fd in sorted(set(told) & set(ours)):
            self.check_file(f"{where} fd {fd}", told[fd], ours[fd], place)

    def check_file(self, where, told, one, place):
        place.about = one["fd_type"]
        same = lambda figure, theirs, ours: self.same(where, figure, theirs, ours, place)
        target, file, flags = told["target"], json.loads(one.get("file", "{}")), int(told["flags"], 8)
        same("close on exec", bool(flags & CLOEXEC), bool(one["fd_flags"]))
        if "flags" in file and one["fd_type"] not in ("EVENTPOLL",):
            same("flags of a file", flags & ~CLOEXEC & ~LARGEFILE, file["flags"] & ~CLOEXEC & ~LARGEFILE)
        if told["deleted"]:
            target = target.removesuffix(" (deleted)")
        if match := re.fullmatch(r"(pipe|socket):\[(\d+)\]", target):
            same("inode of a pipe or socket", int(match[2]), file.get("pipe_id", file.get("ino", file.get("inode"))))
        elif match := re.fullmatch(r"anon_inode:\[?(\w+)\]?", target):
            same("type of a file", {"eventpoll": "EVENTPOLL", "pidfd": "PIDFD", "fanotify": "FANOTIFY"}.get(match[1], match[1].upper()),
                 one["fd_type"])
            self.check_anonymous(where, told["fdinfo"], match[1], file, one, place)
        elif target.startswith("/memfd:"):
            same("name of a memfd", target[1:], file.get("name", one.get("about", one["path"])))
        elif one["fd_type"] not in ("NS", "EXT"):
            same("path of a file", target, one["path"])
        if one["fd_type"] == "REG":
            same("whether a file is deleted", told["deleted"], one.get("deleted", False))
            same("position of a file", told["pos"], file.get("pos", 0))
            if int(told["mode"], 8) >> 12 == 0o10 and "size" in file and "/proc/" not in target:
                same("size of a file", told["size"], int(file["size"]))

    def check_anonymous(self, where, told, kind, file, one, place):
        numbers = dict(re.findall(r"^([\w-]+):\s*(\w+)$", told, re.M))
        same = lambda figure, theirs, ours: self.same(where, figure, theirs, ours, place)
        if kind == "eventfd":
            same("count of an eventfd", int(numbers["eventfd-count"], 16), int(file["counter"]))
        elif kind == "signalfd":
            same("mask of a signalfd", int(numbers["sigmask"], 16), int(str(file["sigmask"]), 0))
        elif kind == "pidfd":
            same("process of a pidfd", int(numbers.get("NSpid", numbers["Pid"]).split("\t")[-1]), file.get("nspid"))
        elif kind == "eventpoll":
            same("targets of an epoll", told.count("tfd:"), int((re.search(r"targets (\d+)", one["about"]) or [0, 0])[1]))
        elif kind == "inotify":
            same("watches of an inotify", told.count("inotify wd:"), int((re.search(r"watches (\d+)", one["about"]) or [0, 0])[1]))

    def check_areas(self, where, source, process, areas):
        place = Place(source, process)
        theirs = []
        for area in process.told["maps"]:
            row = [int(area["start"], 16), int(area["end"], 16), area["perms"][:3], area["perms"][3] == "s", self.named(area), 0]
            row[5] = area["offset"] if row[4].startswith("/") else 0
            if area["path"] == "[vvar_vclock]" and theirs and theirs[-1][4] == "[vvar]":
                theirs[-1][1] = row[1]  # CRIU writes both as one
            else:
                theirs.append(row)
        ours = [[one["address"], one["address"] + one["size"], one["protection"], one["shared"], self.name_of(one),
                 one.get("offset", 0) if self.name_of(one).startswith("/") else 0] for one in areas if one["kind"] != "guard"]
        exe = next((one for one in ours if one[4] == process.told["exe"].removesuffix(" (deleted)")), None)
        self.same(where, "program", True, exe is not None, place)
        self.same(where, "mappings", len(theirs), len(ours), place)
        told = {int(area["start"], 16): area for area in process.told["maps"]}
        for one, other in zip(theirs, ours):
            place = Place(source, process, told[one[0]])
            for figure, their, our in zip(("begin", "end", "protection", "sharing", "name", "offset"), one, other):
                self.same(f"{where} {one[0]:x}", f"{figure} of a mapping", their, our, place)

    @staticmethod
    def named(area):
        """The kernel's name, as far as images have one: /dev/zero and /SYSV are what the kernel calls objects without a name."""
        path = area["path"]
        if area["perms"][3] == "s" and re.match(r"/(dev/zero|anon_hugepage) \(deleted\)$", path):
            return "shmem"
        if re.match(r"/SYSV[0-9a-f]{8}", path):
            return "sysv"
        if path.startswith("/memfd:"):
            return path[1:].removesuffix(" (deleted)")
        if path.startswith(("[anon", "/anon_hugepage")):
            return ""
        return path.removesuffix(" (deleted)") if path.startswith("/") and area["inode"] else path

    @staticmethod
    def name_of(one):
        kind = one["kind"]
        if kind in ("shmem", "sysv"):
            return kind
        if kind in ("heap", "stack", "vdso", "vvar", "vsyscall"):
            return f"[{kind}]"
        return one.get("path", "").removesuffix(" (deleted)") if kind == "memfd" else one.get("path", "")

    def check_texts(self, where, source, process, texts):
        place = Place(source, process)
        self.same(where, "arguments", process.told["cmdline"], texts["argv"], place)
        self.same(where, "environment", process.told["environ"], texts["env"], place)
        raw = bytes.fromhex(process.told["auxv"])
        form = "<II" if process.told["maps"] and int(process.told["maps"][-1]["end"], 16) <= 1 << 32 else "<QQ"
        pairs = [pair for pair in struct.iter_unpack(form, raw)]
        ours = texts["auxv"] if isinstance(texts["auxv"], dict) else {}
        self.same(where, "auxiliary vector", [value for key, value in pairs if key],
                  [int(value) for key, value in ours.items() if key != "AT_NULL"], place)
        for key, value in ours.items():
            if key == "AT_PAGESZ":
                self.same(where, "page size", dict(pairs)[6], value, place)

    def check_pages(self, source, chosen, process, figure):
        """All pages at once; where some cannot be had, one by one."""
        wanted = []
        for area in process.told["maps"]:
            for address, content in area.get("pages", {}).items():
                if content != "changing":
                    wanted.append((int(address, 16), content, area))
        for begin in range(0, len(wanted), 400):
            part = wanted[begin:begin + 400]
            done = self.read(source, chosen, process, [address for address, _, _ in part])
            whole = done.returncode == 0 and len(done.stdout) == PAGE * len(part)
            for number, (address, content, area) in enumerate(part):
                data = done.stdout[PAGE * number:PAGE * (number + 1)] if whole else None
                if data is None:
                    one = self.read(source, chosen, process, [address])
                    data = one.stdout if one.returncode == 0 else one.stderr.decode()
                    if figure == "page of a pre-dump" and isinstance(data, str):
                        continue  # shared memory is dumped only at the end
                crc = data if isinstance(data, str) else "zero" if data == bytes(PAGE) else f"{zlib.crc32(data):08x}"
                self.same(f"{source.name} {process.pid} {address:x} {area['path']}", figure, content, crc,
                          Place(source, process, area, address))

    def read(self, source, chosen, process, addresses):
        options = [option for address in addresses for option in ("--at", f"{address:#x}:{PAGE}")]
        return self.run("crit-pages", "--pid", str(process.pid), *options, source.path, *chosen)

    def check_sockets(self, where, source, processes, sockets):
        """By inode: what ss said of it in the namespace."""
        told = {}
        for net in source.truth.get("net", []):
            for text in (net["ss_inet"], net["ss_unix"], net["ss_other"]):
                for line in text.splitlines()[1:]:
                    words = line.split()
                    inode = re.search(r"\bino:(\d+)", line) if words[0][0] != "u" or words[0] == "udp" else None
                    number = int(inode[1]) if inode else int(words[5]) if words[0].startswith("u_") else None
                    if number:
                        told[number] = words
        for one in sockets:
            words = told.get(one.get("inode"))
            if words is None:
                continue
            at = f"{where} {one['pid']} socket {one['inode']}"
            same = lambda figure, theirs, ours: self.same(at, figure, theirs, ours, Place(source, processes.get(one["pid"])))
            state = words[1].replace("-", "_").replace("ESTAB", "ESTABLISHED")
            if state != "UNCONN" and words[0] not in ("p_raw", "p_dgr", "nl"):
                same("state of a socket", state.replace("FIN_WAIT_", "FIN_WAIT"), one["state"].replace("FIN_WAIT_", "FIN_WAIT"))
            if words[0] in ("tcp", "udp"):
                address, _, port = words[4].rpartition(":")
                same("local port of a socket", int(port), one.get("src_port", 0))
                if address not in ("*", "[::]", "0.0.0.0"):
                    same("local address of a socket", address.strip("[]").split("%")[0].removeprefix("::ffff:"),
                         one["src_addr"].removeprefix("::ffff:"))
            elif words[0].startswith("u_"):
                same("type of a unix socket", {"u_str": "STREAM", "u_dgr": "DGRAM", "u_seq": "SEQPACKET"}[words[0]], one["type"])
                if words[1] == "ESTAB":
                    same("bytes that wait in a unix socket", int(words[2]), one.get("receive_queue", 0))
                if words[7] != "0":
                    same("peer of a unix socket", int(words[7]), one.get("peer", 0))
                    holders = {pid: process.comm for pid, process in processes.items()
                               if any(file["target"] == f"socket:[{words[7]}]" for file in process.told["fds"].values())}
                    pid = one.get("peer_pid")
                    same("process of the peer of a unix socket", (bool(holders), holders.get(pid)), (pid is not None, one.get("peer_comm")))
                if words[4] != "*":
                    name = one.get("src_addr", "")  # ss writes @ for the zero byte of an abstract one
                    same("name of a unix socket", words[4], "@" + name[1:] if name[:1] == "\0" else name)


def main():
    checker = Checker(sys.argv[1], sys.argv[2], sys.argv[3:])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = []
        for name in sorted(os.listdir(checker.engines)):
            folder = os.path.join(checker.engines, name)
            if not os.path.isdir(folder) or checker.chosen and name not in checker.chosen:
                continue
            for path in sources_of(folder):
                source = Source(os.path.relpath(path, checker.engines), path, truth_of(folder, path))
                work.append((source.name, pool.submit(checker.check_source, source)))
        for name, one in work:
            if (fault := one.exception()) is not None:
                checker.problem(name, f"{type(fault).__name__}: {fault}")
    print(f"{len(work)} folders and archives")
    for table in (checker.counts, checker.reasons):
        for what, count in sorted(table.items()):
            print(f"{count:8} {what}")
        print()
    for problem in checker.problems[:int(os.environ.get("PROBLEMS", 60))]:
        print(f"FAIL {problem}")
    print(f"{len(checker.problems)} differences without a reason")
    return 1 if checker.problems or not checker.counts["page"] else 0


if __name__ == "__main__":
    sys.exit(main())
