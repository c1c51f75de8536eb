# An archive with N runs of one page each, at descending addresses.
import sys

MAGIC = b"\x19\x43\x56\x54\x25\x40\x08\x56"
HEADER = bytearray(512)
HEADER[100:107], HEADER[148:156], HEADER[156:157], HEADER[257:265] = b"0000644", b" " * 8, b"0", b"ustar\x0000"


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(fields):
    payload = b"".join(bytes([8 * field]) + varint(value) for field, value in fields.items())
    return len(payload).to_bytes(4, "little") + payload


def member(name, data):
    header = HEADER[:]
    header[0:len(name)] = name.encode()
    header[124:135] = b"%011o" % len(data)
    header[148:156] = b"%06o\0 " % sum(header)
    sys.stdout.buffer.write(bytes(header) + data + bytes(-len(data) % 512))


number = int(sys.argv[1])
runs = [message({1: 0x10000000 + 8192 * (number - i), 2: 0, 4: 4, 5: 1}) for i in range(number)]
member("pagemap-7.img", MAGIC + message({1: 1}) + b"".join(runs))
member("pages-1.img", b"".join(f"{i:8}".encode() * 512 for i in range(number)))
sys.stdout.buffer.write(bytes(1024))
