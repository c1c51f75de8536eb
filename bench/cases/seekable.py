"""An archive of 2 GiB of memory that critpipe wrote: seekable zstd, read by frames

What a question costs that needs none of the pages, beside the same question to the directory; what one costs that needs
all of them, beside zstd; and what the frames cost in size. The same question to an uncompressed archive passes over the
pages by seeking.
"""
import subprocess


def run(case):
    size = case.size(2 << 30)
    folder = case.data.memory(size)
    checkpoint = folder / "checkpoint"
    seekable = case.data.seekable(folder)
    plain = case.data.tar(folder)
    zstd = case.machine_program("zstd")
    for question in (["ps"], ["mems"], ["fds"]):
        answers = [case.output([case.program("crit-x"), source, *question]) for source in (checkpoint, seekable, plain)]
        case.equal(f"crit x {question[0]}: directory and seekable archive", answers[1], answers[0])
        case.equal(f"crit x {question[0]}: directory and archive", answers[2], answers[0])
    rows = case.race("crit x ps", [case.ours(["crit-x", source, "ps"], name=f"crit-x of the {name}")
                                   for name, source in (("directory", checkpoint), ("seekable tar.zst", seekable),
                                                        ("tar", plain))])
    for name in ("seekable tar.zst", "tar"):
        case.target(f"times the directory's time, {name}",
                    rows[f"crit-x of the {name}"]["median"] / rows["crit-x of the directory"]["median"], 3, "x",
                    at_least=False)
    case.race("crit-cat --list", [case.ours(["crit-cat", "--list", source], name=f"crit-cat of the {name}")
                                  for name, source in (("directory", checkpoint), ("seekable tar.zst", seekable))])

    contents = ["crit-pages", "--contents", "--json"]
    want = case.output([case.program(contents[0]), *contents[1:], case.data.archive(folder)])
    got = case.output([case.program(contents[0]), *contents[1:], seekable])
    case.equal("--contents of both archives", got.replace(bytes(seekable), b""),
               want.replace(bytes(case.data.archive(folder)), b""))
    if not zstd:
        return
    runners = [case.ours([*contents, f"-j{threads}", seekable], name=f"crit-pages -j{threads}") for threads in (1, 2)]
    rows = case.race("--contents", [*runners, case.runner("zstd -dc", [zstd, "-qdc", seekable], role="limit")], size)
    case.target("times the speed of zstd -dc, two cores",
                rows["zstd -dc"]["median"] / rows["crit-pages -j2"]["median"], 1.7, "x")
    case.memory(rows["crit-pages -j2"], 40 << 20, "32 MiB and 8 for the second thread")

    packed = subprocess.run([zstd, "-q3c", plain], stdout=subprocess.PIPE, check=True).stdout
    case.target("size against zstd -3", seekable.stat().st_size / len(packed), 1.02, "x", at_least=False)
    case.race("packing", [case.ours(["crit-cat", plain, "--format=tar", "--zstd", f"--threads={threads}"],
                                    name=f"crit-cat --threads={threads}") for threads in (1, 2)] +
              [case.runner("zstd -3", [zstd, "-q3c", plain], role="limit")], size)
