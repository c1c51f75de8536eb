#!/usr/bin/env python3
"""shared_images: images that several threads decode in chunks give what one thread gives: the same bytes on standard
output, the same messages and the same exit code. The images are made here: entries of random sizes, some larger than a
chunk, the image cut at many places, sizes that are wrong, bytes that are changed; through files, pipes with short reads,
archives and compression.

usage: shared_images.py BIN [SEED [ROUNDS]]
"""
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading

import wire

THREADS = (2, 3, 7)
problems = []


def entry(payload):
    return struct.pack("<I", len(payload)) + payload


def pagemap(rng, size, huge=()):
    """An image of about `size` bytes; huge: offsets from which on one entry is large, with an unknown field in it."""
    parts, at, address = [wire.PAGEMAP, entry(b"\x08\x01")], 14, 0
    huge = sorted(huge)
    while at < size:
        pages = rng.choice((1, 1, 1, 5, 300, 70000))
        payload = wire.message((1, address), (2, pages), (4, rng.choice((1, 2, 4, 5))))
        if rng.random() < 0.01:
            payload = payload[:-2]          # without flags
        if rng.random() < 0.003:
            payload = wire.message((2, pages), (1, address))       # not as CRIU writes it
        if rng.random() < 0.002:
            payload += b"\x92\x4e" + wire.varint(40) + rng.randbytes(40)             # a field nobody knows
        if huge and at >= huge[0]:
            length = huge.pop(0) % 7 * 300_000 + 90_000
            payload += b"\x92\x4e" + wire.varint(length) + rng.randbytes(length)
        if rng.random() < 0.0005:           # what looks like entries, and is one field
            within = b"".join(entry(wire.message((1, rng.getrandbits(40)), (2, 1))) for _ in range(rng.randint(1, 8000)))
            payload += b"\x92\x4e" + wire.varint(len(within)) + within
        address += 4096 * rng.randint(1, 1 << 20)
        parts.append(entry(payload))
        at += 4 + len(payload)
    return b"".join(parts)


def borders(image):
    at, found = 8, []
    while at + 4 <= len(image):
        found.append(at)
        at += 4 + struct.unpack_from("<I", image, at)[0]
    return found


def variants(rng, image):
    """(name, bytes)"""
    starts = borders(image)
    yield "whole", image
    for _ in range(3):
        yield "cut anywhere", image[:rng.randrange(len(image))]
        yield "cut at a border", image[:rng.choice(starts)]
        yield "cut in a size", image[:rng.choice(starts) + rng.randint(1, 3)]
        for wrong in (0, 1, 7, 1 << 16, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF):
            at = rng.choice(starts)
            yield f"size {wrong}", image[:at] + struct.pack("<I", wrong) + image[at + 4:]
        damaged = bytearray(image)
        for _ in range(rng.choice((1, 1, 3, 50))):
            damaged[rng.randrange(8, len(image))] ^= 1 << rng.randrange(8)
        yield "changed", bytes(damaged)
        yield "more behind", image + rng.randbytes(rng.randint(1, 40))
        at = rng.choice(starts)
        yield "a zero entry", image[:at] + bytes(4) + image[at:]


def feed(pipe, data, rng):
    """Short writes, so that reads are short."""
    at = 0
    try:
        while at < len(data):
            size = rng.choice((1, 7, 4096, 65536, 1 << 20))
            pipe.write(data[at:at + size])
            pipe.flush()
            at += size
        pipe.close()
    except BrokenPipeError:
        pass


def run(command, cwd, data=None, seed=0):
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, shell=isinstance(command, str))
    writer = None
    if data is not None:
        writer = threading.Thread(target=feed, args=(process.stdin, data, random.Random(seed)))
        writer.start()
        process.stdin = None
    out, errors = process.communicate(timeout=300)
    if writer:
        writer.join()
    return process.returncode, errors, out


def compare(what, command, cwd, rng, data=None):
    """`command` holds JOBS where the number of threads goes."""
    seed = rng.random()
    one = run([word.replace("JOBS", "1") for word in command], cwd, data, seed)
    number = rng.choice(THREADS)
    several = run([word.replace("JOBS", str(number)) for word in command], cwd, data, seed)
    if one != several:
        problems.append(f"{what}: {' '.join(command)} with {number} threads: exit {several[0]} and {one[0]} with one, "
                        f"{len(several[2])} and {len(one[2])} bytes\n  {several[1][:300]}\n  {one[1][:300]}")
    return one


COMMANDS = [["crit-tojson", "-jJOBS"], ["crit-tojson", "-jJOBS", "--lines"], ["crit-tojson", "-jJOBS", "--pretty"],
            ["crit-tojson", "-jJOBS", "--lines", "--pretty"],
            ["crit-tojson", "-jJOBS", "--lines", "--big-numbers=text"],
            ["crit-grep", "-jJOBS", "flags & PE_LAZY"], ["crit-grep", "-jJOBS", "-v", "compat_nr_pages < 60000"],
            ["crit-grep", "-jJOBS", "-c", "flags & PE_LAZY"], ["crit-grep", "-jJOBS", "-l", "flags & PE_LAZY"],
            ["crit-grep", "-jJOBS", "--lines", "compat_nr_pages > 100 || index == 30000"],
            ["crit-grep", "-jJOBS", "--lines", "vaddr == 1"]]


def damaged_texts(rng, text):
    """(name, bytes) of JSON that was edited."""
    yield "whole", text
    places = [at for at in (text.find(b"}", rng.randrange(len(text))) for _ in range(6)) if at > 0]
    for at in places:
        how = rng.choice((b"", b"}", b",", b", ", b" ", b"\n", b"\xff", b'"', b"\xc3\xa9", b', "flags": 1'))
        yield f"{how!r} put in", text[:at] + how + text[at:]
        yield "cut", text[:at]
        yield "a digit changed", text[:at - 1] + bytes([rng.choice(b"0123456789x")]) + text[at:]
        there = text.find(b"{", at)
        back = text.find(b"{", there + 1)
        if 0 < there < back:
            yield "an entry twice", text[:back] + text[there:back] + text[back:]
            yield "an entry missing", text[:there] + text[back:]
    yield "another behind", text + b'{"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2}]}\n'


def check_back(top, rng):
    """JSON that several threads encode."""
    image = pagemap(rng, rng.choice((700_000, 1_500_000)), [300_000] * (rng.random() < 0.3))
    with open(f"{top}/pagemap-1.img", "wb") as file:
        file.write(image)
    options = rng.choice(([], ["--lines"], ["--pretty"], ["--lines", "--pretty"]))
    text = run(["crit-tojson", *options, "pagemap-1.img"], top)[2]
    if rng.random() < 0.4:      # several images with names: a stream
        os.makedirs(f"{top}/named", exist_ok=True)
        for number in (1, 2, 3):
            with open(f"{top}/named/pagemap-{number}.img", "wb") as file:
                file.write(pagemap(rng, rng.choice((1000, 1_300_000))))
        text = run(["crit-tojson", *(word for word in options if word != "--pretty"), "named"], top)[2]
    elif rng.random() < 0.3:
        text += run(["crit-tojson", *options, "pagemap-1.img"], top)[2]
    for name, damaged in damaged_texts(rng, text):
        what = f"{name} in JSON with {options}"
        if rng.random() < 0.5:
            compare(what, ["crit-fromjson", "-jJOBS"], top, rng, damaged)
            continue
        with open(f"{top}/in.json", "wb") as file:
            file.write(damaged)
        compare(what, ["crit-fromjson", "-jJOBS", "in.json"], top, rng)


def check(top, rng):
    size = rng.choice((600_000, 1_000_000, 2_500_000))
    huge = [rng.randrange(size) for _ in range(rng.choice((0, 0, 1, 3)))]
    for name, image in variants(rng, pagemap(rng, size, huge)):
        command = rng.choice(COMMANDS)
        way = rng.choice(("file", "file", "pipe", "pipe", "directory", "zstd", "archive"))
        with open(f"{top}/pagemap-1.img", "wb") as file:
            file.write(image)
        what = f"{name} by {way}"
        if way == "file":
            compare(what, command + ["pagemap-1.img"], top, rng)
        elif way == "pipe":
            compare(what, command, top, rng, image)
        elif way == "zstd":
            subprocess.run("zstd -qf -1 pagemap-1.img", cwd=top, shell=True, check=True)
            compare(what, command + ["pagemap-1.img.zst"], top, rng)
        else:
            os.makedirs(f"{top}/set", exist_ok=True)
            os.replace(f"{top}/pagemap-1.img", f"{top}/set/pagemap-1.img")
            for other in (2, 3):
                with open(f"{top}/set/pagemap-{other}.img", "wb") as file:
                    file.write(pagemap(rng, rng.choice((100, 900_000))))
            with open(f"{top}/set/fs-1.img", "wb") as file:
                file.write(struct.pack("<II", 0x54564319, 0x51403912) + entry(b"\x08\x01\x10\x02"))
            if way == "archive":
                subprocess.run("tar -cf set.tar set", cwd=top, shell=True, check=True)
            compare(what, command + ["set.tar" if way == "archive" else "set"], top, rng)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["PATH"] = os.path.abspath(sys.argv[1]) + ":" + os.environ["PATH"]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 17
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    with tempfile.TemporaryDirectory(prefix="critpipe-shared-") as top:
        for number in range(rounds):
            check(top, random.Random(seed * 1000 + number))
            check_back(top, random.Random(seed * 1000 + number))
            if problems:
                break
    print("\n".join(problems[:10]) if problems else "shared images: the same as with one thread")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
