"""Entries of 5,000,000 by a condition: crit-grep EXPR"""
import json

expression = "nr_pages > 16 && flags & PE_LAZY"
condition = ".entries[1:][] | select(.nr_pages > 16 and (.flags / 2 | floor) % 2 == 1)"


def run(case):
    nr = case.size(5_000_000)
    image = case.data.image("pagemap-4.1", nr)
    part = case.size(40_000, 4000)
    small = case.data.image("pagemap-4.1", part)
    # CRIU 4.1 called the count nr_pages; so does jq on Python crit's answer.
    ours = expression.replace("nr_pages", "compat_nr_pages")
    kept = json.loads(case.output([case.program("crit-grep"), ours, small], [case.program("crit-tojson")]))["entries"]
    kept = [[entry["vaddr"], entry["compat_nr_pages"]] for entry in kept if "vaddr" in entry]
    runners = [case.ours(["crit-grep", "-j1", ours, image])]
    jq = case.machine_program("jq")
    for label, path in case.peers("crit-native", "crit-trixie") if jq else []:
        pairs = [[jq, "-c", condition + " | [.vaddr, .nr_pages]"]]
        if (theirs := case.ask(label, [path, "decode"], *pairs, stdin=small)) is None:
            continue
        case.equal(f"{label} | jq: the same entries of {part:,}", kept, list(map(json.loads, theirs.splitlines())))
        runners.append(case.runner(f"{label} | jq", [path, "decode"], stdin=small, pipe=[[jq, "-c", condition]],
                                   scale=nr / part))
    rows = case.race(expression, runners + [case.cat(image)], image.stat().st_size, nr)
    case.target("image", image.stat().st_size / rows["crit-grep"]["median"], 600e6, "B/s")
    case.memory(rows["crit-grep"])
