#!/usr/bin/env python3
"""Names on a terminal: no control character of a name reaches it, and what is piped reads the same.

usage: terminal.py BIN IMAGES
"""
import os
import pty
import subprocess
import sys


def on_terminal(command):
    """What the program writes to a terminal that it is started on."""
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave) as process:
        os.close(slave)
        output = b""
        while True:
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


def main():
    programs, images = sys.argv[1:3]
    command = [os.path.join(programs, "crit-x"), os.path.join(images, "crit-x", "ok_names", "d"), "ps"]
    piped = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    shown = on_terminal(command)
    if rb"a\nb\x1b[1m\xff" not in shown or shown != piped:
        print(f"piped {piped!r}\nshown {shown!r}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
