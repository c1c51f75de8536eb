"""Protobuf messages as bytes, written from the description of the format alone: numbers and strings, no more. And images of
them."""
import struct

PAGEMAP = struct.pack("<II", 0x54564319, 0x56084025)  # what such an image begins with


class Malformed(Exception):
    pass


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(*numbers):
    """Of fields that are numbers: (field, value)."""
    return b"".join(varint(field << 3) + varint(value) for field, value in numbers)


def entry(*numbers):
    """The same as an entry of an image."""
    payload = message(*numbers)
    return struct.pack("<I", len(payload)) + payload


def read_varint(data, at):
    """The number, and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(message):
    """Number and value of each field, in order; a value is a number or bytes."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        value, at = read_varint(message, at)
        if tag & 7 == 2:
            at += value
            value = message[at - value:at]
        elif tag & 7 != 0:
            raise Malformed("wire type")
        yield tag >> 3, value
