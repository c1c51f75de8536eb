#!/usr/bin/env python3
"""modes.py: every mode of every program says of every form of a checkpoint what it says of its directory.

usage: modes.py BIN FOLDER ARCHIVES [NAME...]      NAME: of checkpoints; default all

FOLDER holds checkpoint directories, ARCHIVES the archives that they were unpacked from. Each is read as the archive that it came
from, with its members in other orders, as an image stream, as a file on standard input, and as container image: as
docker-archive, OCI archive and OCI directory. The modes are a table; an option that a program has and that stands in none of its
rows is a fault, so that none is forgotten. Of the modes in further forms a share is taken (see sampling.py).
"""
import concurrent.futures
import functools
import gzip
import hashlib
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
import image_stream
from sampling import Sample
import seekable_zstd

BIN, FOLDER, ARCHIVES = map(os.path.abspath, sys.argv[1:4])
EVERY_FORM = ("container", "demo", "memory-4.2")       # of others four forms are enough
FORMS_OF_ALL = 4
failures = []
nr_runs = 0

# @ is the input, {pid} a process with memory, {at} an address of it that is stored, OUT a file or directory that is written.
# Options that say where output goes, how it looks on a terminal, or what limits hold, are no modes: see OTHERS.
MODES = {
    "crit-cat": ["@ --list --json --big-numbers=text", "@", "@ --list", "@ --list --json", "@ --entries 0:1", "@ --stream", "@ --into OUT", "@ --zstd",
                 "@ --zstd --threads 2", "@ --only core-* --list", "@ --except pages-* --list", "@ --set= --list",
                 "@ --into OUT --only pstree.img"],
    "crit-tojson": ["@", "@ --pretty", "@ --lines", "@ --lines --big-numbers=text", "@ --no-payload", "@ --nopl --lines", "@ --raw", "@ --no-wire",
                    "@ --no-newline --only pstree.img", "@ --only mm-* --lines", "@ --except pages-*", "@ --set= --lines", "@ -j 1"],
    "crit-grep": ["--json --big-numbers=text pid>0 @", "pid>0 @", "-v pid>0 @", "-c pid>0 @", "--files-with-matches pid>0 @", "-q pid>0 @", "--lines pid>0 @", "--json pid>0 @",
                  "--pretty pid>0 @", "--stream pid>0 @", "--any=prog @", "--any=PROG -i @", "--any=p.g -F @",
                  "--only mm-* mm_env_start>0 --lines @", "--except mm-* pid>0 @", "--set= -c pid>0 @",
                  "--memory PATH= @", "--memory --vma stack PATH= @", "--memory -c [A-Z]{3,9} @", "--memory -l [A-Z]{3,9} @",
                  "--memory -q PATH= @", "--memory --json PATH= @", "--memory --lines -C 4 PATH= @", "--memory -i path= @",
                  "--memory -F PATH= @", "--memory -x PATH= @", "--memory -o PATH=[!-~]* @", "--memory -f patterns @",
                  "--memory --utf16 PATH @", "--memory --hexbytes 7f454c46 @", "--memory -p {pid} [A-Z]{3,9} -c @",
                  "--memory --range {at}:{end} [a-z]{3,9} -c @", "--memory --prot w PATH= @", "--memory --vma heap [a-z]{3,9} -c @",
                  "--memory --page-size 4K PATH= @", "--memory -j 1 PATH= @", "--memory -j 3 -c [A-Z]{3,9} @", "--memory --vma file=* [a-z]{3,9} -c @",
                  "--memory -c --vma shmem [a-z]{3,9} @", "--memory --vma memfd --json PATH= @"],
    "crit-pages": ["@ --list --json --big-numbers=text", "@", "--summary @", "--summary --json @", "--contents @", "--contents --json @", "--contents -j 1 @",
                   "--list @", "--list --json @", "--by vma @", "--by file @", "--by process @", "--by flags @",
                   "--by vma --contents @", "--by file --json @", "-p {pid} --at {at}:4096 @", "-p {pid} --at {at}:64 --hex @",
                   "-p {pid} --at {at}:8192 --holes zero @", "--argv @", "--env @", "--auxv @", "--argv --env --json @",
                   "--argv --env --holes zero @", "--diff @ {other}", "--diff --json @ {other}", "--map @", "--html OUT @",
                   "--check @", "--check --json @", "-p {pid} --summary @", "--page-size 4K --list @", "--only pagemap-* --list @",
                   "--except pages-* --summary @", "--set= --list @", "--contents --memory 1G @"],
    "crit-x": [f"@ {what}{more}" for what in ("ps", "fds", "mems", "rss", "sk") for more in ("", " --long", " --json", " --lines")]
              + ["@ ps -T", "@ ps -t", "--set= @ ps", "@ fds --json --big-numbers=text"],
    # How large the input is, which some modes say, is another in each form: see inspections.py.
    "crit-inspect": ["--processes -p {pid} @", "--sockets @", "--files @", "--mounts @", "--memory @",
                     "--stats @", "--config @", "--environment @", "--lines @", "--lines --big-numbers=text @", "--set= --lines @"],
    "crit-check": ["@", "--severity note @", "--json @", "--lines --severity note @", "--explain @", "-q @", "--exact @", "--set= @",
                   "--exact --tcp-established --shell-job --ext-unix-sk --file-locks --root / @",
                   "--exact --tcp-close --lazy-pages @", "--external mnt[x]:/y --inherit-fd fd[3]:/x @"],
    "crit-restore": ["--check @", "--check --json @", "--check --shell-job --tcp-established --root / @"],
    "crit-repack": ["--compress @", "--compress=16K -j 1 --acceleration 9 @", "--decompress --stream @", "--flatten @", "--rebase other @",
                    "--drop-zero @", "--only-pages flags&MAP_ANON @", "--drop status&VMA_AREA_STACK @", "--set= --compress @",
                    "--compress --page-size 4K --into OUT @"],
    "crit-stats": ["@", "--table @", "--json @", "--lines @", "--lines --big-numbers=text @", "--page-size 4K @", "--set= @"],
}
# What an archive has beside images travels along, and is another in each form.
IMAGES = " --only=*.img"
for program, marks in (("crit-cat", ("--list", "--only")), ("crit-tojson", ("--only",))):
    MODES[program] = [mode if any(mark in mode for mark in marks) or (program == "crit-tojson" and "--raw" not in mode)
                      else mode + IMAGES for mode in MODES[program]]
OTHERS = {"--output", "--no-sync", "--force", "--partial", "--max-entry", "--max-size", "--help", "--version", "--color",
          "--no-progress", "--all", "--max-count", "--parent", "--parents", "--no-parents", "--format",
          "--threads", "--zstd", "--context"}
OTHERS_OF = {"crit-grep": {"--fields"},              # reads no input
             "crit-check": {"--rules", "--here"},      # of no input; of the machine, as crit-restore --check
             "crit-repack": {"--plan", "--json", "--big-numbers", "--rewrite", "--no-bak"},  # times; a directory
             "crit-inspect": {"--summary", "--json", "--table", "--sort", "--recursive", "--files-from", "--checkpointctl",
                              "--jobs"}}
# Of a program that acts, what only looks at its input: its other options are none of modes.
LOOKING = {"crit-restore"}
# Inputs that are named in a file, or found below a directory.
for program, words in {"crit-cat": "--list", "crit-tojson": "--lines --only=*.img", "crit-grep": "--lines pid>0", "crit-pages": "--list",
                       "crit-x": "mems", "crit-stats": "--lines", "crit-check": "--lines"}.items():
    MODES[program] += [f"{words} --files-from list", f"{words} --recursive @"]
# How a set is written: cases. Other files than images: what an archive has beside them is not in all forms. Matches up to a number: in which order they come
# depends on the form. Parents: parents.py.


def fail(what, detail=""):
    failures.append(what)
    print(f"FAIL {what} {detail}", file=sys.stderr)


def options_in_use(program):
    """The long names of options, and the letter that each has."""
    text = subprocess.run([f"{BIN}/{program}", "--help"], capture_output=True, text=True, check=True).stdout
    return {name: letter for letter, name in re.findall(r"^ +(?:(-\w), )? *(--[\w-]+)", text, re.M)}


def check_table():
    for program, modes in MODES.items():
        if program in LOOKING:
            continue
        words = {word.split("=")[0] for mode in modes for word in mode.split()}
        for name, letter in options_in_use(program).items():
            if name not in OTHERS | OTHERS_OF.get(program, set()) and name not in words and letter not in words:
                fail(f"{program} {name}", "stands in no row of MODES")


def files_of(path):
    files = {}
    for folder, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                files[os.path.relpath(os.path.join(folder, name), path)] = file.read()
    return files


def answer(program, words, folder, stdin=None, called=""):
    """What it prints or writes, in a form that does not depend on the order of members. stdin: bytes of a pipe; or True: the
    file ck is standard input. called: its set, in the layer of a container image."""
    global nr_runs
    nr_runs += 1
    out = os.path.join(folder, "OUT")
    words = [word + called if word == "--set=" else word for word in words]
    command = [f"{BIN}/{program}", *(("-" if word == "@" else word) if stdin else ("ck" if word == "@" else word) for word in words)]
    with open(os.path.join(folder, "ck") if stdin is True else os.devnull, "rb") as file:
        at = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": file}
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, **at)
    text = done.stdout
    def listed(files):  # all that travels along is that of the form
        return "\n".join(f"{name} {len(content)} {hashlib.sha256(content).hexdigest()}" for name, content in files.items()
                         if program != "crit-repack" or name.endswith(".img")).encode()
    if os.path.isdir(out):
        text = listed(files_of(out))
        shutil.rmtree(out)
    elif os.path.exists(out):
        with open(out, "rb") as file:
            text += file.read()
        os.remove(out)
    if text.startswith(b"\x28\xb5\x2f\xfd"):
        text = subprocess.run(["zstd", "-dqc"], input=text, stdout=subprocess.PIPE, check=True).stdout
    try:
        text = listed(image_stream.read(text))
    except (image_stream.Malformed, IndexError, ValueError):
        pass
    # Estimates are made of a sample that depends on the order of the images.
    if b"zstd" in text:
        text = re.sub(rb'"(?:zstd|lz4)": \{[^}]*\}|^ *(?:zstd|lz4) +about .*$', b"", text, flags=re.M)
    one_line = line_of_any_form(bool(stdin), called, "--recursive" in words)
    return [sorted(map(one_line, part.splitlines())) for part in (text, done.stderr)] + [done.returncode]


@functools.cache
def line_of_any_form(is_stdin, called, is_recursive):
    """What gives a line the same words in each form; most lines come in many of them."""
    # How a place is written differs from form to form, and so do the size of the input and what standard input is called.
    changes = [(rb'"input_bytes": "?\d+"?,? ?', b""),
               (rb"(?:ck|(?<![\w.])-)(?:[:/][^ :\"/]+(?:/[^ :\"/]+)*?)??[:/](?:checkpoint/)?(?=[\w-]+(?:\.[\w.]+)?)", b"ck:")]
    if called:
        layer = rb'(?:ck|(?<![\w.])-):[^ :"]*' + called.encode() + rb'[^ :"]*:'
        names = rb'(?<="set": ")' + called.encode() + rb'(?=")|\b' + called.encode() + rb"/| \(" + called.encode() + rb"\)"
        changes += [(layer + rb"(?:checkpoint/)?(?=[\w-]+\.img)", b"ck:"), (layer, b"ck:"), (names, b"")]
    # The set that --recursive finds is one directory deeper than the input.
    if is_recursive:
        changes.append((rb'"checkpoint": "ck:checkpoint"', b'"checkpoint": "ck"'))
    if is_stdin:
        changes += [(rb'"(checkpoint|image)": "-"', rb'"\1": "ck"'), (rb'(^|==> |: )-(?=[: (]|$)', rb"\1ck")]
    # What is of no image has the place of the set, which may stand at the top or in its usual directory.
    changes.append((rb'\bck:checkpoint(?=[:"])', b"ck"))
    # So is a table's column as wide as the longest name.
    changes.append((rb" +", b" "))
    changes = [(re.compile(pattern), to) for pattern, to in changes]

    @functools.lru_cache(100_000)
    def changed(line):
        for pattern, to in changes:
            line = pattern.sub(to, line)
        return line
    return changed


def checkpoint_files(path):
    """The images of a directory of podman or CRIU, with their names in an archive of podman."""
    files = files_of(path)
    if not any(name.startswith("checkpoint/") for name in files):
        files = {"checkpoint/" + name: content for name, content in files.items()}
    return files


def forms_of(path, archive, all_of_them):
    """(name, bytes of a file or files of a directory, is it to be read from a pipe, or as "file" from standard input, and what
    its set is called)"""
    files = checkpoint_files(path)
    pages_first = sorted(files.items(), key=lambda item: "/pages-" not in item[0])
    layer = container_images.tar(sorted(files.items()))
    layers = [container_images.file_system(), layer]
    with open(archive, "rb") as file:
        yield "archive", file.read(), False, ""
    yield "pages first, from a pipe", container_images.zstd(container_images.tar(pages_first)), True, ""
    yield "OCI directory", container_images.oci_files(layers), False, container_images.set_of(container_images.gz(layer))
    pages_last = sorted(files.items(), key=lambda item: "/pages-" in item[0])
    yield "pages last, as standard input", container_images.tar(pages_last), "file", ""
    if not all_of_them:
        return
    yield "pages first", container_images.tar(pages_first), False, ""
    yield "reversed", container_images.tar(sorted(files.items(), reverse=True)), False, ""
    shuffled = sorted(files.items())
    random.Random(7).shuffle(shuffled)
    yield "shuffled", container_images.tar(shuffled), False, ""
    yield "seekable tar.zst", seekable_zstd.pack(layer, 100_000), False, ""
    yield "seekable tar.zst, pages first", seekable_zstd.pack(container_images.tar(pages_first), 1 << 20), False, ""
    plain = container_images.set_of(layer)
    yield "docker-archive", container_images.docker_archive(layers), False, plain
    yield "docker-archive, from a pipe", container_images.docker_archive(layers[::-1]), True, plain
    yield "old docker-archive", gzip.compress(container_images.old_docker_archive(layers), 1), False, plain
    first = container_images.tar(pages_first)
    yield "OCI archive", container_images.oci_archive([first]), False, container_images.set_of(container_images.gz(first))
    packed = container_images.oci_archive(layers, "./image/", container_images.zstd)
    yield "OCI archive in a folder, from a pipe", packed, True, container_images.set_of(container_images.zstd(layer))
    docker = {container_images.digest(layer): layer, "manifest.json": b"{}", "version": b"1"}
    yield "docker directory", docker, False, plain


def values_of(folder):
    """A process with memory, and two pages of it that are stored."""
    lines = subprocess.run([f"{BIN}/crit-pages", "--list", "--json", "ck"], cwd=folder, capture_output=True, text=True).stdout
    runs = [json.loads(line) for line in lines.splitlines()]
    stored = [run for run in runs if run.get("pid") and run["pages_image"] and run["nr_pages"] >= 2]
    return {"other": "other", "pid": stored[0]["pid"], "at": hex(stored[0]["vaddr"]), "end": hex(stored[0]["vaddr"] + 8192)} if stored else None


def prepare(work, number, content, other):
    folder = os.path.join(work, str(number))
    os.makedirs(folder)
    with open(os.path.join(folder, "patterns"), "w") as file:
        file.write("PATH=\nHOME=\n")
    with open(os.path.join(folder, "list"), "w") as file:
        file.write("ck\n")
    shutil.copytree(other, os.path.join(folder, "other"), symlinks=True)
    if isinstance(content, dict):
        container_images.write_files(os.path.join(folder, "ck"), content)
    elif isinstance(content, bytes):
        with open(os.path.join(folder, "ck"), "wb") as file:
            file.write(content)
    else:
        shutil.copytree(content, os.path.join(folder, "ck"), symlinks=True)
    return folder


def one_checkpoint(name, other):
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(FOLDER, name)
        reference = prepare(work, 0, path, other)
        values = values_of(reference)
        if not values:
            return fail(name, "has no process with memory")
        modes = [(program, [re.sub(r"\{([a-z]+)\}", lambda match: str(values[match[1]]), word) for word in mode.split()])
                 for program, rows in MODES.items() for mode in rows]
        wanted = [answer(program, words, reference) for program, words in modes]
        forms = forms_of(path, os.path.join(ARCHIVES, name + ".tar.zst"), name in EVERY_FORM)
        sample = Sample(4)
        for number, (form, content, piped, called) in enumerate(forms, 1):
            folder = prepare(work, number, content, other)
            for (program, words), want in zip(modes, wanted):
                if program in LOOKING and piped:  # what it looks at, it reads twice
                    continue
                # Each form with each program, each mode with some forms, and those that all checkpoints have with all.
                if number > FORMS_OF_ALL and not sample.takes((form, program)):
                    continue
                got = answer(program, words, folder, True if piped == "file" else content if piped else None, called)
                if got != want:
                    fail(f"{name} as {form}: {program} {' '.join(words)}", first_difference(want, got))


def first_difference(want, got):
    for one, two in zip(want, got):
        if one == two:
            continue
        if isinstance(one, int):
            return f"exit {one} and {two}"
        missing = [line for line in one if line not in two][:1]
        added = [line for line in two if line not in one][:1]
        return f"wanted {str(missing)[:300]} got {str(added)[:300]}"
    return ""


check_table()
names = sorted(entry.name for entry in os.scandir(FOLDER) if os.path.exists(os.path.join(ARCHIVES, entry.name + ".tar.zst"))
               and entry.name in (sys.argv[4:] or [entry.name]))
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for done in [pool.submit(one_checkpoint, name, os.path.join(FOLDER, names[0])) for name in names]:
        done.result()
if not names:
    fail("there are checkpoints")
print(f"{len(names)} checkpoints, {nr_runs} runs, {len(failures)} failures")
sys.exit(1 if failures else 0)
