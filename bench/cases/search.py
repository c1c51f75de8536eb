"""A text in 2 GiB of memory: crit-grep --memory"""
import random

needle = "critpipe needle"


def words_like_names(count):
    """Seeded: the same ones in every run."""
    dice = random.Random(5)
    return ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz_/.0123456789ABCDEF", k=dice.randint(6, 20)))
            for _ in range(count)]


def run(case):
    size = case.size(2 << 30, 32 << 20)
    folder = case.data.memory(size)
    checkpoint = folder / "checkpoint"
    pages = checkpoint / "pages-1.img"
    ours = ["crit-grep", "--memory", "-F", needle, "--json", checkpoint]
    found = case.output([case.program(ours[0]), *ours[1:]]).count(b"\n")
    case.equal("as many matches as were planted", found, size // 4096 // 4096)
    runners = [case.ours(ours)]
    if rg := case.machine_program("rg"):
        plain = [rg, "-a", "-c", "--no-mmap", "-F", needle, pages]
        runners.append(case.runner("ripgrep, the pages image alone", plain))
    words = "critpipe [a-z]+dle of"
    regex = ["crit-grep", "--memory", words, "--json", checkpoint]
    case.equal("as many by a regular expression", case.output([case.program(regex[0]), *regex[1:]]).count(b"\n"), found)
    runners.append(case.ours(regex, name="crit-grep, a regular expression"))
    if rg:
        runners.append(case.runner("ripgrep, a regular expression", [rg, "-a", "-c", "--no-mmap", words, pages]))
    literals = case.data.path("literals.txt")
    literals.write_text("".join(f"{word}\n" for word in [needle, *words_like_names(999)]), encoding="ascii")
    many = ["crit-grep", "--memory", "-F", "-f", literals, "--json", checkpoint]
    case.equal("as many among 1,000 literals", case.output([case.program(many[0]), *many[1:]]).count(b"\n"), found)
    runners.append(case.ours(many, name="crit-grep, 1,000 literals"))
    if rg:
        runners.append(case.runner("ripgrep, 1,000 literals", [rg, "-a", "-c", "--no-mmap", "-F", "-f", literals, pages]))
    part = 32 << 20
    small = case.data.memory(part)
    for label, path in case.peers("crit-go"):
        runners.append(case.runner(f"{label}, memory reader", [path, "search", small / "checkpoint", 1, needle],
                                   scale=size / part))
    for label, path in case.peers("checkpointctl"):
        command = [path, "memparse", "--pid", 1, "--search", needle, case.data.archive(small)]
        if (theirs := case.ask(label, command)) is None:
            continue
        case.equal(f"{label}: as many matches in {part >> 20} MiB", theirs.count(needle.encode()), part // 4096 // 4096)
        runners.append(case.runner(f"{label} memparse --search", command, scale=size / part))
    rows = case.race("literal and simple expression", runners + [case.cat(pages)], size)
    if rg:
        case.target("share of ripgrep's speed, literal",
                    rows["ripgrep, the pages image alone"]["median"] / rows["crit-grep"]["median"], 0.8, "x")
        case.target("share of ripgrep's speed, expression", rows["ripgrep, a regular expression"]["median"] /
                    rows["crit-grep, a regular expression"]["median"], 0.8, "x")
        case.target("share of ripgrep's speed on one literal, 1,000 literals",
                    rows["ripgrep, the pages image alone"]["median"] / rows["crit-grep, 1,000 literals"]["median"], 0.2,
                    "x")
