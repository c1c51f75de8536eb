#include "cli/inputs.hpp"

#include <algorithm>
#include <bit>
#include <fnmatch.h>
#include <limits>

#include "cli/numbers.hpp"
#include "critpipe/pages.hpp"

namespace critpipe::filters {

namespace {

// Only says what is wanted.
class Nothing final : public Receiver {
 public:
  explicit Nothing(const Program& program) : program_{program} {}
  bool wants(std::string_view path) override { return wanted(program_, path); }
  Step begin(const Member&) override { return Step::go; }
  Step bytes(const Member&, Bytes) override { return Step::go; }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error&) override {}

 private:
  const Program& program_;
};

// The path, or any end of it that begins behind a slash.
bool fits(const std::string& glob, std::string_view path) {
  for (;;) {
    if (fnmatch(glob.c_str(), std::string{path}.c_str(), 0) == 0) return true;
    const std::size_t slash = path.find('/');
    if (slash == path.npos) return false;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Limits limits_of(Program& program) {
  Limits limits;
  limits.entry_bytes = program.number("max-entry", limits.entry_bytes);
  return limits;
}

std::vector<std::uint32_t> pids_of(Program& program) {
  std::vector<std::uint32_t> pids;
  for (const std::string& text : program.values("pid")) {
    const auto pid = parse_number(text, Numeral::decimal);
    if (!pid || *pid > std::numeric_limits<std::uint32_t>::max()) program.usage("--pid takes a number, not " + text);
    pids.push_back(static_cast<std::uint32_t>(*pid));
  }
  return pids;
}

std::optional<std::uint64_t> page_size_of(Program& program) {
  if (!program.has("page-size")) return std::nullopt;
  const std::uint64_t size = program.number("page-size", 0);
  if (!std::has_single_bit(size) || size < smallest_page || size > largest_page)
    program.usage("--page-size takes a power of two from 4K to 1M, not " + *program.value("page-size"));
  return size;
}

SourceOptions source_options(Program& program) {
  SourceOptions options;
  options.all_members = program.has("all");
  options.max_bytes = program.number("max-size", options.max_bytes);
  options.set = program.value("set");
  static const std::uint64_t at_start = stdin_offset();  // before anything is read
  options.stdin_offset = at_start;
  return options;
}

bool wanted(const Program& program, std::string_view path) {
  const auto matches = [&](const std::string& glob) { return fits(glob, path); };
  const auto only = program.values("only");
  const bool chosen = only.empty() || std::ranges::any_of(only, matches);
  return chosen && std::ranges::none_of(program.values("except"), matches);
}

bool has_selection(const Program& program) { return program.has("only") || program.has("except"); }

bool selects_one(const Program& program) {
  const auto only = program.values("only");
  return only.size() == 1 && only[0].find_first_of("*?[\\") == std::string::npos && program.arguments().size() <= 1;
}

std::uint64_t count_wanted(Program& program, const SourceOptions& options) {
  if (!has_selection(program) || program.arguments().size() != 1) return Member::unknown;
  Nothing receiver{program};
  return nr_wanted(program.arguments()[0], receiver, options);
}

Step read_inputs(Program& program, Receiver& receiver) {
  return read_inputs(program, receiver, source_options(program));
}

Step read_inputs(Program& program, Receiver& receiver, const SourceOptions& options) {
  Selected selected{program, receiver};
  Pieces pieces{program.inputs(), options};
  Step step = Step::go;
  while (const auto piece = pieces.next())
    if ((step = piece->read(selected)) == Step::stop) break;
  if (has_selection(program) && !selected.any()) program.set_exit_code(exit_no);
  return step;
}

}  // namespace critpipe::filters
