"""What crit x shows: a process with 100,000 mappings, one with 100,000 files, 10,000 tasks

Tasks have an image each: there the limit is what opening and reading them costs.
"""
import shutil


def checkpoint(case, nr):
    """The real container with another mm image."""
    folder = case.data.path(f"mappings-{nr}")
    if not folder.exists():
        shutil.copytree(case.data.real() / "container" / "checkpoint", folder)
        shutil.copy(case.data.image("mm", nr), folder / "mm-1.img")
    return folder


def explored(case, explorer, large, small, scale, more=()):
    """One explorer on a large checkpoint; peers on a part. Returns the rows."""
    ours = case.output([case.program("crit-x"), small, explorer])
    runners = [case.ours(["crit-x", large, explorer])]
    for label, path in case.peers("crit-native"):
        command = [path, "x", small, explorer]
        if (theirs := case.ask(label, command)) is None:
            continue
        case.equal(f"{explorer}: {label}: the same bytes", ours, theirs)
        runners.append(case.runner(label, command, scale=scale))
    for label, path in case.peers("crit-go"):
        runners.append(case.runner(f"{label}, as JSON", [path, explorer, small], scale=scale))
    size = sum(path.stat().st_size for path in large.iterdir())
    rows = case.race(f"crit x {explorer}", [*runners, *more], size)
    case.target(f"{explorer}: time", rows["crit-x"]["median"], 1, "s", at_least=False)
    return rows


def run(case):
    nr, part = case.size(100_000), case.size(10_000, 500)
    for explorer, make in (("mems", lambda count: checkpoint(case, count)), ("fds", case.data.descriptors)):
        rows = explored(case, explorer, make(nr), make(part), nr / part)
        case.against(rows, "crit-x", {"Python crit": 100})
    tasks = case.data.tasks(case.size(10_000, 500))
    reads = case.runner("cat of the images", ["sh", "-c", f"cd {tasks} && exec cat pstree.img core-*"])
    reads.role = "limit"
    rows = explored(case, "ps", tasks, tasks, 1, [reads])
    case.against(rows, "crit-x", {"Python crit": 100})
