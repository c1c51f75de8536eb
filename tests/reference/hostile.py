#!/usr/bin/env python3
"""hostile.py: archives, streams and directories that are not what they claim, each with its error line.

usage: hostile.py BIN
"""
import gzip
import io
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checking
import feeding
import image_stream
from checking import check_same as check

BIN = os.path.abspath(sys.argv[1])
CAT, TOJSON, FROMJSON = BIN + "/crit-cat", BIN + "/crit-tojson", BIN + "/crit-fromjson"
FS = struct.pack("<III", 0x54564319, 0x51403912, 4) + b"\x08\x01\x10\x02"


def listed_as(name, kind, size, entries, tail=""):
    return f"{name:<28} {kind:<18}{size:>14} {entries:>10}{tail}\n"


FS_LISTED = listed_as("fs-1.img", "FS", 16, 1)
LAYER_LISTED = listed_as("layer/fs-1.img", "FS", 16, 1)


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def tar(*members, form=tarfile.GNU_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zstd(data, *options):
    return subprocess.run(["zstd", "-qc", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def fix_checksum(header):
    header = bytearray(header)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


good = member("checkpoint/fs-1.img", FS)
long_name = "checkpoint/" + "a" * 65536 + ".img"

# name: (input, [error lines without the program and the place], lines of --list, options)
ARCHIVES = {
    "a name with ..": (tar(good, member("checkpoint/../../fs-2.img", FS)),
                       [":checkpoint/../../fs-2.img: refused for its name: it leads out of its directory"], FS_LISTED),
    ".. of no image": (tar(good, member("../../tmp/spec.dump", b"{}")),
                       [":../../tmp/spec.dump: refused for its name: it leads out of its directory"], FS_LISTED),
    "an absolute name": (tar(good, member("/fs-2.img", FS)),
                         [":/fs-2.img: refused for its name: it is absolute"], FS_LISTED),
    "control characters": (tar(good, member("checkpoint/fs-\x1b[2J\n.img", FS)),
                           [":checkpoint/fs-\\x1b[2J\\x0a.img: refused for its name: it has control characters"], FS_LISTED),
    "an empty part": (tar(good, member("checkpoint/a//fs-2.img", FS)),
                      [":checkpoint/a//fs-2.img: refused for its name: it has an empty part"], FS_LISTED),
    "a name of 64 KiB, GNU": (tar(good, member(long_name, FS)),
                              [":" + long_name[:4095] + ": refused for its name: it is too long"], FS_LISTED),
    "a name of 64 KiB, pax": (tar(good, member(long_name, FS), form=tarfile.PAX_FORMAT),
                              [":" + long_name[:4095] + ": refused for its name: it is too long"], FS_LISTED),
    "a part of 256 bytes": (tar(good, member("checkpoint/" + "b" * 252 + ".img", FS)),
                            [":checkpoint/" + "b" * 252 + ".img: refused for its name: it is too long"], FS_LISTED),
    "a symbolic link": (tar(good, member("checkpoint/fs-2.img", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
                        [":checkpoint/fs-2.img: not a plain file but a link"], FS_LISTED),
    "a hard link": (tar(good, member("checkpoint/fs-2.img", type=tarfile.LNKTYPE, linkname="checkpoint/fs-1.img")),
                    [":checkpoint/fs-2.img: not a plain file but a hard link"], FS_LISTED),
    "a device": (tar(good, member("checkpoint/fs-2.img", type=tarfile.CHRTYPE, devmajor=1, devminor=5)),
                 [":checkpoint/fs-2.img: not a plain file but a device or pipe"], FS_LISTED),
    "a named pipe": (tar(good, member("checkpoint/fs-2.img", type=tarfile.FIFOTYPE)),
                     [":checkpoint/fs-2.img: not a plain file but a device or pipe"], FS_LISTED),
    "a link that is no image": (tar(good, member("checkpoint/parent", type=tarfile.SYMTYPE, linkname="../pre")), [], FS_LISTED),
    "a duplicate": (tar(good, good), [":checkpoint/fs-1.img: the name fs-1.img was there before"], FS_LISTED),
    "a duplicate by another way": (tar(good, member("fs-1.img", FS)),
                                   [":fs-1.img: the name fs-1.img was there before"], FS_LISTED),
    "an archive in an archive": (tar(good, member("inner.tar", tar(good))), [], FS_LISTED),
    "a layer": (tar(member("layer.tar", tar(good))), [], LAYER_LISTED),
    "a layer of odd names": (tar(member("layer.tar", tar(member("../etc/fs-1.img", FS), member("a\nb", b""),
                                                         member("x" * 300, b""), good))), [], LAYER_LISTED),
    "a layer whose images lead out": (tar(member("layer.tar", tar(member("../checkpoint/fs-1.img", FS), good))),
                                      [":layer.tar:../checkpoint/fs-1.img: refused for its name: it leads out of its directory"],
                                      LAYER_LISTED),
    "a layer with a bad name among images": (tar(member("layer.tar", tar(good, member("checkpoint/fs-\n.img", FS)))),
                                             [":layer.tar:checkpoint/fs-\\x0a.img: refused for its name: it has control characters"],
                                             LAYER_LISTED),
    "a layer with a link": (tar(member("layer.tar", tar(good, member("checkpoint/fs-2.img", type=tarfile.SYMTYPE,
                                                                     linkname="/etc/passwd")))),
                            [":layer.tar:checkpoint/fs-2.img: not a plain file but a link"], LAYER_LISTED),
    "a layer in a layer": (tar(member("layer.tar", tar(member("layer.tar", tar(good)), good))), [], LAYER_LISTED),
    "a layer packed too often": (tar(member("layer.tar", zstd(zstd(zstd(zstd(zstd(tar(good)))))))),
                                 [":layer.tar: compressed more than 4 times over"], ""),
    "a layer cut short": (tar(member("layer.tar", tar(good)[:520]), member("checkpoint/fs-2.img", FS)),
                          [":layer.tar:checkpoint/fs-1.img: offset 8: archive cut short"],
                          listed_as("layer/fs-1.img", "FS", 8, 0, " incomplete") + listed_as("fs-2.img", "FS", 16, 1)),
    "cut in a layer": (tar(member("layer.tar", tar(good)))[:1032],
                       [":layer.tar:checkpoint/fs-1.img: offset 8: archive cut short"],
                       listed_as("layer/fs-1.img", "FS", 8, 0, " incomplete")),
    "an image in two layers": (tar(member("0123456789ab", tar(good)), member("layer.tar", zstd(tar(good)))),
                               [], listed_as("0123456789ab/fs-1.img", "FS", 16, 1) + listed_as("layer/fs-1.img", "FS", 16, 1)),
    "no image": (tar(member("config.dump", b"{}")), [": no images in this archive: it holds config.dump"], ""),
    "cut in a member": (tar(good)[:520],
                        [":checkpoint/fs-1.img: offset 8: archive cut short"],
                        listed_as("fs-1.img", "FS", 8, 0, " incomplete")),
    "cut in a header": (tar(good, member("checkpoint/fs-2.img", FS))[:1100],
                        [": archive cut short"], FS_LISTED),
    "more claimed than there": (fix_checksum(tar(good)[:124] + b"00077777777\0" + tar(good)[136:512]) + FS,
                                [":checkpoint/fs-1.img: offset 16: archive cut short"], None),
    "zstd cut short": (zstd(tar(good))[:-9], None, None),
    "a fault does not stop the others": (tar(member("checkpoint/fs-0.img", FS[:-1]), good),
                                         [":checkpoint/fs-0.img: offset 12: entry 0: payload cut short: need 4 bytes, have 3"],
                                         listed_as("fs-0.img", "FS", 8, 0, " incomplete")
                                         + FS_LISTED),
}


def archives():
    for name, (data, lines, listed) in ARCHIVES.items():
        for form, packed in (("tar", data), ("tar.zst", zstd(data)), ("tar.gz", gzip.compress(data))):
            for how in feeding.FEEDS:
                if how == "bytes" and (form != "tar" or len(packed) > 20000):
                    continue
                out, err, code = feeding.run([CAT, "--list", "@"], packed, how, "c1")
                place = "crit-cat: " + ("c1" if how == "file" else "-")
                if lines is not None:
                    check(f"{name}: errors, {form} as {how}", err, "".join(place + line + "\n" for line in lines))
                    check(f"{name}: exit, {form} as {how}", code, 2 if lines else 0)
                if listed is not None:
                    check(f"{name}: list, {form} as {how}", out.decode(), listed)
        into(name, data)


def into(name, data):
    """Nothing is written outside the directory, and nothing at all where something failed."""
    with tempfile.TemporaryDirectory() as outer:
        folder = os.path.join(outer, "deep", "new")
        os.mkdir(os.path.dirname(folder))
        out, err, code = feeding.run([CAT, "@", "--all", "--into", folder], data)
        there = sorted(os.path.join(path, file)[len(outer) + 1:] for path, _, files in os.walk(outer) for file in files)
        if code != 0:
            check(f"{name}: --into leaves nothing", (there, os.listdir(os.path.dirname(folder))), ([], []))
        else:
            check(f"{name}: --into stays in its directory", all(file.startswith("deep/new/") for file in there), True)


def stream_of(*markers):
    return b"".join(markers)


def streams():
    m = image_stream.marker
    start = [m(0, name="fs-1.img"), m(1, data=FS), m(2, file_eof=True)]
    whole = stream_of(*start, m(3, image_eof=True))
    cases = {
        "whole": (whole, [], FS_LISTED),
        "no end": (stream_of(*start), [": image stream cut short at marker 3"], FS_LISTED),
        "a file without end": (stream_of(*start[:2], m(2, image_eof=True)), [":fs-1.img: cut short: the stream ends before it"],
                               listed_as("fs-1.img", "FS", 16, 1, " incomplete")),
        "cut in data": (stream_of(*start)[:-8], [": image stream cut short at marker 2",
                                                 ":fs-1.img: cut short: the stream ends before it"], None),
        "cut in a marker": (whole[:-3], [": image stream cut short at marker 3"], FS_LISTED),
        "more data claimed": (stream_of(start[0], m(1, data=1 << 30), FS),
                              [": image stream cut short at marker 2", ":fs-1.img: cut short: the stream ends before it"], None),
        "a number that is missing": (stream_of(*start, m(4, image_eof=True)),
                                     [": image stream: marker 3 is missing: the next is 4"], FS_LISTED),
        "a number that was there": (stream_of(*start, m(2, image_eof=True)),
                                    [": image stream: marker 3 is missing: the next is 2"], FS_LISTED),
        "a marker of 10241 bytes": (stream_of(*start) + struct.pack("<I", 10241) + bytes(10241),
                                    [": image stream: marker 3 of 10241 bytes; 10240 is the most"], FS_LISTED),
        "a marker of 4 GiB": (stream_of(*start) + b"\xff\xff\xff\xff",
                              [": image stream: marker 3 of 4294967295 bytes; 10240 is the most"], FS_LISTED),
        "no marker": (stream_of(*start) + struct.pack("<I", 3) + b"\x0a\x01a",
                      [": image stream: marker 3 of 3 bytes that are no marker"], FS_LISTED),
        "two bodies": (stream_of(*start) + struct.pack("<I", 6) + b"\x08\x03\x20\x01\x28\x01",
                       [": image stream: marker 3 of 6 bytes that are no marker"], FS_LISTED),
        "data of no file": (stream_of(*start, m(3, data=FS)), [": image stream: marker 3 that belongs to no file"], FS_LISTED),
        "behind the end": (whole + m(4, name="fs-2.img"), [": image stream: marker 4 behind the end of the image"], FS_LISTED),
        "a file twice": (stream_of(*start, m(3, name="fs-1.img"), m(4, data=FS), m(5, file_eof=True), m(6, image_eof=True)),
                         [":fs-1.img: the name fs-1.img was there before"], FS_LISTED),
        "a name with ..": (image_stream.write([("../fs-2.img", FS), ("fs-1.img", FS)]),
                           [":../fs-2.img: refused for its name: it leads out of its directory"], FS_LISTED),
        "too many open files": (stream_of(*(m(i, name=f"fs-{i}.img") for i in range(513))), None, None),
        "other files travel along": (image_stream.write([("fs.tar", b"x" * 10), ("fs-1.img", FS)]), [],
                                     FS_LISTED),
    }
    for name, (data, lines, listed) in cases.items():
        for how in feeding.FEEDS:
            out, err, code = feeding.run([CAT, "--list", "@"], data, how, "s1")
            place = "crit-cat: " + ("s1" if how == "file" else "-")
            if lines is not None:
                check(f"stream, {name}: errors as {how}", err, "".join(place + line + "\n" for line in lines))
                check(f"stream, {name}: exit as {how}", code, 2 if lines else 0)
            else:
                check(f"stream, {name}: exit as {how}", code, 2)
            if listed is not None:
                check(f"stream, {name}: list as {how}", out.decode(), listed)
    out, err, code = feeding.run([CAT, "--list", "@"], cases["too many open files"][0])
    check("too many open files: error", err.splitlines()[0], "crit-cat: -: fs-512.img, with 512 others open, is one member too many: from it on nothing is read")
    # What is not whole has no end in what is passed on, so the next reader knows as well.
    out, err, code = feeding.run([CAT, "@"], cases["a file without end"][0])
    second, err, code = feeding.run([CAT, "--list", "@"], out)
    check("a file without end: the next reader", (err, code), ("crit-cat: -:fs-1.img: cut short: the stream ends before it\n", 2))


def bombs():
    zeros = bytes(64 << 20)
    entry = struct.pack("<III", 0x54564319, 0x51403912, len(zeros)) + b"\x0a" + zeros
    packed = zstd(entry, "-19")
    out, err, code = feeding.run([TOJSON, "@"], packed)
    check("an entry that is held: exit", code, 2)
    check("an entry that is held: error", "bytes that must be held came out of" in err, True)
    out, err, code = feeding.run([CAT, "@", "--max-size=1M"], zstd(tar(good, member("checkpoint/pages-1.img", zeros))))
    check("--max-size", (err.splitlines()[0], code),
          ("crit-cat: -:checkpoint/pages-1.img: offset 1047040: larger than 1048576 bytes unpacked (--max-size raises it)", 2))
    out, err, code = feeding.run([CAT, "@", "--only", "pages-1.img"], zstd(tar(good, member("checkpoint/pages-1.img", zeros))))
    check("what streams through has no limit", (out == zeros, err, code), (True, "", 0))
    layers = FS
    for _ in range(4):
        layers = gzip.compress(layers)
    check("four layers", feeding.run([CAT, "@"], layers), (FS, "", 0))
    # libarchive itself takes off as many layers of one kind as there are.
    for _ in range(5):
        layers = zstd(layers)
    check("nine layers", feeding.run([CAT, "@"], layers), (b"", "crit-cat: -: compressed more than 4 times over\n", 2))


def compressed():
    for name, data, line in (
            ("zstd cut", zstd(FS)[:-3], "zstd data cut short"),
            ("zstd damaged", zstd(FS)[:-6] + b"abcdef", "zstd: Restored data doesn't match checksum"),
            ("zstd with a tail", zstd(FS) + b"tail", "zstd: Unknown frame descriptor"),
            ("gzip cut", gzip.compress(FS)[:-4], "gz data cut short"),
            ("xz cut", lzma.compress(FS)[:-4], "xz data cut short"),
            ("gzip damaged", gzip.compress(FS)[:12] + b"\xff" * 20, None)):
        out, err, code = feeding.run([CAT, "@"], data)
        check(f"{name}: exit", code, 2)
        if line:
            check(f"{name}: error", line in err, True)
    check("a zstd frame to skip", feeding.run([CAT, "@"], struct.pack("<II", 0x184D2A50, 4) + b"abcd" + zstd(FS)), (FS, "", 0))
    check("zstd frames in a row", feeding.run([CAT, "@"], zstd(FS[:5]) + zstd(FS[5:])), (FS, "", 0))
    raw = gzip.compress(b"abc")
    check("a raw image stays as it is", feeding.run([CAT, "@"], raw, "file", "tmpfs-dev-5.tar.gz.img"), (raw, "", 0))
    check("a raw image that looks like another", feeding.run([CAT, "@"], FS[:-1], "file", "pages-1.img"), (FS[:-1], "", 0))
    check("a packed raw image", feeding.run([CAT, "@"], zstd(b"abc"), "file", "pages-1.img.zst"), (b"abc", "", 0))
    check("nothing", feeding.run([CAT, "@"], b""), (b"", "crit-cat: -: offset 0: magic cut short: need 4 bytes, have 0\n", 2))


def folders():
    with tempfile.TemporaryDirectory() as outer:
        def write(name, content):
            path = os.path.join(outer, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)

        def run(*command):
            out, err, code = feeding.run([word.replace("@", outer) for word in command])
            return out.decode(errors="replace"), err.replace(outer, "@"), code

        write("set/fs-1.img", FS)
        write("set/dump.log", b"log")
        os.symlink("/etc/passwd", outer + "/set/fs-2.img")
        os.mkfifo(outer + "/set/fs-3.img")
        os.mkdir(outer + "/set/fs-4.img")
        os.symlink("..", outer + "/set/parent")
        check("a directory with odd members", run(CAT, "--list", "@/set"),
              (FS_LISTED, "crit-cat: @/set/fs-2.img: not a plain file but a link\n"
                          "crit-cat: @/set/fs-3.img: not a plain file but a device or pipe\n"
                          "crit-cat: @/set/fs-4.img: not a plain file but a directory\n", 2))
        write("ok/fs-1.img", FS)
        write("ok/dump.log", b"log")
        check("other files on demand", run(CAT, "--list", "--all", "@/ok"),
              (listed_as("dump.log", "-", 3, "-") + FS_LISTED, "", 0))
        os.mkdir(outer + "/none")
        check("an empty directory", run(CAT, "@/none"), ("", "crit-cat: @/none: no images in this directory: it is empty\n", 2))
        check("no such input", run(CAT, "@/missing"), ("", "crit-cat: @/missing: cannot open: No such file or directory\n", 2))
        check("nothing selected", run(CAT, "@/ok", "--only", "core-*"), ("", "crit-cat: no image in the input fits --only core-*: crit-cat --list names them\n", 2))
        # --into
        check("a directory that is not empty", run(CAT, "@/ok", "--into", "@/set"),
              ("", "crit-cat: @/set: cannot write: not an empty directory (-f writes into it all the same)\n", 2))
        write("old/fs-1.img", b"old")
        write("old/keep", b"kept")
        check("-f", run(CAT, "@/ok", "--into", "@/old", "-f"), ("", "", 0))
        check("-f replaces", (open(outer + "/old/fs-1.img", "rb").read(), sorted(os.listdir(outer + "/old"))),
              (FS, ["dump.log", "fs-1.img", "keep"]))
        os.remove(outer + "/old/fs-1.img")
        os.symlink(outer + "/old/keep", outer + "/old/fs-1.img")
        check("-f over a link", run(CAT, "@/ok", "--into", "@/old", "-f"), ("", "", 0))
        check("-f does not follow it", (open(outer + "/old/keep", "rb").read(), os.path.islink(outer + "/old/fs-1.img")),
              (b"kept", False))
        write("bad/fs-0.img", FS[:-1])
        write("bad/fs-1.img", FS)
        out, err, code = run(CAT, "@/bad", "--into", "@/new")
        check("--into all or nothing", (code, os.path.exists(outer + "/new")), (2, False))
        out, err, code = run(CAT, "@/bad", "--into", "@/new", "--partial")
        check("--partial", (code, os.listdir(outer + "/new")), (2, ["fs-1.img"]))
        shutil.rmtree(outer + "/new")
        check("a directory below", feeding.run([CAT, "@", "--all", "--into", outer + "/new"],
                                            tar(good, member("volumes/data.tar", b"x")))[1:], ("", 0))
        check("a directory below is made", open(outer + "/new/volumes/data.tar", "rb").read(), b"x")
        nameless = feeding.run([CAT, "@", "--into", outer + "/nameless"], FS)
        check("an image without a name", (nameless[1].replace(outer, "@"), nameless[2]),
              ("crit-cat: @/nameless/-: refused for its name: it has none (an image stream keeps names: --stream)\n", 2))
        os.mkdir(outer + "/target")
        os.symlink("target", outer + "/link")
        check("two sets", run(CAT, "--list", "@/ok", "@/bad", "--only", "fs-1*"),
              (listed_as("ok/fs-1.img", "FS", 16, 1) + listed_as("bad/fs-1.img", "FS", 16, 1), "", 0))
        changes(outer, write)


def changes(outer, write):
    """A file that is cut while it is read: the reader waits for room in the pipe meanwhile."""
    write("big/pages-1.img", bytes(32 << 20))
    for command, place in (([CAT, "--stream", outer + "/big"], None), ([TOJSON, "--raw", outer + "/big"], None)):
        write("big/pages-1.img", bytes(32 << 20))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1000)
        os.truncate(outer + "/big/pages-1.img", 1 << 20)
        process.stdout.read()
        err = process.stderr.read().decode().replace(outer, "@")
        process.stdout.close()
        process.stderr.close()
        code = process.wait()
        check(f"a file that is cut: {os.path.basename(command[0])}",
              ("@/big/pages-1.img: changed while it was read: " in err and err.endswith(" bytes are gone\n"), code), (True, 2))


archives()
streams()
bombs()
compressed()
folders()
checking.done()
