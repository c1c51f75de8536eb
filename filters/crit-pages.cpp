// crit-pages: what is in a checkpoint's memory.
#include "cli/colour.hpp"
#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {'s', "summary", nullptr, "Count pages and runs of each process and shared object (this is the default)."},
    {'c', "contents", nullptr, "Read the pages too: zero, duplicate, distinct; what they look like and compress to."},
    {'l', "list", nullptr, "Print one run a line: addresses, flags, pages image and offset, mapping."},
    {0, "by", "WHAT", "Sum pages up by WHAT: vma, file, process or flags; with --contents zero pages too."},
    {'a', "at", "ADDR[:LEN]", "Write the LEN bytes (256) at ADDR; a hexdump on a terminal. May be given again."},
    {0, "holes", "HOW", "With --at, addresses that are not stored are an error, or zero."},
    {'x', "hex", nullptr, "With --at, a hexdump in any case."},
    {0, "argv", nullptr, "Print the command line of processes, one word a line."},
    {0, "env", nullptr, "Print the environment of processes."},
    {0, "auxv", nullptr, "Print the auxiliary vector of processes."},
    {0, "diff", nullptr, "Compare the pages of two checkpoints; exit 1 if they differ."},
    {'m', "map", nullptr, "Draw the address spaces, a mapping a line."},
    {0, "html", "FILE", "Write a page with the same picture, to zoom and hover, to FILE.", Option::files},
    {0, "check", nullptr, "Say where pagemaps, pages images and parents do not agree; exit 1 if they do not."},
    pid_row,
    {0, "json", nullptr, "Print JSON: one object, or with --list, --by, --diff and --check one a line."},
    page_size_row,
    {0, "memory", "SIZE", "Above SIZE, estimate the number of distinct pages instead of counting."},
    {'j', "jobs", "N", "Read pages with N threads (one a processor)."},
    {0, "no-progress", nullptr, "Do not show how far it is."},
};
constexpr Options groups[] = {rows, colour_options, output_options, input_options};
constexpr Example examples[] = {
    {"crit-pages DIR", "pages of each process: present, in the parent, lazy"},
    {"crit-cat pagemap-1.img | crit-pages --summary --json", "the same of one pagemap, for programs"},
    {"crit-pages --contents c1.tar.zst", "how many pages are zero or there twice"},
};

struct Mode {
  const char* option;
  int (*run)(Program& program);
};
constexpr Mode modes[] = {
    {"summary", summary},    {"list", list},         {"by", sum_by},          {"at", extract},
    {"argv", process_texts}, {"env", process_texts}, {"auxv", process_texts}, {"diff", difference},
    {"check", check_pages},  {"map", draw_map},      {"html", write_html},
};

int run(Program& program) {
  const Mode* chosen = nullptr;
  for (const Mode& mode : modes) {
    if (!program.has(mode.option)) continue;
    if (chosen && chosen->run != mode.run)
      program.usage(std::string{"--"} + chosen->option + " and --" + mode.option + " exclude each other");
    chosen = &mode;
  }
  return chosen ? chosen->run(program) : summary(program);
}

}  // namespace

const Filter filter{"crit-pages", "what is in a checkpoint's memory", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
