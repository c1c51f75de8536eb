"""Zero, duplicate and distinct pages of 2 GiB: crit-pages --contents"""
import hashlib
import json


def counted(path):
    """Slowly, and with nothing of ours. The zero page is one of the distinct ones."""
    content = path.read_bytes()
    pages = [content[at:at + 4096] for at in range(0, len(content), 4096)]
    distinct = len({hashlib.sha256(page).digest() for page in pages})
    return {"zero": pages.count(bytes(4096)), "distinct": distinct, "duplicate": len(pages) - distinct}


def run(case):
    size = case.size(2 << 30)
    folder = case.data.memory(size) / "checkpoint"
    small = case.data.memory(8 << 20) / "checkpoint"
    process = json.loads(case.output([case.program("crit-pages"), "--contents", "--json", small]))["processes"]
    ours = next(one for one in process if one["pid"] == 1)
    theirs = counted(small / "pages-1.img")
    case.equal("zero, distinct and duplicate pages of 8 MiB as a Python script counts them",
               {key: ours[key] for key in theirs}, theirs)
    pages = folder / "pages-1.img"
    runners = [case.ours(["crit-pages", "--contents", "-j1", folder], name="crit-pages -j1"),
               case.ours(["crit-pages", "--contents", "-j2", folder], name="crit-pages -j2"),
               case.cat(pages), case.memcpy(size), case.runner("sha256sum, the bytes alone", ["sha256sum", pages])]
    rows = case.race("--contents", runners, size, size // 4096)
    limit = next(row["median"] for row in rows.values() if row["role"] == "limit")
    case.target("share of cat's speed, one core", limit / rows["crit-pages -j1"]["median"], 0.6, "x")
    case.target("share of cat's speed, two cores", limit / rows["crit-pages -j2"]["median"], 1.0, "x")
    case.target("peak memory", rows["crit-pages -j1"]["peak_bytes"], 64 << 20, "B", at_least=False)
