#!/usr/bin/env python3
"""interleaved.py: images that interrupt each other come out as documents, and the documents as the same images.

usage: interleaved.py BIN
"""
import json
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checking
import feeding
import image_stream
import wire
from checking import check

BIN = os.path.abspath(sys.argv[1])
TOJSON, FROMJSON = BIN + "/crit-tojson", BIN + "/crit-fromjson"


def pagemap(pages_id, count):
    out = wire.PAGEMAP + wire.entry((1, pages_id))
    return out + b"".join(wire.entry((1, 0x7F0000000000 + i * 8192), (2, 1), (4, 4)) for i in range(count))


def extras(size, count):
    """Pipe data: a message with a length, then so many bytes."""
    out = struct.pack("<II", 0x54564319, 0x56453709)
    return out + b"".join(wire.entry((1, i), (2, size)) + bytes([i + 65]) * size for i in range(count))


def interleave(files, piece):
    seq, at = 0, {name: 0 for name in files}
    parts = []
    while at:
        for name in list(at):
            parts.append(image_stream.marker(seq, name=name))
            content = files[name][at[name]:at[name] + piece(name)]
            at[name] += len(content)
            parts.append(image_stream.marker(seq + 1, data=content))
            seq += 2
            if at[name] == len(files[name]):
                del at[name]
                parts.append(image_stream.marker(seq, file_eof=True))
                seq += 1
    parts.append(image_stream.marker(seq, image_eof=True))
    return b"".join(parts)


def one(name, files, piece, wants_parts):
    stream = interleave(files, piece)
    for options in (["--raw"], ["--raw", "--lines"], ["--raw", "--pretty"]):
        label = f"{name} {' '.join(options)}"
        text, err, code = feeding.run([TOJSON, *options], stream)
        check(f"{label}: decodes", (err, code) == ("", 0), err)
        documents = [json.loads(line) for line in text.splitlines()]
        parts = [document["image"] for document in documents if document.get("continued")]
        check(f"{label}: in parts", bool(parts) == wants_parts, len(parts))
        last = {}
        for i, document in enumerate(documents):
            if document.get("continued"):
                last[document["image"]] = i
        check(f"{label}: every part goes on", all(any(later["image"] == image for later in documents[i + 1:])
                                                  for image, i in last.items()))
        if "--lines" not in options:
            decoded = {}
            for document in documents:
                if "entries" in document:
                    decoded.setdefault(document["image"], []).extend(document["entries"])
            for image, entries in decoded.items():
                alone, err, code = feeding.run([TOJSON, *options, "@"], files[image], "file", image)
                check(f"{label}: {image} as by itself", json.loads(alone)["entries"] == entries)
        # Entries one a line could be those of one image, until a second one comes.
        back, err, code = feeding.run([FROMJSON, "--stream"], text)
        check(f"{label}: encodes", (err, code) == ("", 0), err)
        check(f"{label}: the same images", code == 0 and image_stream.read(back) == files)


def peak_memory(data):
    """Of a decoding, in KiB."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); " \
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    out, err, code = feeding.run([sys.executable, "-c", script, TOJSON, "--raw"], data)
    return int(out)


small = {"pages-1.img": os.urandom(300_000), "pagemap-1.img": pagemap(1, 500), "pipes-data.img": extras(5000, 20)}
one("small", small, lambda name: 4096 if name.startswith("pages") else 100, False)
large = {"pages-1.img": os.urandom(12 << 20), "pagemap-1.img": pagemap(1, 120_000), "pages-2.img": os.urandom(9 << 20),
         "pagemap-2.img": pagemap(2, 100_000), "fifo-data.img": b""}
large["fifo-data.img"] = struct.pack("<II", 0x54564319, 0x59333054)
one("large", large, lambda name: 65536, True)
# An entry with a long extra is one piece of text: what comes meanwhile waits.
one("long extras", {"pipes-data.img": extras(3 << 20, 4), "pagemap-1.img": pagemap(1, 300_000)}, lambda name: 65536, True)
check("continued nowhere", feeding.run([FROMJSON], b'{"image": "fs-1.img", "magic": "FS", "entries": [], "continued": true}\n')[1:]
      == ("crit-fromjson: -: offset 71: JSON ends early: the image fs-1.img is continued nowhere\n", 2),
      feeding.run([FROMJSON], b'{"image": "fs-1.img", "magic": "FS", "entries": [], "continued": true}\n')[1])
if len(sys.argv) == 2:
    peak = peak_memory(interleave({"pages-1.img": bytes(64 << 20), "pagemap-1.img": pagemap(1, 400_000)}, lambda name: 65536))
    check("memory", peak < 20 << 10 or "asan" in BIN, peak)
checking.done()
