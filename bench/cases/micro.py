"""The parts, against the best that Debian ships for each

Google Benchmark, in memory, on samples that fit the first caches; names end with whose code it is.
"""
import json


def rate(value):
    return "" if value is None else f"{value / 1e9:.2f} G" if value >= 1e9 else f"{value / 1e6:.1f} M"


def run(case):
    command = [case.tool("bench-micro"), "--benchmark_format=json", "--benchmark_repetitions=3",
               "--benchmark_report_aggregates_only=true", f"--benchmark_min_time={0.02 if case.quick else 0.2}"]
    rows = {}
    for one in json.loads(case.output(command))["benchmarks"]:
        rows.setdefault(one["run_name"], {})[one["aggregate_name"]] = one
    table = []
    for name, aggregates in rows.items():
        median = aggregates["median"]
        spread = aggregates["stddev"]["cpu_time"] / median["cpu_time"]
        table.append((name, rate(median.get("bytes_per_second")), rate(median.get("items_per_second")),
                      f"{100 * spread:.1f}%"))
    case.figures("medians of three", ("", "bytes/s", "entries or numbers/s", "deviation"), table)
