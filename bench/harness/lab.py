"""Scripts of bench/tools that run in the lab of tools/test-live, which LAB names (root is needed)."""
import os
import pathlib
import shutil
import statistics
import subprocess

import place

path = pathlib.Path(os.environ.get("LAB", "/var/lib/critpipe-lab"))


def medians(case, script, programs, files, *words, **environment):
    """Runs bench/tools/SCRIPT WORD... with those programs and files beside it. It prints rows, NAME NUMBER...: for each name
    the medians of the columns."""
    share = path / "share" / "bench"
    shutil.rmtree(share, ignore_errors=True)
    for folder in ("bin", "lib"):
        (share / folder).mkdir(parents=True)
    for name in programs:
        shutil.copy(case.program(name), share / "bin")
    for library in place.libraries(case.program("crit-dump")):
        shutil.copy(library, share / "lib")
    for name in (f"bench/tools/{script}", *files):
        shutil.copy(place.top / name, share)
    finished = subprocess.run([place.top / "tests/live/lab", "run", "bash", f"/share/bench/{script}", *map(str, words)],
                              check=False, capture_output=True, text=True, env={**os.environ, **environment})
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr[-2000:])
    shutil.rmtree(share)
    rows = {}
    for line in finished.stdout.splitlines():
        name, *numbers = line.split()
        rows.setdefault(name, []).append([int(number) for number in numbers])
    return {name: [statistics.median(column) for column in zip(*values)] for name, values in rows.items()}
