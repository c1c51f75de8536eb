"""An image of 2 GiB passed on: crit-cat"""


def run(case):
    size = case.size(2 << 30)
    pages = case.data.memory(size) / "checkpoint" / "pages-1.img"
    pagemap = case.data.image("pagemap-4.1", case.size(5_000_000))
    for image in (pages, pagemap):
        case.equal(f"{image.name.split('-')[0]}: the same bytes",
                   case.output([case.program("crit-cat"), image], ["cmp", "-", image]), b"")
    out = case.data.path("out.img")
    rows = case.race("pages to a pipe and to a file", [
        case.ours(["crit-cat", pages], pipe=[["cat"]]), case.cat(pages, name="cat | cat", pipe=[["cat"]]),
        case.ours(["crit-cat", pages], stdout=out, name="crit-cat > FILE"),
        case.cat(pages, name="cat > FILE", stdout=out),
    ], size)
    for where in ("| cat", "> FILE"):
        quotient = rows[f"crit-cat {where}"]["median"] / rows[f"cat {where}"]["median"]
        case.target(f"time of cat {where}", quotient, 1.0, "x", at_least=False)
    case.race("a pagemap, each entry checked", [
        case.ours(["crit-cat", pagemap], pipe=[["cat"]]),
        case.cat(pagemap, name="cat | cat", pipe=[["cat"]]),
    ], pagemap.stat().st_size)
