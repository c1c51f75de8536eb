#!/usr/bin/env python3
"""corpus_restore.py: crit-restore --check on the failures of the corpus, on a machine as it was when CRIU's restore failed.

usage: corpus_restore.py BIN CORPUS

CORPUS/engines/fail-*/failures/CASE each have a script that damages a copy of their set, what was done to the machine ("outside"),
the options of the restore, and whether CRIU failed. The files that the images name are made here as stand-ins, with their sizes,
modes and build ids, below a root directory of their own; all that in namespaces, where pids and ports are free. Needs root;
exit 77 where there is none.
"""
import fcntl
import json
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checking import check, done
from corpus_failures import LOSSES, failures

# What is done to a machine, in the corpus' own paths.
PID_TAKEN = "pid-taken"


def up(interface):
    """ip link set INTERFACE up"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh", interface.encode(), 0x1 | 0x40)
        fcntl.ioctl(one, 0x8914, request)


def elf_with(build_id, size):
    """The least that has a build id: a header, one segment of notes, the note."""
    note = struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 120, 120, len(note), len(note), 4)
    return (header + segment + note)[:size]


def stand_in(root, entry):
    path = os.path.join(root, entry["name"].lstrip("/"))
    mode = entry.get("mode", 0o100644)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if mode & 0o170000 == 0o040000:
        os.makedirs(path, exist_ok=True)
    elif mode & 0o170000 == 0o020000:
        if not os.path.exists(path):
            os.mknod(path, mode, os.makedev(1, 3))
    else:
        build_id = b"".join(struct.pack("<I", word) for word in entry.get("build_id", []))
        size = entry.get("size", 0)
        with open(path, "wb") as file:
            if build_id:
                file.write(elf_with(build_id, size))
            file.truncate(size)
    os.chmod(path, mode & 0o7777)


def make_machine(images, root):
    finished = subprocess.run([f"{BIN}/crit-tojson", f"{images}/files.img"], capture_output=True, check=True)
    os.makedirs(root)
    os.chmod(root, 0o755)
    for entry in json.loads(finished.stdout)["entries"]:
        if entry["type"] == "REG" and not entry["reg"]["name"].startswith("/tmp/sd"):  # which was unlinked
            stand_in(root, entry["reg"])
    subprocess.run(["mount", "--bind", root, root], check=True)


def do_outside(command, root):
    """What was done to the machine, done to the stand-ins."""
    for place in ("/opt/shopapp", "/srv/shopapp"):
        command = command.replace(f"{place}/", f"{root}{place}/")
    subprocess.run(["sh", "-ec", command], check=True)


def restore_options(command, copy, root, outer):
    """Of criu's command line, as crit-restore takes them."""
    words = shlex.split(command.replace("SET", copy).replace("/srv/fx", outer).replace("/srv/nowhere", outer + "/nowhere"))[2:]
    at = words.index("-D")
    directory = words[at + 1]
    options = [word for word in words[:at] + words[at + 2:] if word != "-d"]
    has_root = "--root" in options
    if has_root:
        options[options.index("--root") + 1] = root
    return directory, options, has_root


def hold_pid(pid):
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="utf-8") as file:
        file.write(str(pid - 1))
    sleeper = subprocess.Popen(["sleep", "1000"])
    assert sleeper.pid == pid, sleeper.pid
    return sleeper


def check_case(folder, case):
    failure = os.path.join(folder, "failures", case)
    with open(os.path.join(failure, "result.json"), encoding="utf-8") as file:
        result = json.load(file)
    with tempfile.TemporaryDirectory() as scratch:
        copy, root, outer = (os.path.join(scratch, name) for name in ("set", "root", "outer"))
        images = next(os.path.join(folder, name) for name in ("images", "chain/3") if os.path.isdir(os.path.join(folder, name)))
        shutil.copytree(images if images.endswith("images") else os.path.dirname(images), copy, symlinks=True)
        os.mkdir(outer)
        make_machine(images, root)
        subprocess.run(["sh", os.path.join(failure, "apply.sh"), copy], check=True)
        if result["outside"]:
            do_outside(result["outside"], root)
        holder = hold_pid(35) if case == PID_TAKEN else None
        directory, options, has_root = restore_options(result["restore"], copy, root, outer)
        # The stand-ins are the machine: a tree without a mount namespace of its own finds its files below --root.
        has_mounts = any(name.startswith("mountpoints-") for name in os.listdir(images))
        machine = [] if has_root or has_mounts else ["--root", root]
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="utf-8") as file:
            file.write("5000")
        finished = subprocess.run([f"{BIN}/crit-restore", "--check", "--json", *options, *machine, directory],
                                  capture_output=True, timeout=120, check=False)
        if holder:
            holder.kill()
            holder.wait()
        subprocess.run(["umount", root], check=True)
    said = finished.stderr.decode()
    findings = json.loads(finished.stdout)["findings"] if finished.stdout else []
    return result, findings, finished.returncode, said


def inside():
    up("lo")
    nr_failures = 0
    for folder, case in failures(CORPUS):
        what = f"{os.path.basename(folder)}/{case}"
        result, findings, code, said = check_case(folder, case)
        # The machine of the chain had a capability that the one of the test may lack.
        bad = [one for one in findings if one["severity"] in ("error", "loss", "warning") and one["check"] != "capabilities"]
        worst = {one["severity"] for one in bad}
        if os.environ.get("VERBOSE"):
            print(what, result["rc"], code, [f"{one['severity']} {one['check']}: {one['text']}" for one in bad][:3])
        check(f"{what}: standard error", not said, said)
        if result["fails"]:
            nr_failures += 1
            check(f"{what}: is not found", "error" in worst, bad)
            advised = [one for one in bad if one["severity"] == "error" and one["advice"]]
            check(f"{what}: no advice", advised, bad)
        elif case in LOSSES:
            check(f"{what}: is no loss", worst - {"warning"} == {"loss"}, bad)
        else:
            check(f"{what}: restores, and something is found", not worst - {"warning"}, bad)
            if case.startswith("00-"):
                check(f"{what}: a control, and something is found", not worst, bad)
        refused = any(one["severity"] in ("error", "loss") for one in findings)
        check(f"{what}: exit code", code == (1 if refused else 0), code)
    done(f"{nr_failures} failures of CRIU found, ")


if __name__ == "__main__":
    BIN, CORPUS = map(os.path.abspath, sys.argv[1:3])
    if sys.argv[3:] == ["--inside"]:
        inside()
    if os.geteuid() != 0:
        print("needs root")
        sys.exit(77)
    began = time.monotonic()
    command = ["unshare", "-pfmn", "--mount-proc", sys.executable, *sys.argv[:3], "--inside"]
    sys.exit(subprocess.run(command, check=False).returncode)
