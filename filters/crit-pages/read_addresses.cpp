// --at: the bytes at an address.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <unistd.h>

#include "cli/hexdump.hpp"
#include "cli/numbers.hpp"
#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {'a', "at", "ADDR[:LEN]", "Write the LEN bytes (256) at ADDR; a hexdump on a terminal; may be repeated."},
    Option{0, "holes", "HOW",
           "Treat addresses that are not stored as an error (error, the default) or as zeros (zero)."}
        .needs("at|argv|env")
        .one_of("error zero"),
    Option{'x', "hex", nullptr, "Write a hexdump in any case."}.needs("at"),
};
constexpr const char* takes[] = {"force", "memory", "output", "parent"};

using Unsigned = unsigned long long;

struct Range {
  std::uint64_t begin = 0, end = 0;
};

Range parse_range(Program& program, const std::string& text) {
  constexpr std::uint64_t usual = 256;
  const auto given = parse_pair(text, Numeral::any_base, Numeral::size);
  if (!given || !given->first || given->has_colon != given->second.has_value())
    program.usage("--at takes ADDR or ADDR:LEN, not " + text);
  Range range;
  range.begin = *given->first;
  const std::uint64_t length = given->second.value_or(usual);
  if (length == 0 || range.begin >= max_address || length > max_address - range.begin)
    program.usage("--at " + text + ": the range is empty or passes the end of the address space");
  range.end = range.begin + length;
  return range;
}

// Lines of 16 bytes with their addresses; lines like the one before are left out.
class HexDump {
 public:
  explicit HexDump(Output& output) : output_{output} {}
  void begin(std::uint64_t address) {
    finish();
    address_ = address;
    repeats_ = 0;
    previous_.clear();
  }
  void feed(Bytes bytes) {
    for (const std::byte byte : bytes) {
      line_.push_back(static_cast<unsigned char>(byte));
      if ((address_ + line_.size()) % 16 == 0) flush();
    }
  }
  void finish() {
    if (!line_.empty()) flush();
    if (repeats_ > 0) output_.write(format("%016llx\n", Unsigned{address_}));
    repeats_ = 0;
  }

 private:
  void flush();

  Output& output_;
  std::uint64_t address_ = 0;
  std::vector<unsigned char> line_, previous_;
  std::uint64_t repeats_ = 0;
};

void HexDump::flush() {
  if (line_.size() == 16 && line_ == previous_) {
    if (repeats_++ == 0) output_.write("*\n");
    address_ += line_.size();
    line_.clear();
    return;
  }
  repeats_ = 0;
  const std::size_t lead = address_ % 16;
  const HexRow row = hex_row(address_ - lead, address_, std::as_bytes(std::span{line_}), {.halves = true});
  output_.write(format("%016llx %s  |%s|\n", Unsigned{address_ - lead}, row.hex.c_str(), row.letters.c_str()));
  previous_ = line_;
  address_ += line_.size();
  line_.clear();
}

// Reports what is not there. False: something is not.
bool all_there(Program& program, CheckpointMemory& memory, const std::vector<CheckpointMemory::Range>& ranges) {
  bool has_holes = false, good = true;
  for (CheckpointMemory::Range range : ranges) {
    const bool failed = program.failed();
    const std::vector<Error> absences = memory.absences(range);
    if (!failed && program.failed()) return false;  // what is there is not known: its pagemap was refused
    for (const Error& error : absences) program.report(error);
    good &= absences.empty();
    range.absent = Absent::zero_holes;
    has_holes |= memory.absences(range).size() < absences.size();
  }
  if (has_holes) program.note("--holes zero takes addresses that are not stored as zeros");
  return good;
}

int run(Program& program) {
  std::vector<CheckpointMemory::Range> ranges;
  const Absent absent = absent_of(program);
  for (const std::string& text : program.values("at")) {
    const Range range = parse_range(program, text);
    ranges.push_back({{}, range.begin, range.end, absent});
  }
  const bool hex = program.has("hex") || (!program.value("output") && isatty(STDOUT_FILENO));
  Destination destination{program, hex ? Destination::Content::memory_text : Destination::Content::images};
  Output& output = destination.output();
  std::set<std::string> reported;
  const auto report = [&](const Error& error) {
    if (reported.insert(to_string(error)).second) program.report(error);
  };
  Selection selection{program};
  CheckpointMemory memory = memory_of(program, selection, {.report = report});
  const auto processes = memory.processes();
  if (!has_processes(program, selection, memory)) return program.exit_code();
  if (processes.size() > 1) {
    const bool several = has_several_sets(processes);
    std::string pids;
    for (const Process& process : processes) {
      pids += (pids.empty() ? "" : ", ") + std::to_string(process.task->pid);
      if (several) pids += " of " + std::string{process.name};
    }
    program.usage((several ? "--pid, and --set or another input, choose" : "--pid chooses") +
                  std::string{" one of these processes: "} + pids);
  }
  for (auto& range : ranges) range.process = processes.front();
  if (!all_there(program, memory, ranges)) return program.exit_code();
  HexDump dump{output};
  std::size_t current = ranges.size();
  const Error error = memory.read(ranges, [&](std::size_t number, Bytes bytes) {
    if (hex && number != current) dump.begin(ranges[number].begin);
    current = number;
    if (hex) dump.feed(bytes);
    else output.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return output.step();
  });
  if (error) report(error);  // of an image that was refused, it has been said
  dump.finish();
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 40}};

}  // namespace

}  // namespace critpipe::filters
