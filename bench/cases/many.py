"""10,000 small checkpoints: every entry as a JSON line"""


def run(case):
    nr = case.size(10_000)
    folders = case.data.many(nr)
    size = sum(path.stat().st_size for path in folders[0].iterdir()) * nr
    program = case.program("crit-tojson")
    one, two = (case.output([program, "--lines", jobs, *folders[:10]]) for jobs in ("-j1", "-j2"))
    first = case.output([program, "--lines", "-j1", folders[0]])
    case.equal("lines of ten are ten times those of one", one.count(b"\n"), 10 * first.count(b"\n"))
    case.equal("two threads print what one prints", one, two)
    command = ["crit-tojson", "--lines"]
    runners = [*(case.ours([*command, jobs, *folders], name=f"crit-tojson {jobs}") for jobs in ("-j1", "-j2")),
               case.twice([*command, "-j1", *folders])]
    some = case.size(4, 1)
    images = [path for folder in folders[:some] for path in sorted(folder.iterdir())]
    for label, path in case.peers("crit-native"):
        shell = 'program=$1; shift; for image; do "$program" decode -i "$image"; done'
        runners.append(case.runner(f"{label}, a process an image", ["sh", "-c", shell, "sh", path, *images],
                                   scale=nr / some))
    part = min(nr, 2_000)          # the names of all would not fit a command line
    every = [path for folder in folders[:part] for path in sorted(folder.iterdir())]
    runners.append(case.runner("cat of all files", ["cat", *every], role="limit", scale=nr / part))
    rows = case.race(f"{len(images) // some} images each", runners, size)
    case.on_two_threads(list(rows.values())[:3], 1.8)
    case.memory(rows[runners[0].name])
