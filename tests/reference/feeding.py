"""Runs a program with its input as a file, a pipe, or a pipe that gives one byte a read."""
import os
import random
import subprocess
import tempfile
import threading

from sampling import LONG

FEEDS = ("file", "pipe", "bytes")
MOST_SINGLE_BYTES = 200_000 if LONG else 20_000   # of more, a few at a time


def feed(fd, data, feed_form):
    def run():
        at, view = 0, memoryview(data)
        chance = random.Random(len(data))
        try:
            while at < len(data):
                size = chance.choice((1, 7, 512, 4096)) if len(data) > MOST_SINGLE_BYTES else 1
                if feed_form == "pipe":
                    size = len(data)
                at += os.write(fd, view[at:at + size])
        except BrokenPipeError:
            pass
        os.close(fd)
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def run(command, data=None, feed_form="pipe", name="input", env=None):
    """(stdout, stderr, exit code). In the command, "@" stands for the input where it is given as a file."""
    if data is None:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=300)
        return done.stdout, done.stderr.decode(errors="replace"), done.returncode
    if feed_form == "file":
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(data)
            out, err, code = run([path if word == "@" else word for word in command], env=env)
            return out, err.replace(folder + "/", ""), code
    # In packet mode a read gives what one write gave.
    reading, writing = os.pipe2(os.O_CLOEXEC | (os.O_DIRECT if feed_form == "bytes" else 0))
    process = subprocess.Popen(["-" if word == "@" else word for word in command], stdin=reading,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    os.close(reading)
    thread = feed(writing, data, feed_form)
    out, err = process.communicate(timeout=300)
    thread.join()
    return out, err.decode(errors="replace"), process.returncode
