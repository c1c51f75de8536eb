// --at: the bytes at an address. --argv, --env, --auxv: what a process was started with.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <unistd.h>

#include "cli/numbers.hpp"
#include "cli/hexdump.hpp"
#include "crit-pages/fetch.hpp"

namespace critpipe::filters {

namespace {

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
    if (repeats_ > 0) output_.write(formatted("%016llx\n", Unsigned{address_}));
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
  output_.write(formatted("%016llx %s  |%s|\n", Unsigned{address_ - lead}, row.hex.c_str(), row.letters.c_str()));
  previous_ = line_;
  address_ += line_.size();
  line_.clear();
}

bool holes_are_zero(Program& program) {
  const std::string holes = program.value("holes").value_or("error");
  if (holes != "error" && holes != "zero") program.usage("--holes takes error or zero, not " + holes);
  return holes == "zero";
}

constexpr struct {
  std::uint64_t key;
  const char* name;
} auxiliary_names[] = {{2, "AT_EXECFD"},         {3, "AT_PHDR"},
                       {4, "AT_PHENT"},          {5, "AT_PHNUM"},
                       {6, "AT_PAGESZ"},         {7, "AT_BASE"},
                       {8, "AT_FLAGS"},          {9, "AT_ENTRY"},
                       {10, "AT_NOTELF"},        {11, "AT_UID"},
                       {12, "AT_EUID"},          {13, "AT_GID"},
                       {14, "AT_EGID"},          {15, "AT_PLATFORM"},
                       {16, "AT_HWCAP"},         {17, "AT_CLKTCK"},
                       {18, "AT_FPUCW"},         {23, "AT_SECURE"},
                       {24, "AT_BASE_PLATFORM"}, {25, "AT_RANDOM"},
                       {26, "AT_HWCAP2"},        {27, "AT_RSEQ_FEATURE_SIZE"},
                       {28, "AT_RSEQ_ALIGN"},    {29, "AT_HWCAP3"},
                       {30, "AT_HWCAP4"},        {31, "AT_EXECFN"},
                       {32, "AT_SYSINFO"},       {33, "AT_SYSINFO_EHDR"},
                       {51, "AT_MINSIGSTKSZ"}};

std::string auxiliary_name(std::uint64_t key) {
  const auto found = std::ranges::find(auxiliary_names, key, [](const auto& row) { return row.key; });
  return found == std::end(auxiliary_names) ? formatted("AT_%llu", Unsigned{key}) : found->name;
}

class TextPrinter {
 public:
  TextPrinter(Program& program, Destination& destination, bool several)
      : output_{destination.output()},
        json_{output_, false},
        as_json_{program.has("json")},
        several_{several},
        escape_{isatty(destination.fd()) != 0} {}

  void begin(const Process& process);
  void strings(const char* key, const std::vector<std::string>& strings);
  void auxiliary(const std::vector<std::uint64_t>& words);
  void end() {
    if (as_json_) json_.end('}').line_end();
  }

 private:
  void line(const std::string& text) {
    output_.write((several_ ? "  " : "") + (escape_ ? visible(text) : text) + '\n');
  }

  Output& output_;
  JsonWriter json_;
  bool as_json_;
  bool several_;
  bool escape_;
};

void TextPrinter::begin(const Process& process) {
  if (as_json_) {
    put_set(json_.begin('{'), process.set->id).key("pid").number(process.task->pid);
    json_.key("comm").text(process.task->comm);
    return;
  }
  if (several_) output_.write(formatted("%u %s\n", process.task->pid, visible(process.task->comm).c_str()));
}

void TextPrinter::strings(const char* key, const std::vector<std::string>& strings) {
  if (as_json_) {
    json_.key(key).begin('[');
    for (const std::string& text : strings) json_.text(text);
    json_.end(']');
    return;
  }
  for (const std::string& text : strings) line(text);
}

void TextPrinter::auxiliary(const std::vector<std::uint64_t>& words) {
  if (as_json_) json_.key("auxv").begin('{');
  for (std::size_t i = 0; i + 1 < words.size() && words[i] != 0; i += 2) {
    if (as_json_) json_.key(auxiliary_name(words[i])).number(words[i + 1]);
    else line(formatted("%s 0x%llx", auxiliary_name(words[i]).c_str(), Unsigned{words[i + 1]}));
  }
  if (as_json_) json_.end('}');
}

}  // namespace

int extract(Program& program) {
  std::vector<Range> ranges;
  for (const std::string& text : program.values("at")) ranges.push_back(parse_range(program, text));
  const bool zeros = holes_are_zero(program);
  const bool hex = program.has("hex") || (!program.value("output") && isatty(STDOUT_FILENO));
  Destination destination{program, hex ? Destination::Content::text : Destination::Content::binary};
  Output& output = destination.output();
  Fetch fetch{program};
  const auto processes = chosen_processes(program, fetch.surveyed(), false);
  if (processes.empty()) return program.exit_code();
  bool good = true;
  for (const Range& range : ranges)
    good &= fetch.locate({processes[0].set, processes[0].task, range.begin, range.end}, zeros);
  if (!good) return program.exit_code();
  HexDump dump{output};
  std::size_t current = ranges.size();
  (void)fetch.run([&](std::size_t request, Bytes bytes) {
    if (hex && request != current) dump.begin(ranges[request].begin);
    current = request;
    if (hex) dump.feed(bytes);
    else output.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return output.step();
  });
  dump.finish();
  return destination.commit();
}

int process_texts(Program& program) {
  Destination destination{program, Destination::Content::text};
  const bool zeros = holes_are_zero(program);
  Fetch fetch{program};
  const auto processes = chosen_processes(program, fetch.surveyed(), true);
  if (processes.empty()) return program.exit_code();
  constexpr std::uint64_t longest = 32 << 20;  // the kernel lets them take a quarter of the stack
  std::vector<std::string> texts;
  struct Numbers {
    std::size_t arguments = 0, title = 0, environment = 0;
  };
  std::vector<Numbers> numbers(processes.size());
  const auto locate = [&](const Process& process, std::uint64_t begin, std::uint64_t end, bool holes) {
    texts.emplace_back();
    if (begin < end && end - begin <= longest && end < max_address)
      fetch.locate({process.set, process.task, begin, end}, holes);
    else fetch.locate({process.set, process.task, 0, 0}, zeros);
    return texts.size() - 1;
  };
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const AddressSpace& space = processes[i].task->memory;
    if (program.has("argv")) {
      numbers[i].arguments = locate(processes[i], space.arg_start, space.arg_end, zeros);
      numbers[i].title = locate(processes[i], space.arg_end, space.title_end(), true);
    }
    if (program.has("env")) numbers[i].environment = locate(processes[i], space.env_start, space.env_end, zeros);
  }
  (void)fetch.run([&](std::size_t request, Bytes bytes) {
    texts[request].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  });
  TextPrinter printer{program, destination, processes.size() > 1};
  for (std::size_t i = 0; i < processes.size(); ++i) {
    printer.begin(processes[i]);
    if (program.has("argv")) printer.strings("argv", strings_in(texts[numbers[i].arguments], texts[numbers[i].title]));
    if (program.has("env")) printer.strings("env", strings_in(texts[numbers[i].environment]));
    if (program.has("auxv")) printer.auxiliary(processes[i].task->memory.auxv);
    printer.end();
  }
  return destination.commit();
}

}  // namespace critpipe::filters
