"""What the measurements were made on."""
import os
import pathlib
import platform
import re
import subprocess
import time

import place


def first_line(*command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return None
    return text.splitlines()[0].strip() if text.strip() else None


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def cache():
    sizes = []
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        sizes.append(f"L{level}{kind[0].lower() if level == '1' else ''} {size}")
    return ", ".join(sizes)


def memory():
    for line in pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return "unknown"


def system():
    release = platform.freedesktop_os_release() if hasattr(platform, "freedesktop_os_release") else {}
    return f"{release.get('PRETTY_NAME', 'Linux')}, Linux {platform.release()}"


def virtual():
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return "hypervisor" in flags


def busy():
    """How many processors others use while we do nothing."""
    def working():
        first = pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
        fields = [int(word) for word in first.split()[1:]]
        return sum(fields) - fields[3] - fields[4]
    begin, before = time.monotonic(), working()
    time.sleep(0.5)
    return (working() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)


def name():
    """For the directory of a report: amd-epyc-2-cores."""
    words = re.sub(r"\(.*?\)|CPU|Processor|@.*", " ", processor())
    return "-".join(re.findall(r"[a-z0-9]+", words.lower())[:4]) + f"-{os.cpu_count()}-cores"


def table():
    data = place.data_folder()
    rows = {
        "processor": f"{processor()}, {os.cpu_count()} cores{', a virtual machine' if virtual() else ''}",
        "caches": cache(), "memory": memory(), "system": system(),
        "data on": "tmpfs (/dev/shm)" if str(data).startswith("/dev/shm") else "the disk of the build directory",
        "compiler": first_line("c++", "--version"), "commit": place.commit(),
    }
    versions = {"jq": ("jq", "--version"), "ripgrep": ("rg", "--version"), "zstd": ("zstd", "--version"),
                "tar": ("tar", "--version"), "cat": ("cat", "--version"), "protobuf": ("protoc", "--version")}
    for program, command in versions.items():
        rows[program] = first_line(*command) or "missing"
    for version in sorted(place.peers.glob("*.version")):
        name = place.peer_names.get(version.stem, version.stem)
        rows[name] = ", ".join(filter(None, [rows.get(name), version.read_text(encoding="utf-8").strip()]))
    return rows
