// --map: the address space on a terminal, a mapping a line.
#include <algorithm>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/colour.hpp"
#include "crit-pages/picture.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {'m', "map", nullptr, "Draw the address spaces, a mapping a line."},
};
constexpr const char* takes[] = {"jobs", "color", "output"};

using Unsigned = unsigned long long;

class Map {
 public:
  Map(Program& program, Output& output, int fd);
  void legend();
  void memory(SurveyedSet& set, const SurveyedMemory& memory, bool several);

 private:
  void draw(const Row& row, std::uint64_t page_size);
  std::string cells(const Row& row, std::uint64_t nr_pages, std::uint64_t per_cell) const;
  std::string cell(PageState state, std::size_t times) const;

  Output& output_;
  bool colour_, utf8_;
  std::uint64_t width_ = 40;  // cells of a mapping
};

Map::Map(Program& program, Output& output, int fd)
    : output_{output}, colour_{wants_colour(program, fd)}, utf8_{locale_is_utf8()} {
  winsize size = {};
  if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0) width_ = std::clamp<std::uint64_t>(size.ws_col / 2, 20, 120);
}

std::string Map::cell(PageState state, std::size_t times) const {
  const PageStateRow& row = row_of(state);
  std::string text = colour_ ? formatted("\033[%sm", row.terminal) : std::string{};
  for (std::size_t i = 0; i < times; ++i) text += utf8_ ? std::string{row.block} : std::string(1, row.letter);
  return text + (colour_ ? "\033[0m" : "");
}

void Map::legend() {
  std::string line;
  for (std::size_t i = 0; i < nr_page_states; ++i) {
    const auto state = static_cast<PageState>(i);
    line += (i > 0 ? "  " : "") + cell(state, 1) + ' ' + row_of(state).name;
  }
  output_.write(line + '\n');
}

// A cell shows what most of its pages are; what is not stored counts only where nothing else is there.
std::string Map::cells(const Row& row, std::uint64_t nr_pages, std::uint64_t per_cell) const {
  std::string text;
  std::uint64_t counts[nr_page_states] = {};
  std::uint64_t in_cell = 0, done = 0;
  PageState last = PageState::hole;
  std::size_t times = 0;
  const auto flush_cell = [&] {
    std::size_t most = static_cast<std::size_t>(counts[1] > 0 ? PageState::file : PageState::hole);
    for (std::size_t i = 2; i < nr_page_states; ++i)
      if (counts[i] > 0 && (most < 2 || counts[i] > counts[most])) most = i;
    const auto state = static_cast<PageState>(most);
    if (times > 0 && state != last) {
      text += cell(last, times);
      times = 0;
    }
    last = state;
    ++times;
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
      if (in_cell == per_cell || done == nr_pages) flush_cell();
    }
  }
  if (times > 0) text += cell(last, times);
  return text;
}

void Map::draw(const Row& row, std::uint64_t page_size) {
  const std::uint64_t nr_pages = pages_in(row.end - row.start, page_size);
  std::uint64_t per_cell = 1;
  while ((nr_pages + per_cell - 1) / per_cell > width_) per_cell *= 2;
  std::string line = formatted("  %012llx-%012llx %9s ", Unsigned{row.start}, Unsigned{row.end},
                               size_text(row.end - row.start).c_str());
  line += per_cell == 1 ? "       " : formatted("%5s/c", formatted("%llu", Unsigned{per_cell}).c_str());
  const std::uint64_t used = (nr_pages + per_cell - 1) / per_cell;
  line += ' ' + cells(row, nr_pages, per_cell) + std::string(width_ - std::min(used, width_), ' ');
  if (!row.text.empty()) line += "  " + row.text;
  while (line.back() == ' ') line.pop_back();
  output_.write(line + '\n');
}

void Map::memory(SurveyedSet& set, const SurveyedMemory& memory, bool several) {
  output_.write((several ? visible(set.name) + ": " : std::string{}) + memory_text(set, memory) + '\n');
  picture(set, memory.memory, [&](const Row& row) { draw(row, set.page_size); });
}

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  SurveyedInputs surveyed{program, {.runs = true, .facts = true, .shared = true}};
  if (surveyed.has_failed()) return program.exit_code();
  Map map{program, destination.output(), destination.fd()};
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
