#!/usr/bin/env python3
"""agree_container: what crit-inspect says of an archive that podman exported is what podman inspect said before.

usage: agree_container BIN ARCHIVE INSPECT        INSPECT: the answer of podman inspect
"""
import json
import subprocess
import sys

BIN, ARCHIVE, INSPECT = sys.argv[1:]
problems = []


def want(what, wanted, have):
    if wanted != have:
        problems.append(f"{what}: podman said {wanted!r}, we say {have!r}")


def main():
    with open(INSPECT, encoding="utf-8") as file:
        (there,) = json.load(file)
    done = subprocess.run([f"{BIN}/crit-inspect", "--json", "--environment", ARCHIVE], stdout=subprocess.PIPE, check=True)
    (inspected,) = json.loads(done.stdout)["checkpoints"]
    ours, config = inspected["container"], there["Config"]
    facts = {
        "id": there["Id"], "name": there["Name"], "image": there["ImageName"], "image_id": there["Image"],
        "created": there["Created"], "runtime": there["OCIRuntime"], "engine": "podman",
        "command": [there["Path"], *there["Args"]], "working_directory": config["WorkingDir"],
    }
    for key, wanted in facts.items():
        want(key, wanted, ours.get(key))
    want("hostname", config["Hostname"], inspected["hostname"])
    want("environment", set(), set(config["Env"]) - set(ours["environment"]))
    annotations = {one["name"]: one["value"] for one in ours["annotations"]}
    want("annotations", config["Annotations"], {key: annotations.get(key) for key in config["Annotations"]})
    root = inspected["processes"][0]
    capabilities = sorted(f"CAP_{name.upper()}" for name in root["capabilities"])
    want("capabilities", sorted(there["EffectiveCaps"] or []), capabilities)
    want("command of process 1", [there["Path"], *there["Args"]], root["command"])
    mounts = {mount["mountpoint"]: mount for mount in inspected["mounts"]}
    for place in ("/", "/proc", "/data"):
        want(f"mount {place}", True, place in mounts)
    want("type of /data", "tmpfs", mounts["/data"]["filesystem"])
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(facts) + 8} facts of the container")
    return 1 if problems else 0


sys.exit(main())
