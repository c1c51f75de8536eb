"""How long is a process of 1 GiB frozen while crit-stream captures it? criu dump --stream, to /dev/null

A real criu, in the lab that tools/test-live makes (root is needed), dumps the same process again and again: to a reader that
throws all away, which is the least there can be, and to crit-stream capture.
"""
import os

import lab


def run(case):
    if os.geteuid() != 0 or not (lab.path / "trixie" / ".ready").exists():
        case.miss("root, and the lab that tools/test-live makes")
        return
    rounds = 3 if case.quick else 11
    medians = lab.medians(case, "dump-streamed", ["crit-stream", "crit-stats"],
                          ["bench/tools/discard_dump.c", "bench/tools/big.c"], case.size(1024, 64), rounds)
    case.figures(f"seconds, median of {rounds}", ["reader", "criu and reader", "frozen"],
                 [[reader, f"{whole / 1e6:.3f}", f"{frozen / 1e6:.3f}"] for reader, (whole, frozen) in medians.items()])
    case.target("time of a reader that throws all away", medians["crit-stream"][0] / medians["discard"][0], 1.2, "x",
                at_least=False)
