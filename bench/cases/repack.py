"""Pages of 1 GiB in LZ4 blocks and out of them, and out of a parent: crit-repack --compress, --decompress, --flatten"""
import json
import os
import re
import shutil
import subprocess


def lz4_speeds(lz4, path, block):
    """Bytes a second that LZ4 itself packs and unpacks in memory, in blocks of that size."""
    told = subprocess.run([lz4, "-b1", f"-B{block}", "-i3", path], capture_output=True, text=True, check=True)
    packs, unpacks = re.findall(r"([\d.]+) MB/s ,\s*([\d.]+) MB/s", told.stdout + told.stderr)[-1]
    return float(packs) * 1e6, float(unpacks) * 1e6


def run(case):
    size = case.size(1 << 30, 64 << 20)
    folder = case.data.memory(size) / "checkpoint"
    packed, parent, child = (case.data.memory(size) / name for name in ("packed", "parent", "child"))
    for made in (packed, parent, child):
        shutil.rmtree(made, ignore_errors=True)
    repack = case.program("crit-repack")
    subprocess.run([repack, "--compress", "--no-sync", folder, "--into", packed], check=True)
    pages = folder / "pages-1.img"
    again = subprocess.run(f"'{repack}' --decompress '{packed}' | '{case.program('crit-cat')}' --only pages-1.img | cmp - '{pages}'",
                           shell=True, check=False)
    case.equal("pages there and back", again.returncode, 0)
    rows, names = {}, {}
    for action, source in (("--compress", folder), ("--decompress", packed)):
        names[action] = f"crit-repack {action} -j 1", f"crit-repack {action}"
        commands = [["crit-repack", action, "-j", "1", source], ["crit-repack", action, source]]
        rows |= case.race(action, [*(case.ours(command, name=name) for command, name in zip(commands, names[action])), case.cat(pages)],
                          size, size // 4096)
    if lz4 := case.machine_program("lz4"):
        # A block ends with its entry: short entries make short blocks.
        told = subprocess.run([case.program("crit-pages"), "--summary", "--json", packed], capture_output=True, check=True)
        block = size // sum(process.get("blocks", 0) for process in json.loads(told.stdout)["processes"])
        case.note(f"blocks have {block} bytes of pages on average, as those of lz4 -b")
        for action, speed in zip(names, lz4_speeds(lz4, pages, block)):
            one, all_cores = (size / rows[name]["median"] for name in names[action])
            case.target(f"share of lz4 -b, {action}", one / speed, 0.9, "x")
            case.note(f"{action} on {os.cpu_count()} cores: {all_cores / one:.2f} times one")
    if zstd := case.machine_program("zstd"):
        thin = subprocess.run([zstd, "-3", "-c", pages], capture_output=True, check=True).stdout
        case.note(f"stored: {(packed / 'pages-1.img').stat().st_size / pages.stat().st_size:.3f} of the pages; "
                  f"zstd -3: {len(thin) / pages.stat().st_size:.3f}")
    # All pages are in the parent.
    shutil.copytree(folder, parent)
    subprocess.run([repack, "--rebase", parent, "--no-sync", folder, "--into", child], check=True)
    rows |= case.race("--flatten", [case.ours(["crit-repack", "-j1", "--flatten", child], name="crit-repack --flatten"), case.cat(pages)],
                      size, size // 4096)
    for name in ("crit-repack --compress -j 1", "crit-repack --decompress -j 1"):
        case.memory(rows[name], 32 << 20, "32 MiB")
    for made in (packed, parent, child):
        shutil.rmtree(made)
