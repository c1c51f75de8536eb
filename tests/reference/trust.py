#!/usr/bin/env python3
"""trust: crit-restore, as root, refuses images that somebody else owns or may write to, wherever they stand, before it
starts CRIU. Skipped (77) where we are not root.

usage: trust BIN CHECKPOINTS
"""
import os
import shutil
import subprocess
import sys
import tempfile
import threading

OTHER = 12345
problems = []


def restore(bin_dir, *words):
    # A CRIU that fails at once: what reaches it was trusted.
    done = subprocess.run([f"{bin_dir}/crit-restore", "--no-check", "--criu", "/bin/false", *words], capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def expect(bin_dir, what, name, why, *words):
    """`name`: what the message must name; None: it is trusted."""
    code, errors = restore(bin_dir, *words)
    refused = "--trust does" in errors
    if refused != (name is not None) or code == 0:
        problems.append(f"{what}: exit {code}: {errors.strip()}")
    elif refused and (name not in errors or why not in errors or len(errors.splitlines()) != 1):
        problems.append(f"{what}: does not say that {why} of {name}: {errors.strip()}")


def swap(bin_dir):
    """A name that leads to one file and to another in turn: what is read is what was judged."""
    with open("evil", "w", encoding="utf-8") as file:
        file.write("no images")
    os.chown("evil", OTHER, OTHER)
    os.symlink("good.tar", "name")
    stop = threading.Event()

    def change():
        while not stop.is_set():
            for target in ("evil", "good.tar"):
                os.symlink(target, "next")
                os.rename("next", "name")

    thread = threading.Thread(target=change)
    thread.start()
    told = [restore(bin_dir, "name")[1] for _ in range(80)]
    stop.set()
    thread.join()
    for errors in told:
        if "--trust does" not in errors and "CRIU" not in errors:
            problems.append(f"what was read is not what was judged: {errors.strip()}")


def main():
    bin_dir, checkpoints = map(os.path.abspath, sys.argv[1:3])
    if os.geteuid() != 0:
        print("trust: skipped: not root")
        return 77
    os.environ.pop("SUDO_UID", None)
    with tempfile.TemporaryDirectory() as top:
        os.chdir(top)
        os.umask(0o022)

        def fresh():
            shutil.rmtree("d", ignore_errors=True)
            shutil.copytree(f"{checkpoints}/demo/checkpoint", "d/checkpoint")
            for path, directories, files in os.walk("d"):
                for each in [path, *(f"{path}/{n}" for n in directories + files)]:
                    os.chown(each, 0, 0)
                    os.chmod(each, 0o700 if os.path.isdir(each) else 0o600)

        cases = [("an image of another", "d/checkpoint/core-1001.img", lambda p: os.chown(p, OTHER, 0), "belongs to the user"),
                 ("an image that all may write to", "d/checkpoint/pstree.img", lambda p: os.chmod(p, 0o606), "everybody"),
                 ("a directory that all may write to", "d/checkpoint", lambda p: os.chmod(p, 0o707), "everybody"),
                 ("a directory in which all may make files", "d/checkpoint", lambda p: os.chmod(p, 0o1777), "everybody"),
                 ("an image of a group", "d/checkpoint/mm-1001.img",
                  lambda p: (os.chown(p, 0, OTHER), os.chmod(p, 0o660)), "the group"),
                 ("the engine's directory", "d", lambda p: os.chown(p, OTHER, OTHER), "belongs to the user")]
        fresh()
        expect(bin_dir, "all is root's", None, "", "d/checkpoint")
        expect(bin_dir, "all is root's, below", None, "", "d")
        for what, name, spoil, why in cases:
            fresh()
            spoil(name)
            expect(bin_dir, what, name, why, "d")
            if name.startswith("d/checkpoint"):
                expect(bin_dir, what + ", named", name, why, "d/checkpoint")
            expect(bin_dir, what + ", --trust", None, "", "--trust", "d")
        fresh()
        shutil.copytree("d/checkpoint", "p")
        os.symlink("../../p", "d/checkpoint/parent")
        os.chown("p/pages-1.img", OTHER, 0)
        expect(bin_dir, "a parent's pages", "d/checkpoint/parent/pages-1.img", "belongs to the user", "d")
        fresh()
        subprocess.run(["tar", "cf", "a.tar", "-C", "d", "checkpoint"], check=True)
        expect(bin_dir, "an archive of root", None, "", "a.tar")
        shutil.copy("a.tar", "good.tar")
        os.chown("a.tar", OTHER, 0)
        expect(bin_dir, "an archive of another", "a.tar", "belongs to the user", "a.tar")
        swap(bin_dir)
    for problem in problems:
        print(problem)
    print(f"trust: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
