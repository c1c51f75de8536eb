#!/usr/bin/env python3
"""agree: what crit-x, crit-pages and crit-inspect say of a checkpoint agrees with /proc as it was just before the dump.

usage: agree BIN IMAGES PROC        BIN: where the programs are; PROC: made by `inside dump` (a directory a process)
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys

BIN, IMAGES, PROC = sys.argv[1:]
STATES = {"Z": "zombie", "T": "stopped", "t": "stopped"}
ANONYMOUS = {"eventfd": "EVENTFD", "eventpoll": "EVENTPOLL", "timerfd": "TIMERFD", "signalfd": "SIGNALFD",
             "inotify": "INOTIFY", "fanotify": "FANOTIFY", "pidfd": "PIDFD"}
TCP_STATES = {1: "ESTABLISHED", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 7: "CLOSE", 8: "CLOSE_WAIT", 10: "LISTEN"}
problems = []
compared = {"tasks": 0, "descriptors": 0, "mappings": 0, "sockets": 0, "words": 0, "facts": 0}
SECCOMP = ("off", "strict", "filtered")


def explore(word):
    done = subprocess.run([f"{BIN}/crit-x", IMAGES, word, "--lines"], stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(pid, name):
    """Each byte that is not part of UTF-8 becomes U+FFFD, as in crit-x's JSON; errors="replace" joins some."""
    with open(f"{PROC}/{pid}/{name}", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return re.sub("[\udc80-\udcff]", "\ufffd", file.read())


def descriptors_of(pid):
    return dict(record.split("\t", 1) for record in read(pid, "fds").split("\0") if record)


def want(what, wanted, have):
    if wanted != have:
        problems.append(f"{what}: /proc said {wanted!r}, we say {have!r}")


def check_tasks(pids):
    ours = {task["pid"]: task for task in explore("ps")}
    want("processes", sorted(pids), sorted(ours))
    for pid in set(pids) & set(ours):
        task = ours[pid]
        comm, rest = re.fullmatch(r"\d+ \((.*)\) (.*)\n", read(pid, "stat"), re.DOTALL).groups()
        state, ppid, pgid, sid = rest.split()[:4]
        want(f"comm of {pid}", comm, task["comm"])
        want(f"state of {pid}", STATES.get(state, "alive"), task["state"])
        want(f"group and session of {pid}", [int(pgid), int(sid)], [task["pgid"], task["sid"]])
        if task["ppid"]:
            want(f"parent of {pid}", int(ppid), task["ppid"])
        want(f"threads of {pid}", int(rest.split()[17]), len(json.loads(task["threads"])))
        if state == "Z":
            want(f"exit code of {pid}", int(rest.split()[49]), task["exit_code"])
        compared["tasks"] += 1


def check_descriptors(pids):
    ours = {(one["pid"], str(one["fd"])): one for one in explore("fds") if "fd" in one}
    for pid in pids:
        there = descriptors_of(pid)
        want(f"descriptors of {pid}", sorted(there, key=int),
             sorted((fd for one, fd in ours if one == pid), key=int))
        for fd, target in there.items():
            one = ours.get((pid, fd))
            if not one:
                continue
            compared["descriptors"] += 1
            where = f"descriptor {fd} of {pid}"
            anonymous = re.fullmatch(r"anon_inode:\[?(\w+)\]?", target)
            if target.startswith("socket:"):
                want(where, True, one["fd_type"] in ("INETSK", "UNIXSK", "NETLINKSK", "PACKETSK"))
            elif target.startswith("pipe:"):
                want(where, "PIPE", one["fd_type"])
            elif anonymous:
                want(where, ANONYMOUS.get(anonymous[1], one["fd_type"]), one["fd_type"])
            elif target.startswith("/") and one["fd_type"] == "REG" and not target.endswith(" (deleted)"):
                want(where, target, one["path"])


def check_mappings(pids):
    ours = {pid: {} for pid in pids}
    for one in explore("mems"):
        if one.get("kind") not in ("guard",) and one["pid"] in ours:
            ours[one["pid"]][(int(one["start"], 16), int(one["end"], 16))] = one
    for pid in pids:
        there = {}
        for line in read(pid, "maps").split("\n")[:-1]:
            start, end, protection, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \d+ *(.*)", line).groups()
            name = name.replace("\\012", "\n")
            if name in ("[vsyscall]", "[vvar]", "[vvar_vclock]", "[vdso]"):
                continue
            there[int(start, 16), int(end, 16)] = (protection, name)
        mine = {key: one for key, one in ours[pid].items() if one["kind"] not in ("vdso", "vvar", "vsyscall")}
        want(f"mappings of {pid}", sorted(there), sorted(mine))
        for key in set(there) & set(mine):
            protection, name = there[key]
            one = mine[key]
            where = f"mapping {key[0]:x} of {pid}"
            compared["mappings"] += 1
            want(where, protection[:3], one["protection"])
            want(where + ", shared", protection[3] == "s", one["shared"])
            if name.startswith("/") and not name.endswith(" (deleted)"):
                want(where, name, one.get("path"))
            if name in ("[heap]", "[stack]"):
                want(where, name[1:-1], one["kind"])


def address_of(text, is_v6):
    """0100007F:1F90 -> 127.0.0.1, 8080"""
    digits, port = text.split(":")
    words = struct.pack(f"={len(digits) // 8}I", *(int(digits[i:i + 8], 16) for i in range(0, len(digits), 8)))
    return socket.inet_ntop(socket.AF_INET6 if is_v6 else socket.AF_INET, words), int(port, 16)


def check_sockets(pids):
    ours = {(one["pid"], str(one["fd"])): one for one in explore("sk")}
    for pid in pids:
        inodes = {target[8:-1]: fd for fd, target in descriptors_of(pid).items() if target.startswith("socket:[")}
        want(f"sockets of {pid}", sorted(inodes.values(), key=int),
             sorted((fd for one, fd in ours if one == pid), key=int))
        for protocol in ("tcp", "tcp6", "udp", "udp6"):
            for line in read(pid, protocol).splitlines()[1:]:
                words = line.split()
                one = ours.get((pid, inodes.get(words[9])))
                if not one:
                    continue
                compared["sockets"] += 1
                where = f"socket {inodes[words[9]]} of {pid}"
                is_v6 = protocol.endswith("6")
                want(where, protocol[:3].upper(), one["protocol"])
                want(where + ", source", address_of(words[1], is_v6), (one["src_addr"], one["src_port"]))
                want(where + ", destination", address_of(words[2], is_v6),
                     (one.get("dest_addr"), one.get("dest_port", 0)))
                if protocol.startswith("tcp") and int(words[3], 16) in TCP_STATES:
                    want(where + ", state", TCP_STATES[int(words[3], 16)], one["state"])
        for line in read(pid, "unix").split("\n")[1:]:
            words = line.split(None, 7)
            if len(words) < 8 or not words[7].startswith("/"):
                continue
            one = ours.get((pid, inodes.get(words[6])))
            if one:
                compared["sockets"] += 1
                want(f"socket {inodes[words[6]]} of {pid}", words[7], one["src_addr"].removesuffix("\0"))


def check_words(pids):
    """Command line and environment; a process that cannot be read by /proc, or has none, has empty files there."""
    for option, name in (("argv", "cmdline"), ("env", "environ")):
        done = subprocess.run([f"{BIN}/crit-pages", f"--{option}", "--json", IMAGES], stdout=subprocess.PIPE, check=True)
        ours = {one["pid"]: one[option] for one in map(json.loads, done.stdout.splitlines())}
        for pid in pids:
            there = read(pid, name)
            words = there.removesuffix("\0").split("\0") if there else []
            compared["words"] += len(words)
            want(f"{name} of {pid}", words, ours.get(pid, []))


def fields_of(text):
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE))


def access_of(flags):
    """For reading, for writing; O_PATH is for neither."""
    is_path = bool(flags & 0o10000000)
    return not is_path and flags & 3 in (0, 2), not is_path and flags & 3 in (1, 2)


def check_inspection(pids):
    """What crit-inspect says beyond the others: users, rights, programs, and open files."""
    done = subprocess.run([f"{BIN}/crit-inspect", "--json", "--environment", IMAGES], stdout=subprocess.PIPE, check=True)
    (inspected,) = json.loads(done.stdout)["checkpoints"]
    ours = {process["pid"]: process for process in inspected["processes"]}
    files = {(owner["pid"], owner["fd"]): file for file in inspected["files"] for owner in file["owners"]}
    facts = []
    for pid in pids:
        one, status = ours[pid], fields_of(read(pid, "status"))
        exe = read(pid, "exe")
        words = {name: read(pid, name).removesuffix("\0").split("\0") if read(pid, name) else [] for name in ("cmdline", "environ")}
        facts += [
            (f"command of {pid}", words["cmdline"], one.get("command", [])),
            (f"environment of {pid}", words["environ"], one.get("environment", [])),
            (f"executable of {pid}", [exe.removesuffix(" (deleted)"), exe.endswith(" (deleted)")],
             [one.get("executable", ""), one.get("executable_deleted", False)]),
            (f"users of {pid}", [status[key].split()[i] for key in ("Uid", "Gid") for i in (0, 1)],
             [str(one[key]) for key in ("uid", "euid", "gid", "egid")]),
            (f"groups of {pid}", status["Groups"].split(), [str(group) for group in one["groups"]]),
            (f"seccomp of {pid}", SECCOMP[int(status["Seccomp"])], one["seccomp"]),
            (f"no new privileges of {pid}", status["NoNewPrivs"] == "1", one["no_new_privileges"]),
            (f"threads of {pid}", int(status["Threads"]), one["nr_threads"]),
        ]
        for key, field in (("capabilities", "CapEff"), ("capabilities_permitted", "CapPrm"), ("capabilities_bounding", "CapBnd")):
            facts.append((f"number of {key} of {pid}", int(status[field], 16).bit_count(), len(one[key])))
        for fd, target in descriptors_of(pid).items():
            file = files.get((pid, int(fd)))
            if not file or not target.startswith("/") or target.startswith("/memfd:"):
                continue
            info = fields_of(read(pid, f"fdinfo/{fd}"))
            facts += [
                (f"descriptor {fd} of {pid}", [target.removesuffix(" (deleted)"), target.endswith(" (deleted)")],
                 [file["path"], file["deleted"]]),
                (f"access of descriptor {fd} of {pid}", access_of(int(info["flags"], 8)), (file["readable"], file["writable"])),
            ]
            if "about" not in file:  # what is no regular file has no position
                facts.append((f"position of descriptor {fd} of {pid}", int(info["pos"]), file["position"]))
    for what, there, have in facts:
        compared["facts"] += 1
        want(f"crit-inspect: {what}", there, have)


def main():
    pids = sorted(int(name) for name in os.listdir(PROC))
    check_tasks(pids)
    alive = [pid for pid in pids if " (zombie)" not in read(pid, "status")]
    check_descriptors(alive)
    check_mappings(alive)
    check_sockets(alive)
    check_words(alive)
    check_inspection(alive)
    for line in problems[:20]:
        print(line, file=sys.stderr)
    print(" ".join(f"{count} {what}" for what, count in compared.items()))
    return 1 if problems or not compared["mappings"] else 0


sys.exit(main())
