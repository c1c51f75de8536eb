# An archive with N runs of one page each, at descending addresses.
import os
import sys

sys.path.insert(0, os.path.join(os.environ["TESTS"], "reference"))
from image_archive import descending

descending(int(sys.argv[1]), 0x10000000 + 8192)
