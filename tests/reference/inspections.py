#!/usr/bin/env python3
"""Holds crit-inspect against a slow reader, and against what kernel and engine said before the dump.

usage: inspections.py BIN CHECKPOINTS SCHEMA [ENGINES]

CHECKPOINTS has a directory for each checkpoint. Its images are read here once more, from what crit-tojson prints, and
the facts of crit-inspect --json are compared: processes, users, rights, threads, pages, files, sockets, mounts. Then the
checkpoint is packed and asked again. Each answer is validated against SCHEMA, if Python has jsonschema. ENGINES has
sets as real engines wrote them, each with truth.json: there every fact of the kernel and of the engine is compared.
"""
import base64
import glob
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True

try:
    import jsonschema
except ImportError:
    jsonschema = None

CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap
mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()
RUNNING = (1, 3)
problems = []
compared = 0


def same(place, what, mine, theirs):
    global compared
    compared += 1
    if mine != theirs:
        problems.append(f"{place}: {what}: crit-inspect has {mine!r}, not {theirs!r}")


def run(*command, data=None):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def names_of(number):
    return [CAPABILITIES[i] if i < len(CAPABILITIES) else f"cap_{i}" for i in range(64) if number >> i & 1]


class Inspect:
    """crit-inspect, and its schema."""

    def __init__(self, program, schema):
        self.program = program
        with open(schema, encoding="utf-8") as file:
            self.schema = json.load(file)
        if jsonschema:
            jsonschema.Draft7Validator.check_schema(self.schema)

    def __call__(self, *arguments, data=None):
        answer = run(self.program, "--json", "--environment", *arguments, data=data)
        document = json.loads(answer.stdout)
        if jsonschema:
            for error in jsonschema.Draft7Validator(self.schema).iter_errors(document):
                problems.append(f"{arguments}: schema: {'/'.join(map(str, error.path))}: {error.message}")
        for one in document["checkpoints"]:
            for process in one["processes"]:
                for key in ("command", "environment"):
                    restore(process, key)
        return document["checkpoints"]


def restore(thing, key):
    """Bytes of names that are no UTF-8."""
    if key + "_base64" in thing:
        thing[key] = [base64.b64decode(text).decode(errors="surrogateescape") for text in thing[key + "_base64"]]


def number(value):
    return int(value, 0) if isinstance(value, str) else value


class Images:
    """The entries of all images of a directory, as crit-tojson prints them."""

    def __init__(self, tojson, directory):
        self.by_name = {}
        for line in run(tojson, "--lines", "--no-payload", directory).stdout.splitlines():
            entry = json.loads(line)
            self.by_name.setdefault(entry["image"], []).append(entry.get("entry"))

    def of(self, name):
        return [entry for entry in self.by_name.get(name, []) if entry]

    def first(self, name):
        return (self.of(name) or [None])[0]


def word_set(words):
    return sum(word << 32 * i for i, word in enumerate((words or [])[:2]))


def check_process(place, images, pid, mine):
    core = images.first(f"core-{pid}.img")
    same(place, f"{pid} comm", mine["comm"], core["tc"]["comm"] if isinstance(core["tc"]["comm"], str) else mine["comm"])
    if "thread_core" not in core:
        return
    creds = core["thread_core"].get("creds") or images.first(f"creds-{pid}.img")
    if creds:
        for key in ("uid", "gid", "euid", "egid"):
            same(place, f"{pid} {key}", mine[key], creds[key])
        same(place, f"{pid} groups", mine["groups"], creds.get("groups", []))
        same(place, f"{pid} capabilities", mine["capabilities"], names_of(word_set(creds.get("cap_eff"))))
        same(place, f"{pid} bounding", mine["capabilities_bounding"], names_of(word_set(creds.get("cap_bnd"))))
    pages = 0
    for entry in images.of(f"pagemap-{pid}.img")[1:]:
        count = entry.get("nr_pages", entry.get("compat_nr_pages", 0))
        flags = entry.get("flags")
        if isinstance(flags, str):
            flags = 7
        pages += count if flags is None or flags else 0
    if images.of(f"pagemap-{pid}.img"):
        same(place, f"{pid} resident", mine["resident_bytes"], pages * 4096)
    mm = images.first(f"mm-{pid}.img")
    regular = {entry["id"]: entry["reg"] for entry in images.of("files.img") if "reg" in entry}
    regular.update({entry["id"]: entry for entry in images.of("reg-files.img")})
    if mm and mm["exe_file_id"] in regular and isinstance(regular[mm["exe_file_id"]]["name"], str):
        same(place, f"{pid} executable", mine.get("executable"), regular[mm["exe_file_id"]]["name"])


def check_set(inspect, tojson, directory):
    found = inspect(directory)
    same(directory, "checkpoints", len(found), 1)
    mine, place = found[0], directory
    images = Images(tojson, directory)
    tree = images.of("pstree.img")
    same(place, "pids", sorted(one["pid"] for one in mine["processes"]), sorted(entry["pid"] for entry in tree))
    by_pid = {one["pid"]: one for one in mine["processes"]}
    for entry in tree:
        if images.first(f"core-{entry['pid']}.img"):
            check_process(place, images, entry["pid"], by_pid[entry["pid"]])
    mounts = sorted(entry["mountpoint"].lstrip(".") or "/" for name in images.by_name if name.startswith("mountpoints-")
                    for entry in images.of(name))
    same(place, "mounts", sorted(one["mountpoint"] for one in mine["mounts"]), mounts)
    sizes = sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory)
                if re.fullmatch(r"pages-\d+\.img", name))
    same(place, "page_bytes", mine["sizes"]["page_bytes"], sizes)
    forms(inspect, directory, mine)


def without_place(mine):
    """What images say: a directory may have configuration beside it."""
    return {key: mine[key] for key in ("processes", "sockets", "files", "namespaces", "statistics") if key in mine}


def forms(inspect, directory, mine):
    """The same answer from an archive, plain and packed, from a file and a pipe."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and not os.path.islink(path):
                tar.add(path, "checkpoint/" + name)
    with tempfile.TemporaryDirectory() as scratch:
        for name, data in (("a.tar", packed.getvalue()), ("a.tar.gz", gzip.compress(packed.getvalue(), 1))):
            with open(os.path.join(scratch, name), "wb") as file:
                file.write(data)
            other = inspect(os.path.join(scratch, name))
            same(directory, f"as {name}", without_place(other[0]), without_place(mine))
            other = inspect("-", data=data)
            same(directory, f"as {name} in a pipe", without_place(other[0]), without_place(mine))


# ---- what kernel and engine said ----

def inputs_of(top):
    """The checkpoints of a set: archives, and directories with a tree of tasks."""
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name not in ("expected", "failures", "sysroot")]
        if "pstree.img" in files:
            yield folder
        elif "oci-layout" in files:
            folders.clear()
            yield folder
        for name in files:
            if re.search(r"\.tar(\.\w+)?$", name):
                yield os.path.join(folder, name)


def truth_of(top, path):
    own = os.path.join(top, "truth-task.json")
    if os.path.exists(own) and "/task" in path:
        return json.load(open(own, encoding="utf-8"))
    if os.path.basename(path).startswith("pre."):
        return None
    return json.load(open(os.path.join(top, "truth.json"), encoding="utf-8"))


CHANGING = ("sleep",)  # of a shell's loop: a new one each second


def check_truth(place, mine, truth):
    # With a page server, in another archive, or left on the source.
    is_elsewhere = (mine["sizes"]["page_bytes"] == 0 or "lazy_page_bytes" in mine["sizes"] or
                    ("parent_page_bytes" in mine["sizes"] and mine["nr_parents"] == 0 and "input_bytes" in mine["sizes"]))
    theirs = {}
    for process in truth["processes"]:
        theirs.setdefault(process["nspid"][-1], []).append(process)
    for process in mine["processes"]:
        if process["comm"] in CHANGING:
            continue
        options = theirs.get(process["pid"], [])
        if len(options) > 1:  # containers of one pod
            options = [one for one in options if one["comm"] == process["comm"] and
                       one.get("cmdline") == process.get("command")] or options
        if not options:
            problems.append(f"{place}: process {process['pid']} ({process['comm']}) is not in truth.json")
            continue
        check_true_process(place, process, options[0], is_elsewhere)
    check_true_rest(place, mine, truth)


def check_true_process(place, mine, truth, is_elsewhere):
    pid = mine["pid"]
    same(place, f"{pid} comm", mine["comm"], truth["comm"])
    if truth["state"].startswith(("Z", "X")):
        same(place, f"{pid} state", mine["state"] in ("zombie", "dead"), True)
        return
    status = truth["status"]
    same(place, f"{pid} state", mine["state"], "stopped" if truth["state"].startswith("T") else "alive")
    if "command" not in mine and is_elsewhere:
        return
    if "command" in mine:
        same(place, f"{pid} command", mine["command"], truth["cmdline"])
    else:
        same(place, f"{pid} command", None, truth["cmdline"])
    same(place, f"{pid} environment", [one.encode(errors="surrogateescape").decode(errors="backslashreplace")
                                       for one in mine.get("environment", [])], truth["environ"])
    same(place, f"{pid} executable", mine["executable"], truth["exe"].removesuffix(" (deleted)"))
    same(place, f"{pid} executable_deleted", mine["executable_deleted"], truth["exe"].endswith(" (deleted)"))
    same(place, f"{pid} uid", [mine["uid"], mine["euid"]], [int(x) for x in truth["uid"].split()[:2]])
    same(place, f"{pid} gid", [mine["gid"], mine["egid"]], [int(x) for x in truth["gid"].split()[:2]])
    same(place, f"{pid} groups", mine["groups"], [int(x) for x in truth["groups"].split()])
    same(place, f"{pid} nr_threads", mine["nr_threads"], len(truth["threads"]))
    same(place, f"{pid} thread names", sorted(t.get("comm", "") for t in mine["threads"]),
         sorted(t["comm"] for t in truth["threads"]))
    for key, field in (("capabilities", "CapEff"), ("capabilities_permitted", "CapPrm"),
                       ("capabilities_bounding", "CapBnd")):
        if field in status:
            same(place, f"{pid} {key}", mine[key], names_of(int(status[field], 16)))
    if "NoNewPrivs" in status:
        same(place, f"{pid} no_new_privileges", mine["no_new_privileges"], status["NoNewPrivs"] == "1")
    if "Seccomp" in status:
        same(place, f"{pid} seccomp", mine["seccomp"], ("off", "strict", "filtered")[int(status["Seccomp"])])


def check_tree(place, mine, truth):
    """Parents, groups, sessions and threads, as they are numbered in the processes' own pid namespace."""
    own = {}
    for process in truth["processes"]:
        own.setdefault(process["nspid"][-1], []).append(process)
    outside = {process["pid"]: process["nspid"][-1] for process in truth["processes"]}
    for process in mine["processes"]:
        found = own.get(process["pid"], [])
        if len(found) != 1 or process["comm"] in CHANGING or found[0]["state"].startswith(("Z", "X")):
            continue
        status = found[0]["status"]
        same(place, f"{process['pid']} pgid", process["pgid"], int(status["NSpgid"].split()[-1]))
        same(place, f"{process['pid']} sid", process["sid"], int(status["NSsid"].split()[-1]))
        if found[0]["ppid"] in outside and process["ppid"]:
            same(place, f"{process['pid']} ppid", process["ppid"], outside[found[0]["ppid"]])
        same(place, f"{process['pid']} tids", sorted(thread["tid"] for thread in process["threads"]),
             sorted(int(str(thread["nspid"]).strip("[]").replace(",", " ").split()[-1]) for thread in found[0]["threads"]))


SS_STATES = {"ESTAB": ("ESTABLISHED",), "LISTEN": ("LISTEN",), "UNCONN": ("CLOSE", None), "CLOSE-WAIT": ("CLOSE_WAIT",),
             "FIN-WAIT-2": ("FIN_WAIT2",)}


def end_of(text):
    """[::ffff:10.88.0.3]:7000 and *:80, as address and port; a wildcard is no address."""
    address, port = text.rsplit(":", 1)
    address = address.strip("[]").split("%")[0]
    return ("" if address in ("*", "0.0.0.0", "::") else address), (0 if port == "*" else int(port))


def check_sockets(place, mine, truth):
    """Both ends of internet sockets, their states and queues, as ss of that network namespace said."""
    inside = {process["pid"]: process for process in truth["processes"]}
    sockets = {(owner["pid"], owner["fd"]): socket for socket in mine["sockets"] for owner in socket["owners"]}
    commands = {process["pid"]: process.get("command") for process in mine["processes"]}
    for net in truth.get("net") or []:
        for line in net.get("ss_inet", "").splitlines()[1:]:
            words = line.split()
            for pid, fd in re.findall(r'",pid=(\d+),fd=(\d+)\)', line):
                process = inside.get(int(pid))
                if not process or commands.get(process["nspid"][-1]) != process["cmdline"]:
                    continue  # of another container of the pod
                what = f"{process['nspid'][-1]} fd {fd} ({words[0]})"
                socket = sockets.get((process["nspid"][-1], int(fd)))
                if socket is None:
                    problems.append(f"{place}: {what}: ss has a socket, crit-inspect has none")
                    continue
                same(place, f"{what} state", socket.get("state") in SS_STATES[words[1]], True)
                ends = [("" if socket.get(key, "") in ("0.0.0.0", "::") else socket.get(key, ""), socket.get(port, 0))
                        for key, port in (("local_address", "port"), ("peer_address", "peer_port"))]
                same(place, f"{what} ends", ends, [end_of(words[4]), end_of(words[5])])
                if words[1] == "ESTAB" and words[0] == "tcp":
                    queues = [socket.get("receive_queue_bytes", 0), socket.get("send_queue_bytes", 0)]
                    same(place, f"{what} queues", queues, [int(words[2]), int(words[3])])


def check_mounts(place, mine, root):
    """Type, root and rights of each mount; several may be on one place."""
    theirs, ours = {}, {}
    for line in root["mountinfo"].splitlines():
        words = line.split()
        point = words[4].replace("\\040", " ").replace("\\134", "\\")
        theirs.setdefault(point, []).append((words[words.index("-") + 1], "ro" in words[5].split(",")))
    for mount in mine["mounts"]:
        ours.setdefault(mount["mountpoint"], []).append((mount["filesystem"], mount["read_only"]))
    for point, wanted in theirs.items():
        # CRIU does not say what is mounted from outside, nor the type of a file system that it has no number for.
        known = [(kind or other[0], read_only) for (kind, read_only), other in zip(sorted(ours.get(point, [])), sorted(wanted))]
        same(place, f"mount {point}", known, sorted(wanted))


def check_true_rest(place, mine, truth):
    """Open files, sockets and mounts."""
    check_tree(place, mine, truth)
    check_sockets(place, mine, truth)
    by_pid = {}
    for process in truth["processes"]:
        by_pid.setdefault(process["nspid"][-1], []).append(process)
    for process in mine["processes"]:
        options = [one for one in by_pid.get(process["pid"], []) if one["comm"] == process["comm"] and
                   one.get("cmdline") == process.get("command")]
        if len(options) != 1 or not options[0].get("fds"):
            continue
        pid, fds = process["pid"], options[0]["fds"]
        sockets = {owner["fd"]: socket for socket in mine["sockets"] for owner in socket["owners"] if owner["pid"] == pid}
        files = {owner["fd"]: file for file in mine["files"] for owner in file["owners"] if owner["pid"] == pid}
        same(place, f"{pid} sockets", sorted(sockets), sorted(int(fd) for fd, one in fds.items()
                                                              if one["target"].startswith("socket:")))
        for fd, one in fds.items():
            file = files.get(int(fd))
            if "inode" in sockets.get(int(fd), {}):  # images have none of packet sockets
                same(place, f"{pid} fd {fd} inode", sockets[int(fd)].get("inode"), int(one["target"][8:-1]))
            if not file or one["target"].startswith("/memfd:") or one["target"].startswith("/proc"):
                continue
            target = one["target"].removesuffix(" (deleted)")
            if file["fd_type"] == "PIPE":
                same(place, f"{pid} fd {fd} pipe", file["about"].replace("[", ":[", 1), target)
            elif file["fd_type"] in ("REG", "FIFO", "TTY"):
                same(place, f"{pid} fd {fd} path", file.get("path"), target)
                same(place, f"{pid} fd {fd} deleted", file["deleted"], one["deleted"])
            else:  # "anon_inode:[eventfd]"
                same(place, f"{pid} fd {fd} path", file.get("path"), None)
            if file["fd_type"] == "REG":
                same(place, f"{pid} fd {fd} position", file["position"], one["pos"])
            access = int(one["flags"], 8) & 3
            same(place, f"{pid} fd {fd} writable", file.get("writable"), None if file["fd_type"] == "PIDFD" else access in (1, 2))
    roots = [one for one in truth["processes"] if one["nspid"][-1] == mine["processes"][0]["pid"]]
    if mine["mounts"] and len(roots) == 1 and roots[0].get("mountinfo") and len({m["mount_namespace"] for m in mine["mounts"]}) == 1:
        theirs = sorted(line.split()[4].replace("\\040", " ").replace("\\134", "\\") for line in roots[0]["mountinfo"].splitlines())
        same(place, "mounts", sorted(one["mountpoint"] for one in mine["mounts"]), theirs)
        check_mounts(place, mine, roots[0])
        names = truth.get("uts", {})
        is_own = any(one["kind"] == "uts" and not one.get("of_host") for one in mine["namespaces"])
        if roots[0]["ns"]["uts"] in names and (is_own or "hostname" in mine):
            same(place, "hostname", mine.get("hostname"), names[roots[0]["ns"]["uts"]])


def check_inspected(place, mine, answer):
    """What podman inspect and docker inspect say alike."""
    container, config = mine["container"], answer["Config"]
    same(place, "name", container["name"], answer["Name"].removeprefix("/"))
    same(place, "command", container.get("command"), [answer["Path"], *answer["Args"]])
    if config["WorkingDir"]:
        same(place, "working_directory", container.get("working_directory"), config["WorkingDir"])
    same(place, "environment", set(config["Env"] or []) - set(container.get("environment", [])), set())
    same(place, "labels", {one["name"]: one["value"] for one in container.get("labels", [])}, config["Labels"] or {})
    if config["Hostname"]:
        same(place, "hostname", mine.get("hostname"), config["Hostname"])
    networks = {name: net for name, net in answer["NetworkSettings"]["Networks"].items() if net["IPAddress"]}
    for network in container.get("networks", []):
        if network["network"] in networks:
            net = networks[network["network"]]
            same(place, "address", network.get("addresses"), [f"{net['IPAddress']}/{net['IPPrefixLen']}"])
            same(place, "mac", network.get("mac"), net["MacAddress"])
            same(place, "gateway", network.get("gateways"), [net["Gateway"]])
    if container["engine"] == "podman":  # docker forgets them when the container ends
        same(place, "networks", sorted(network["network"] for network in container.get("networks", [])), sorted(networks))
    sources = {mount["mountpoint"]: mount.get("host_source") for mount in mine["mounts"]}
    for mount in answer["Mounts"]:
        if mount["Type"] in ("bind", "volume"):
            same(place, f"source of {mount['Destination']}", sources.get(mount["Destination"]), mount["Source"])


def check_engine(place, mine, truth):
    engine = truth["engine"]
    name = engine.get("name")
    answers = engine.get("inspect") or {}
    container = mine.get("container", {})
    if name in ("podman", "docker"):
        same(place, "engine", container.get("engine"), name)
        answer = answers.get(container.get("name"))
        if answer is None:
            problems.append(f"{place}: no container {container.get('name')!r} in truth.json")
            return
        answer = answer[0] if isinstance(answer, list) else answer
        same(place, "id", container.get("id"), answer["Id"])
        same(place, "created", container.get("created"), answer["Created"])
        check_inspected(place, mine, answer)
        same(place, "image_id", container.get("image_id", "").removeprefix("sha256:"), answer["Image"].removeprefix("sha256:"))
        if name == "podman":
            same(place, "image", container.get("image"), answer["ImageName"])
            same(place, "runtime", container.get("runtime"), answer["OCIRuntime"])
        else:
            same(place, "image", container.get("image"), answer["Config"]["Image"])
            same(place, "runtime", container.get("runtime"), answer["HostConfig"]["Runtime"])
    elif name == "containerd-cri":
        status = engine["container_status"]
        same(place, "engine", container.get("engine"), "containerd")
        same(place, "id", container.get("id"), status["id"])
        same(place, "name", container.get("name"), status["metadata"]["name"])
        same(place, "image", container.get("image"), status["image"]["image"])
        same(place, "pod", container.get("pod"), status["labels"]["io.kubernetes.pod.name"])
        same(place, "pod_namespace", container.get("pod_namespace"), status["labels"]["io.kubernetes.pod.namespace"])
        same(place, "pod_uid", container.get("pod_uid"), status["labels"]["io.kubernetes.pod.uid"])
        same(place, "kernel", mine["host"].get("kernel"), truth["kernel"])
        same(place, "criu", "Version: " + mine.get("criu_version", ""), engine["versions"]["criu"])


def check_engines(inspect, engines):
    for top in sorted(glob.glob(os.path.join(engines, "*"))):
        if not os.path.exists(os.path.join(top, "truth.json")):
            continue
        for path in inputs_of(top):
            truth = truth_of(top, path)
            if truth is None or "processes" not in truth:
                continue
            place = os.path.relpath(path, engines)
            for mine in inspect(path):
                check_truth(place, mine, truth)
                if "/task" not in path and "engine" in truth:
                    check_engine(place, mine, truth)


def main():
    programs, checkpoints, schema = sys.argv[1:4]
    inspect = Inspect(os.path.join(programs, "crit-inspect"), schema)
    tojson = os.path.join(programs, "crit-tojson")
    for directory in sorted(glob.glob(os.path.join(checkpoints, "*"))):
        for images in (directory, os.path.join(directory, "checkpoint")):
            if os.path.exists(os.path.join(images, "pstree.img")):
                check_set(inspect, tojson, images)
    if len(sys.argv) > 4:
        check_engines(inspect, sys.argv[4])
    for problem in problems:
        print(problem)
    print(f"{compared} facts compared, {len(problems)} problems", file=sys.stderr)
    return 1 if problems or compared == 0 else 0


sys.exit(main())
