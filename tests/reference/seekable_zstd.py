"""Seekable zstd, written and taken apart with nothing of ours: frames by zstd, the table as its format says."""
import functools
import struct
import subprocess


@functools.lru_cache(2000)
def frame(data, with_sum=True):
    """One frame, which says how much it holds."""
    command = ["zstd", "-qc", f"--stream-size={len(data)}", *([] if with_sum else ["--no-check"])]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def sum_of(packed):
    """A frame ends with the lower half of XXH64 of what it holds."""
    return struct.unpack("<I", packed[-4:])[0]


def make_table(rows):
    """rows: (packed size, unpacked size, sum or None)"""
    with_sums = bool(rows) and rows[0][2] is not None
    entries = b"".join(struct.pack("<III" if with_sums else "<II", *row[:3 if with_sums else 2]) for row in rows)
    footer = struct.pack("<IBI", len(rows), 0x80 if with_sums else 0, 0x8F92EAB1)
    return struct.pack("<II", 0x184D2A5E, len(entries) + len(footer)) + entries + footer


def pack(data, size, sums_in_frames=True, sums_in_table=True, table=True):
    """Frames of that many bytes."""
    out, rows = b"", []
    for at in range(0, len(data), size):
        part = data[at:at + size]
        packed = frame(part, sums_in_frames)
        out += packed
        rows.append((len(packed), len(part), sum_of(packed if sums_in_frames else frame(part)) if sums_in_table else None))
    return out + (make_table(rows) if table else b"")


def frames(data):
    """(frame, unpacked size, sum) of what the table at the end says."""
    count, flags, magic = struct.unpack("<IBI", data[-9:])
    assert magic == 0x8F92EAB1 and flags == 0x80
    at = len(data) - 9 - 12 * count
    assert struct.unpack("<II", data[at - 8:at]) == (0x184D2A5E, 12 * count + 9)
    begin, rows = 0, []
    for packed, unpacked, one_sum in struct.iter_unpack("<III", data[at:-9]):
        rows.append((data[begin:begin + packed], unpacked, one_sum))
        begin += packed
    assert begin == at - 8
    return rows
