#!/usr/bin/env python3
"""Takes a dump apart: DIR/3 has every second run of pages in its parent DIR/2, and of those again every second in DIR/1.

    chain.py DUMP DIR
"""
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
import pages

dump, target = sys.argv[1:]
memories = [pages.Memory(dump, name) for name in sorted(os.listdir(dump)) if name.startswith("pagemap-")]
images = [os.path.join(dump, memory.name) for memory in memories]
counts = 5 if any(5 in entry for image in images for entry in list(pages.entries_of(image))[1:]) else 2
for level in (0, 1, 2):
    folder = os.path.join(target, str(level + 1))
    shutil.copytree(dump, folder, ignore=shutil.ignore_patterns("pages-*", "pagemap-*"))
    if level:
        os.symlink(f"../{level}", os.path.join(folder, "parent"))
    for memory in memories:
        pages.write_level(memory, folder, level, counts)
