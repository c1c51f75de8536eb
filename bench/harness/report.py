"""Results to a report: README.md, raw.csv, plots."""
import csv
import datetime
import re

import machine
import place
import plot

folder = place.top / "bench" / "results"


def seconds(value):
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def rate(value):
    return f"{value / 1e9:.2f} GB/s" if value >= 1e9 else f"{value / 1e6:.3g} MB/s"


def number(value):
    return f"{value:,.0f}"


def mebibytes(value):
    return f"{value / 2**20:.1f} MiB"


def times(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def amount(value, unit):
    return {"B/s": rate, "B": mebibytes, "s": seconds}.get(unit, lambda v: times(v) + unit)(value)


def ours_of(table):
    return next((row for row in table["rows"] if row["role"] == "ours"), None)


def table_text(table):
    """One race as a Markdown table. The last column: how many times as long as ours."""
    ours = ours_of(table)
    counted = any(row["instructions"] for row in table["rows"])
    columns = [("bytes/s", table["bytes"]), ("entries/s", table["entries"]), ("instructions", counted)]
    head = ["", "median", "fastest – slowest", *[name for name, there in columns if there], "peak memory", "× ours"]
    rows = []
    for row in table["rows"]:
        median = row["median"]
        label = {"ours": f"**{row['name']}**", "limit": f"_{row['name']}_"}.get(row["role"], row["name"])
        cells = [label + (" ¹" if row["scale"] != 1 else ""), seconds(median)]
        cells.append(f"{seconds(row['min'])} – {seconds(row['max'])}")
        if table["bytes"]:
            cells.append(rate(table["bytes"] / median) if row["rate"] else "")
        if table["entries"]:
            cells.append(number(table["entries"] / median) if row["role"] != "limit" and row["rate"] else "")
        if counted:
            cells.append(plot.short(row["instructions"]) if row["instructions"] else "")
        cells += [mebibytes(row["peak_bytes"]), times(median / ours["median"]) if ours else ""]
        rows.append(cells)
    lines = [f"**{table['title']}**", "", *markdown(head, rows)]
    parts = sorted({fraction(row["scale"]) for row in table["rows"] if row["scale"] != 1})
    if parts:
        lines += ["", f"¹ Ran on a part of the input ({', '.join(parts)}); the time is multiplied, the memory is not."]
    once = [row["name"] for row in table["rows"] if len(row["seconds"]) == 1]
    if once:
        lines += ["", f"Ran once: {', '.join(once)}."]
    return "\n".join(lines)


def markdown(head, rows):
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines]


def fraction(scale):
    return f"1/{scale:.0f}" if abs(scale - round(scale)) < 0.01 else f"{100 / scale:.2g}%"


def target_text(target):
    sign = "" if target["at_least"] else "at most "
    verdict = "reached" if target["reached"] else "**not reached**"
    return f"{target['text']}: {sign}{amount(target['wanted'], target['unit'])} wanted, " \
           f"{amount(target['got'], target['unit'])} measured, {verdict}"


def case_text(result):
    lines = [f"## {result['case']}: {result['question'].splitlines()[0]}", ""]
    rest = "\n".join(result["question"].splitlines()[1:]).strip()
    lines += [rest, ""] if rest else []
    if result["failed"]:
        lines += [f"**{result['failed']}**", ""]
    for table in result["tables"]:
        lines += [table_text(table), ""]
    for figures in result["figures"]:
        lines += [f"**{figures['title']}**", "", *markdown(figures["head"], figures["rows"]), ""]
    for drawn in result["plots"]:
        lines += [f"![{drawn['title']}]({drawn['name']}.svg)", ""]
    lists = {"Targets": [target_text(target) for target in result["targets"]], "Notes": result["notes"],
             "Equal before timing": result["checks"], "Missing here": result["missing"]}
    for heading, items in lists.items():
        if items:
            lines += [f"{heading}:", *[f"- {item}" for item in items], ""]
    return "\n".join(lines)


def quotient(row, ours):
    return times(row["median"] / ours["median"]) + "×" + ("¹" if row["scale"] != 1 else "")


def fastest_versions(rows):
    """Of several versions of a peer the fastest."""
    best = {}
    for row in rows:
        family = re.sub(r" [0-9.]+", "", row["name"])
        if family not in best or row["median"] < best[family]["median"]:
            best[family] = row
    return best.values()


def short_table(results):
    """The table for the project's README: the first race of each case."""
    head = ["question", "critpipe", "memory", "the others take", "the limit takes"]
    rows = []
    for result in results:
        for table in result["tables"][:1]:
            ours = ours_of(table)
            peers = fastest_versions(row for row in table["rows"] if row["role"] == "peer")
            limits = [row for row in table["rows"] if row["role"] == "limit"]
            if not ours:
                continue
            speed = f", {rate(table['bytes'] / ours['median'])}" if table["bytes"] else ""
            question = result["question"].splitlines()[0]
            rows.append([question, seconds(ours["median"]) + speed, mebibytes(ours["peak_bytes"]),
                         ", ".join(f"{row['name']} {quotient(row, ours)}" for row in peers) or "–",
                         ", ".join(f"{row['name']} {row['median'] / ours['median']:.2g}×" for row in limits) or "–"])
    return "\n".join(markdown(head, rows))


def overview(results):
    groups = []
    for result in results:
        for table in result["tables"][:1]:
            if ours_of(table):
                bars = [(row["name"], row["median"], row["role"] == "ours") for row in table["rows"]]
                groups.append((result["question"].splitlines()[0], bars))
    return plot.bars("Seconds, logarithmic; shorter is better", groups, "s") if groups else None


def write(results):
    """Returns the directory of the report."""
    quick = any(result["quick"] for result in results)
    name = f"{datetime.date.today()}-{machine.name()}" + ("-quick" if quick else "")
    to = (place.own if quick else folder) / name
    to.mkdir(parents=True, exist_ok=True)
    lines = [f"# Benchmarks of {datetime.date.today()}", ""]
    if quick:
        lines += ["A quick run on small inputs: a test of the suite, no measurement.", ""]
    lines += ["Made by `bench/run`. Answers were compared before anything was timed; all ran in turn, warm, at least",
              "five times; a figure is the median. One thread (-j1) unless said. Unfavourable cases are here too.", ""]
    busy = max(result["busy"] for result in results)
    if busy > 0.2:
        lines += [f"**Other programs used up to {busy:.1f} processors meanwhile: do not trust these figures.**", ""]
    lines += [short_table(results), "", "¹ Measured on a part of the input and multiplied.", "",
              "![All cases](overview.svg)", "", "## Machine", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in machine.table().items()]
    lines += ["", *[case_text(result) for result in results]]
    (to / "README.md").write_text("\n".join(lines), encoding="utf-8")
    write_raw(results, to / "raw.csv")
    if drawing := overview(results):
        (to / "overview.svg").write_text(drawing, encoding="utf-8")
    for result in results:
        for drawn in result["plots"]:
            drawing = plot.lines(drawn["title"], drawn["series"], drawn["axes"])
            (to / f"{drawn['name']}.svg").write_text(drawing, encoding="utf-8")
    return to


def write_raw(results, path):
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["case", "race", "program", "role", "command", "run", "seconds", "scale", "bytes", "entries",
                      "peak_bytes"])
        for result in results:
            for table in result["tables"]:
                for row in table["rows"]:
                    for run, value in enumerate(row["seconds"]):
                        out.writerow([result["case"], table["title"], row["name"], row["role"], row["command"], run,
                                      f"{value:.6f}", row["scale"], table["bytes"], table["entries"],
                                      row["peak_bytes"]])
