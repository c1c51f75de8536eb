#!/usr/bin/env python3
"""options.py: every option of every program, with a value that matches nothing, and with every other option.

usage: options.py BIN FOLDER

FOLDER holds checkpoint directories. The options are those of --help: one that this test has no value for fails it.
1. What selects and matches nothing ends with exit 2 and says what is not there; with several inputs, one that has it is enough.
2. Of two options given together, each does what it does alone, or they are refused: nothing is ignored. An option does
   something alone if it changes the answer; it is ignored beside another if it changes nothing there. What is right all the
   same is in FINE, with the reason. Each pair of options is tried in one mode, and in a share of the others (see sampling.py).
"""
import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sampling import Sample

BIN = os.path.abspath(sys.argv[1])
FOLDER = os.path.abspath(sys.argv[2])
SAMPLE = Sample(6)
failures = []

# Program, its modes (each a mode's own arguments), and a value for each option that takes one.
COMMON = {"max-entry": "1M", "max-size": "1G", "only": "pagemap-*", "except": "core-*", "set": "app", "output": "OUT",
          "page-size": "8K", "color": "always", "jobs": "2"}
PROGRAMS = {
    "crit-cat": ([""], {"entries": ":1", "into": "NEW", "zstd": "=5", "threads": "2"}),
    "crit-tojson": ([""], {}),
    "crit-fromjson": ([""], {"into": "NEW", "zstd": "=5", "threads": "2", "pages-from": "DIR"}),
    "crit-grep": (["", "--memory"], {"max-count": "1", "any": "ELF", "file": "WORDS", "context": "5", "pid": "PID",
                                     "range": "0x1000:0x7fff00000000", "vma": "stack", "prot": "x", "zstd": "=5", "threads": "2"}),
    "crit-pages": (["", "--contents", "--list", "--by process", "--by file --contents", "--at ADDRESS -p PID", "--argv", "--env",
                    "--auxv", "--diff", "--map", "--html PAGE", "--check"],
                   {"by": "flags", "at": "ADDRESS", "holes": "zero", "html": "PAGE", "memory": "64K", "pid": "PID"}),
    "crit-x": (["ps", "fds", "mems", "rss", "sk"], {}),
    "crit-stats": ([""], {}),
}
ABOUT = ("help", "version")
# How a set is written, and where its parent is: refused or of use with what else is asked for, as cases and parents.py show.
ABOUT += ("files-from", "recursive")        # where inputs are from
ABOUT += ("big-numbers", "format", "parent", "parents", "no-parents")

# What narrows the input or the matches down: two of these may leave the same, and one match may stand for all.
SELECT = {"only", "except", "set", "pid", "range", "vma", "prot", "memory", "max-count", "invert-match", "ignore-case", "file", "any"}
ONE_MATCH = {"quiet", "max-count", "files-with-matches", "count"}
# (program, option that changes nothing, the one beside it, or "" for any): why that is right.
FINE = {
    ("crit-tojson", "nopl", "no-payload"): "the same",
    ("crit-tojson", "no-payload", "nopl"): "the same",
    ("crit-grep", "lines", "json"): "the same",
    ("crit-grep", "json", "lines"): "the same",
    ("crit-grep", "lines", "pretty"): "implied",
    ("crit-grep", "json", "pretty"): "implied",
    ("crit-grep", "", "utf16"): "nothing in this memory is UTF-16",
    ("crit-x", "long", "json"): "JSON has it all",
    ("crit-x", "long", "lines"): "JSON has it all",
    ("crit-grep", "max-count", "quiet"): "both stop at the first match",
    ("crit-grep", "color", ""): "when, not what: it may be in an alias",
    ("crit-pages", "color", ""): "when, not what: it may be in an alias",
    ("crit-tojson", "color", ""): "when, not what: it may be in an alias",
    ("crit-x", "color", ""): "when, not what: it may be in an alias",
}

# Command line, and a part of what it says.
NOTHING = [
    ("crit-cat --only nosuch DIR", "nosuch"), ("crit-cat --list --only nosuch.img DIR", "nosuch.img"),
    ("crit-cat --list --only 'core-*' --only nosuch DIR pod.tar", "nosuch"), ("crit-cat --only nosuch < set.tar", "nosuch"),
    ("crit-cat --only 'core-*' --except '*' DIR", "leave"), ("crit-cat --except '*' set.tar", "leave"),
    ("crit-cat --set nosuch pod.tar", "nosuch"), ("crit-cat --set nosuch DIR", "nosuch"),
    ("crit-cat --entries 5000000: DIR", "5000000"), ("crit-cat --entries 9:8 DIR", "ends before"),
    ("crit-cat --only nosuch --into NEW DIR", "nosuch"), ("crit-cat nosuch.img", "nosuch.img"),
    ("crit-tojson --only nosuch DIR", "nosuch"), ("crit-tojson --only nosuch -j 1 DIR", "nosuch"),
    ("crit-tojson --lines --only nosuch DIR set.tar", "nosuch"), ("crit-tojson --set nosuch pod.tar", "nosuch"),
    ("crit-tojson --only 'pages-*' --except '*' set.tar", "leave"),
    ("crit-grep 'index == 0' --only nosuch DIR", "nosuch"), ("crit-grep nosuch DIR", "nosuch"),
    ("crit-grep 'index == 0' --only 'pages-*' DIR", "leaves"), ("crit-grep 'nosuch.field == 1' set.tar", "nosuch"),
    ("crit-grep 'magic == \"NOSUCH\"' DIR", "NOSUCH"), ("crit-grep 'nr_pages > 1' DIR/files.img", "nr_pages"),
    ("crit-grep 'reg.name =~ /x/' DIR --only 'core-*'", "reg.name"), ("crit-grep --any x --set nosuch pod.tar", "nosuch"),
    ("crit-grep --memory x -p 77777 DIR", "77777"), ("crit-grep --memory x -p 77777 set.tar", "77777"),
    ("crit-grep --memory x -p 77777 < set.tar", "77777"), ("crit-grep --memory -c ELF -p PID -p 77777 DIR set.tar", "77777"),
    ("crit-grep --memory x --range 0x10:0x20 DIR", "0x10:0x20"), ("crit-grep --memory x --range 0x10:0x20 set.tar", "0x10:0x20"),
    ("crit-grep --memory x --range 9:8 DIR", "is empty"), ("crit-grep --memory x --prot '' DIR", "--prot"),
    ("crit-grep --memory x --vma sysv DIR", "sysv"), ("crit-grep --memory x --vma sysv set.tar", "sysv"),
    ("crit-grep --memory x --vma file=nosuch DIR pod.tar", "file=nosuch"), ("crit-grep --memory x --vma nosuch DIR", "nosuch"),
    ("crit-grep --memory x --vma heap --prot x DIR", "nothing is stored"), ("crit-grep --memory x --set nosuch DIR", "nosuch"),
    ("crit-grep --memory x DIR/files.img", "no memory"), ("crit-grep --memory x -f nosuch DIR", "nosuch"),
    ("crit-grep --memory x --set nosuch pod.tar", "nosuch"),
    ("crit-stats --set nosuch pod.tar", "nosuch"), ("crit-stats --set nosuch DIR", "nosuch"), ("crit-stats DIR/files.img", "statistics"),
    ("crit-x --set nosuch pod.tar ps", "nosuch"), ("crit-x DIR nosuch", "ps, fds"), ("crit-x nosuch ps", "nosuch"),
    ("crit-fromjson --pages-from nosuch < /dev/null", "nosuch"),
] + [(f"crit-pages {mode} {what}", word)
     for mode in ("", "--contents", "--list", "--list --json", "--by vma", "--json", "--map", "--html PAGE", "--check", "--argv",
                  "--env", "--auxv --json", "--at 0x1000")
     for what, word in (("-p 77777 DIR", "77777"), ("-p 77777 set.tar", "77777"), ("-p 77777 pod.tar DIR", "77777"),
                        ("-p PID -p 77777 DIR set.tar", "77777"), ("--only nosuch DIR", "nosuch"), ("--set nosuch pod.tar", "nosuch"),
                        ("--set nosuch DIR", "nosuch"), ("--only 'files.img' DIR", "no p"))] + [
    ("crit-pages --diff -p 77777 DIR set.tar", "77777"), ("crit-pages --diff --only nosuch DIR set.tar", "nosuch"),
    ("crit-pages --at 0x10 -p PID DIR", "0x10"), ("crit-pages --by nosuch DIR", "nosuch"),
]
# One input that has it is enough.
ENOUGH = ["crit-pages -p PID other.tar set.tar", "crit-pages --list -p PID DIR other.tar", "crit-grep --memory -p PID ELF other.tar DIR",
          "crit-grep --memory --vma stack -p PID PATH= other.tar set.tar", "crit-cat --list --only core-PID.img other.tar DIR",
          "crit-tojson --only core-PID.img DIR other.tar"]


def check(what, condition, detail=""):
    if not condition:
        failures.append(what)
        print(f"FAIL {what}: {detail}", file=sys.stderr)


def filled(command, work):
    words = {"DIR": f"{INPUTS}/DIR", "set.tar": f"{INPUTS}/set.tar", "pod.tar": f"{INPUTS}/pod.tar", "other.tar": f"{INPUTS}/other.tar",
             "WORDS": f"{INPUTS}/words", "PID": PID, "ADDRESS": ADDRESS, "OUT": "out", "PAGE": "page", "NEW": "new"}
    return re.sub(r"(?<![\w-])(DIR|set\.tar|pod\.tar|other\.tar|WORDS|OUT|PAGE|NEW)\b|PID|ADDRESS", lambda m: words[m.group()], command)


def run(command):
    """Exit code, and everything that was written: standard output and the files."""
    work = tempfile.mkdtemp(dir=WORK)
    try:
        words, source = shlex.split(filled(command, work)), os.devnull
        if "<" in words:
            source = words.pop(words.index("<") + 1)
            words.remove("<")
        with open(source, "rb") as file:
            done = subprocess.run(words, cwd=work, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        written = [done.stdout]
        for folder, folders, files in os.walk(work):
            folders.sort()
            for name in sorted(files):
                with open(os.path.join(folder, name), "rb") as file:
                    written.append((os.path.relpath(os.path.join(folder, name), work), file.read()))
        return done.returncode, written, done.stderr.decode(errors="replace")
    finally:
        shutil.rmtree(work)


def options_of(program):
    text = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for name, value in re.findall(r"^  (?:-\w, |    )--([\w-]+)(\[?=[^\s]+)?", text, re.MULTILINE):
        if name not in ABOUT:
            yield name, value


def combine(program, modes, given):
    values = {**COMMON, **given}
    options = {}
    for name, value in options_of(program):
        if value and name not in values:
            check(f"{program} --{name}", False, "this test has no value for it")
            continue
        joined = value.startswith("[")
        options[name] = f"--{name}" + ((values[name] if joined else f"={values[name]}") if value else "")
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for mode in modes:
            pages = program == "crit-pages"
            inputs = "< INPUTS/set.json" if program == "crit-fromjson" else "set.tar DIR" if "--diff" in mode else "pod.tar"
            def line(*names, mode=mode, inputs=inputs):
                words = [options[name] for name in names]
                pattern = "" if program != "crit-grep" or {"any", "file"} & set(names) else \
                    "ELF" if "--memory" in mode or "memory" in names else "'index < 2'"
                if "--any" in mode or ("memory" in names and "any" in names):
                    pattern = ""
                one = "--set side " if "--at" in mode and "set" not in names else ""
                return f"{program} {mode} {one}{' '.join(words)} {pattern} {inputs}".replace("INPUTS", INPUTS)
            jobs[mode, ()] = line(), pool.submit(run, line())
            for first in options:
                jobs[mode, (first,)] = line(first), pool.submit(run, line(first))
            for first in options:
                for second in options:
                    if first < second and SAMPLE.takes((program, first, second)):
                        jobs[mode, (first, second)] = line(first, second), pool.submit(run, line(first, second))
        for mode in modes:
            compare(program, mode, options, {key[1]: (text, job.result()) for key, (text, job) in jobs.items() if key[0] == mode})


def compare(program, mode, options, answers):
    plain = answers[()][1]
    for (first, second), (text, both) in ((key, value) for key, value in answers.items() if len(key) == 2):
        if both[0] == 2:
            continue
        for option, beside in ((first, second), (second, first)):
            alone, without = answers[(option,)][1], answers[(beside,)][1]
            if alone[0] == 2 or alone[:2] == plain[:2] or without[0] == 2:
                continue
            fine = any(key in FINE for key in ((program, option, beside), (program, option, ""), (program, "", beside)))
            fine |= option in SELECT and beside in SELECT | ONE_MATCH
            # Nothing is left to differ in.
            fine |= program == "crit-pages" and beside in SELECT | {"by", "json", "check"}
            fine |= option in ("no-payload", "nopl", "raw") and beside == "only"
            check(f"{program} {mode} --{option} --{beside}", fine or both[:2] != without[:2],
                  f"--{option} is ignored beside --{beside}: {text}")


def main():
    global PID, ADDRESS
    demo = f"{FOLDER}/demo/checkpoint"
    os.mkdir(INPUTS)
    shutil.copytree(demo, f"{INPUTS}/DIR")
    subprocess.run(f"""cd {INPUTS} && tar cf set.tar -C DIR . && mkdir -p pod/app pod/side && cp -r DIR pod/app/checkpoint &&
        cp -r {FOLDER}/tasks-4.2/checkpoint pod/side && cp -r DIR/. pod/side/checkpoint && tar cf pod.tar -C pod app side &&
        tar cf other.tar -C {FOLDER}/sockets-4.2/checkpoint . && crit-tojson DIR > set.json && printf 'ELF\\nPATH=\\n' > words""",
                   shell=True, check=True)
    PID = next(re.search(r"\d+", name).group() for name in sorted(os.listdir(demo)) if name.startswith("pagemap-"))
    listed = subprocess.run(["crit-pages", "--list", "-p", PID, f"{INPUTS}/DIR"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ADDRESS = next(line.split("-")[0].strip() for line in listed.splitlines() if "pages-" in line)
    for command, word in NOTHING:
        code, written, said = run(command)
        check(command, code == 2 and word in said, f"exit {code}, {said[:200]!r}")
        check(command, len(written) == 1 or "--html" in command, f"left {[name for name, _ in written[1:]]}")
    for command in ENOUGH:
        code, written, said = run(command)
        check(command, code == 0 and not said, f"exit {code}, {said[:200]!r}")
    for program, (modes, values) in PROGRAMS.items():
        combine(program, modes, values)
    print("options: done" if not failures else f"options: {len(failures)} failures")
    return 1 if failures else 0


os.environ["PATH"] = BIN + ":" + os.environ["PATH"]
with tempfile.TemporaryDirectory() as WORK:
    INPUTS = WORK + "/inputs"
    code = main()
sys.exit(code)
