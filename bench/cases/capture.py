"""How long is a process of 1 GiB frozen while crit-stream captures it? criu dump --stream, to /dev/null

A real criu, in the lab that tools/test-live makes (root is needed), dumps the same process again and again: to a reader that
throws all away, which is the least there can be, and to crit-stream capture.
"""
import os
import pathlib
import shutil
import statistics
import subprocess

import place


def run(case):
    lab = pathlib.Path(os.environ.get("LAB", "/var/lib/critpipe-lab"))
    if os.geteuid() != 0 or not (lab / "trixie" / ".ready").exists():
        case.miss("root, and the lab that tools/test-live makes")
        return
    share = lab / "share" / "bench"
    shutil.rmtree(share, ignore_errors=True)
    share.mkdir(parents=True)
    for path in (case.program("crit-stream"), case.program("crit-stats"), place.top / "bench/tools/discard_dump.c",
                 place.top / "bench/tools/big.c", place.top / "bench/tools/dump-streamed"):
        shutil.copy(path, share)
    rounds = 3 if case.quick else 11
    lines = subprocess.run([place.top / "tests/live/lab", "run", "bash", "/share/bench/dump-streamed",
                            str(case.size(1024, 64)), str(rounds)], check=True, capture_output=True, text=True).stdout
    times = {}
    for line in lines.splitlines():
        reader, whole, frozen = line.split()
        times.setdefault(reader, []).append((int(whole) / 1e6, int(frozen) / 1e6))
    medians = {reader: [statistics.median(column) for column in zip(*rows)] for reader, rows in times.items()}
    case.figures(f"seconds, median of {rounds}", ["reader", "criu and reader", "frozen"],
                 [[reader, f"{whole:.3f}", f"{frozen:.3f}"] for reader, (whole, frozen) in medians.items()])
    case.target("time of a reader that throws all away", medians["crit-stream"][0] / medians["discard"][0], 1.2, "x",
                at_least=False)
    shutil.rmtree(share)
