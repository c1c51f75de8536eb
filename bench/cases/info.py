"""How many entries a pagemap of 5,000,000 has"""
import json


def run(case):
    nr = case.size(5_000_000)
    image = case.data.image("pagemap-4.1", nr)
    runners = [case.ours(["crit", "info", image], name="crit info")]
    for name in ("crit-native", "crit-trixie", "crit-go"):
        if not (peer := case.peer(name)):
            continue
        label, path = peer
        part = nr if name == "crit-go" else case.size(500_000, 2000)
        small = case.data.image("pagemap-4.1", part)
        words = {"crit-native": [small], "crit-trixie": [case.inside(small)]}
        command = [path, "info", *words.get(name, [])]
        if (theirs := case.ask(label, command, stdin=small)) is None:
            continue
        ours = json.loads(case.output([case.program("crit"), "info", small]))["count"]
        answer = json.loads(theirs)
        count = answer["entries"][0]["count"] if name == "crit-go" else answer["count"]
        case.equal(f"{label}: the same count", ours, int(count))
        runners.append(case.runner(label, command, stdin=small, scale=nr / part))
    rows = case.race("count", runners + [case.cat(image)], image.stat().st_size, nr)
    case.memory(rows["crit info"])
