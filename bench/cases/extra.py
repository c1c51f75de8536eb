"""1 GiB of pipe contents to base64 in JSON"""


def run(case):
    size = case.size(1 << 30)
    image = case.data.image("extra", size)
    small = case.data.image("extra", 1 << 20)
    ours = case.output([case.program("crit-tojson"), small])
    text = int(case.output([case.program("crit-tojson"), image], ["wc", "-c"]))
    back = case.output([case.program("crit-tojson"), image], [case.program("crit-fromjson")], ["cmp", "-", image])
    case.equal("encoded again: the same bytes", back, b"")
    runners = [case.ours(["crit-tojson", "-j1", image])]
    for label, path in case.peers("crit-native", "crit-trixie", "crit-go"):
        if (theirs := case.ask(label, [path, "decode"], stdin=small)) is None:
            continue
        if "Python" in label:
            case.equal(f"{label}: the same bytes", ours.rstrip(b"\n"), theirs.rstrip(b"\n"))
        else:
            extra = ours.split(b'"')[-2].replace(b"\\n", b"")
            case.equal(f"{label}: the same base64 in one line", extra, theirs.split(b'"')[-2])
        part = case.size(64 << 20, 1 << 20)
        runners.append(case.runner(label, [path, "decode"], stdin=case.data.image("extra", part), scale=size / part))
    runners += [case.runner("base64 of coreutils, the bytes alone", ["base64", image]), case.cat(image),
                case.memcpy(text)]
    rows = case.race("to /dev/null", runners, image.stat().st_size)
    case.target("JSON", text / rows["crit-tojson"]["median"], 2e9, "B/s")
    case.memory(rows["crit-tojson"])
    text_file = case.data.text("extra.json", [[case.program("crit-tojson"), image]])
    case.race("and back: crit-fromjson, rate of the JSON", [
        case.ours(["crit-fromjson", "-j1", text_file]), case.cat(text_file), case.memcpy(size)], text)
