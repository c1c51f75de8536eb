#!/usr/bin/env python3
"""Edits a checkpoint on its way: JSON lines of crit-tojson --raw in, the same lines with the edits out.

    edit.py [host=NAME] [offset=FILE:POSITION] [memory=OLD:NEW]...

host sets the node name of every uts namespace; offset sets where the regular file whose path ends in FILE is read next;
memory replaces a text by another of the same length in the bytes of pages images. An edit that changed nothing is an
error.
"""
import base64
import binascii
import json
import sys


def edit_host(document, name):
    if not document.get("image", "").startswith("utsns-"):
        return 0
    for entry in document["entries"]:
        entry["nodename"] = name
    return len(document["entries"])


def edit_offset(document, file, position):
    done = 0
    if document.get("image", "") in ("files.img", "reg-files.img"):
        for entry in document["entries"]:
            reg = entry.get("reg", entry)
            if str(reg.get("name", "")).endswith(file):
                reg["pos"] = int(position)
                done += 1
    return done


def edit_memory(value, old, new):
    """Returns value with every base64 text in it edited, and how often."""
    if isinstance(value, dict):
        pairs = {key: edit_memory(child, old, new) for key, child in value.items()}
        return {key: pair[0] for key, pair in pairs.items()}, sum(pair[1] for pair in pairs.values())
    if isinstance(value, list):
        pairs = [edit_memory(child, old, new) for child in value]
        return [pair[0] for pair in pairs], sum(pair[1] for pair in pairs)
    if not isinstance(value, str) or len(value) < 4096:
        return value, 0
    try:
        data = base64.b64decode(value.replace("\n", ""), validate=True)
    except binascii.Error:
        return value, 0
    if old not in data:
        return value, 0
    encode = base64.encodebytes if "\n" in value else base64.b64encode
    return encode(data.replace(old, new)).decode(), data.count(old)


def main():
    edits = [argument.partition("=")[::2] for argument in sys.argv[1:]]
    done = [0] * len(edits)
    for line in sys.stdin.buffer:
        # Lines that are not edited pass as they are.
        document, changed = None, 0
        for i, (what, how) in enumerate(edits):
            wanted = {"host": b'"utsns-', "offset": b'files.img"', "memory": b'"pages-'}[what]
            if wanted not in line[:200]:
                continue
            document = document or json.loads(line, strict=False)
            if what == "host":
                count = edit_host(document, how)
            elif what == "offset":
                count = edit_offset(document, *how.rsplit(":", 1))
            else:
                old, new = (text.encode() for text in how.split(":"))
                if len(old) != len(new):
                    sys.exit("edit.py: memory: texts of different length")
                document, count = edit_memory(document, old, new)
            done[i] += count
            changed += count
        sys.stdout.buffer.write(json.dumps(document).encode() + b"\n" if changed else line)
    for count, (what, how) in zip(done, edits):
        if count == 0:
            sys.exit(f"edit.py: {what}={how}: nothing to edit")


main()
