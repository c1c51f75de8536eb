"""How long do dump and restore of a process of 1 GiB take, against criu alone?

A real criu, in the lab that tools/test-live makes (root is needed). LAB and LAB_SUITE name it.
"""
import os
import pathlib
import shutil
import statistics
import subprocess

import place


def libraries(program):
    """What the lab may lack."""
    kept = ("libc.so", "libm.so", "libstdc++", "libgcc_s", "libdl.", "libpthread.")
    for line in subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) > 2 and words[2].startswith("/") and not words[0].startswith(kept):
            yield words[2]


def run(case):
    lab = pathlib.Path(os.environ.get("LAB", "/var/lib/critpipe-lab"))
    if os.geteuid() != 0 or not (lab / os.environ.get("LAB_SUITE", "trixie") / ".ready").exists():
        case.miss("root, and the lab that tools/test-live makes")
        return
    share = lab / "share" / "bench"
    shutil.rmtree(share, ignore_errors=True)
    for folder in ("bin", "lib"):
        (share / folder).mkdir(parents=True)
    for name in ("crit-dump", "crit-restore", "crit-criu", "crit-cat"):
        shutil.copy(case.program(name), share / "bin")
    for path in libraries(case.program("crit-dump")):
        shutil.copy(path, share / "lib")
    for path in ("bench/tools/discard_dump.c", "bench/tools/used.c", "bench/tools/big.c",
                 "bench/tools/checkpoint-speed", "tests/live/proof.c"):
        shutil.copy(place.top / path, share)
    rounds = 2 if case.quick else 7
    size = case.size(1024, 64)
    finished = subprocess.run([place.top / "tests/live/lab", "run", "bash", "/share/bench/checkpoint-speed", str(size),
                               str(rounds)], check=False, capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr[-2000:])
    rows = {}
    for line in finished.stdout.splitlines():
        name, *numbers = line.split()
        rows.setdefault(name, []).append([int(number) for number in numbers])
    medians = {name: [statistics.median(column) for column in zip(*values)] for name, values in rows.items()}
    time = {name: values[0] / 1e6 for name, values in medians.items() if values}
    case.figures(f"{size} MiB, median of {rounds}", ["what", "seconds", "processor", "peak MiB"],
                 [[name, *[f"{value / 1e6:.4f}" for value in values[:2]], *[f"{value / 1024:.1f}" for value in values[2:]]]
                  for name, values in medians.items()])
    limits = [
        ("crit-dump to /dev/null: time of criu dump --stream", time["dump"] / time["discard"], 1.2),
        ("crit-dump | zstd -3 -T2: time of half the processor time and the frozen time",
         time["packed"] / ((medians["packed-dump"][1] + medians["packed-zstd"][1]) / 2e6 + time["packed-frozen"]), 1.1),
        ("--buffer=all: frozen time of a dump to /dev/null", time["buffer-frozen"] / time["frozen"], 1.3),
        ("crit-restore from a pipe: time of the pipe and 1.2 criu restore",
         time["restore"] / (time["pipe"] + 1.2 * time["criu-restore"]), 1.0),
        ("crit-criu version: time of criu --version", time["version"] / time["criu-version"], 1.15),
    ]
    for text, got, wanted in limits:
        case.target(text, got, wanted, "x", at_least=False)
    case.target("crit-dump --check of 50 tasks, milliseconds", time["check"] * 1e3, 50, at_least=False)
    for name in ("dump", "buffer"):
        case.target(f"peak memory of {name} (32 MiB)", medians[name][2] * 1024, 32 << 20, "B", at_least=False)
    shutil.rmtree(share)
