"""Where things are: programs, data, peers, results. And how they get there."""
import os
import pathlib
import shutil
import subprocess
import sys

top = pathlib.Path(__file__).resolve().parents[2]
build = top / "build"
own = build / "bench"                      # all that the suite makes, but for data in memory
programs = build / "bin"
tools = own / "bin"
peers = own / "peers"
saved = own / "results"                    # one file a case; the report is made of them

peer_names = {"crit-native": "Python crit", "crit-trixie": "Python crit", "crit-go": "go-criu"}

data_bytes = 10 << 30                      # what a full run needs at a time


class Missing(Exception):
    """A program or a peer is not there: the case says so and goes on."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, **more)


def data_folder():
    """Memory where there is plenty, so that no disk is measured."""
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        room = shutil.disk_usage(memory).free
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable"))
        if min(room, available) > data_bytes:
            return memory / f"critpipe-bench-{os.getuid()}"
    return own / "data"


def build_programs():
    """The release build, with the programs of the suite; ninja does nothing where all is up to date."""
    quiet = {"stdout": subprocess.DEVNULL}
    run("cmake", "--preset", "release", "-DCRITPIPE_BENCH=ON", cwd=top, **quiet)
    run("cmake", "--build", "--preset", "release", "--target", "bench_programs", "-j", os.cpu_count(), cwd=top, **quiet)


def install_peers():
    run(top / "bench" / "peers" / "install", peers, stdout=sys.stderr)


def program(name):
    path = programs / name
    if not path.exists():
        raise Missing(f"{name} is not built")
    return str(path)


def tool(name):
    path = tools / name
    if not path.exists():
        raise Missing(f"{name} is not built (-DCRITPIPE_BENCH=ON)")
    return str(path)


def commit():
    """The commit, and whether the working tree differs from it."""
    try:
        name = run("git", "rev-parse", "--short=10", "HEAD", cwd=top, capture_output=True, text=True).stdout.strip()
        changed = run("git", "status", "--porcelain", "--untracked-files=no", cwd=top, capture_output=True).stdout
        return name + (" and changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def clean(everything):
    shutil.rmtree(data_folder(), ignore_errors=True)
    shutil.rmtree(own / "data", ignore_errors=True)
    for copy in (peers / "trixie" / "tmp").glob("*.img"):
        copy.unlink()
    if everything:
        shutil.rmtree(own, ignore_errors=True)


def libraries(program):
    """Those of a program that the lab of tests/live may lack."""
    kept = ("libc.so", "libm.so", "libstdc++", "libgcc_s", "libdl.", "libpthread.")
    for line in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) > 2 and words[2].startswith("/") and not words[0].startswith(kept):
            yield words[2]
