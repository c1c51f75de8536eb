"""What a checkpoint is, on one screen: an archive of 2 GiB of memory, and a table of 5,000 archives

The archive as podman exports it (small files first, the images by their names), plain, compressed, and seekable; beside it
what it takes to unpack it. The table is of archives that differ in processes, pages and configuration.
"""
import json
import random
import shutil
import subprocess


def packed(folder, names, path, zstd):
    """An archive in the order in which podman writes one; the images are sorted, as Go walks a directory."""
    images = sorted(f"checkpoint/{image.name}" for image in (folder / "checkpoint").iterdir())
    command = ["tar", "-C", folder, "--no-recursion", "-cf", "-", *names, "checkpoint", *images]
    pack = [zstd, "-q3c"] if path.suffix == ".zst" else ["cat"]
    with open(path, "wb") as file, subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
        subprocess.run(pack, stdin=tar.stdout, stdout=file, check=True)


def one_of_many(case, sources, number, folder):
    """A container with its own name, image and pod, of one of the real trees of processes, and some more pages."""
    chance = random.Random(number)
    work = case.data.path("one-container")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sources[number % len(sources)], work / "checkpoint")
    container = case.data.real() / "container"
    config = json.loads((container / "config.dump").read_text(encoding="utf-8"))
    spec = json.loads((container / "spec.dump").read_text(encoding="utf-8"))
    config["id"] = f"{chance.getrandbits(256):064x}"
    config["name"] = f"web-{number}"
    config["rootfsImageName"] = f"registry.example/shop/{chance.choice(('web', 'db', 'cache'))}:{number % 7}"
    spec["annotations"] = {**(spec.get("annotations") or {}), "org.example.number": str(number)}
    (work / "config.dump").write_text(json.dumps(config), encoding="utf-8")
    (work / "spec.dump").write_text(json.dumps(spec), encoding="utf-8")
    for pages in (work / "checkpoint").glob("pages-*.img"):
        with open(pages, "ab") as file:
            file.write(chance.randbytes(4096 * chance.randrange(16)))
    packed(work, ["config.dump", "spec.dump"], folder / f"checkpoint-{number:05}.tar{('', '.zst')[number % 2]}", case.zstd)


def many(case, count):
    folder = case.data.path(f"containers-{count}")
    if not folder.exists():
        new = case.data.path(f"containers-{count}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        sources = sorted(path.parent for path in case.data.real().glob("*/checkpoint/pstree.img"))
        for number in range(count):
            one_of_many(case, sources, number, new)
        new.rename(folder)
    return folder


def one(case, size):
    folder = case.data.memory(size)
    plain, zstd = (folder.parent / f"{folder.name}.podman.tar{suffix}" for suffix in ("", ".zst"))
    for path in (plain, zstd):
        if not path.exists():
            packed(folder, ["config.dump", "spec.dump", "network.status", "stats-dump"], path, case.zstd)
    seekable = case.data.seekable(folder)
    program = case.program("crit-inspect")
    screens = [case.output([program, "--processes", "--sockets", "--files", "--mounts", path])
               for path in (folder, plain, zstd, seekable)]
    for name, screen in zip(("tar", "tar.zst", "seekable tar.zst"), screens[1:]):
        case.equal(f"the directory and the {name}", screen, screens[0])
    runners = [case.ours(["crit-inspect", path], name=f"crit-inspect of the {name}")
               for name, path in (("directory", folder), ("tar", plain), ("seekable tar.zst", seekable), ("tar.zst", zstd))]
    limit = case.runner("zstd -dc", [case.zstd, "-qdc", zstd], role="limit")
    theirs = [case.runner(f"{label} inspect --all of the {name}", [path, "inspect", "--all", archive], once=True)
              for label, path in case.peers("checkpointctl") for name, archive in (("tar", plain), ("tar.zst", zstd))]
    rows = case.race("one screen", [*runners, limit, *theirs], size)
    for name in ("tar", "seekable tar.zst"):
        case.target(f"times the directory's time, {name}", rows[f"crit-inspect of the {name}"]["median"] /
                    rows["crit-inspect of the directory"]["median"], 3, "x", at_least=False)
    case.target("times the time of zstd -dc, tar.zst",
                rows["crit-inspect of the tar.zst"]["median"] / rows["zstd -dc"]["median"], 1.15, "x", at_least=False)
    case.memory(rows["crit-inspect of the tar.zst"], 24 << 20, "16 MiB and zstd's window of 8")
    case.race("a line of a table", [case.ours(["crit-inspect", "--table", zstd]), limit], size)


def run(case):
    case.zstd = case.machine_program("zstd")
    if not case.zstd:
        return
    one(case, case.size(2 << 30))
    count = case.size(5_000, 100)
    folder = many(case, count)
    size = sum(path.stat().st_size for path in folder.iterdir())
    table = json.loads(case.output([case.program("crit-inspect"), "--table", "--json", folder]))["table"]
    case.equal("a line for each archive", [row["container"] for row in table], [f"web-{number}" for number in range(count)])
    runners = [case.ours(["crit-inspect", "--table", f"-j{threads}", folder], name=f"crit-inspect --table -j{threads}")
               for threads in (1, 2)]
    for label, path in case.peers("checkpointctl"):
        runners.append(case.runner(f"{label} list", [path, "list", folder], once=True))
    rows = case.race(f"{count} archives", runners, size)
    case.target("time of 5,000 on two cores", rows["crit-inspect --table -j2"]["median"] * 5_000 / count, 3, "s", at_least=False)
