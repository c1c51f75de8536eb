"""Pages of 1 GiB in LZ4 blocks and out of them: crit-repack --compress, --decompress"""
import re
import shutil
import subprocess


def lz4_speeds(lz4, path):
    """Bytes a second that LZ4 itself packs and unpacks in memory, in blocks of the same size."""
    told = subprocess.run([lz4, "-b1", "-B262144", "-i3", path], capture_output=True, text=True, check=True)
    packs, unpacks = re.findall(r"([\d.]+) MB/s ,\s*([\d.]+) MB/s", told.stdout + told.stderr)[-1]
    return float(packs) * 1e6, float(unpacks) * 1e6


def run(case):
    size = case.size(1 << 30, 64 << 20)
    folder = case.data.memory(size) / "checkpoint"
    packed = case.data.memory(size) / "packed"
    shutil.rmtree(packed, ignore_errors=True)
    repack = case.program("crit-repack")
    subprocess.run([repack, "--compress", "--no-sync", folder, "--into", packed], check=True)
    pages = folder / "pages-1.img"
    again = subprocess.run(f"'{repack}' --decompress '{packed}' | '{case.program('crit-cat')}' --only pages-1.img | cmp - '{pages}'",
                           shell=True, check=False)
    case.equal("pages there and back", again.returncode, 0)
    rows = case.race("--compress", [case.ours(["crit-repack", "--compress", folder], name="crit-repack --compress"),
                                    case.cat(pages)], size, size // 4096)
    back = case.race("--decompress", [case.ours(["crit-repack", "--decompress", packed], name="crit-repack --decompress"),
                                      case.cat(pages)], size, size // 4096)
    if lz4 := case.machine_program("lz4"):
        packs, unpacks = lz4_speeds(lz4, pages)
        case.target("share of lz4 -b, packing", size / rows["crit-repack --compress"]["median"] / packs, 0.9, "x")
        case.target("share of lz4 -b, unpacking", size / back["crit-repack --decompress"]["median"] / unpacks, 0.9, "x")
    if zstd := case.machine_program("zstd"):
        thin = subprocess.run([zstd, "-3", "-c", pages], capture_output=True, check=True).stdout
        case.note(f"stored: {(packed / 'pages-1.img').stat().st_size / pages.stat().st_size:.3f} of the pages; "
                  f"zstd -3: {len(thin) / pages.stat().st_size:.3f}")
    case.memory(rows["crit-repack --compress"])
    case.memory(back["crit-repack --decompress"])
    shutil.rmtree(packed)
