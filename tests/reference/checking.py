"""What went wrong in a test: each failure is a line on standard error, and their number is the last line."""
import sys

failures = []


def check(what, condition, detail=""):
    """Was it so?"""
    if not condition:
        fail(what, detail)


def check_same(what, got, want):
    if got != want:
        fail(what, f"\n  got  {got!r}\n  want {want!r}")


def fail(what, detail=""):
    failures.append(what)
    print(f"FAIL {what} {detail}".rstrip(), file=sys.stderr)


def done(about=""):
    """Ends the test."""
    print(f"{about}{len(failures)} failures")
    sys.exit(1 if failures else 0)
