"""Time and memory against size, over four decades

Both must be straight lines: time through the start-up, memory level where a program streams.
"""

sizes = (1_000, 10_000, 100_000, 1_000_000, 5_000_000)


def run(case):
    wanted = sizes[:3] if case.quick else sizes
    series = {}
    runs = [("crit-tojson", None, wanted), ("crit-fromjson", None, wanted)]
    runs += [(label, path, [size for size in wanted if size <= (10_000 if "Python" in label else 100_000)] +
              ([] if case.quick else [100_000 if "Python" in label else 1_000_000]))
             for label, path in case.peers("crit-native", "crit-go")]
    tables = {}
    for label, path, some in runs:
        for size in some:
            image = case.data.image("pagemap-4.1", size)
            repeat = max(1, min(100, 100_000 // size)) if path is None else 1
            if label == "crit-fromjson":
                text = case.data.text(f"growth-{size}.json", [[case.program("crit-tojson"), image]])
                runner = case.ours(["crit-fromjson", "-j1", text], repeat=repeat)
            elif path is None:
                runner = case.ours(["crit-tojson", "-j1", image], repeat=repeat)
            else:
                runner = case.runner(label, [path, "decode"], stdin=image)
            tables.setdefault(size, []).append(runner)
    for size, runners in tables.items():
        rows = case.race(f"{size:,} entries", runners, 0, size)
        for name, row in rows.items():
            series.setdefault(name, []).append((size, row["median"], row["peak_bytes"]))
    times = {name: [(size, time) for size, time, _ in line] for name, line in series.items()}
    peaks = {name: [(size, peak) for size, _, peak in line] for name, line in series.items()}
    case.plot("growth-time", "Time against size", times, ("entries of a pagemap", "seconds"))
    case.plot("growth-memory", "Peak memory against size", peaks, ("entries of a pagemap", "bytes"))
    for name in ("crit-tojson", "crit-fromjson"):
        (first, early, _), (last, late, peak) = series[name][-2:]
        case.target(f"{name}: time for {last / first:.0f} times the entries", late / early, 1.15 * last / first, "x",
                    at_least=False)
        case.target(f"{name}: peak memory of the largest", peak, 16 << 20, "B", at_least=False)
