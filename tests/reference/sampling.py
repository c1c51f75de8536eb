"""Which of many combinations run: the first of each kind and a share of the others, always the same one; all of them where
CRITPIPE_TEST_LONG is ON (tools/test --long)."""
import collections
import os
import random

LONG = os.environ.get("CRITPIPE_TEST_LONG") == "ON"


class Sample:
    def __init__(self, one_in, first=1):
        self.one_in, self.first = one_in, first
        self.seen = collections.Counter()
        self.chance = random.Random(one_in)

    def takes(self, kind=None):
        self.seen[kind] += 1
        return LONG or self.seen[kind] <= self.first or self.chance.randrange(self.one_in) == 0
