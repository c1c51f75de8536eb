// crit-grep --memory: patterns in the contents of pages.
#pragma once

#include "cli/filter.hpp"

namespace critpipe::filters {

inline constexpr Option memory_options[] = {
    Option{0, "memory", nullptr, "Search the contents of pages for REGEX; a dot is any byte except a newline."}
        .excludes("invert-match any pretty stream only except format zstd"),
    Option{'f', "file", "FILE", "Search for each line of FILE; may be repeated.", Option::files}.needs("memory"),
    Option{0, "utf16", nullptr, "Search for the text in UTF-16, little endian."}.needs("memory"),
    Option{0, "hexbytes", nullptr, "Take the pattern as hexadecimal bytes like 'de ad ?? e?'; ? is any digit."}
        .needs("memory")
        .excludes("ignore-case fixed-strings utf16"),
    Option{'C', "context", "BYTES", "Print BYTES bytes before and after each match (16)."}.needs("memory").excludes(
        "quiet count files-with-matches"),
    Option{'o', "only-matching", nullptr, "Print only the bytes of each match and a newline."}.needs("memory").excludes(
        "quiet count files-with-matches lines json context"),
    Option{'x', "hex", nullptr, "Print matches as hexdumps."}.needs("memory").excludes(
        "quiet count files-with-matches lines json only-matching"),
    pid_row.needs("memory"),
    Option{0, "range", "A:B", "Search only addresses from A up to B; may be repeated."}.needs("memory"),
    Option{0, "vma", "AREA", "Search only mappings of this kind: heap, stack, anon, file=GLOB, ...; may be repeated."}
        .needs("memory")
        .one_of("heap stack anon file= file memfd shmem sysv vdso"),
    Option{0, "prot", "LETTERS", "Search only mappings with these permissions: r, w, x."}.needs("memory"),
    page_size_row.needs("memory"),
    parent_row.needs("memory"),
};

int grep_memory(Program& program);

}  // namespace critpipe::filters
