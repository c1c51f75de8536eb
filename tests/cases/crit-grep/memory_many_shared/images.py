# The images of a process that maps N shared objects, each with a page: in the directory d.
import sys


def write(name, text):
    with open(f"d/{name}.img.txt", "w", encoding="ascii") as file:
        file.write(text)


number = int(sys.argv[1])
mapping = "vmas: {{ start: {:#x} end: {:#x} pgoff: 0 shmid: {} prot: 3 flags: 33 status: 257 fd: -1 }}\n"
zeros = " ".join(f"{name}: 0" for name in ("mm_start_code mm_end_code mm_start_data mm_end_data mm_start_stack mm_start_brk mm_brk "
                                           "mm_arg_start mm_arg_end mm_env_start mm_env_end exe_file_id").split())
mappings = "".join(mapping.format(0x10000000 + i * 8192, 0x10001000 + i * 8192, i) for i in range(1, number + 1))
write("pstree", "PSTREE\n{ pid: 1 ppid: 0 pgid: 1 sid: 1 threads: 1 }\n")
write("mm-1", f"MM\n{{ {zeros}\n{mappings} }}\n")
head = b"\x19\x43\x56\x54\x25\x40\x08\x56"
one_page = b"\x08\0\0\0\x08\0\x10\0\x20\x04\x28\x01"
for i in range(1, number + 1):
    with open(f"d/pagemap-shmem-{i}.img", "wb") as file:
        file.write(head + b"\x04\0\0\0\x08" + bytes([i & 127 | 128, i >> 7 & 127 | 128, i >> 14]) + one_page)
    with open(f"d/pages-{i}.img", "wb") as file:
        file.write(b"hello".ljust(4096, b".") if i == number else b"")
