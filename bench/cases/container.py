"""How long does the dump of a container of 1 GiB into a tar.zst take? podman container checkpoint -e, criu alone, zstd alone

A real criu, podman and runc, in the lab that tools/test-live containers makes (root is needed). LAB names it.
"""
import os

import lab


def run(case):
    if os.geteuid() != 0 or not (lab.path / "trixie" / "opt" / "criu").exists():
        case.miss("root, and the lab that tools/test-live containers makes")
        return
    rounds = 2 if case.quick else 5
    size = case.size(1024, 64)
    medians = lab.medians(case, "container-speed", ["crit-dump"], ["bench/tools/used.c", "bench/tools/big.c"],
                          size, rounds, LAB_SUITE="trixie", LAB_CGROUPS="1")
    case.figures(f"{size} MiB, median of {rounds}", ["what", "seconds", "processor", "peak MiB"],
                 [[name, f"{time / 1e6:.3f}", f"{processor / 1e6:.3f}", f"{peak / 1024:.1f}"]
                  for name, (time, processor, peak) in medians.items()])
    least = max(medians["criu"][0], medians["zstd"][0])
    case.target("time of the longer of criu dump and zstd -3 -T2", medians["crit-dump"][0] / least, 1.2, "x", at_least=False)
    case.target("time of podman container checkpoint -e", medians["crit-dump"][0] / medians["podman"][0], 1.0, "x",
                at_least=False)
    case.target("peak memory of crit-dump (64 MiB)", medians["crit-dump"][2] * 1024, 64 << 20, "B", at_least=False)
