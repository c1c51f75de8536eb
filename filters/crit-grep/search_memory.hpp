// crit-grep --memory: patterns in the contents of pages.
#pragma once

#include "cli/filter.hpp"

namespace critpipe::filters {

inline constexpr Option memory_options[] = {
    {0, "memory", nullptr, "Search the contents of pages for REGEX, not entries; a dot is any byte but a newline."},
    {'f', "file", "FILE", "With --memory: search for each line of FILE; may be given again.", Option::files},
    {0, "utf16", nullptr, "With --memory: the text as UTF-16, little endian."},
    {0, "hexbytes", nullptr, "With --memory: the pattern is bytes like 'de ad ?? e?', a ? is any half of one."},
    {'C', "context", "BYTES", "With --memory: show that many bytes before and after each match (16)."},
    {'o', "only-matching", nullptr, "With --memory: print the bytes of each match and a newline, nothing else."},
    {'x', "hex", nullptr, "With --memory: print matches as hexdumps."},
    {'p', "pid", "PID", "With --memory: only this process; may be given again."},
    {0, "range", "A:B", "With --memory: only addresses from A up to B; may be given again."},
    {0, "vma", "AREA",
     "With --memory: only mappings of this kind: heap, stack, anon, file=GLOB, ...; may be repeated."},
    {0, "prot", "LETTERS", "With --memory: only mappings with these protections: r, w, x."},
    {0, "page-size", "SIZE", "With --memory: the page size, where the images do not tell."},
};

int search_memory(Program& program);

}  // namespace critpipe::filters
