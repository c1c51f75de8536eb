# An archive of N pagemaps and N pages images; the last one has a page.
import os
import sys

sys.path.insert(0, os.path.join(os.environ["TESTS"], "reference"))
from image_archive import end, pagemap, pages, run

number = int(sys.argv[1])
for i in range(1, number):
    pagemap(i, i)
    pages(i, b"")
pagemap(number, number, run(0x10000))
pages(number, b"hello".ljust(4096, b"."))
end()
