"""A text in 1.5 GiB of memory that lies in runs of one page or two: crit-grep --memory

The peers go through the pagemap from its begin for each run; they are run once and whole, since a part would flatter
them.
"""

needle = "critpipe needle"


def run(case):
    size = case.size(3 << 29, 32 << 20)
    folder = case.data.memory(size, "fragments")
    checkpoint = folder / "checkpoint"
    archive = folder / "checkpoint.tar"
    if not archive.exists():
        case.output(["tar", "-C", folder, "-cf", archive, "--exclude=checkpoint.tar", "."])
    ours = ["crit-grep", "-j1", "--memory", "-F", needle, "--json"]
    for place in (checkpoint, archive):
        found = case.output([case.program(ours[0]), *ours[1:], place]).count(b"\n")
        case.equal(f"as many matches as were planted in {place.name}", found, size // 4096 // 4096)
    runners = [case.ours([*ours, archive], name="crit-grep, the archive"),
               case.ours([*ours, checkpoint], name="crit-grep, the directory")]
    for label, path in case.peers("checkpointctl"):
        runners.append(case.runner(f"{label} memparse --search, the archive",
                                   [path, "memparse", "--pid", 1, "--search", needle, archive], once=True))
    for label, path in case.peers("crit-go"):
        runners.append(case.runner(f"{label}, memory reader", [path, "search", checkpoint, 1, needle], once=True))
    rows = case.race("a text, every match with its address", runners + [case.cat(checkpoint / "pages-1.img")], size)
    case.against(rows, "crit-grep, the archive", {"checkpointctl": 300})
    case.against(rows, "crit-grep, the directory", {"go-criu": 100})
