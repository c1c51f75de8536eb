"""A pagemap of 5,000,000 entries to JSON

As CRIU 4.1 writes it, which every peer knows, and as CRIU 4.2 does. BinaryToJsonString is what a program costs that is
written straight against libprotobuf; it gets all entries as one message, so that types are looked up once.
"""
import json


def plain(text):
    """Go and protobuf print 64-bit numbers as texts; CRIU 4.1 called the count by another name."""
    text = text.replace(b'"compat_nr_pages"', b'"nr_pages"')
    document = json.loads(text)
    entries = document.get("head", []) + document["entries"]
    return [{key: int(value) for key, value in entry.items()} for entry in entries]


def peers_on(case, image):
    """(label, command, stdin) of each peer that prints a pagemap."""
    commands = [(label, [path, "decode"]) for label, path in case.peers("crit-native", "crit-trixie", "crit-go")]
    return commands + [("protobuf's BinaryToJsonString", [case.tool("bench-protobuf"), image])]


def check(case, ours):
    small = case.data.image("pagemap-4.1", 2000)
    answer = plain(case.output([case.program("crit-tojson"), small]))
    for label, command in peers_on(case, small):
        if (theirs := case.ask(label, command, stdin=small)) is not None:
            case.equal(f"{label}: the same entries of 2,000", answer, plain(theirs))
    back = case.output([case.program("crit-tojson"), ours], [case.program("crit-fromjson")])
    case.equal("encoded again: the same bytes of all entries", back, ours.read_bytes())


def peer_entries(case, label):
    """Peers take seconds for so many."""
    return case.size(40_000 if "Python" in label else 200_000, 2000)


def run(case):
    nr = case.size(5_000_000)
    image = case.data.image("pagemap-4.1", nr)
    check(case, image)
    size = len(case.output([case.program("crit-tojson"), image]))
    runners = [case.ours(["crit-tojson", "-j1", image])]
    for label in [label for label, _ in peers_on(case, image)]:
        part = case.data.image("pagemap-4.1", peer_entries(case, label))
        command = dict(peers_on(case, part))[label]
        runners.append(case.runner(label, command, stdin=part, scale=nr / peer_entries(case, label)))
    runners += [case.cat(image), case.memcpy(size)]
    rows = case.race("to /dev/null, image of CRIU 4.1", runners, image.stat().st_size, nr)
    case.against(rows, "crit-tojson", {"go-criu": 100, "Python crit": 300})

    newer = case.data.image("pagemap", nr)
    read = newer.stat().st_size
    json_text = case.data.text("in.json", [[case.program("crit-tojson"), newer]])
    size = json_text.stat().st_size
    rows = case.race("to /dev/null, image of CRIU 4.2",
                     [case.ours(["crit-tojson", "-j1", newer]), case.cat(newer), case.memcpy(size)], read, nr)
    ours = rows["crit-tojson"]["median"]
    case.target("to /dev/null, image", read / ours, 600e6, "B/s")
    case.target("to /dev/null, JSON", size / ours, 2.4e9, "B/s")
    case.memory(rows["crit-tojson"])

    # Apart, since what writes much to memory slows down what runs after it.
    out = case.data.path("out.json")
    rows = case.race("to a file, image of CRIU 4.2", [
        case.ours(["crit-tojson", "-j1", newer], stdout=out),
        case.cat(json_text, name="cat the JSON to a file", stdout=out)], read, nr)
    ours = rows["crit-tojson"]["median"]
    case.target("to a file, image", read / ours, 600e6, "B/s")
    case.target("to a file, JSON", size / ours, 2.4e9, "B/s")
    case.note("Written by cat to the same file the JSON takes "
              f"{rows['cat the JSON to a file']['median'] / ours:.2f} times as long.")
