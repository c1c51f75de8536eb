# An archive with a process that maps N shared objects, the last of which has a page. The images pstree.img and mm-1.img are
# there; "mm" as the second argument: the text of the latter.
import os
import sys

sys.path.insert(0, os.path.join(os.environ["TESTS"], "reference"))
from image_archive import end, member, pagemap, pages, run

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
pagemap(1, number + 1)
for i in range(1, number + 1):
    is_last = i == number
    pagemap(f"shmem-{i}", i, run(0, int(is_last)))
    pages(i, b"hello".ljust(4096, b".") if is_last else b"")
end()
