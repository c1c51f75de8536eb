"""How long does the dump of a container of 1 GiB into a tar.zst take? podman container checkpoint -e, criu alone, zstd alone

A real criu, podman and runc, in the lab that tools/test-live containers makes (root is needed). LAB names it.
"""
import os
import pathlib
import shutil
import statistics
import subprocess

import place


def run(case):
    lab = pathlib.Path(os.environ.get("LAB", "/var/lib/critpipe-lab"))
    if os.geteuid() != 0 or not (lab / "trixie" / "opt" / "criu").exists():
        case.miss("root, and the lab that tools/test-live containers makes")
        return
    share = lab / "share" / "bench"
    shutil.rmtree(share, ignore_errors=True)
    for folder in ("bin", "lib"):
        (share / folder).mkdir(parents=True)
    shutil.copy(case.program("crit-dump"), share / "bin")
    for path in place.libraries(case.program("crit-dump")):
        shutil.copy(path, share / "lib")
    for path in ("used.c", "big.c", "container-speed"):
        shutil.copy(place.top / "bench" / "tools" / path, share)
    rounds = 2 if case.quick else 5
    size = case.size(1024, 64)
    finished = subprocess.run([place.top / "tests/live/lab", "run", "bash", "/share/bench/container-speed", str(size),
                               str(rounds)], check=False, capture_output=True, text=True,
                              env={**os.environ, "LAB_SUITE": "trixie", "LAB_CGROUPS": "1"})
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr[-2000:])
    rows = {}
    for line in finished.stdout.splitlines():
        name, *numbers = line.split()
        rows.setdefault(name, []).append([int(number) for number in numbers])
    medians = {name: [statistics.median(column) for column in zip(*values)] for name, values in rows.items()}
    case.figures(f"{size} MiB, median of {rounds}", ["what", "seconds", "processor", "peak MiB"],
                 [[name, f"{time / 1e6:.3f}", f"{processor / 1e6:.3f}", f"{peak / 1024:.1f}"]
                  for name, (time, processor, peak) in medians.items()])
    least = max(medians["criu"][0], medians["zstd"][0])
    case.target("time of the longer of criu dump and zstd -3 -T2", medians["crit-dump"][0] / least, 1.2, "x", at_least=False)
    case.target("time of podman container checkpoint -e", medians["crit-dump"][0] / medians["podman"][0], 1.0, "x",
                at_least=False)
    case.target("peak memory of crit-dump (64 MiB)", medians["crit-dump"][2] * 1024, 64 << 20, "B", at_least=False)
    shutil.rmtree(share)
