"""Mappings of a process with 100,000: crit x mems"""
import shutil


def checkpoint(case, nr):
    """The real container with another mm image."""
    folder = case.data.path(f"mappings-{nr}")
    if not folder.exists():
        shutil.copytree(case.data.real() / "container" / "checkpoint", folder)
        shutil.copy(case.data.image("mm", nr), folder / "mm-1.img")
    return folder


def run(case):
    nr, part = case.size(100_000), case.size(10_000, 500)
    large, small = checkpoint(case, nr), checkpoint(case, part)
    ours = case.output([case.program("crit-x"), small, "mems"])
    runners = [case.ours(["crit-x", large, "mems"])]
    for label, path in case.peers("crit-native"):
        command = [path, "x", small, "mems"]
        if (theirs := case.ask(label, command)) is None:
            continue
        case.equal(f"{label}: the same bytes of {part:,}", ours, theirs)
        runners.append(case.runner(label, command, scale=nr / part))
    for label, path in case.peers("crit-go"):
        runners.append(case.runner(f"{label}, as JSON", [path, "mems", small], scale=nr / part))
    rows = case.race("crit x mems", runners, (large / "mm-1.img").stat().st_size, nr)
    case.target("time", rows["crit-x"]["median"], 1, "s", at_least=False)
    case.against(rows, "crit-x", {"Python crit": 100})
