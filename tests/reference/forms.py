#!/usr/bin/env python3
"""forms.py: every form of a checkpoint gives the same images.

usage: forms.py BIN FOLDER [ARCHIVES]

FOLDER holds checkpoint directories. Each is packed as tar (of several makers), tar.gz, tar.zst (also in frames and seekable), tar.xz, tar.lz4, tar.bz2,
image stream, shards, compressed stream; each form is read as a file, from a pipe or byte by byte, which changes from
checkpoint to checkpoint (with CRITPIPE_TEST_LONG=ON in all three ways), and must decode as the directory does, on one core and on
several. ARCHIVES holds archives that podman and criu-image-streamer made.
"""
import bz2
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checking
import feeding
import image_stream
import seekable_zstd
from checking import check
from sampling import LONG

BIN = os.path.abspath(sys.argv[1])
CAT, TOJSON = BIN + "/crit-cat", BIN + "/crit-tojson"


def natural(name):
    """Numbers by value, everything else by bytes; against another byte a number sorts as a digit does."""
    return [("0", int(part)) if part.isdigit() else (part, 0) for part in re.findall(r"\d+|.", name)]


def is_image(name):
    return name.endswith(".img") or name in ("stats-dump", "stats-restore", "irmap-cache")


# Members that are no images, which are passed on, too.
EXCEPT = [f"--except={glob}" for glob in ("*.json", "*.dump", "*.log", "*.tar", "network.status", "artifacts")]


def read_folder(path):
    """Its images in the order of their names, numbers by value; those of an unpacked container checkpoint are in `checkpoint`."""
    entries = list(os.scandir(path))
    inner = os.path.join(path, "checkpoint")
    if not any(entry.name.endswith(".img") for entry in entries) and os.path.isdir(inner):
        entries += os.scandir(inner)
    files = {}
    for entry in sorted(entries, key=lambda entry: natural(entry.name)):
        if entry.is_file(follow_symlinks=False) and is_image(entry.name):
            with open(entry.path, "rb") as file:
                files[entry.name] = file.read()
    return files


def tar(files, form, folder, with_folder):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        if with_folder and folder:
            info = tarfile.TarInfo(folder.rstrip("/"))
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(folder + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def through(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def shards(files, count):
    """The markers of a stream dealt out over shards, files in turns."""
    out, seq = [b""] * count, 0

    def put(**fields):
        nonlocal seq
        shard = seq * 7 % count if seq else 0
        out[shard] += image_stream.marker(seq, **fields)
        seq += 1

    waiting = {name: [content[at:at + 3000] for at in range(0, len(content), 3000)] for name, content in files.items()}
    while waiting:
        for name in list(waiting)[:3]:
            put(name=name)
            if waiting[name]:
                put(data=waiting[name].pop(0))
            else:
                put(file_eof=True)
                del waiting[name]
    put(image_eof=True)
    return out


def without_set(answer):
    """What crit-tojson prints, but for which checkpoint it is of: that differs from form to form."""
    out, err, code = answer
    out = re.sub(rb'"checkpoint": "[^"]*", "set": "[^"]*", ', b"", out) if isinstance(out, bytes) else \
        re.sub(r'"checkpoint": "[^"]*", "set": "[^"]*", ', "", out)
    return out.replace(b'"image": "dump-1/', b'"image": "') if isinstance(out, bytes) else \
        out.replace('"image": "dump-1/', '"image": "'), err, code


def every_form(files, stream):
    yield "tar of checkpoint/", tar(files, tarfile.GNU_FORMAT, "checkpoint/", True)
    yield "pax tar of ./", tar(files, tarfile.PAX_FORMAT, "./", False)
    yield "ustar of names", tar(files, tarfile.USTAR_FORMAT, "", False)
    plain = tar(files, tarfile.USTAR_FORMAT, "dump-1/", True)
    yield "tar of dump-1/", plain
    yield "tar of dump-1/, no entry for it", tar(files, tarfile.GNU_FORMAT, "dump-1/", False)
    yield "tar.gz", gzip.compress(plain, 1)
    yield "tar.zst", through(["zstd", "-qc"], plain)
    yield "seekable tar.zst", seekable_zstd.pack(plain, 5000)
    yield "seekable tar.zst, sums in the table alone", seekable_zstd.pack(plain, 70_000, sums_in_frames=False)
    yield "seekable tar.zst, no sums", seekable_zstd.pack(plain, 70_000, sums_in_table=False)
    yield "tar.zst in frames", seekable_zstd.pack(plain, 5000, table=False)
    yield "seekable tar.zst with a table of another", seekable_zstd.pack(plain, 5000, table=False) + seekable_zstd.make_table([(9, 9, 9)] * 3)
    yield "tar.xz", lzma.compress(plain, preset=0)
    yield "tar.bz2", bz2.compress(plain, 1)
    yield "tar.lz4", through(["lz4", "-qc"], plain)
    yield "tar.zst.gz", gzip.compress(through(["zstd", "-qc"], plain), 1)
    yield "stream", stream
    yield "stream in zstd", through(["zstd", "-qc"], stream)
    yield "stream in lz4", through(["lz4", "-qc"], stream)
    yield "stream of another writer", image_stream.write(files.items())


def written(name, path, files):
    """What the programs write themselves: any zstd unpacks it, and its table says where its frames are."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "new.tar.zst")
        command = [CAT, *EXCEPT, "--no-parents", path, "--force", "-o", out]
        got = feeding.run([*command, "--threads=1"])
        check(f"{name}: -o new.tar.zst", got == (b"", "", 0), got[1])
        with open(out, "rb") as file:
            packed = file.read()
        plain = through(["zstd", "-dqc"], packed)
        with tarfile.open(fileobj=io.BytesIO(plain)) as tarball:
            there = {member.name: tarball.extractfile(member).read() for member in tarball if member.isfile()}
        check(f"{name}: zstd -dc | tar", {os.path.basename(image): data for image, data in there.items()} == files)
        parts = [through(["zstd", "-dqc"], frame) for frame, *_ in seekable_zstd.frames(packed)]
        check(f"{name}: its frames by themselves", b"".join(parts) == plain)
        said = [(size, seekable_zstd.sum_of(frame) == one_sum) for frame, size, one_sum in seekable_zstd.frames(packed)]
        check(f"{name}: sizes and sums of its table", said == [(len(part), True) for part in parts])
        feeding.run([*command, "--threads=3"])
        with open(out, "rb") as file:
            check(f"{name}: with three threads", file.read() == packed)
        for words in (["--list"], [], ["--only", "core-*"], ["--only", "pages-*"]):
            got = feeding.run([CAT, *words, "@"], packed)
            check(f"{name}: crit-cat {' '.join(words)} of it", got == feeding.run([CAT, *words, "@"], packed, "pipe"), got[1])


def one_checkpoint(name, path, number):
    files = read_folder(path)
    stream, err, code = feeding.run([CAT, *EXCEPT, path])
    check(f"{name}: crit-cat", code == 0 and err == "", err)
    try:
        read = image_stream.read(stream)
    except image_stream.Malformed as why:
        return check(f"{name}: the stream is malformed", False, why)
    check(f"{name}: the stream holds the images", read == files and list(read) == list(files))
    want, err, code = without_set(feeding.run([TOJSON, "--raw", "-j1", *EXCEPT, path]))
    check(f"{name}: crit-tojson", code == 0 and err == "", err)
    written(name, path, files)
    check(f"{name}: -j4", without_set(feeding.run([TOJSON, "--raw", "-j4", *EXCEPT, path])) == (want, "", 0))
    for form, data in every_form(files, stream):
        number += 1
        feeds = feeding.FEEDS if len(data) <= 2_000_000 else feeding.FEEDS[:2]
        for how in feeds if LONG else [feeds[number % len(feeds)]]:
            got = without_set(feeding.run([TOJSON, "--raw", "@"], data, how))
            check(f"{name}: {form} as {how}", got == (want, "", 0), got[1])
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, shard in enumerate(shards(files, 3)):
            paths.append(os.path.join(folder, f"shard-{i}"))
            with open(paths[-1], "wb") as file:
                file.write(shard)
        for order in (paths, paths[::-1]):
            out, err, code = feeding.run([CAT, *order])
            check(f"{name}: shards", code == 0 and image_stream.read(out) == files, err)
        new = os.path.join(folder, "new")
        out, err, code = feeding.run([CAT, "@", "--into", new], stream, "pipe")
        check(f"{name}: --into", (out, err, code) == (b"", "", 0), err)
        check(f"{name}: --into gives the files", read_folder(new) == files and len(os.listdir(new)) == len(files))
        check(f"{name}: of mode 0600", all(entry.stat().st_mode & 0o777 == 0o600 for entry in os.scandir(new)))
    for image, content in list(files.items())[:40]:
        got = feeding.run([CAT, "@"], content, "file", image)
        check(f"{name}: crit-cat {image}", got == (content, "", 0), got[1])


def archives(path):
    """Archives of podman and the streamer hold what tar and the streamer take out of them."""
    for name in sorted(os.listdir(path)):
        archive = os.path.join(path, name)
        if name.endswith(".criu"):
            with open(archive, "rb") as file:
                want = image_stream.read(file.read())
            extracted = os.path.join(path, "..", name[:-5].replace("streamer-zdtm-", "zdtm-stream-"))
            if os.path.isdir(extracted):
                # Statistics do not travel in the stream.
                there = {image: data for image, data in read_folder(extracted).items() if image in want}
                check(f"{name}: as the streamer extracts", there == want)
        else:
            plain = open(archive, "rb").read()
            if name.endswith(".zst"):
                plain = through(["zstd", "-dqc"], plain)
            with tarfile.open(fileobj=io.BytesIO(plain)) as tarball:
                want = {re.sub(r"(^|/)checkpoint/(?=[^/]*$)", r"\1", member.name.removeprefix("./")): tarball.extractfile(member).read()
                        for member in tarball if member.isfile() and is_image(os.path.basename(member.name))}
        out, err, code = feeding.run([CAT, archive])
        passed = {image: data for image, data in image_stream.read(out).items() if is_image(os.path.basename(image))}
        # In a stream, what a pre-dump left is the parent.
        named = {re.sub(r"^pre-checkpoint/", "parent/", image): data for image, data in want.items()}
        check(f"{name}: crit-cat", code == 0 and passed in (want, named), err)
        listed, err, code = feeding.run([CAT, "--list", "--json", archive])
        lines = {line["image"]: line["bytes"] for line in map(json.loads, listed.splitlines())}
        check(f"{name}: --list", code == 0 and lines == {image: len(data) for image, data in want.items()}, err)
        check(f"{name}: decodes", feeding.run([TOJSON, archive])[1:] == ("", 0))


def on_several_cores(paths):
    """Inputs that are decoded at the same time come out in order, with their errors in between."""
    command = [TOJSON, "--lines", *paths, "/missing", paths[0]]
    want = feeding.run([*command, "-j1"])
    check("-j1: exit", want[2] == 2 and want[1].endswith("/missing: cannot open: No such file or directory\n"), want[1:])
    for number in range(2, 7):
        check(f"-j{number}: as -j1", feeding.run([*command, f"-j{number}"]) == want)


count, paths = 0, []
for entry in sorted(os.scandir(sys.argv[2]), key=lambda entry: entry.name):
    if entry.is_dir() and read_folder(entry.path):
        one_checkpoint(entry.name, entry.path, count)
        paths.append(entry.path)
        count += 1
if paths:
    on_several_cores(paths)
if len(sys.argv) > 3 and os.path.isdir(sys.argv[3]):
    archives(sys.argv[3])
check("there are checkpoints", count > 0)
checking.done(f"{count} checkpoints, ")
