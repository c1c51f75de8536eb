"""What a pagemap of 5,000,000 entries covers: crit-pages --summary"""
import json


def run(case):
    nr = case.size(5_000_000)
    image = case.data.image("pagemap-4.1", nr)
    small = case.data.image("pagemap-4.1", 2000)
    ours = json.loads(case.output([case.program("crit-pages"), "--summary", "--json", small]))["total"]
    entries = json.loads(case.output([case.program("crit-tojson"), small]))["entries"][1:]
    pages = sum(entry["compat_nr_pages"] for entry in entries)
    case.equal("entries and pages of 2,000", (ours["entries"], ours["pages"], ours["present"]), (2000, pages, pages))
    runners = [case.ours(["crit-pages", "--summary", image])]
    for label, path in case.peers("crit-go"):
        part = case.size(200_000, 2000)
        part_image = case.data.image("pagemap-4.1", part)
        runners.append(case.runner(f"{label}, mere decode", [path, "decode"], stdin=part_image, scale=nr / part))
    if jq := case.machine_program("jq"):
        part = case.size(40_000, 2000)
        for label, path in case.peers("crit-native"):
            runners.append(case.runner(f"{label} | jq", [path, "decode"], stdin=case.data.image("pagemap-4.1", part),
                                       pipe=[[jq, "[.entries[].nr_pages]|add"]], scale=nr / part))
    rows = case.race("--summary", runners + [case.cat(image)], image.stat().st_size, nr)
    case.target("pagemap", image.stat().st_size / rows["crit-pages"]["median"], 1e9, "B/s")
    case.against(rows, "crit-pages", {"go-criu": 150})
    case.memory(rows["crit-pages"])
