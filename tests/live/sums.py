#!/usr/bin/env python3
"""Do the images of "changing" hold the memory that it summed up from inside, and nothing in a parent?

    sums.py DIR REPORT
"""
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
import pages

directory, report = sys.argv[1:]
memories = {name: pages.Memory(directory, name) for name in os.listdir(directory) if name.startswith("pagemap-")}
shared, = (memory for name, memory in memories.items() if name.startswith("pagemap-shmem-"))
wrong = [f"{name}: pages in a parent" for name, memory in memories.items() if memory.count(pages.PARENT)]
with open(report, encoding="ascii") as lines:
    for line in lines:
        pid, kind, start, count, want = line.split()
        memory, start = (shared, 0) if kind == "shared" else (memories[f"pagemap-{pid}.img"], int(start, 16))
        have = 0
        for page in range(int(count)):
            for word, in struct.iter_unpack("<Q", memory.page_at(start + page * pages.PAGE) or bytes(pages.PAGE)):
                have = (have * 31 + word) % (1 << 64)
        if have != int(want, 16):
            wrong.append(f"{line.strip()}: the images have {have:x}")
sys.exit("\n".join(wrong) or 0)
