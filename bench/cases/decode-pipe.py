"""The same through a pipe"""


def run(case):
    nr = case.size(5_000_000)
    image = case.data.image("pagemap", nr)
    text = case.data.text("pagemap.json", [[case.program("crit-tojson"), image]])
    through = case.output([case.program("crit-tojson"), image], ["cat"])
    case.equal("the same JSON through a pipe", through, text.read_bytes())
    rows = case.race("crit-tojson FILE | cat", [
        case.ours(["crit-tojson", "-j1", image], pipe=[["cat"]]),
        case.cat(text, name="cat the same JSON | cat", pipe=[["cat"]]),
        case.ours(["crit-tojson", "-j1"], pipe=[["cat"]], name="cat image | crit-tojson | cat", before=[["cat", image]]),
    ], text.stat().st_size, nr)
    limit = rows["cat the same JSON | cat"]["median"]
    case.target("time of cat JSON | cat", rows["crit-tojson | cat"]["median"] / limit, 1.3, "x", at_least=False)
