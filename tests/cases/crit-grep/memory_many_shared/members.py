# An archive with a process that maps N shared objects, the last of which has a page. The images pstree.img and mm-1.img are
# there; "mm" as the second argument: the text of the latter.
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
if sys.argv[2:] == ["mm"]:
    mapping = "vmas: {{ start: {:#x} end: {:#x} pgoff: 0 shmid: {} prot: 3 flags: 33 status: 257 fd: -1 }}\n"
    names = ("mm_start_code mm_end_code mm_start_data mm_end_data mm_start_stack mm_start_brk mm_brk mm_arg_start mm_arg_end "
             "mm_env_start mm_env_end exe_file_id")
    print("MM {", *(f"{name}: 0" for name in names.split()))
    print("".join(mapping.format(0x10000000 + i * 8192, 0x10001000 + i * 8192, i) for i in range(1, number + 1)), "}")
    sys.exit()
for name in ("pstree.img", "mm-1.img"):
    with open(name, "rb") as file:
        member(name, file.read())
member("pagemap-1.img", MAGIC + message({1: number + 1}))
for i in range(1, number + 1):
    is_last = i == number
    member(f"pagemap-shmem-{i}.img", MAGIC + message({1: i}) + message({1: 0, 2: 0, 4: 4, 5: int(is_last)}))
    member(f"pages-{i}.img", b"hello".ljust(4096, b".") if is_last else b"")
sys.stdout.buffer.write(bytes(1024))
