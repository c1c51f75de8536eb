"""What is in an archive of 2 GiB of memory: crit-cat --list

The archive is a tar in zstd, as podman exports it; and an image stream, as criu-image-streamer captures it.
"""


def names(case, source):
    lines = case.output([case.program("crit-cat"), "--list", source]).decode().splitlines()
    return {word for line in lines for word in line.split() if word.endswith(".img")}


def run(case):
    folder = case.data.memory(case.size(2 << 30))
    archive = case.data.archive(folder)
    images = {path.name for path in (folder / "checkpoint").glob("*.img")}
    case.equal("the names of the archive's images", names(case, archive), images)
    zstd = case.machine_program("zstd")
    runners = [case.ours(["crit-cat", "--list", archive])]
    if zstd:
        runners.append(case.runner("zstd -dc | cat", [zstd, "-qdc", archive], pipe=[["cat"]], role="limit"))
        runners.append(case.runner("tar -t", ["tar", "-tf", archive]))
    for label, path in case.peers("checkpointctl"):
        runners.append(case.runner(f"{label} show", [path, "show", archive]))
    size = (folder / "checkpoint" / "pages-1.img").stat().st_size
    rows = case.race("tar in zstd, rate of what is unpacked", runners, size)
    if zstd:
        case.target("time of zstd -dc | cat", rows["crit-cat"]["median"] / rows["zstd -dc | cat"]["median"], 1.15, "x",
                    at_least=False)
    case.memory(rows["crit-cat"], 24 << 20, "16 MiB and zstd's window of 8")

    stream = case.data.stream(folder / "checkpoint")
    case.equal("the names of the stream's images", names(case, stream), images)
    case.race("image stream", [case.ours(["crit-cat", "--list", stream]), case.cat(stream)], stream.stat().st_size)
