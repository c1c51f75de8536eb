#!/usr/bin/env python3
"""parents.py: a parent that is given by --parent INPUT, or that is in the same archive or stream, gives what the link `parent` gives.

usage: parents.py BIN FOLDER

FOLDER holds checkpoint directories. Each is cut into a chain: a third of the entries of its pagemaps is stored, a third is in
the parent, and a third in the parent of that. Archives and streams have the members in several orders. Of the modes in all of
these a share is taken (see sampling.py).
"""
import functools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import container_images
from sampling import Sample

BIN, FOLDER = map(os.path.abspath, sys.argv[1:3])
LINKS = 3                           # sets of a chain
IN_PARENT, PRESENT = 1, 4
SAMPLE = Sample(4)
failures = []
nr_runs = 0

MODES = [("crit-pages", f"{mode} @") for mode in ("--argv", "--env", "--argv --env --json --holes zero", "--check", "--check --json",
                                                  "--diff whole", "--diff --json whole", "-p {pid} --at {at}:8192 --holes zero",
                                                  "--memory 4K -p {pid} --at {at}:65536 --holes zero")]
MODES += [("crit-grep", f"--memory {mode} @") for mode in ("PATH=", "--json [A-Z]{3,9}", "-c [a-z]{3,9}", "-q PATH=", "-x PATH=",
                                                           "--vma stack PATH=", "-p {pid} -c [a-z]{3,9}", "-l PATH=",
                                                           "--range {at}:{end} -C 4 [a-z]{3,9}")]


def fail(what, detail=""):
    failures.append(what)
    print(f"FAIL {what} {detail}", file=sys.stderr)


def run(program, words, folder, stdin=None, file=None):
    """stdin: bytes from a pipe; file: the name of a file at standard input."""
    global nr_runs
    nr_runs += 1
    with open(os.path.join(folder, file) if file else os.devnull, "rb") as opened:
        at = {"input": stdin} if stdin else {"stdin": opened}
        done = subprocess.run([f"{BIN}/{program}", *words], cwd=folder, capture_output=True, timeout=120, **at)
    out = done.stdout.replace(b'"checkpoint": "-"', b'"checkpoint": "ck"') if stdin or file else done.stdout
    return sorted(out.splitlines()), sorted(done.stderr.replace(b" -:", b" ck:").splitlines()), done.returncode


def read_pagemap(path):
    return json.loads(subprocess.run([f"{BIN}/crit-tojson", path], stdout=subprocess.PIPE, check=True).stdout)


def cut(path, level, into):
    """The set `level` of the chain, 0 is the last: entry i of a pagemap is stored where i % LINKS says so."""
    shutil.copytree(path, into)
    for name in sorted(os.listdir(into)):
        if not name.startswith("pagemap-"):
            continue
        document = read_pagemap(os.path.join(into, name))
        head, *entries = document["entries"]
        pages_name = os.path.join(into, f"pages-{head['pages_id']}.img")
        with open(pages_name, "rb") as file:
            pages = file.read()
        at, kept, gone = 0, [], []
        for number, entry in enumerate(entries):
            size = (entry.get("nr_pages") or entry.get("compat_nr_pages")) * 4096
            is_stored = entry["flags"] & PRESENT
            stored_at = number % LINKS
            if is_stored and stored_at == level:
                kept.append(pages[at:at + size])
            elif is_stored and stored_at > level:
                entry["flags"] = IN_PARENT
            elif is_stored:
                gone.append(entry)          # not yet there, or changed since
            at += size if is_stored else 0
        document["entries"] = [head] + [entry for entry in entries if entry not in gone]
        with open(pages_name, "wb") as file:
            file.write(b"".join(kept))
        encoded = subprocess.run([f"{BIN}/crit-fromjson"], input=json.dumps(document).encode(), stdout=subprocess.PIPE, check=True)
        with open(os.path.join(into, name), "wb") as file:
            file.write(encoded.stdout)


def files_of(path):
    files = {}
    for name in sorted(os.listdir(path)):
        if not os.path.islink(os.path.join(path, name)):
            with open(os.path.join(path, name), "rb") as file:
                files["checkpoint/" + name] = file.read()
    return files


def write_as(form, source, target):
    """A set in a form: as a directory, as archives, as a container image."""
    files = files_of(source)
    if form == "directory":
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("parent"))
    elif form == "OCI directory":
        container_images.write_files(target, container_images.oci_files([container_images.tar(files.items())]))
    else:
        content = {"tar": lambda: container_images.tar(files.items()),
                   "tar.zst, pages first": lambda: container_images.zstd(
                       container_images.tar(sorted(files.items(), key=lambda item: "/pages-" not in item[0]))),
                   "stream": lambda: subprocess.run([f"{BIN}/crit-cat", source], stdout=subprocess.PIPE, check=True).stdout}[form]()
        with open(target, "wb") as file:
            file.write(content)


def members_of_chain(work):
    """The sets of the chain side by side, with links."""
    members = []
    for level in range(LINKS):
        name = f"set-{level}"
        members += [(f"{name}/{file.removeprefix('checkpoint/')}", content)
                    for file, content in files_of(os.path.join(work, name)).items()]
        if level + 1 < LINKS:
            members.append((f"{name}/parent", f"-> ../set-{level + 1}"))
    return sorted(members)


def in_orders(members):
    """(name, members) in the orders in which an archive may have them."""
    def is_pages(member):
        return "/pages-" in member[0]
    shuffled = list(members)
    random.Random(7).shuffle(shuffled)
    yield "pages last", sorted(members, key=is_pages)
    yield "pages first", sorted(members, key=lambda member: not is_pages(member))
    yield "reversed", members[::-1]
    yield "shuffled", shuffled


def packed_chains(linked, work):
    """(name, bytes, the set that is asked for): the checkpoint and its parents in one input."""
    as_tar, as_stream = ([f"{BIN}/crit-cat", "--parents", "ck", *more] for more in (["--format", "tar", "-o", "full"], ["-o", "full"]))
    for name, command in ("tar of --parents", as_tar), ("stream of --parents", as_stream):
        subprocess.run(command, cwd=linked, check=True)
        with open(os.path.join(linked, "full"), "rb") as file:
            yield name, file.read(), None
        os.remove(os.path.join(linked, "full"))
    for order, members in in_orders(members_of_chain(work)):
        yield f"tar with links, {order}", container_images.tar(members), "set-0"
    named = [(re.sub(r"^set-0/", "checkpoint/", re.sub(r"^set-1/", "pre-checkpoint/", re.sub(r"^set-2/", "pre-checkpoint-2/", name))), content)
             for name, content in members_of_chain(work) if isinstance(content, bytes)]
    for order, members in in_orders(named):
        yield f"tar, {order}", container_images.tar(members), None


def values_of(path):
    lines = subprocess.run([f"{BIN}/crit-pages", "--list", "--json", path], capture_output=True, text=True).stdout
    runs = [json.loads(line) for line in lines.splitlines()]
    run = next(run for run in runs if run.get("pid") and run["nr_pages"] >= 2 and run["flags"] & IN_PARENT)
    return {"pid": str(run["pid"]), "at": hex(run["vaddr"]), "end": hex(run["vaddr"] + 8192)}


def one_chain(name):
    path = os.path.join(FOLDER, name)
    path = os.path.join(path, "checkpoint") if os.path.isdir(os.path.join(path, "checkpoint")) else path
    with tempfile.TemporaryDirectory() as work:
        for level in range(LINKS):
            cut(path, level, os.path.join(work, f"set-{level}"))
        linked = os.path.join(work, "linked")
        os.mkdir(linked)
        shutil.copytree(os.path.join(work, "set-0"), os.path.join(linked, "ck"))
        os.symlink("../../set-1", os.path.join(linked, "ck", "parent"))
        os.symlink("../set-2", os.path.join(work, "set-1", "parent"))
        shutil.copytree(path, os.path.join(linked, "whole"))
        values = values_of(os.path.join(linked, "ck"))
        modes = []
        for program, mode in MODES:
            for key, value in values.items():
                mode = mode.replace("{" + key + "}", value)
            modes.append((program, mode.split()))

        def answer(program, words, folder, parents=(), piped=None):
            return run(program, [*parents, *("-" if piped and word == "@" else "ck" if word == "@" else word for word in words)],
                       folder, piped)
        wanted = [answer(program, words, linked) for program, words in modes]
        if any(code == 2 for _, _, code in wanted) or wanted[MODES.index(("crit-grep", "--memory PATH= @"))][2] != 0:
            return fail(name, f"the chain with links is not right: {[answer[1:] for answer in wanted]}")
        for number, (form, parent_form, piped) in enumerate((
                ("directory", "directory", False), ("tar", "tar.zst, pages first", False), ("tar.zst, pages first", "stream", True),
                ("directory", "tar", False), ("OCI directory", "OCI directory", False), ("tar", "directory", False))):
            folder = os.path.join(work, str(number))
            os.mkdir(folder)
            shutil.copytree(path, os.path.join(folder, "whole"))
            write_as(form, os.path.join(work, "set-0"), os.path.join(folder, "ck"))
            parents = []
            for level in range(1, LINKS):
                write_as(parent_form, os.path.join(work, f"set-{level}"), os.path.join(folder, f"parent-{level}"))
                parents += ["--parent", f"parent-{level}"]
            content = open(os.path.join(folder, "ck"), "rb").read() if piped else None
            for (program, words), want in zip(modes, wanted):
                if piped and "--memory 4K" in " ".join(words):
                    continue                # all of a pipe is held, and that is more
                if not SAMPLE.takes((form, parent_form, *words)):
                    continue
                got = answer(program, words, folder, parents, content)
                if form == "OCI directory":  # its layer names the set
                    got = (sorted(re.sub(rb'"set": "[0-9a-f]{12}"', b'"set": ""', line) for line in got[0]), *got[1:])
                    want = (sorted(want[0]), *want[1:])
                if got != want:
                    fail(f"{name}, {form}{' from a pipe' if piped else ''}, parents as {parent_form}: {program} {' '.join(words)}",
                         f"wanted {str(want)[:300]} got {str(got)[:300]}")


        packed(name, path, linked, work, modes, wanted)


def packed(name, path, linked, work, modes, wanted):
    for number, (form, content, chosen) in enumerate(packed_chains(linked, work)):
        folder = os.path.join(work, f"packed-{number}")
        os.mkdir(folder)
        shutil.copytree(path, os.path.join(folder, "whole"))
        with open(os.path.join(folder, "ck"), "wb") as file:
            file.write(content)
        select = ["--set", chosen] if chosen else []
        for (program, words), want in zip(modes, wanted):
            if chosen and "--diff" in words:
                continue                    # the other has no such set
            inputs = {"a file": (["ck" if word == "@" else word for word in words], None)}
            if "whole" not in words:
                inputs["standard input"] = (["-" if word == "@" else word for word in words], "ck")
            for how, (line, file) in inputs.items():
                if not SAMPLE.takes((form, how, program)):
                    continue
                out, errors, code = run(program, [*select, *line], folder, file=file)
                if chosen:
                    out = [line.replace(f'"set": "{chosen}"'.encode(), b'"set": ""') for line in out]
                got = [place_free(out), place_free(errors), code]
                if got != [place_free(want[0]), place_free(want[1]), want[2]]:
                    fail(f"{name}, {form}, as {how}: {program} {' '.join(words)}", f"wanted {str(want)[:300]} got {str(got)[:300]}")


def place_free(lines):
    """Places of images differ from form to form."""
    return sorted(map(without_place, lines))


@functools.lru_cache(100_000)
def without_place(line):
    return re.sub(rb"(?:ck|-)(?::[^ :\"]*)?[:/](?=[\w-]+\.img)", b"ck:", line)


names = [name for name in ("demo", "memory-4.1", "memory-4.2", "shop-4.1", "container") if os.path.isdir(os.path.join(FOLDER, name))]
for name in names:
    one_chain(name)
if not names:
    fail("there are checkpoints")
print(f"{len(names)} chains, {nr_runs} runs, {len(failures)} failures")
sys.exit(1 if failures else 0)
