// crit-pages: what is in a checkpoint's memory. Its modes are in crit-pages/, one a file.
#include "cli/colour.hpp"
#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

// What a mode can take beside its own options; `everywhere` goes with all of them.
constexpr Option shared[] = {
    {0, "json", nullptr, "Print JSON: one object, or with --list, --by, --diff and --check one per line."},
    big_numbers_row.needs("json"),
    {0, "memory", "SIZE", "Above SIZE, estimate the number of distinct pages instead of counting."},
    {'j', "jobs", "N", "Read pages with N threads (one a processor)."},
    parent_row,
};
constexpr Option everywhere[] = {
    pid_row,
    page_size_row,
    {0, "no-progress", nullptr, "Do not show progress."},
    sync_row.needs("output|html"),
};
constexpr Option output[] = {output_row};
constexpr Example examples[] = {
    {"crit-pages DIR", "pages of each process: present, in the parent, lazy"},
    {"crit-cat pagemap-1.img | crit-pages --summary --json", "the same of one pagemap, for programs"},
    {"crit-pages --contents c1.tar.zst", "zero and duplicate pages"},
};

// The rows of modes first; those fill in their own before main() begins.
constinit std::array<Options, Mode::most + 6> groups = [] {
  std::array<Options, Mode::most + 6> all;
  const Options others[] = {shared, everywhere, colour_options, output, force_options, input_options};
  std::ranges::copy(others, all.begin() + Mode::most);
  return all;
}();

bool contains(Options rows, std::string_view name) {
  return std::ranges::find(rows, name, &Option::name) != rows.end();
}

bool takes(const Mode& mode, std::string_view name) {
  return contains(mode.options, name) || std::ranges::find(mode.takes, name) != mode.takes.end() ||
         (name == big_numbers_row.name && takes(mode, "json")) || contains(everywhere, name) ||
         contains(input_options, name);
}

int run(Program& program) {
  const std::span<const Mode* const> modes = Mode::all();
  const Mode* chosen = nullptr;
  const char* by = modes.front()->options.front().name;
  for (const Mode* mode : modes)
    for (const Option& option : mode->options.first(mode->nr_choosing)) {
      if (!program.has(option.name)) continue;
      if (chosen && chosen != mode)
        program.usage(std::string{"--"} + by + " and --" + option.name + " exclude each other");
      if (!chosen) by = option.name;
      chosen = mode;
    }
  const std::string what = chosen ? std::string{"--"} + by : "--summary, the default";
  if (!chosen) chosen = modes.front();
  for (const Options rows : groups)
    for (const Option& option : rows)
      if (program.has(option.name) && !takes(*chosen, option.name))
        program.usage(std::string{"--"} + option.name + " means nothing with " + what);
  return chosen->run(program);
}

// Modes in the order of the manual.
constinit std::array<const Mode*, Mode::most> registered = {};
constinit std::size_t nr_registered = 0;

}  // namespace

Mode::Mode(const Row& row) : Row{row} {
  if (nr_registered == most) std::abort();
  auto at = registered.begin() + nr_registered++;
  for (; at != registered.begin() && (*(at - 1))->order > order; --at) *at = *(at - 1);
  *at = this;
  for (std::size_t i = 0; i < nr_registered; ++i) groups[i] = registered[i]->options;
}

std::span<const Mode* const> Mode::all() { return std::span{registered}.first(nr_registered); }

const Filter filter{"crit-pages", "what is in a checkpoint's memory", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
