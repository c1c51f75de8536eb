#!/usr/bin/env python3
"""crit-stream between a player of CRIU's side and pipes, files and sockets: what arrives is what was sent, whatever the
order, the number of shards, slow readers and slow writers; and what is wrong is refused.

usage: streaming.py BIN
"""
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import image_stream
from checking import check, check_same, done
from wire import Malformed
from criu_player import Dump, Restore

PROGRAM = os.path.join(sys.argv[1], "crit-stream")
SECONDS = 60


class Streamer:
    """crit-stream, whose lines of progress are read."""

    def __init__(self, directory, operation, *options, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, fds=(), run=()):
        ours, theirs = os.pipe()
        self.process = subprocess.Popen([*run, PROGRAM, "-D", directory, "-p", str(theirs), *options, operation], stdin=stdin,
                                        stdout=stdout, stderr=subprocess.PIPE, pass_fds=(theirs, *fds), text=True)
        os.close(theirs)
        self.progress = os.fdopen(ours)

    def end(self):
        try:
            _, errors = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
            errors += "(hangs)"
        self.progress.close()
        return self.process.returncode, errors


def drain(fd, into, seconds=0.0):
    """Reads to the end, slowly."""
    def read():
        while block := os.read(fd, 1 << 16):
            into.append(block)
            if seconds:
                time.sleep(seconds)
        os.close(fd)
    thread = threading.Thread(target=read)
    thread.start()
    return thread


def images(rng, count, largest):
    names = [f"core-{i}.img" for i in range(count)] + [f"pages-{i}.img" for i in range(3)]
    content = {name: rng.randbytes(rng.randrange(5000)) for name in names}
    for i in range(3):
        content[f"pages-{i}.img"] = rng.randbytes(rng.randrange(largest))
    content["empty.img"] = b""
    content["inventory.img"] = b"last"
    return content


def play_dump(directory, content, rng, open_at_once=4):
    """Sends images in pieces, several in turns; the inventory last."""
    dump = Dump(directory)
    try:
        send_in_turns(dump, content, rng, open_at_once)
        dump.image("inventory.img", content["inventory.img"])
    except BrokenPipeError:
        pass
    dump.close()


def send_in_turns(dump, content, rng, open_at_once):
    left = [name for name in content if name != "inventory.img"]
    rng.shuffle(left)
    going = {}
    while left or going:
        if left and (len(going) < open_at_once):
            name = left.pop()
            going[name] = [os.fdopen(dump.begin(name), "wb", buffering=0), content[name]]
        name = rng.choice(list(going))
        pipe, rest = going[name]
        size = rng.choice([1, 100, 4096, 70000, 300000])
        written = pipe.write(rest[:size]) if rest else 0
        going[name][1] = rest[written:]
        if not going[name][1]:
            pipe.close()
            del going[name]


def capture_into(directory, content, rng, nr_shards, slow, options=(), kind="pipe"):
    shards, threads, fds, ours = [[] for _ in range(nr_shards)], [], [], []
    for i in range(nr_shards):
        if kind == "pipe":
            read, write = os.pipe()
        elif kind == "file":
            write = os.open(os.path.join(directory, f"shard-{i}"), os.O_RDWR | os.O_CREAT | os.O_TRUNC | (os.O_APPEND if i % 2 else 0))
            read = None
        else:
            left, right = socket.socketpair()
            read, write = left.detach(), right.detach()
        fds.append(write)
        if read is not None:
            threads.append(drain(read, shards[i], slow if i == 0 else 0))
    streamer = Streamer(directory, "capture", "-s", ",".join(map(str, fds)), *options, fds=fds)
    for fd in fds:
        if kind != "file":
            os.close(fd)
    lines = [streamer.progress.readline()]
    play_dump(directory, content, rng)
    lines += streamer.progress.readlines()
    result = streamer.end()
    for thread in threads:
        thread.join()
    if kind == "file":
        for i, fd in enumerate(fds):
            shards[i] = [os.pread(fd, os.fstat(fd).st_size, 0)]
            os.close(fd)
    return result, lines, [b"".join(shard) for shard in shards]


def check_captures(top):
    rng = random.Random(7)
    for kind in ("pipe", "file", "socket"):
        for nr_shards in (1, 2, 5):
            for options in ((), ("--copy",)):
                what = f"capture into {nr_shards} {kind}s {' '.join(options)}"
                directory = tempfile.mkdtemp(dir=top)
                content = images(rng, 20, 3 << 20)
                result, lines, shards = capture_into(directory, content, rng, nr_shards, 0.002, options, kind)
                check_same(what, result, (0, ""))
                check_same(what + ": progress", [lines[0], lines[1], len(lines)], ["socket-init\n", "checkpoint-start\n", 3])
                check_same(what + ": images", image_stream.read(*shards), content)
                sizes = [shard["size"] for shard in __import__("json").loads(lines[2])["shards"]]
                check_same(what + ": sizes", sizes, [len(shard) for shard in shards])
                check(what + ": the socket is gone", not os.path.exists(directory + "/streamer-capture.sock"))


def serve(directory, shards, *options, fds=()):
    """Starts serve with each shard in a pipe that a thread fills."""
    ends, threads = [], []
    for shard in shards:
        read, write = os.pipe()

        def fill(write=write, shard=shard):
            with os.fdopen(write, "wb") as pipe:
                try:
                    pipe.write(shard)
                except BrokenPipeError:
                    pass
        threads.append(threading.Thread(target=fill))
        ends.append(read)
    streamer = Streamer(directory, "serve", "-s", ",".join(map(str, ends)), *options, fds=(*ends, *fds))
    for read in ends:
        os.close(read)
    for thread in threads:
        thread.start()
    return streamer, threads


def check_serving(top):
    rng = random.Random(11)
    for nr_shards in (1, 3):
        directory = tempfile.mkdtemp(dir=top)
        content = images(rng, 20, 3 << 20)
        _, _, shards = capture_into(directory, content, rng, nr_shards, 0)
        streamer, _ = serve(directory, shards)
        lines = [streamer.progress.readline(), streamer.progress.readline()]
        what = f"serve from {nr_shards} shards"
        sizes = [shard["size"] for shard in __import__("json").loads(lines[0])["shards"]]
        check_same(what + ": progress", (sizes, lines[1]), ([len(shard) for shard in shards], "socket-init\n"))
        restore = Restore(directory)
        check_same(what + ": an image that is not there", restore.image("no.img"), None)
        # A small one is given up before it was read, and asked for again; then all of them, at the same time.
        core = restore.begin("core-1.img")
        os.read(core, 10)
        os.close(core)
        open_images = {name: restore.begin(name) for name in content}
        threads, got = [], {name: [] for name in content}
        for name, fd in open_images.items():
            threads.append(drain(fd, got[name]))
        restore.close()
        for thread in threads:
            thread.join()
        check_same(what, {name: b"".join(blocks) for name, blocks in got.items()}, content)
        check_same(what + ": ends", streamer.end(), (0, ""))


def check_faults(top):
    # Who reads the stream goes away.
    for nr_shards in (1, 3):
        directory = tempfile.mkdtemp(dir=top)
        ends = [os.pipe() for _ in range(nr_shards)]
        fds = [write for _, write in ends]
        streamer = Streamer(directory, "capture", "-s", ",".join(map(str, fds)), fds=fds)
        for fd in fds:
            os.close(fd)
        streamer.progress.readline()
        dump = Dump(directory)
        pipe = dump.begin("pages-1.img")
        os.write(pipe, b"x" * 4096)
        for read, _ in ends:
            os.close(read)
        try:
            for _ in range(1000):
                os.write(pipe, b"x" * 65536)
            check("a reader goes away: criu does not learn of it", False)
        except BrokenPipeError:
            pass
        status, errors = streamer.end()
        check("a reader goes away", status == 2 and errors.endswith("Broken pipe\n"), f"{status} {errors}")
        os.close(pipe)
    # The disk is full.
    directory = tempfile.mkdtemp(dir=top)
    with open("/dev/full", "wb") as full:
        streamer = Streamer(directory, "capture", stdout=full)
        streamer.progress.readline()
        play_dump(directory, images(random.Random(1), 2, 1 << 20), random.Random(1))
        status, errors = streamer.end()
        check("no space left", status == 2 and "No space left on device" in errors, f"{status} {errors}")
    # A dump that was killed is no checkpoint.
    directory = tempfile.mkdtemp(dir=top)
    stream = open(os.path.join(directory, "out"), "w+b")
    streamer = Streamer(directory, "capture", stdout=stream)
    streamer.progress.readline()
    dump = Dump(directory)
    dump.image("core-1.img", b"core")
    dump.close()
    status, errors = streamer.end()
    check("a dump without its last image", status == 2 and "inventory.img" in errors, f"{status} {errors}")
    stream.seek(0)
    try:
        image_stream.read(stream.read())
        check("a dump without its last image: the stream ends well", False)
    except Malformed:
        pass
    # A shard is cut: criu finds no socket.
    content = images(random.Random(3), 4, 1 << 19)
    _, _, shards = capture_into(directory, content, random.Random(3), 1, 0)
    for at in (0, 3, 1000, len(shards[0]) // 2, len(shards[0]) - 1):
        streamer, threads = serve(directory, [shards[0][:at]])
        lines = streamer.progress.read()
        status, errors = streamer.end()
        check(f"a stream cut at {at}", status == 2 and errors != "" and lines == "", f"{status} {errors} {lines}")
        check(f"a stream cut at {at}: no socket", not os.path.exists(directory + "/streamer-serve.sock"))
        out = tempfile.mkdtemp(dir=top)
        extract = subprocess.run([PROGRAM, "-D", out, "extract"], input=shards[0][:at], capture_output=True, check=False)
        check_same(f"a stream cut at {at}: extract", (extract.returncode, os.listdir(out)), (2, []))


def check_files(top):
    # A file goes with the images, and comes back on its own.
    directory = tempfile.mkdtemp(dir=top)
    content = {"core-1.img": b"core", "inventory.img": b"last"}
    tar = random.Random(5).randbytes(1 << 20)
    read, write = os.pipe()
    with open(os.path.join(directory, "out"), "w+b") as out:
        streamer = Streamer(directory, "capture", "-e", f"fs.tar:{read}", stdout=out, fds=(read,))
        os.close(read)
        streamer.progress.readline()
        threading.Thread(target=lambda: os.fdopen(write, "wb").write(tar)).start()
        play_dump(directory, content, random.Random(1))
        check_same("a file beside the images", streamer.end(), (0, ""))
        out.seek(0)
        stream = out.read()
    check_same("a file beside the images: stream", image_stream.read(stream), content | {"fs.tar": tar})
    read, write = os.pipe()
    got = []
    thread = drain(read, got)
    streamer, _ = serve(directory, [stream], "-e", f"fs.tar:{write}", fds=(write,))
    os.close(write)
    streamer.progress.readline(), streamer.progress.readline()
    thread.join()
    check_same("a file beside the images: serve", b"".join(got), tar)
    restore = Restore(directory)
    check_same("a file beside the images: inventory", (restore.image("inventory.img"), restore.image("fs.tar")), (b"last", None))
    restore.close()
    check_same("a file beside the images: serve ends", streamer.end(), (0, ""))
    # extract replaces what has its names, and nothing else.
    out = tempfile.mkdtemp(dir=top)
    for name in ("core-1.img", "dump.log"):
        with open(os.path.join(out, name), "w") as file:
            file.write("old")
    extract = subprocess.run([PROGRAM, "-D", out, "extract"], input=stream, capture_output=True, check=False)
    check_same("extract", (extract.returncode, extract.stderr.count(b"\n")), (0, 1))
    have = {name: open(os.path.join(out, name), "rb").read() for name in os.listdir(out)}
    check_same("extract: files", have, content | {"fs.tar": tar, "dump.log": b"old"})


def check_long_path(top):
    directory = os.path.join(top, "d" * 120)
    streamer = Streamer(directory, "capture")
    check_same("a long path", streamer.progress.readline(), "socket-init\n")
    before = os.getcwd()
    os.chdir(directory)
    play_dump(".", {"inventory.img": b"last"}, random.Random(1))
    os.chdir(before)
    status, errors = streamer.end()
    check("a long path: note", status == 0 and "-D ." in errors, f"{status} {errors}")


def main():
    with tempfile.TemporaryDirectory() as top:
        check_captures(top)
        check_serving(top)
        check_faults(top)
        check_files(top)
        check_long_path(top)
    done()


main()
