"""How long do dump and restore of a process of 1 GiB take, against criu alone?

A real criu, in the lab that tools/test-live makes (root is needed). LAB and LAB_SUITE name it.
"""
import os

import lab


def run(case):
    if os.geteuid() != 0 or not (lab.path / os.environ.get("LAB_SUITE", "trixie") / ".ready").exists():
        case.miss("root, and the lab that tools/test-live makes")
        return
    rounds = 2 if case.quick else 7
    size = case.size(1024, 64)
    medians = lab.medians(case, "checkpoint-speed", ["crit-dump", "crit-restore", "crit-criu", "crit-cat"],
                          ["bench/tools/discard_dump.c", "bench/tools/used.c", "bench/tools/big.c", "tests/live/proof.c"],
                          size, rounds)
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
    case.note("--buffer=all holds what the reader has not taken yet.")
