// --map: the address space on a terminal, a mapping a line.
#include <algorithm>
#include <unistd.h>

#include "cli/colour.hpp"
#include "crit-pages/picture.hpp"
#include "critpipe/report.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {'m', "map", nullptr, "Draw the address spaces, one mapping per line."},
};
constexpr const char* takes[] = {"jobs", "color", "output"};

using Unsigned = unsigned long long;

class Map {
 public:
  Map(Program& program, Output& output, int fd);
  // Notes which states memory() will show, for the legend.
  void look_at(SurveyedSet& set, const SurveyedMemory& memory);
  void legend();
  void memory(SurveyedSet& set, const SurveyedMemory& memory, bool several);

 private:
  void draw(const Row& row, std::uint64_t page_size);
  std::uint64_t pages_per_cell(std::uint64_t nr_pages) const;
  template <typename Use>
  void each_cell(const Row& row, std::uint64_t nr_pages, std::uint64_t per_cell, Use use) const;
  std::string cells(const Row& row, std::uint64_t nr_pages, std::uint64_t per_cell) const;
  std::string cell(PageState state, std::size_t times) const;

  Output& output_;
  bool colour_, utf8_;
  std::uint64_t width_ = 40;            // cells of a mapping
  std::size_t columns_ = 0;             // of the terminal; 0: there is none
  bool is_shown_[nr_page_states] = {};  // in any cell
};

// What a line on a terminal has before its cells: address and size, with the end where there is room.
constexpr std::size_t narrow_head = 34, wide_head = 47, wide_terminal = 100, least_columns = 60;

Map::Map(Program& program, Output& output, int fd)
    : output_{output}, colour_{wants_colour(program, fd)}, utf8_{locale_is_utf8()} {
  const std::size_t columns = terminal_columns(fd);
  if (columns == 0) return;
  columns_ = std::max(columns, least_columns);
  const std::size_t room = columns_ - (columns_ < wide_terminal ? narrow_head : wide_head);
  width_ = std::clamp<std::uint64_t>(room * 2 / 5, 10, 120);  // names have the rest
}

// "r-xp /usr/lib/libc.so.6" cut to "r-xp ...libc.so.6": of a path the end says most.
std::string shortened(const std::string& text, std::size_t columns, bool utf8) {
  if (width_of(text) <= columns) return text;
  const std::size_t blank = std::min(text.find(' '), text.size());
  const std::string_view dots = utf8 ? "…" : "...";
  const std::size_t taken = blank + 1 + (utf8 ? 1 : 3);
  if (taken >= columns) return text.substr(0, std::min(blank, columns));
  return text.substr(0, blank + 1) + std::string{dots} + std::string{end_within(text, columns - taken)};
}

std::string Map::cell(PageState state, std::size_t times) const {
  const PageStateRow& row = row_of(state);
  std::string text = colour_ ? format("\033[%sm", row.terminal) : std::string{};
  for (std::size_t i = 0; i < times; ++i) text += utf8_ ? std::string{row.block} : std::string(1, row.letter);
  return text + (colour_ ? "\033[0m" : "");
}

void Map::look_at(SurveyedSet& set, const SurveyedMemory& memory) {
  picture(set, memory.memory, [&](const Row& row) {
    const std::uint64_t nr_pages = pages_in(row.end - row.start, set.page_size);
    each_cell(row, nr_pages, pages_per_cell(nr_pages),
              [&](PageState state) { is_shown_[static_cast<std::size_t>(state)] = true; });
  });
}

// Of the states that are shown.
void Map::legend() {
  std::string line;
  std::size_t used = 0;
  for (std::size_t i = 0; i < nr_page_states; ++i) {
    if (!is_shown_[i]) continue;
    const auto state = static_cast<PageState>(i);
    const std::size_t columns = 2 + std::string_view{row_of(state).name}.size();
    const bool fits = columns_ == 0 || used + 2 + columns <= columns_;
    if (used > 0) line += fits ? "  " : "\n";
    used = (used > 0 && fits ? used + 2 : 0) + columns;
    line += cell(state, 1) + ' ' + row_of(state).name;
  }
  if (used > 0) output_.write(line + '\n');
}

std::uint64_t Map::pages_per_cell(std::uint64_t nr_pages) const {
  std::uint64_t per_cell = 1;
  while ((nr_pages + per_cell - 1) / per_cell > width_) per_cell *= 2;
  return per_cell;
}

// A cell shows what most of its pages are; what is not stored counts only where nothing else is there.
template <typename Use>
void Map::each_cell(const Row& row, std::uint64_t nr_pages, std::uint64_t per_cell, Use use) const {
  std::uint64_t counts[nr_page_states] = {};
  std::uint64_t in_cell = 0, done = 0;
  const auto end_cell = [&] {
    std::size_t most = static_cast<std::size_t>(counts[1] > 0 ? PageState::file : PageState::hole);
    for (std::size_t i = 2; i < nr_page_states; ++i)
      if (counts[i] > 0 && (most < 2 || counts[i] > counts[most])) most = i;
    use(static_cast<PageState>(most));
    std::ranges::fill(counts, 0);
    in_cell = 0;
  };
  for (const Row::Segment& segment : row.segments) {
    for (std::uint64_t left = segment.nr_pages; left > 0;) {
      const std::uint64_t here = std::min(left, per_cell - in_cell);
      counts[static_cast<std::size_t>(segment.state)] += here;
      in_cell += here;
      done += here;
      left -= here;
      if (in_cell == per_cell || done == nr_pages) end_cell();
    }
  }
}

std::string Map::cells(const Row& row, std::uint64_t nr_pages, std::uint64_t per_cell) const {
  std::string text;
  PageState last = PageState::hole;
  std::size_t times = 0;
  each_cell(row, nr_pages, per_cell, [&](PageState state) {
    if (times > 0 && state != last) {
      text += cell(last, times);
      times = 0;
    }
    last = state;
    ++times;
  });
  if (times > 0) text += cell(last, times);
  return text;
}

void Map::draw(const Row& row, std::uint64_t page_size) {
  const std::uint64_t nr_pages = pages_in(row.end - row.start, page_size);
  const std::uint64_t per_cell = pages_per_cell(nr_pages);
  const bool has_end = columns_ == 0 || columns_ >= wide_terminal;
  std::string line = format("  %012llx", Unsigned{row.start});
  if (has_end) line += format("-%012llx", Unsigned{row.end});
  line += format(" %9s ", size_text(row.end - row.start).c_str());
  line += per_cell == 1 ? "       " : format("%5s/c", format("%llu", Unsigned{per_cell}).c_str());
  const std::size_t room = columns_ == 0 ? row.text.size() : columns_ - line.size() - 1 - width_ - 2;
  const std::uint64_t used = (nr_pages + per_cell - 1) / per_cell;
  line += ' ' + cells(row, nr_pages, per_cell) + std::string(width_ - std::min(used, width_), ' ');
  if (!row.text.empty()) line += "  " + (columns_ == 0 ? row.text : shortened(row.text, room, utf8_));
  while (line.back() == ' ') line.pop_back();
  output_.write(line + '\n');
}

void Map::memory(SurveyedSet& set, const SurveyedMemory& memory, bool several) {
  output_.write((several ? visible(set.name) + ": " : std::string{}) + memory_text(set, memory) + '\n');
  picture(set, memory.memory, [&](const Row& row) { draw(row, set.page_size); });
}

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  SurveyedInputs surveyed{program, {.runs = true, .facts = true, .shared = true, .parents = true}};
  if (surveyed.has_failed()) return program.exit_code();
  Map map{program, destination.output(), destination.fd()};
  for (const auto& set : surveyed.sets())
    for (const auto& [id, memory] : set->memories)
      if (surveyed.chosen(id) && surveyed.pagemap(*set, id)) map.look_at(*set, memory);
  map.legend();
  for (const auto& set : surveyed.sets()) {
    for (const auto& [id, memory] : set->memories) {
      if (!surveyed.chosen(id) || !surveyed.pagemap(*set, id)) continue;
      map.memory(*set, memory, surveyed.several());
      if (destination.output().step() == Step::stop) return destination.commit();
    }
  }
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 70}};

}  // namespace

}  // namespace critpipe::filters
