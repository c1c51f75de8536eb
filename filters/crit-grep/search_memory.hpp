// crit-grep --memory: patterns in the contents of pages.
#pragma once

#include "cli/filter.hpp"

namespace critpipe::filters {

inline constexpr Option memory_options[] = {
    Option{0, "memory", nullptr,
           "Search the contents of pages for REGEX, not entries; a dot is any byte but a newline."}
        .excludes("invert-match any pretty stream"),
    Option{'f', "file", "FILE", "Search for each line of FILE; may be given again.", Option::files}.needs("memory"),
    Option{0, "utf16", nullptr, "The text as UTF-16, little endian."}.needs("memory"),
    Option{0, "hexbytes", nullptr, "The pattern is bytes like 'de ad ?? e?', a ? is any half of one."}.needs("memory"),
    Option{'C', "context", "BYTES", "Show that many bytes before and after each match (16)."}.needs("memory"),
    Option{'o', "only-matching", nullptr, "Print the bytes of each match and a newline, nothing else."}.needs("memory"),
    Option{'x', "hex", nullptr, "Print matches as hexdumps."}.needs("memory"),
    pid_row.needs("memory"),
    Option{0, "range", "A:B", "Only addresses from A up to B; may be given again."}.needs("memory"),
    Option{0, "vma", "AREA", "Only mappings of this kind: heap, stack, anon, file=GLOB, ...; may be repeated."}.needs(
        "memory"),
    Option{0, "prot", "LETTERS", "Only mappings with these protections: r, w, x."}.needs("memory"),
    page_size_row.needs("memory"),
};

int search_memory(Program& program);

}  // namespace critpipe::filters
