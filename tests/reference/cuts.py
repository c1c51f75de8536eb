#!/usr/bin/env python3
"""cuts.py: of compressed data that is cut short or damaged, all that can be unpacked comes out before the error line.

usage: cuts.py BIN [PLACES]      PLACES: how many in the middle, default 12

An image, a tar and an image stream are compressed in every way and cut at many places. As many bytes must come out as the
compressor's own program gives, and what they hold must be what the same bytes give that were never compressed.
"""
import bz2
import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import sys
import tarfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checking
import feeding
import image_stream
from checking import check

CAT = os.path.abspath(sys.argv[1]) + "/crit-cat"
PLACES = int(sys.argv[2]) if len(sys.argv) > 2 else 12
CHANCE = random.Random(3)


def through(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout


# name: how to compress, how to unpack. The blocks are small, and one way has several frames.
WAYS = {
    "zstd": (lambda data: through(["zstd", "-qc", "-1"], data), ["zstd", "-dqc"]),
    "gz": (lambda data: gzip.compress(data, 1), ["gzip", "-dc"]),
    "gz twice": (lambda data: gzip.compress(data[:70000], 1) + gzip.compress(data[70000:], 9), ["gzip", "-dc"]),
    "xz": (lambda data: lzma.compress(data, preset=0), ["xz", "-dc"]),
    "bz2": (lambda data: bz2.compress(data, 1), ["bzip2", "-dc"]),
    "lz4": (lambda data: through(["lz4", "-qc", "-B4"], data), ["lz4", "-dqc"]),
    "lz4 of sums": (lambda data: through(["lz4", "-qc", "-B4", "-BX", "-BD"], data), ["lz4", "-dqc"]),
}


def pagemap(entries):
    """A pagemap of random addresses, so that it does not become small."""
    payloads = [b"\x08\x01"]
    for _ in range(entries):
        vaddr, number = CHANCE.getrandbits(35) | 1 << 34, b""
        while vaddr > 127:
            number += bytes([vaddr & 127 | 128])
            vaddr >>= 7
        payloads.append(b"\x08" + number + bytes([vaddr]) + b"\x10" + bytes([CHANCE.getrandbits(7)]) + b"\x20\x04")
    return struct.pack("<II", 0x54564319, 0x56084025) + b"".join(struct.pack("<I", len(p)) + p for p in payloads)


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def raw_name(way):
    return "pages-1.img." + {"zstd": "zst"}.get(way, way.split()[0])


def unpacked(way, data):
    """What comes out of it as a raw image, which passes through as it is."""
    return feeding.run([CAT, "@"], data, "file", raw_name(way))


def places(size):
    """Where to cut: near both ends and in between, but behind the magic."""
    return sorted({7, 12, 19, *(CHANCE.randrange(20, size - 20) for _ in range(PLACES)), size - 9, size - 5, size - 1})


def members(stream):
    """Bytes of each file, and whether it ended, however its markers cut it up; the stream itself may have no end."""
    found, current = {}, None
    for _, fields, data in image_stream.markers(stream):
        current = fields.get(2, current)
        content, ended = found.get(current, (b"", False))
        found[current] = content + data, ended or 4 in fields
    return found


def cut(way, pack, unpack, forms):
    for form, plain in forms.items():
        packed = pack(plain)
        check(f"{way} of {form}: whole", unpacked(way, packed) == (plain, "", 0))
        for at in places(len(packed)):
            what = f"{way} of {form}, cut at {at} of {len(packed)}"
            peer = through(unpack, packed[:at])
            out, err, code = unpacked(way, packed[:at])
            check(f"{what}: bytes", plain.startswith(out) and len(out) >= len(peer), f"{len(out)} of {len(peer)}")
            check(f"{what}: error", (err, code) == (f"crit-cat: {raw_name(way)}: offset {at}: {way.split()[0]} data cut short\n", 2),
                  err)
            if len(out) < 1024:  # the form is not to be seen
                continue
            got = feeding.run([CAT, "@"], packed[:at], "pipe")
            want = feeding.run([CAT, "@"], out, "pipe")
            same = got[0] == want[0] if form == "an image" else members(got[0]) == members(want[0])
            check(f"{what}: what they hold", same and got[2] == 2, f"{len(got[0])} of {len(want[0])}")


def damaged(way, pack, unpack, plain):
    """What comes after the place may be anything; nothing before it is lost."""
    packed = pack(plain)
    for at in (CHANCE.randrange(len(packed) // 2, len(packed) - 30) for _ in range(8)):
        there = packed[:at] + bytes(byte ^ 0x5a for byte in packed[at:at + 4]) + packed[at + 4:]
        out, err, code = unpacked(way, there)
        least = max((through(unpack, part) for part in (packed[:at], there)), key=len)
        check(f"{way} damaged at {at}: bytes", len(out) >= len(least), f"{len(out)} of {len(least)}, {err}")
        check(f"{way} damaged at {at}: error", code == 2 and err.count("\n") == 1, err)


def tails(way, pack, plain):
    whole = pack(plain)
    out, err, code = unpacked(way, whole + b"\0\0\0\0" * 3)
    wanted = 0 if way.startswith(("gz", "xz")) else 2
    check(f"{way} with zeros behind", (out, code) == (plain, wanted), err)
    out, err, code = unpacked(way, whole + b"tail and more")
    check(f"{way} with a tail", (out, code) == (plain, 2) and err.count("\n") == 1, err)
    check(f"{way} twice", unpacked(way, whole + whole) == (plain + plain, "", 0))


one, other = pagemap(20000), pagemap(3000)
files = {"pagemap-1.img": other, "pages-1.img": CHANCE.randbytes(90000), "pagemap-2.img": one}
forms = {"an image": one, "a tar": tar(files), "a stream": image_stream.write(files.items())}
for name, (packer, unpacker) in WAYS.items():
    cut(name, packer, unpacker, forms)
    damaged(name, packer, unpacker, one)
    tails(name, packer, other)
checking.done()
