#!/usr/bin/env python3
"""What a terminal gets: no control character of a name, lines as wide as it is, headings and colours; and none of that
where there is no terminal.

usage: terminal.py BIN IMAGES CHECKPOINTS
"""
import fcntl
import glob
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import unicodedata

PROGRAMS, IMAGES, CHECKPOINTS = sys.argv[1:4]
DEMO = os.path.join(CHECKPOINTS, "demo", "checkpoint")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
problems = []


def check(what, condition, detail=b""):
    if not condition:
        problems.append(what)
        print(f"FAIL {what}: {detail[-2000:]!r}", file=sys.stderr)


def on_terminal(program, *arguments, columns=80, keyboard=False, **environment):
    """What the program writes to a terminal that it is started on; with keyboard, it may read from it, too, and nobody types."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen([os.path.join(PROGRAMS, program), *arguments], stdin=slave if keyboard else subprocess.DEVNULL, stdout=slave, stderr=slave,
                          env={**plain, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment}) as process:
        os.close(slave)
        output = b""
        while True:
            if not select.select([master], [], [], 60)[0]:
                process.kill()
                output += b"... and waits"
                break
            try:
                block = os.read(master, 4096)
            except OSError:          # the other side is closed
                break
            if not block:
                break
            output += block
        process.wait()
    os.close(master)
    return output.replace(b"\r\n", b"\n")


def piped(program, *arguments):
    return subprocess.run([os.path.join(PROGRAMS, program), *arguments], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout


def check_names():
    command = ["crit-x", os.path.join(IMAGES, "crit-x", "ok_names", "d"), "ps"]
    shown = on_terminal(*command, NO_COLOR="1")
    check("names", rb"a\nb\x1b[1m\xff" in shown and shown == piped(*command), shown)


def check_colours():
    for command in (["crit-tojson", DEMO + "/inventory.img"], ["crit-tojson", "--pretty", DEMO + "/inventory.img"],
                    ["crit-tojson", "--lines", DEMO], ["crit-x", DEMO, "ps"], ["crit-x", DEMO, "ps", "--json"],
                    ["crit-x", DEMO, "mems", "--lines"], ["crit-x", DEMO, "sk"]):
        what = " ".join(command[:1] + command[2:])
        plain, shown = piped(*command), on_terminal(*command)
        check(what + ": coloured", COLOUR.search(shown) and COLOUR.sub(b"", shown) == plain, shown)
        check(what + ": NO_COLOR", on_terminal(*command, NO_COLOR="1") == plain)
        check(what + ": dumb terminal", on_terminal(*command, TERM="dumb") == plain)
        always = piped(*command, "--color=always")
        check(what + ": always", COLOUR.search(always) and COLOUR.sub(b"", always) == plain, always)
        check(what + ": never", on_terminal(*command, "--color=never") == plain)


def check_heading():
    shown, plain = on_terminal("crit-cat", "--list", DEMO), piped("crit-cat", "--list", DEMO)
    heading, _, rest = shown.partition(b"\n")
    check("crit-cat --list: heading", heading.split() == [b"IMAGE", b"KIND", b"BYTES", b"ENTRIES"] and rest == plain, shown)
    check("crit-cat --list --json: no heading", on_terminal("crit-cat", "--list", "--json", DEMO) == piped("crit-cat", "--list", "--json", DEMO))


def check_map():
    legends = {}
    for columns in (60, 80, 100, 132, 250):
        shown = on_terminal("crit-pages", "--map", "--no-progress", DEMO, columns=columns)
        lines = COLOUR.sub(b"", shown).decode().split("\n")
        check(f"map on {columns} columns: width", max(map(len, lines)) <= columns, "\n".join(line for line in lines if len(line) > columns).encode())
        check(f"map on {columns} columns: names", any("/srv/live/bin/shop" in line or "…" in line for line in lines), shown)
        legends[columns] = lines[0]
    states = {"·": "not stored", "░": "as in the file", "□": "zero", "█": "present", "▓": "shared", "▒": "in the parent", "◌": "lazy",
              "✗": "missing in the parent"}
    text = piped("crit-pages", "--map", DEMO).decode()
    legend, _, drawn = text.partition("\n")
    for block, name in states.items():
        check(f"legend: {name}", (f"{block} {name}" in legend) == (block in drawn), legend.encode())
    check("legend: the same on a terminal", legends[132] == legend, legend.encode())


def check_help():
    for program in ("crit-cat", "crit-tojson", "crit-grep", "crit-pages", "crit-x"):
        shown = on_terminal(program, "--help")
        check(f"{program} --help on 80 columns", max(map(len, shown.split(b"\n"))) <= 80, shown)
        wide = on_terminal(program, "--help", columns=200)
        check(f"{program} --help on 200 columns", wide == piped(program, "--help"), wide)


def check_widths():
    """Characters of two columns count as such."""
    for path in sorted(glob.glob(os.path.join(CHECKPOINTS, "*"))):
        for command in (["crit-inspect", "--all"], ["crit-pages", "--map", "--no-progress"]):
            lines = COLOUR.sub(b"", on_terminal(*command, path)).decode().split("\n")
            widths = [sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line) for line in lines]
            check(f"{' '.join(command)} {os.path.basename(path)}: width", max(widths) <= 80, lines[widths.index(max(widths))].encode())


def check_keyboard():
    """Who names no input is told so, with the help of the command that was typed."""
    for program in ("crit-cat", "crit-tojson", "crit-fromjson", "crit-pages", "crit-check", "crit-inspect", "crit-stats", "crit-restore",
                    "crit decode", "crit encode", "crit tojson", "crit-x ps", "crit x ps", "crit-grep pid", "crit-repack --compress"):
        words = program.split()
        name = " ".join(words[:2]) if words[0] == "crit" else words[0]
        shown = on_terminal(*words, keyboard=True)
        check(f"{program}: no input", b": no input: " in shown and f"Try: {name} --help".encode() in shown, shown)


def main():
    for part in (check_help, check_names, check_colours, check_heading, check_map, check_widths, check_keyboard):
        part()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
