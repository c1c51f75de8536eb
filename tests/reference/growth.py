#!/usr/bin/env python3
"""growth.py: what a set costs grows with its size: four times as many things of a kind take about four times as long.

usage: growth.py BIN
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checking import check, done

BIN = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
FEW, MANY = 4000, 16000
# A square would be 16 times. What takes less than this is start-up, and tells nothing.
MOST, NOTHING = 8, 0.25
MOST_KIB = 128 << 10
NR_DENSE = 1500


class Images:
    """A set to which entries are added."""
    def __init__(self, folder):
        self.folder = folder
        subprocess.run([sys.executable, "-B", f"{HERE}/../mkimg", "--all", f"{HERE}/../cases/crit-check/ok_whole/d", folder],
                       check=True)

    def read(self, name):
        return json.loads(subprocess.run([f"{BIN}/crit-tojson", f"{self.folder}/{name}"], check=True,
                                         capture_output=True).stdout)

    def write(self, name, image):
        subprocess.run([f"{BIN}/crit-fromjson", "-f", "-o", f"{self.folder}/{name}", "-"], input=json.dumps(image).encode(),
                       check=True)

    def change(self, name, add):
        image = self.read(name)
        add(image["entries"])
        self.write(name, image)


def epolls(images, count):
    """Epolls without a target in one table of descriptors."""
    def files(entries):
        first = next(entry for entry in entries if "epfd" in entry)
        entries += [dict(first, id=1000 + i, epfd=dict(first["epfd"], id=1000 + i, tfd=[])) for i in range(count)]

    def table(entries):
        entries += [{"id": 1000 + i, "flags": 0, "type": "EVENTPOLL", "fd": 1000 + i} for i in range(count)]
    images.change("files.img", files)
    images.change("fdinfo-2.img", table)


def epolls_with_targets(images, count):
    """Each waits for all that is open, of which there is as much as there are epolls."""
    side = int(count ** 0.5)
    epolls(images, side)

    def files(entries):
        for entry in entries:
            if "epfd" in entry:
                target = {"id": entry["id"], "events": 1, "data": 0}
                entry["epfd"]["tfd"] = [dict(target, tfd=1000 + i) for i in range(side)]
    images.change("files.img", files)


def locks(images, count):
    """As many descriptors as locks on them, and timers that wake threads."""
    def table(entries):
        entries += [dict(entries[0], fd=1000 + i) for i in range(count)]

    def held(entries):
        entries += [dict(entries[0], fd=1000 + i) for i in range(count)]

    def timers(entries):
        timer = {"it_id": 0, "clock_id": 0, "si_signo": 14, "it_sigev_notify": 4, "sival_ptr": 0, "overrun": 0, "isec": 0, "insec": 0,
                 "vsec": 0, "vnsec": 0, "notify_thread_id": 8}
        entries[0]["tc"]["timers"]["posix"] = [dict(timer, it_id=i) for i in range(count)]
    images.change("fdinfo-2.img", table)
    images.change("filelocks.img", held)
    images.change("core-7.img", timers)


def memfds(images, count):
    """Code that runs from memfds of as many names."""
    def files(entries):
        first = next(entry for entry in entries if "memfd" in entry)
        entries += [dict(first, id=1000 + i, memfd=dict(first["memfd"], id=1000 + i, inode_id=1000 + i)) for i in range(count)]

    def inodes(entries):
        entries += [dict(entries[0], inode_id=1000 + i, name=f"m{i}") for i in range(count)]

    def mappings(entries):
        first = entries[0]["vmas"][0]
        entries[0]["vmas"] += [dict(first, start=hex((1 << 32) + i * 4096), end=hex((1 << 32) + i * 4096 + 4096), shmid=1000 + i,
                                    prot=5, flags=1, status=1 << 14 | 1) for i in range(count)]
    images.change("files.img", files)
    images.change("memfd.img", inodes)
    images.change("mm-7.img", mappings)


def mounts(images, count):
    """Mounts in the images, and as many others in the engine's configuration."""
    mount = {"fstype": 0, "root_dev": "0:1", "parent_mnt_id": 10, "flags": "0x0", "root": "/", "source": "none", "options": ""}
    entries = [dict(mount, mnt_id=10, parent_mnt_id=1, mountpoint="/")]
    entries += [dict(mount, mnt_id=100 + i, mountpoint=f"/m{i:07}") for i in range(count)]
    images.write("mountpoints-6.img", {"magic": "MNTS", "entries": entries})
    spec = {"ociVersion": "1", "mounts": [{"destination": f"/n{i:07}", "type": "bind", "source": "/x"} for i in range(count)]}
    with open(f"{images.folder}/spec.dump", "w", encoding="utf-8") as file:
        json.dump(spec, file)


def dense_matches(scratch):
    """Memory in which nearly every byte matches is searched in no more of ours, by any number of threads."""
    folder = f"{scratch}/dense"
    os.mkdir(folder)
    with open(f"{folder}/pages-1.img", "wb") as file:
        file.write((b"user=alice word=x \n" * 256)[:4096] * NR_DENSE)
    pagemap = {"magic": "PAGEMAP", "entries": [{"pages_id": 1}, {"vaddr": 4096, "compat_nr_pages": 0, "flags": 4, "nr_pages": NR_DENSE}]}
    subprocess.run([f"{BIN}/crit-fromjson", "-o", f"{folder}/pagemap-1.img", "-"], input=json.dumps(pagemap).encode(), check=True)
    for words in ("-c .", "-c \\w+", "-c -F e", "--json -m 5 .", "-l ."):
        for threads in (1, 2, 16):
            _, kib = cost([f"{BIN}/crit-grep", "--memory", f"-j{threads}", *words.split(), folder])
            check(f"crit-grep --memory -j{threads} {words} of {NR_DENSE} pages: memory", kib < MOST_KIB, f"{kib} KiB")


def cost(words):
    """Seconds of a processor, and KiB."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    check(" ".join(words), child.returncode in (0, 1, 2), child.returncode)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main():
    with tempfile.TemporaryDirectory() as scratch:
        dense_matches(scratch)
        for things in (epolls, epolls_with_targets, locks, memfds, mounts):
            costs = {}
            for count in (FEW, MANY):
                folder = f"{scratch}/set"
                things(Images(folder), count)
                for words in (["crit-inspect"], ["crit-inspect", "--json"], ["crit-inspect", "--checkpointctl"], ["crit-check"],
                              ["crit-check", "--here"], ["crit-x", "--json", "fds"]):
                    costs.setdefault(" ".join(words), []).append(cost([f"{BIN}/{words[0]}", *words[1:], folder]))
                shutil.rmtree(folder)
            for words, ((few, _), (many, kib)) in costs.items():
                check(f"{words} of {MANY} {things.__name__}: time", many < max(NOTHING, MOST * few), f"{few:.2f} s, {many:.2f} s")
                check(f"{words} of {MANY} {things.__name__}: memory", kib < MOST_KIB, f"{kib} KiB")


main()
done("growth: ")
