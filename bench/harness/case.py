"""What a case in bench/cases sees: data, programs, peers, checks of answers, races, targets."""
import contextlib
import datetime
import json
import shutil
import traceback

import measure
import place
from data import Data
from measure import Runner

crits = ("crit-native", "crit-trixie")


class WrongAnswer(Exception):
    """Two programs disagree: there is nothing to time."""


class Case:
    def __init__(self, name, quick):
        self.name, self.quick = name, quick
        self.data = Data()
        self.result = {"case": name, "question": "", "quick": quick, "failed": None,
                       "when": datetime.datetime.now().isoformat(timespec="minutes")}
        for what in ("tables", "figures", "targets", "notes", "checks", "missing", "plots"):
            self.result[what] = []

    # Sizes, programs, peers
    def size(self, full, quick=None):
        return (quick if quick is not None else max(1000, full // 100)) if self.quick else full

    def program(self, name):
        return place.program(name)

    def tool(self, name):
        return place.tool(name)

    def peer(self, name):
        """(label, path); None: it is noted as missing."""
        path = place.peers / "bin" / name
        if path.exists():
            version = (place.peers / f"{name}.version").read_text(encoding="utf-8").strip()
            return f"{place.peer_names.get(name, name)} {version}", str(path)
        return self.miss(place.peer_names.get(name, name) + (" of Debian 13" if name == "crit-trixie" else ""))

    def machine_program(self, name):
        """A program of this machine: jq, rg, zstd."""
        return shutil.which(name) or self.miss(name)

    def miss(self, what):
        if what not in self.result["missing"]:
            self.result["missing"].append(what)
        return None

    def peers(self, *names):
        return [peer for peer in map(self.peer, names) if peer]

    # Answers
    def equal(self, what, ours, theirs):
        """Both are bytes or what they parse to."""
        if ours != theirs:
            raise WrongAnswer(f"{what}: {difference(ours, theirs)}")
        self.result["checks"].append(what)

    def output(self, *stages, stdin=None):
        return measure.output_of(stages, stdin)

    def ask(self, label, *stages, stdin=None):
        """What a peer prints; None, and a note, where it fails."""
        try:
            return measure.output_of(stages, stdin)
        except measure.Failed as failed:
            self.note(f"{label} gives no answer: {failed}")
            return None

    def inside(self, path):
        """Where a peer in the root directory of Debian 13 finds a copy of a file."""
        to = place.peers / "trixie" / "tmp" / path.name
        shutil.copy(path, to)
        return f"/tmp/{path.name}"

    # Times
    def race(self, title, runners, work_bytes=0, entries=0):
        """Times all; returns the rows by name."""
        place.say(f"  {title}")
        rows = measure.race(runners)
        self.result["tables"].append({"title": title, "bytes": work_bytes, "entries": entries, "rows": rows})
        return {row["name"]: row for row in rows}

    def ours(self, command, name=None, before=(), pipe=(), **more):
        """A program of ours, fed by commands before it and read by those after it."""
        stages = [*before, [self.program(command[0]), *command[1:]], *pipe]
        return Runner(name or " | ".join([command[0], *[stage[0] for stage in pipe]]), stages, role="ours", **more)

    def runner(self, label, command, pipe=(), **more):
        return Runner(label, [command, *pipe], **more)

    def cat(self, path, name=None, pipe=(), **more):
        """The physical limit of what reads those bytes."""
        return Runner(name or f"cat {describe(path)}", [["cat", path], *pipe], role="limit", **more)

    def twice(self, command):
        """The limit of two threads: two processes at once, each of which does all of the work with one."""
        shell = '"$@" >/dev/null & one=$!; "$@" >/dev/null && wait $one'
        stage = ["sh", "-c", shell, "sh", self.program(command[0]), *command[1:]]
        return Runner("two processes at once, all of it each", [stage], role="limit", rate=False)

    def memcpy(self, size):
        """The physical limit of what writes so many bytes once."""
        return Runner("memcpy of the output", [[self.tool("bench-memcpy"), size]], role="limit")

    def target(self, text, got, wanted, unit="", at_least=True):
        """got and wanted are numbers, in bytes a second where unit says so."""
        reached = got >= wanted if at_least else got <= wanted
        self.result["targets"].append({"text": text, "got": got, "wanted": wanted, "unit": unit, "reached": reached,
                                       "at_least": at_least})

    def against(self, rows, ours, wanted):
        """Targets of so many times a peer's speed; wanted: label's beginning -> times."""
        for label, row in rows.items():
            for beginning, times in wanted.items():
                if label.startswith(beginning):
                    self.target(f"times as fast as {label}", row["median"] / rows[ours]["median"], times, "x")

    def on_two_threads(self, rows, wanted, name=""):
        """rows: those of one thread, of two, and of twice()."""
        one, two, both = (row["median"] for row in rows)
        name = f"{name}: " if name else ""
        self.target(f"{name}speed of two threads over one", one / two, wanted, "x")
        self.target(f"{name}two threads, of the speed of two processes", both / 2 / two, 0.9, "x")

    def memory(self, row, most=16 << 20, what="16 MiB"):
        self.target(f"peak memory of {row['name']} ({what})", row["peak_bytes"], most, "B", at_least=False)

    def figures(self, title, head, rows):
        """A table of what is not a race."""
        self.result["figures"].append({"title": title, "head": head, "rows": rows})

    def plot(self, name, title, series, axes):
        """series: label -> [(x, y)...]; drawn with both axes logarithmic."""
        self.result["plots"].append({"name": name, "title": title, "series": series, "axes": axes})

    def note(self, text):
        self.result["notes"].append(text)

    def callgrind(self, command):
        """Instructions of a command; None where nobody can count them."""
        return measure.instructions(command)


def describe(path):
    """What a file of the data is: pagemap-4.1-5000000.img -> the image."""
    return "the JSON" if path.suffix == ".json" else "the pages" if path.name.startswith("pages") else "the input"


def difference(ours, theirs):
    if isinstance(ours, bytes) and isinstance(theirs, bytes):
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        begin = max(0, at - 30)
        return f"at byte {at}: ours {ours[begin:at + 30]!r}, theirs {theirs[begin:at + 30]!r}"
    return f"ours {str(ours)[:200]}, theirs {str(theirs)[:200]}"


def run_case(module, name, quick):
    """The result, saved so that a run that was cut can go on. `run` of the module does it all."""
    case = Case(name, quick)
    case.result["question"] = module.__doc__.strip()
    try:
        module.run(case)
    except place.Missing as missing:
        case.miss(str(missing))
        case.result["failed"] = f"not measured: {missing}"
    except WrongAnswer as wrong:
        case.result["failed"] = f"wrong answer: {wrong}"
    except measure.Failed as failed:
        case.result["failed"] = f"failed: {failed}"
    except Exception as unexpected:     # pylint: disable=broad-except
        # One broken case must not cost the others.
        traceback.print_exc()
        case.result["failed"] = f"failed: {type(unexpected).__name__}: {unexpected}"
    if case.result["failed"]:
        place.say(f"  {case.result['failed']}")
    with contextlib.suppress(OSError):
        case.data.drop_unshared()
    return case.result


def save(result, state):
    """state: of which programs and sizes."""
    folder = place.saved / state
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "new"
    new.write_text(json.dumps(result), encoding="utf-8")
    new.rename(folder / f"{result['case']}.json")


def load(name, state):
    path = place.saved / state / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
