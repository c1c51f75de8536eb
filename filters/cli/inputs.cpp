#include "cli/inputs.hpp"

#include <algorithm>
#include <fnmatch.h>
#include <limits>

#include "cli/numbers.hpp"
#include "critpipe/pages.hpp"

namespace critpipe::filters {

namespace {

// Only says what is wanted.
class Nothing final : public Receiver {
 public:
  explicit Nothing(const Program& program) : selection_{program} {}
  bool wants(const Member& member) override { return selection_.leaves(member.path); }
  Step begin(const Member&) override { return Step::go; }
  Step bytes(const Member&, Bytes) override { return Step::go; }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error&) override {}

 private:
  Selection selection_;
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
  if (!is_page_size(size))
    program.usage("--page-size takes a power of two from 4K to 1M, not " + *program.value("page-size"));
  return size;
}

unsigned threads_of(Program& program, const char* option, unsigned usual) {
  constexpr std::uint64_t most = 64;
  const std::uint64_t number = program.number(option, std::min(nr_processors(), usual));
  if (number == 0) program.usage("--" + std::string{option} + " takes a number from 1 on");
  return static_cast<unsigned>(std::min(number, most));
}

SourceOptions source_options(Program& program) {
  SourceOptions options;
  options.all_members = options.any_file = program.has("all");
  options.max_bytes = program.number("max-size", options.max_bytes);
  options.set = program.value("set");
  if (program.has("jobs")) options.threads = threads_of(program, "jobs");
  static const std::uint64_t at_start = stdin_offset();  // before anything is read
  options.stdin_offset = at_start;
  return options;
}

BigNumbers big_numbers_of(Program& program) {
  const std::string form = program.value("big-numbers").value_or("number");
  if (form == "text") return BigNumbers::text;
  if (form != "number") program.usage("--big-numbers takes number or text, not " + form);
  return BigNumbers::number;
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

Selection::Selection(const Program& program) : except_{program.values("except")} {
  for (const std::string& glob : program.values("only")) only_.emplace_back().glob = glob;
}

bool Selection::leaves(std::string_view path) {
  bool chosen = only_.empty();
  for (Only& only : only_) {
    if (!fits(only.glob, path)) continue;
    chosen = true;
    only.fits = true;
  }
  return chosen && !takes_out(path);
}

bool Selection::takes_out(std::string_view path) const {
  return std::ranges::any_of(except_, [&](const std::string& glob) { return fits(glob, path); });
}

void Selection::report_missing(Program& program, bool any) const {
  if (program.failed()) return;
  Error error{Reason::usage};
  for (const Only& only : only_) {
    if (only.fits) continue;
    error.name = "no image in the input fits --only " + only.glob + ": crit-cat --list names them";
    program.report(error);
  }
  if (program.failed() || any || (only_.empty() && except_.empty())) return;
  error.name = std::string{only_.empty()     ? "--except leaves"
                           : except_.empty() ? "--only leaves"
                                             : "--only and --except leave"} +
               " nothing here that could be read";
  program.report(error);
}

Step read_inputs(Program& program, Receiver& receiver) {
  return read_inputs(program, receiver, source_options(program));
}

Step read_inputs(Program& program, Receiver& receiver, const SourceOptions& options) {
  Selection selection{program};
  Selected selected{selection, receiver};
  Pieces pieces{program.inputs(), options};
  while (const auto piece = pieces.next())
    if (piece->read(selected) == Step::stop) return Step::stop;
  selection.report_missing(program, selected.any());
  return Step::go;
}

}  // namespace critpipe::filters
