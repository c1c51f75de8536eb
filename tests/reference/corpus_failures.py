"""The failed restores of the corpus: changes of good sets, each with what CRIU said of it."""
import os

# CRIU restores these, with something missing.
LOSSES = {"missing-fdinfo", "missing-timens"}
# The dump failed, so that there is no other set than the unchanged one.
NO_SET = {"dump-without-tcp-established"}


def failures(corpus):
    """(directory of a set, name of a case of it), in order"""
    for set_name in sorted(os.listdir(f"{corpus}/engines")):
        if not set_name.startswith("fail-"):
            continue
        folder = f"{corpus}/engines/{set_name}"
        yield from ((folder, case) for case in sorted(os.listdir(f"{folder}/failures")) if case not in NO_SET)
