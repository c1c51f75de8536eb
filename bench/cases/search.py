"""A text in 2 GiB of memory: crit-grep --memory"""
import random

needle = "critpipe needle"


def words_like_names(count):
    """Seeded: the same ones in every run."""
    dice = random.Random(5)
    return ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz_/.0123456789ABCDEF", k=dice.randint(6, 20)))
            for _ in range(count)]


def race(case, title, ours, theirs, size, more=()):
    """Our search of a checkpoint beside ripgrep's of the bare pages image. Returns our share of its speed, and the rows."""
    runners = [case.ours(ours)]
    if rg := case.machine_program("rg"):
        runners.append(case.runner("ripgrep, the pages image alone", [rg, "-a", "-c", "--no-mmap", *theirs]))
    rows = case.race(title, [*runners, *more], size)
    theirs = rows.get("ripgrep, the pages image alone")
    return theirs["median"] / rows["crit-grep"]["median"] if theirs else None, rows


def memory_readers(case, size):
    """The peers' searches, on a part: they take minutes."""
    part = 32 << 20
    small = case.data.memory(part)
    for label, path in case.peers("crit-go"):
        yield case.runner(f"{label}, memory reader", [path, "search", small / "checkpoint", 1, needle],
                          scale=size / part)
    for label, path in case.peers("checkpointctl"):
        command = [path, "memparse", "--pid", 1, "--search", needle, case.data.archive(small)]
        if (theirs := case.ask(label, command)) is None:
            continue
        case.equal(f"{label}: as many matches in {part >> 20} MiB", theirs.count(needle.encode()), part // 4096 // 4096)
        yield case.runner(f"{label} memparse --search", command, scale=size / part)


def threads(case, checkpoint, pages, size):
    """The same search by one thread and by two, beside two readers of the pages."""
    command = ["crit-grep", "--memory", "-F", needle, "--json", checkpoint]
    one, two = (case.output([case.program(command[0]), *command[1:], jobs]) for jobs in ("-j1", "-j2"))
    case.equal("two threads print what one prints", one, two)
    half = size // 2 >> 20
    readers = " & ".join(f"dd if='{pages}' of=/dev/null bs=1M status=none skip={skip} count={half}" for skip in (0, half))
    rows = case.race("a literal, on threads", [
        *(case.ours([*command, jobs], name=jobs) for jobs in ("-j1", "-j2")),
        case.runner("two readers of the pages", ["bash", "-c", f"{readers} & wait"])], size)
    case.target("a literal: speed of two threads over one", rows["-j1"]["median"] / rows["-j2"]["median"], 1.7, "x")
    case.target("a literal: two threads, over the time of two readers",
                rows["-j2"]["median"] / rows["two readers of the pages"]["median"], 1.3, "x", at_least=False)
    case.memory(rows["-j2"], 24 << 20, "24 MiB")


def run(case):
    size = case.size(2 << 30, 32 << 20)
    checkpoint = case.data.memory(size) / "checkpoint"
    pages = checkpoint / "pages-1.img"
    planted = size // 4096 // 4096
    literals = case.data.path("literals.txt")
    literals.write_text("".join(f"{word}\n" for word in [needle, *words_like_names(999)]), encoding="ascii")
    words = "critpipe [a-z]+dle of"
    questions = {name: ["crit-grep", "-j1", "--memory", *pattern, "--json", checkpoint]
                 for name, pattern in (("literal", ["-F", needle]), ("expression", [words]),
                                       ("1,000 literals", ["-F", "-f", literals]))}
    for name, (program, *rest) in questions.items():
        found = case.output([case.program(program), *rest]).count(b"\n")
        case.equal(f"{name}: as many matches as were planted", found, planted)

    share, rows = race(case, "a literal", questions["literal"], ["-F", needle, pages], size,
                       [*memory_readers(case, size), case.cat(pages)])
    expression, _ = race(case, "a simple expression", questions["expression"], [words, pages], size)
    many, many_rows = race(case, "1,000 literals", questions["1,000 literals"], ["-F", "-f", literals, pages], size)
    case.target("1,000 literals: share of the speed of one", rows["crit-grep"]["median"] / many_rows["crit-grep"]["median"],
                0.6, "x")
    threads(case, checkpoint, pages, size)
    if not share or not expression or not many:
        return
    one = rows["ripgrep, the pages image alone"]["median"]
    case.target("share of ripgrep's speed, literal", share, 0.8, "x")
    case.target("share of ripgrep's speed, expression", expression, 1.0, "x")
    case.target("share of ripgrep's speed on one literal, 1,000 literals", one / many_rows["crit-grep"]["median"], 0.2,
                "x")
