"""Archives of many small images, for cases in which time must not grow faster than their number."""
import sys

from wire import PAGEMAP, entry

HEADER = bytearray(512)
HEADER[100:107], HEADER[148:156], HEADER[156:157], HEADER[257:265] = b"0000644", b" " * 8, b"0", b"ustar\x0000"
PRESENT = 4


def member(name, data):
    header = HEADER[:]
    header[0:len(name)] = name.encode()
    header[124:135] = b"%011o" % len(data)
    header[148:156] = b"%06o\0 " % sum(header)
    sys.stdout.buffer.write(bytes(header) + data + bytes(-len(data) % 512))


def run(vaddr, pages=1):
    return entry((1, vaddr), (2, 0), (4, PRESENT), (5, pages))


def pagemap(name, pages_id, *runs):
    member(f"pagemap-{name}.img", PAGEMAP + entry((1, pages_id)) + b"".join(runs))


def pages(pages_id, data):
    member(f"pages-{pages_id}.img", data)


def end():
    sys.stdout.buffer.write(bytes(1024))


def descending(number, first):
    """N runs of one page each, from the highest address on down to `first`; each page says its number."""
    pagemap(7, 1, *(run(first + 8192 * (number - 1 - i)) for i in range(number)))
    pages(1, b"".join(f"{i:8}".encode() * 512 for i in range(number)))
    end()
