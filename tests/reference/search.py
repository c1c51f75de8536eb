#!/usr/bin/env python3
"""memory: crit-grep --memory against a slow search over the assembled address spaces.

usage: memory PROGRAMS CHECKPOINTS

Real checkpoints, and one made here with patterns across every kind of border: between pages, between runs that touch,
at a gap, into and out of pages of a parent, and in shared memory. Each as a directory, a tar, a tar in zstd and an image
stream, given as a file and through a pipe in blocks of several sizes, with the pages before their pagemaps too.
"""
import functools
import io
import json
import os
import shutil
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

PAGE = 4096
PRESENT, PARENT = 4, 1
SHARED_MEMORY = 1 << 8 | 1 << 10       # VMA_ANON_SHARED, VMA_AREA_SYSVIPC
MEMFD, MAP_SHARED = 1 << 14, 1
BLOCKS = (4095, 4097, 1 << 20)
failures = []
checks = 0


def expect(what, want, have):
    global checks
    checks += 1
    if want != have:
        failures.append(what)
        lost, more = sorted(want - have)[:5], sorted(have - want)[:5]
        print(f"FAIL {what}: wanted {len(want)}, have {len(have)}; lost {lost}, too many {more}")


# Images, read and written by hand.

def fields_of(payload):
    """Numbers by number; of strings and messages all."""
    found = {}
    for number, value in wire.fields(payload):
        if isinstance(value, bytes):
            found.setdefault(number, []).append(value)
        else:
            found[number] = value
    return found


def entries_of(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 8
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        yield fields_of(data[at + 4:at + 4 + size])
        at += 4 + size


def runs_of(folder, pid):
    """(vaddr, bytes or None) of each run; what a parent has is fetched there."""
    head, *entries = entries_of(f"{folder}/pagemap-{pid}.img")
    with open(f"{folder}/pages-{head[1]}.img", "rb") as file:
        for entry in entries:
            size = (entry.get(5) or entry[2]) * PAGE
            flags = entry.get(4, PARENT if entry.get(3) else PRESENT)
            if flags & PRESENT:
                yield entry[1], file.read(size)
            elif flags & PARENT:
                for at in range(0, size, PAGE):
                    yield entry[1] + at, page_of(f"{folder}/parent", pid, entry[1] + at)


def page_of(folder, pid, address):
    for vaddr, data in runs_of(folder, pid):
        if data is not None and vaddr <= address < vaddr + len(data):
            return data[address - vaddr:address - vaddr + PAGE]
    return None


@functools.lru_cache(64)
def stretches(folder, pid):
    return list(read_stretches(folder, pid))


def read_stretches(folder, pid):
    begin, pieces = None, []
    for vaddr, data in runs_of(folder, pid):
        if begin is not None and vaddr != begin + sum(map(len, pieces)):
            yield begin, b"".join(pieces)
            begin = None
        if begin is None:
            begin, pieces = vaddr, []
        pieces.append(data)
    if begin is not None:
        yield begin, b"".join(pieces)


def numbers(folder, pattern):
    return [int(name[1]) for name in (re.fullmatch(pattern, name) for name in os.listdir(folder)) if name]


def slow_search(folder, pattern):
    found = set()

    def look(pid, begin, data):
        found.update((pid, begin + match.start(), len(match[0])) for match in re.finditer(pattern, data, re.S))
    for pid in numbers(folder, r"pagemap-(\d+)\.img"):
        for begin, data in stretches(folder, pid):
            look(pid, begin, data)
    for shmem, pid, start, end, offset in shared_mappings(folder):
        for begin, data in stretches(folder, f"shmem-{shmem}"):
            hits = {(begin + match.start(), len(match[0])) for match in re.finditer(pattern, data, re.S)}
            found.update((pid, at - offset + start, size) for at, size in hits
                         if at >= offset and at - offset + start + size <= end)
    return found


def shared_mappings(folder):
    """(shmid, pid, start, end, offset) of each mapping of shared memory whose pages are here."""
    known = set(numbers(folder, r"pagemap-shmem-(\d+)\.img"))
    for pid in numbers(folder, r"mm-(\d+)\.img"):
        for mm in entries_of(f"{folder}/mm-{pid}.img"):
            for vma in map(fields_of, mm.get(14, [])):
                shmid = memfds(folder).get(vma[4]) if vma[7] & MEMFD else vma[4] if vma[7] & SHARED_MEMORY else None
                if shmid in known and vma[6] & MAP_SHARED:
                    yield shmid, pid, vma[1], vma[2], vma[3]


@functools.cache
def memfds(folder):
    """{file id: shmid} of descriptors of memfds; CRIU makes one of anonymous shared memory too."""
    if not os.path.exists(f"{folder}/memfd.img"):
        return {}
    shmids = {inode[7]: inode[5] for inode in entries_of(f"{folder}/memfd.img")}
    return {file[2]: shmids[fields_of(file[20][0])[5]] for file in entries_of(f"{folder}/files.img") if 20 in file}


# Inputs of every form.

def tar_of(folder, backwards):
    out = io.BytesIO()
    names = sorted(name for name in os.listdir(folder) if not os.path.isdir(f"{folder}/{name}"))
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in reversed(names) if backwards else names:
            tar.add(f"{folder}/{name}", name)
    return out.getvalue()


def packed(programs, folder):
    yield "tar, pages after their pagemap", tar_of(folder, False)
    backwards = tar_of(folder, True)
    yield "tar, backwards", backwards
    yield "tar.zst", subprocess.run(["zstd", "-q"], input=backwards, stdout=subprocess.PIPE, check=True).stdout
    yield "image stream", subprocess.run([f"{programs}/crit-cat", "--stream", folder], stdout=subprocess.PIPE,
                                         check=True).stdout


def write(fd, data, block):
    try:
        for at in range(0, len(data), block):
            os.write(fd, data[at:at + block])
    except BrokenPipeError:
        pass
    os.close(fd)


def search(command, data=None, block=1 << 20):
    child = subprocess.Popen(command, stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if data is not None:
        fd = os.dup(child.stdin.fileno())
        child.stdin.close()
        child.stdin = None
        threading.Thread(target=write, args=(fd, data, block)).start()
    out, err = child.communicate(timeout=300)
    lines = [line for line in map(json.loads, out.splitlines()) if line["pid"] is not None]
    return {(line["pid"], line["vaddr"], line["length"]) for line in lines}, len(lines), err.decode(), child.returncode


def check_all(programs, what, folder, patterns, options=(), forms=True, blocks=BLOCKS):
    inputs = list(packed(programs, folder)) if forms else []
    for pattern in patterns:
        want = slow_search(folder, pattern.encode())
        command = [f"{programs}/crit-grep", "--memory", "--json", *options, pattern]
        found, lines, err, code = search([*command, folder])
        expect(f"{what}: {pattern}: a directory", want, found)
        expect(f"{what}: {pattern}: nothing twice", {len(found)}, {lines})
        expect(f"{what}: {pattern}: exit code {code} {err}", {0 if found else 1}, {code})
        for form, data in inputs:
            for block in blocks:
                have, _, err, _ = search(command, data, block)
                expect(f"{what}: {pattern}: {form}, blocks of {block} {err}", found, have)


def planted(folder, pages_of_parent):
    """A checkpoint whose memory says NEEDLE across every border. Runs: present 2 pages, present 1 that touches, in the
    parent 1 that touches, present 2 that touch, a gap, present 1."""
    os.makedirs(folder)
    base, size = 0x400000, 8 * PAGE
    memory = bytearray(b"." * size)
    for border in range(1, 8):
        memory[border * PAGE - 3:border * PAGE + 3] = b"NEEDLE"
    memory[0:6] = b"NEEDLE"
    memory[size - 6:size] = b"NEEDLE"
    page = lambda first, nr: bytes(memory[first * PAGE:(first + nr) * PAGE])
    entries = [(0, 2, PRESENT), (2, 1, PRESENT), (3, 1, PARENT if pages_of_parent else PRESENT), (4, 2, PRESENT), (7, 1, PRESENT)]
    write_set(folder, base, entries, page)
    if pages_of_parent:
        os.makedirs(folder + ".parent")
        write_set(folder + ".parent", base, [(0, 8, PRESENT)], page)
        os.symlink(f"../{os.path.basename(folder)}.parent", f"{folder}/parent")


def write_set(folder, base, entries, page):
    runs = [wire.entry((1, base + first * PAGE), (2, nr), (4, flags)) for first, nr, flags in entries]
    with open(f"{folder}/pagemap-7.img", "wb") as file:
        file.write(wire.PAGEMAP + wire.entry((1, 1)) + b"".join(runs))
    with open(f"{folder}/pages-1.img", "wb") as file:
        file.write(b"".join(page(first, nr) for first, nr, flags in entries if flags & PRESENT))


# Filters: an archive or a stream gives what the directory gives, in whatever order its members come.

def orders_of(folder):
    """Names in orders that differ in what is known when pages come."""
    names = sorted(name for name in os.listdir(folder) if os.path.isfile(f"{folder}/{name}"))
    is_pages = lambda name: name.startswith("pages-")
    pages, others = [name for name in names if is_pages(name)], [name for name in names if not is_pages(name)]
    last = lambda word: sorted(others, key=lambda name: name.startswith(word))
    yield "by name", names
    yield "pages last", others + pages
    yield "pages first", pages + others
    yield "pstree after pages", [*last("pstree")[:-1], *pages, "pstree.img"] if "pstree.img" in names else names
    yield "mappings after pages", [name for name in last("mm-") if not name.startswith("mm-")] + pages + \
        [name for name in others if name.startswith("mm-")]
    yield "files after pages", [name for name in others if not re.search("files|memfd", name)] + pages + \
        [name for name in others if re.search("files|memfd", name)]


def archive_of(folder, names):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            tar.add(f"{folder}/{name}", name)
    return out.getvalue()


def lines_of(command, data=None):
    child = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    return sorted(re.sub(rb'"(?:checkpoint|set)": "[^"]*", ', b"", child.stdout).splitlines()), child.returncode


def filters_of(folder):
    yield []
    for kind in ("stack", "anon", "file=*"):
        yield ["--vma", kind]
    yield ["--prot", "w"]
    pids = numbers(folder, r"pagemap-(\d+)\.img")
    yield ["--pid", str(pids[-1])]
    starts = sorted(begin for begin, _ in stretches(folder, pids[-1]))
    yield ["--range", f"{starts[0]:#x}:{starts[-1]:#x}", "--prot", "r"]
    yield ["--range", f"{starts[0] + 100:#x}:{starts[0] + 5000:#x}"]


def check_filters(programs, what, folder, work, patterns, all_orders):
    commands = [[f"{programs}/crit-grep", "--memory", "--json", "-C", "8", *options, pattern] for pattern in patterns
                for options in filters_of(folder)]
    wanted = [lines_of([*command, folder]) for command in commands]
    for order, names in orders_of(folder):
        if not all_orders and order not in ("by name", "files after pages"):
            continue
        data = archive_of(folder, names)
        with open(f"{work}/archive.tar", "wb") as file:
            file.write(data)
        for command, (want, code) in zip(commands, wanted):
            for form, *given in ("archive", f"{work}/archive.tar"), ("pipe", "-", data):
                # What begins or ends at a gap is only seen with addresses.
                if form == "pipe" and command[-1].startswith("\\b"):
                    continue
                have, have_code = lines_of([*command, given[0]], *given[1:])
                about = f"{what}, {order}: {form}: {' '.join(command[5:])}"
                expect(about, set(want), set(have))
                expect(f"{about}: lines and exit code", {(len(want), code)}, {(len(have), have_code)})


def main():
    programs, checkpoints = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        planted(f"{work}/plain", False)
        planted(f"{work}/child", True)
        patterns = ["NEEDLE", "NE+DLE", "[A-Z]{3,9}", "EDLE", r"\.NEE|DLE\."]
        check_all(programs, "planted", f"{work}/plain", patterns, blocks=(1, *BLOCKS))
        check_all(programs, "planted, with a parent", f"{work}/child", patterns, forms=False)
        want = {entry for entry in slow_search(f"{work}/plain", b"NEEDLE") if 0x401000 <= entry[1] < 0x403000}
        have = search([f"{programs}/crit-grep", "--memory", "--json", "--range", "0x401000:0x403000", "NEEDLE",
                       f"{work}/plain"])[0]
        expect("--range", {entry for entry in want if entry[1] + entry[2] <= 0x403000}, have)
    copies = []
    for name in sorted(os.listdir(checkpoints)):
        folder = f"{checkpoints}/{name}"
        if os.path.exists(f"{folder}/checkpoint"):
            folder += "/checkpoint"
        if not any(entry.startswith("pagemap-") for entry in os.listdir(folder)):
            continue
        # The slow search knows nothing of unlinked files, whose bytes are in ghost images.
        if os.path.exists(f"{folder}/remap-fpath.img"):
            plain = tempfile.TemporaryDirectory()
            copies.append(plain)
            shutil.copytree(folder, f"{plain.name}/set", symlinks=True, ignore=shutil.ignore_patterns("remap-fpath.img"))
            folder = f"{plain.name}/set"
        small = sum(os.path.getsize(f"{folder}/{entry}") for entry in os.listdir(folder)) < 8 << 20
        check_all(programs, name, folder, ["PATH=[^\\x00]+", "ELF", "[A-Za-z ]{5,40}"], forms=small, blocks=(4097,))
        if os.path.exists(f"{folder}/parent"):
            continue
        with tempfile.TemporaryDirectory() as work:
            patterns = ["PATH=", "[A-Za-z0-9/]{6,40}", "\\b[a-z]{4,9}\\b"] if name == "demo" else ["PATH=[^\\x00]+"]
            check_filters(programs, name, folder, work, patterns, name == "demo")
    print(f"{checks - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
