# The images of a process with N adjacent mappings of one page, and M runs that each cover all of them: in the directory d.
import sys

nr_mappings, nr_runs = int(sys.argv[1]), int(sys.argv[2])
base = 0x10000000
mapping = "vmas: {{ start: {:#x} end: {:#x} pgoff: 0 shmid: 0 prot: 3 flags: 34 status: 513 fd: -1 }}\n"
mappings = "".join(mapping.format(base + i * 4096, base + (i + 1) * 4096) for i in range(nr_mappings))
zeros = " ".join(f"{name}: 0" for name in ("mm_start_code mm_end_code mm_start_data mm_end_data mm_start_stack mm_start_brk mm_brk "
                                           "mm_arg_start mm_arg_end mm_env_start mm_env_end exe_file_id").split())
run = f"{{ vaddr: {base:#x} compat_nr_pages: 0 nr_pages: {nr_mappings} flags: 2 }}\n"
last = f"{{ vaddr: {base:#x} compat_nr_pages: 0 nr_pages: {nr_mappings + 1} flags: 2 }}\n"
for name, text in (("pstree", "PSTREE\n{ pid: 1 ppid: 0 pgid: 1 sid: 1 threads: 1 }\n"), ("mm-1", f"MM\n{{ {zeros}\n{mappings} }}\n"),
                   ("pagemap-1", "PAGEMAP\n{ pages_id: 1 }\n" + run * nr_runs + last)):
    with open(f"d/{name}.img.txt", "w", encoding="ascii") as file:
        file.write(text)
