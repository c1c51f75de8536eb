"""Runs of programs, side by side: A B A B, warm, medians."""
import dataclasses
import json
import os
import statistics
import subprocess
import tempfile

import place

fewest_rounds = 5
most_rounds = 15
enough_seconds = 6          # of one runner; slow ones still get the fewest rounds


class Failed(Exception):
    """A program that is measured ended with an error."""


@dataclasses.dataclass
class Runner:
    """What is timed: a pipeline of commands."""
    name: str
    stages: list                    # commands, each a list of words
    stdin: str = "/dev/null"
    stdout: str = "/dev/null"
    role: str = "peer"              # ours, peer or limit
    scale: float = 1                # the work of the question is so many times the work of one run
    repeat: int = 1                 # runs in a row that are timed as one, where one is too short
    rate: bool = True               # bytes a second mean something here
    once: bool = False              # it takes minutes

    def __post_init__(self):
        self.stages = [[str(word) for word in stage] for stage in self.stages]
        self.stdin, self.stdout = str(self.stdin), str(self.stdout)


def launch(runner):
    """One timed run."""
    words = []
    for stage in runner.stages:
        words += (["--pipe"] if words else []) + stage
    reader, writer = os.pipe()
    command = [place.tool("bench-launch"), runner.stdin, runner.stdout, str(runner.repeat), *words]
    # The launcher reports on descriptor 3.
    with subprocess.Popen(["/bin/sh", "-c", f'exec "$0" "$@" 3>&{writer}', *command], pass_fds=[writer],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        os.close(writer)
        with os.fdopen(reader) as file:
            report = file.read()
        errors = process.stderr.read()
    if process.returncode != 0 or not report or json.loads(report)["status"] != 0:
        raise Failed(f"{runner.name}: {errors.decode(errors='replace').strip()[-300:] or 'failed'}")
    return json.loads(report)


def race(runners):
    """Rounds in which each has its turn; the first round warms up and does not count."""
    rows = []
    for runner in runners:
        place.say(f"    {runner.name}")
        first = launch(runner)
        rounds = min(most_rounds, max(fewest_rounds, int(enough_seconds / max(first["seconds"], 1e-3))))
        rows.append({"runner": runner, "rounds": 0 if runner.once else rounds, "samples": [first] if runner.once else []})
    for number in range(max(row["rounds"] for row in rows)):
        for row in rows:
            if number < row["rounds"]:
                row["samples"].append(launch(row["runner"]))
    return [summary(row["runner"], row["samples"]) for row in rows]


def summary(runner, samples):
    factor = runner.scale / runner.repeat
    seconds = [sample["seconds"] * factor for sample in samples]
    counted = [sample["instructions"] * factor for sample in samples if sample["instructions"] > 0]
    return {
        "name": runner.name, "role": runner.role, "scale": runner.scale, "rate": runner.rate,
        "command": " | ".join(" ".join(shortened(word) for word in stage[:8]) for stage in runner.stages),
        "seconds": seconds, "median": statistics.median(seconds), "min": min(seconds), "max": max(seconds),
        "peak_bytes": max(sample["peak_kib"] for sample in samples) << 10,
        "instructions": statistics.median(counted) if counted else None,
    }


def shortened(word):
    """Without the directories of this machine."""
    for folder in (place.programs, place.tools, place.peers / "bin", place.data_folder(), place.top):
        word = word.replace(f"{folder}/", "")
    return word


def output_of(stages, stdin=None):
    """What a pipeline prints."""
    processes = []
    source = open(stdin, "rb") if stdin else subprocess.DEVNULL     # pylint: disable=consider-using-with
    with tempfile.TemporaryFile() as errors:
        for stage in stages:
            process = subprocess.Popen([str(word) for word in stage], stdin=source, stdout=subprocess.PIPE,
                                       stderr=errors)
            if hasattr(source, "close"):
                source.close()
            source = process.stdout
            processes.append(process)
        text = processes[-1].stdout.read()
        status = [process.wait() for process in processes]
        errors.seek(0)
        why = errors.read().decode(errors="replace").strip().rpartition("\n")[2][-200:]
    if any(status):
        command = shortened(" | ".join(" ".join(map(str, stage[:6])) for stage in stages))
        raise Failed(f"{command}: exit {status}" + (f", {why}" if why else ""))
    return text


def instructions(stage):
    """Instructions in user space as callgrind counts them; None where it is missing."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *[str(word) for word in stage]]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
    except FileNotFoundError:
        return None
    counts = [line.split(":")[-1] for line in done.stderr.splitlines() if "Collected" in line]
    return int(counts[0]) if counts and done.returncode == 0 else None
