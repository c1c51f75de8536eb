"""What the other tools answered for the corpus, in files that may be compressed."""
import gzip
import os


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        return file.read()


def answer(path):
    """The bytes of an answer; None where there is none."""
    return next((read(each) for each in (path, path + ".gz") if os.path.exists(each)), None)
