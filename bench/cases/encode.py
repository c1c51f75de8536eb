"""JSON to a pagemap of 5,000,000 entries

Each program reads the JSON that it prints itself. Rates are those of the JSON.
"""


def json_of(case, nr, label, path):
    """A pagemap of CRIU 4.1 as the program at path prints it."""
    image = case.data.image("pagemap-4.1", nr)
    name = "pagemap-" + "".join(filter(str.isalnum, label)) + f"-{nr}.json"
    return image, case.data.text(name, [[path, "decode", "<", image]])


def run(case):
    nr = case.size(5_000_000)
    image = case.data.image("pagemap-4.1", nr)
    text = case.data.text("pagemap.json", [[case.program("crit-tojson"), image]])
    case.equal("the same image from our JSON", case.output([case.program("crit-fromjson"), text]), image.read_bytes())
    runners = [case.ours(["crit-fromjson", "-j1", text])]
    for label, path in case.peers("crit-native", "crit-trixie", "crit-go"):
        part = case.size(40_000 if "Python" in label else 200_000, 2000)
        part_image, part_text = json_of(case, part, label, path)
        if (theirs := case.ask(label, [path, "encode"], stdin=part_text)) is None:
            continue
        case.equal(f"{label}: the same image from its JSON", theirs, part_image.read_bytes())
        ours = case.output([case.program("crit-fromjson"), part_text])
        case.equal(f"{label}: its JSON gives us the same image", ours, theirs)
        runners.append(case.runner(label, [path, "encode"], stdin=part_text, scale=nr / part))
    runners += [case.cat(text), case.memcpy(text.stat().st_size)]
    rows = case.race("from a file to /dev/null", runners, text.stat().st_size, nr)
    case.target("JSON", text.stat().st_size / rows["crit-fromjson"]["median"], 600e6, "B/s")
    case.against(rows, "crit-fromjson", {"go-criu": 100, "Python crit": 100})
    case.memory(rows["crit-fromjson"])
