"""files.img with 100,000 descriptors, mm with 100,000 mappings, to JSON"""
import json


def race(case, kind, title):
    nr = case.size(100_000)
    image = case.data.image(kind, nr)
    small = case.data.image(kind, case.size(5_000, 500))
    ours = case.output([case.program("crit-tojson"), small])
    runners = [case.ours(["crit-tojson", "-j1", image])]
    for label, path in case.peers("crit-native", "crit-trixie", "crit-go"):
        if (theirs := case.ask(label, [path, "decode"], stdin=small)) is None:
            continue
        if "Python" in label:
            case.equal(f"{kind}: {label}: the same bytes", ours.rstrip(b"\n"), theirs.rstrip(b"\n"))
        else:
            case.equal(f"{kind}: {label}: the same values", values(json.loads(ours)), values(json.loads(theirs)))
        runners.append(case.runner(label, [path, "decode"], stdin=small, scale=nr / case.size(5_000, 500)))
    protobuf = [case.tool("bench-protobuf"), small]
    theirs = values(json.loads(case.output(protobuf)))
    case.equal(f"{kind}: protobuf: the same values", values(json.loads(ours))["entries"], theirs["entries"])
    runners.append(case.runner("protobuf's BinaryToJsonString", protobuf, scale=nr / case.size(5_000, 500)))
    runners += [case.cat(image), case.memcpy(len(case.output([case.program("crit-tojson"), image])))]
    rows = case.race(title, runners, image.stat().st_size, nr)
    case.target(f"{kind}: image", image.stat().st_size / rows["crit-tojson"]["median"], 250e6, "B/s")


def values(tree):
    """Numbers in texts are numbers."""
    if isinstance(tree, dict):
        return {key: values(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [values(value) for value in tree]
    return int(tree) if isinstance(tree, str) and tree.lstrip("-").isdigit() else tree


def run(case):
    race(case, "files", "files.img: files, sockets, pipes")
    race(case, "mm", "mm-N.img: one entry")
