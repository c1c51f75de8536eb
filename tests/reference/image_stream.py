"""A small reader and writer of image streams, written from the description of the format alone.

Repetition of: u32 little-endian size, a message of that size, and after a data marker that many bytes. Fields of the
message: 1 sequence number (0 is left out), 2 file name, 3 bytes of data, 4 end of file, 5 end of image. Numbers count up
from 0 over all shards without a gap; markers are smaller than 10 KiB; the end of the image is the last marker, and no
file is open there.
"""
import struct

import wire
from wire import Malformed, varint


def marker(seq, name=None, data=None, file_eof=False, image_eof=False):
    """One marker; data may be bytes, or the number that the marker claims."""
    message = b"\x08" + varint(seq) if seq else b""
    tail = b""
    if name is not None:
        name = name.encode() if isinstance(name, str) else name
        message += b"\x12" + varint(len(name)) + name
    if data is not None:
        message += b"\x18" + varint(data if isinstance(data, int) else len(data))
        tail = b"" if isinstance(data, int) else data
    if file_eof:
        message += b"\x20\x01"
    if image_eof:
        message += b"\x28\x01"
    return struct.pack("<I", len(message)) + message + tail


def write(files):
    """A stream of (name, bytes) in one shard."""
    out, seq = b"", 0
    for name, content in files:
        for fields in ({"name": name}, {"data": content}, {"file_eof": True}):
            out += marker(seq, **fields)
            seq += 1
    return out + marker(seq, image_eof=True)


def markers(shard):
    at = 0
    while at < len(shard):
        if at + 4 > len(shard):
            raise Malformed("size cut short")
        (size,) = struct.unpack_from("<I", shard, at)
        at += 4
        if size >= 10 << 10 or at + size > len(shard):
            raise Malformed("marker size")
        fields = dict(wire.fields(shard[at:at + size]))
        at += size
        data = shard[at:at + fields.get(3, 0)]
        if len(data) != fields.get(3, 0):
            raise Malformed("data cut short")
        at += len(data)
        yield fields.get(1, 0), fields, data


def read(*shards):
    """{name: bytes} in the order in which files ended; Malformed where an extracting reader would stop."""
    everything = sorted((m for shard in shards for m in markers(shard)), key=lambda m: m[0])
    for shard in shards:
        numbers = [m[0] for m in markers(shard)]
        if numbers != sorted(numbers):
            raise Malformed("markers of a shard out of order")
    opened, done, current, ended = {}, {}, None, False
    for expected, (seq, fields, data) in enumerate(everything):
        if seq != expected or ended:
            raise Malformed("sequence")
        bodies = set(fields) - {1}
        if len(bodies) != 1:
            raise Malformed("body")
        (body,) = bodies
        if body == 2:
            current = fields[2].decode()
            if current in done:
                raise Malformed("a file begins again")
            opened.setdefault(current, bytearray())
        elif body in (3, 4):
            if current is None:
                raise Malformed("no file")
            if body == 3:
                opened[current] += data
            else:
                done[current] = bytes(opened.pop(current))
                current = None
        elif body == 5:
            ended = True
    if not ended or opened:
        raise Malformed("not ended")
    return done
