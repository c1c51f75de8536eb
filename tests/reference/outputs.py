#!/usr/bin/env python3
"""outputs.py: where every program writes with -o, --html and --into, and what is left when it fails or a signal ends it.

usage: outputs.py BIN FOLDER

FOLDER holds checkpoint directories. A name that is a link is written through; devices, pipes and descriptors are written to;
owner, mode and further names of a file stay; what was there before stays until the output is complete; no temporary file
is left. What only root may try (mount namespaces, other users) is said to be skipped elsewhere.
"""
import array
import fcntl
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import time

BIN = os.path.abspath(sys.argv[1])
FOLDER = os.path.abspath(sys.argv[2])
os.environ["PATH"] = BIN + ":" + os.environ["PATH"]
NOBODY = 65534
failures = []

# name: command line with OUT, and its standard input.
WRITERS = {
    "crit-cat": ("crit-cat --force -o OUT", "set.stream"),
    "crit-cat --zstd": ("crit-cat --force --zstd -o OUT", "set.stream"),
    "crit-cat --list": ("crit-cat --list -o OUT", "set.tar"),
    "crit-tojson": ("crit-tojson -o OUT", "set.tar"),
    "crit-fromjson": ("crit-fromjson --force -o OUT", "set.json"),
    "crit-grep": ("crit-grep --force 'index == 0' --output OUT", "set.tar"),
    "crit-grep --lines": ("crit-grep 'index == 0' --lines --output OUT", "set.tar"),
    "crit-grep --memory": ("crit-grep --force --memory -F ELF --output OUT", "set.tar"),
    "crit-pages": ("crit-pages -o OUT", "set.tar"),
    "crit-pages --list": ("crit-pages --list -o OUT", "set.tar"),
    "crit-pages --html": ("crit-pages --html OUT", "set.tar"),
    "crit-x": ("crit-x ps -o OUT", "set.tar"),
    "crit-inspect": ("crit-inspect -o OUT", "set.tar"),
    "crit-stats": ("crit-stats -o OUT", "set.tar"),
    "crit-repack": ("crit-repack --compress --force -o OUT", "set.tar"),
    "crit decode": ("crit decode -o OUT", "one.img"),
    "crit encode": ("crit encode -o OUT", "one.json"),
}
INTO = {
    "crit-cat --into": ("crit-cat --into OUT", "set.stream"),
    "crit-repack --into": ("crit-repack --drop-zero --into OUT", "set.stream"),
    "crit-fromjson --into": ("crit-fromjson --into OUT", "set.json"),
}


def check(what, condition, detail=""):
    if not condition:
        failures.append(what)
        print(f"FAIL {what}: {detail}", file=sys.stderr)


def run(command, stdin, out=None, **more):
    with open(f"{INPUTS}/{stdin}", "rb") as file:
        return subprocess.run(["bash", "-c", command.replace("OUT", out) if out else command], stdin=file,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **more)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def fresh():
    """An empty directory to run in."""
    os.chdir(WORK)
    shutil.rmtree("run", ignore_errors=True)
    os.mkdir("run")
    os.chdir("run")


def make_inputs():
    demo = f"{FOLDER}/demo/checkpoint"
    image = next(name for name in sorted(os.listdir(demo)) if name.startswith("core-"))
    os.mkdir(INPUTS)
    os.chmod(WORK, 0o755)
    subprocess.run(f"cd {INPUTS} && tar cf set.tar -C {demo} . && crit-cat {demo} > set.stream && cp {demo}/{image} one.img &&"
                   f"crit-tojson --raw {demo} > set.json && crit-tojson one.img > one.json && head -c 30000 set.tar > cut.tar &&"
                   "head -c 3000 set.stream > cut.stream && head -c 3000 set.json > cut.json && head -c 300 one.img > cut.img",
                   shell=True, check=True)


def plain(name, command, stdin, answer):
    """Files, links, devices, pipes."""
    def expect(case, out, path=None, prepare=lambda: None, wanted=answer, after=lambda: None):
        fresh()
        prepare()
        before = sorted(os.listdir("."))
        done = run(command, stdin, out)
        check(f"{name}, {case}", done.returncode == 0, done.stderr)
        if path:
            check(f"{name}, {case}", read(path) == wanted, f"{os.path.getsize(path)} bytes, not {len(wanted)}")
        left = sorted(set(os.listdir(".")) - set(before) - {path})
        check(f"{name}, {case}", not left, f"left behind: {left}")
        after()

    def write(path, text=b"old", mode=0o640):
        with open(path, "wb") as file:
            file.write(text)
        os.chmod(path, mode)

    def chain():
        os.mkdir("d")
        os.symlink("d/second", "first")
        os.symlink("../third", "d/second")

    def is_link(path):
        return lambda: check(name, os.path.islink(path), f"{path} is no link any more")

    expect("new", "new", "new")
    expect("mode", "kept", "kept", lambda: write("kept", mode=0o604),
           after=lambda: check(name, stat.S_IMODE(os.stat("kept").st_mode) == 0o604, "another mode"))
    expect("link", "first", "third", lambda: (chain(), write("third")), after=is_link("first"))
    expect("dangling link", "first", "third", chain, after=is_link("d/second"))
    expect("hard links", "one", "two", lambda: (write("one"), os.link("one", "two")),
           after=lambda: check(name, os.stat("one").st_nlink == 2, "one link is lost"))
    expect("descriptor", "/dev/fd/5 5> five", "five")
    expect("descriptor of the process", "/proc/self/fd/5 5> five", "five")
    expect("standard output", "/dev/stdout > six", "six")
    expect("appended", "/dev/stdout >> seven", "seven", lambda: write("seven"), wanted=b"old" + answer)
    expect("pipe", "/dev/stdout | cat > eight", "eight")
    fresh()
    os.mkfifo("fifo")
    with open("nine", "wb") as file:
        reader = subprocess.Popen(["cat", "fifo"], stdout=file)
    done = run(command, stdin, "fifo")
    reader.wait(timeout=30)
    check(f"{name}, named pipe", read("nine") == answer and stat.S_ISFIFO(os.stat("fifo").st_mode), done.stderr)
    fresh()
    done = run(command, stdin, "/dev/full")
    check(f"{name}, /dev/full", done.returncode == 2 and b"No space left" in done.stderr, done)
    check(f"{name}, /dev/full", stat.S_ISCHR(os.stat("/dev/full").st_mode), "/dev/full is no device any more")


def failing(name, command, stdin):
    """What cannot be read leaves the file as it was, and nothing beside it."""
    cut = "cut" + os.path.splitext(stdin)[1]
    for links in (1, 2):
        fresh()
        with open("old", "wb") as file:
            file.write(b"old")
        if links == 2:
            os.link("old", "other")
        done = run(command, cut, "old")
        # The picture of what was read is of use.
        kept = read("old") == b"old" or "--html" in name
        check(f"{name} of a cut input, {links} links", done.returncode == 2 and kept, f"{done} {read('old')[:40]}")
        check(f"{name} of a cut input", len(os.listdir(".")) == links, os.listdir("."))
    fresh()
    run(command + " --no-such-option", stdin, "new")
    run(command.replace("crit-pages", "crit-pages -p 77777").replace("crit-x", "crit-x -t -T --json"), stdin, "new")
    left = [entry for entry in os.listdir(".") if entry != "new"]
    check(f"{name}, refused", not left, left)
    fresh()
    limited = run(command, stdin, "new", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)))
    check(f"{name}, limit on the size of files", limited.returncode == 2 and b"File too large" in limited.stderr, limited)
    check(f"{name}, limit on the size of files", not os.listdir("."), os.listdir("."))


def signals(name, command, stdin):
    """At the start, in the middle of the input and before its end."""
    data = read(f"{INPUTS}/{stdin}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU):
        for part in (0, len(data) // 2, len(data) - 1):
            fresh()
            os.mkdir("old")
            out = "old -f" if "--into" in command and part else "new"
            # exec: the signal is for the program itself.
            process = subprocess.Popen(["bash", "-c", "ulimit -c 0; exec " + command.replace("OUT", out)],
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            fd = process.stdin.fileno()
            os.set_blocking(fd, False)
            at, deadline = 0, time.monotonic() + 5
            while at < part and time.monotonic() < deadline:
                try:
                    at += os.write(fd, data[at:part])
                except BlockingIOError:
                    time.sleep(0.001)
            while not has_begun() and time.monotonic() < deadline and process.poll() is None:
                if waits_for_input(process):  # in that state it makes no file any more
                    deadline = min(deadline, time.monotonic() + 0.05)
                time.sleep(0.002)
            process.send_signal(number)
            what = f"{name}, {signal.Signals(number).name} after {part} bytes"
            check(what, process.wait(timeout=30) == -number, process.returncode)
            process.stdin.close()
            check(what, os.listdir(".") == ["old"] and not os.listdir("old"), os.listdir(".") + os.listdir("old"))


def has_begun():
    """Is there a temporary file? What comes before it leaves nothing either."""
    try:
        return len(os.listdir(".")) > 1 or os.listdir("old")
    except FileNotFoundError:
        return False


def waits_for_input(process):
    """Has it read all that it was given, and does it sleep?"""
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        name, state = re.match(r"\d+ \((.*)\) (\w)", file.read()).groups()
    unread = array.array("i", [0])
    fcntl.ioctl(process.stdin, termios.FIONREAD, unread)
    return name.startswith("crit") and state == "S" and unread[0] == 0


def as_root(name, command, stdin, answer):
    """A file in a directory that is not writable; another's file; in a mount namespace /dev/stdout and a bind mount."""
    def as_nobody():
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    fresh()
    os.mkdir("closed", 0o755)
    with open("closed/open", "wb") as file:
        file.write(b"old")
    os.chown("closed/open", NOBODY, NOBODY)
    done = run(command, stdin, "closed/open", preexec_fn=as_nobody)
    check(f"{name}, directory that is not writable", done.returncode == 0 and read("closed/open") == answer, done.stderr)
    done = run(command, stdin, "closed/new", preexec_fn=as_nobody)
    check(f"{name}, new file there", done.returncode == 2 and b"Permission denied" in done.stderr, done)
    check(f"{name}, directory that is not writable", os.listdir("closed") == ["open"], os.listdir("closed"))
    fresh()
    with open("own", "wb") as file:
        file.write(b"old")
    os.chown("own", 1000, 1001)
    run(command, stdin, "own")
    check(f"{name}, owner", (os.stat("own").st_uid, os.stat("own").st_gid) == (1000, 1001) and read("own") == answer, "lost")


def in_namespace(name, command, stdin, answer):
    """On a stand-in for /dev, so that nothing real is hurt."""
    fresh()
    script = f"""
mount -t tmpfs none {WORK}/mount && mkdir {WORK}/mount/dev && ln -s /proc/self/fd/1 {WORK}/mount/dev/stdout || exit 77
{command.replace("OUT", f"{WORK}/mount/dev/stdout")} < {INPUTS}/{stdin} > out
test -L {WORK}/mount/dev/stdout || echo the link is gone >&2
echo old > source; echo old > target; mount --bind source target || exit 77
{command.replace("OUT", "target")} < {INPUTS}/{stdin} && cp source bound
"""
    done = subprocess.run(["unshare", "-m", "bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode == 77:
        return False
    check(f"{name}, /dev/stdout", read("out") == answer and not done.stderr, done.stderr)
    check(f"{name}, bind mount", os.path.exists("bound") and read("bound") == answer, done.stderr)
    return True


def main():
    make_inputs()
    os.mkdir(f"{WORK}/mount")
    root = os.geteuid() == 0
    mounts = root and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0
    for name, (command, stdin) in WRITERS.items():
        fresh()
        answer = run(command, stdin, "answer").returncode == 0 and read("answer")
        check(name, answer, "writes nothing")
        plain(name, command, stdin, answer)
        failing(name, command, stdin)
        signals(name, command, stdin)
        if root:
            as_root(name, command, stdin, answer)
        if mounts:
            mounts = in_namespace(name, command, stdin, answer)
    for name, (command, stdin) in INTO.items():
        signals(name, command, stdin)
        fresh()
        done = run(command, stdin, "new", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)))
        check(f"{name}, limit on the size of files", done.returncode == 2 and not os.listdir("."), f"{done} {os.listdir('.')}")
    if not root:
        print("SKIP directories that are not writable, owners: only root can try them")
    if not mounts:
        print("SKIP /dev/stdout as a link, bind mounts: no mount namespace here")
    print("outputs: done" if not failures else f"outputs: {len(failures)} failures")
    return 1 if failures else 0


with tempfile.TemporaryDirectory() as WORK:
    INPUTS = WORK + "/inputs"
    code = main()
    os.chdir("/")
sys.exit(code)
