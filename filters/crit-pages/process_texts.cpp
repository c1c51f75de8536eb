// --argv, --env, --auxv: what a process was started with.
#include <algorithm>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {0, "argv", nullptr, "Print the command line of processes, one word per line."},
    {0, "env", nullptr, "Print the environment of processes."},
    {0, "auxv", nullptr, "Print the auxiliary vector of processes."},
};
constexpr const char* takes[] = {"force", "holes", "json", "memory", "output", "parent"};

using Unsigned = unsigned long long;

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
  return found == std::end(auxiliary_names) ? format("AT_%llu", Unsigned{key}) : found->name;
}

class TextPrinter {
 public:
  TextPrinter(Program& program, Destination& destination, std::span<const Process> processes)
      : output_{destination.output()},
        json_{output_, false, big_numbers_of(program)},
        as_json_{program.has("json")},
        several_{processes.size() > 1},
        several_sets_{has_several_sets(processes)} {}

  void begin(const Process& process);
  void strings(const char* key, const std::optional<std::vector<std::string>>& strings);
  void auxiliary(const std::vector<std::uint64_t>& words);
  void end() {
    if (as_json_) json_.end('}').line_end();
  }

 private:
  void line(const std::string& text) { output_.write((several_ ? "  " : "") + visible(text, Escape::text) + '\n'); }

  Output& output_;
  JsonWriter json_;
  bool as_json_;
  bool several_;
  bool several_sets_;
};

void TextPrinter::begin(const Process& process) {
  if (as_json_) {
    put_set(json_.begin('{'), *process.set).key("pid").number(process.task->pid);
    put_comm(json_, process.task);
    return;
  }
  if (several_sets_) output_.write(visible(process.name) + ": ");
  if (several_) output_.write(format("%u %s\n", process.task->pid, visible(process.task->comm).c_str()));
}

// What cannot be had is not an empty list.
void TextPrinter::strings(const char* key, const std::optional<std::vector<std::string>>& strings) {
  if (as_json_ && strings) put_names(json_, key, *strings);
  if (as_json_ && !strings) json_.key(key).null();
  if (as_json_ || !strings) return;
  for (const std::string& text : *strings) line(text);
}

void TextPrinter::auxiliary(const std::vector<std::uint64_t>& words) {
  if (as_json_) json_.key("auxv").begin('{');
  for (std::size_t i = 0; i + 1 < words.size() && words[i] != 0; i += 2) {
    if (as_json_) json_.key(auxiliary_name(words[i])).number(words[i + 1]);
    else line(format("%s 0x%llx", auxiliary_name(words[i]).c_str(), Unsigned{words[i + 1]}));
  }
  if (as_json_) json_.end('}');
}

int run(Program& program) {
  if (!program.has("argv") && !program.has("env"))
    program.refuse({"page-size", "memory"}, "means nothing with --auxv alone");
  Destination destination{program, Destination::Content::memory_text};
  const Absent absent = absent_of(program);
  Selection selection{program};
  CheckpointMemory memory = memory_of(program, selection, {.comms = true, .content = MemoryOptions::Content::texts});
  const auto processes = memory.processes();
  if (!has_processes(program, selection, memory)) return program.exit_code();
  TextPrinter printer{program, destination, processes};
  const auto print = [&](const Process& process, const CheckpointMemory::Texts& texts) {
    if (!process.task->has_memory) return Step::go;  // nothing of it can be had, which is said
    printer.begin(process);
    if (program.has("argv")) printer.strings("argv", texts.arguments);
    if (program.has("env")) printer.strings("env", texts.environment);
    if (program.has("auxv")) printer.auxiliary(process.task->memory.auxv);
    printer.end();
    return destination.output().step();
  };
  const CheckpointMemory::TextsWanted wanted{program.has("argv"), program.has("env"), absent};
  if (wanted.arguments || wanted.environment) memory.texts(processes, wanted, print);
  else std::ranges::for_each(processes, [&](const Process& process) { (void)print(process, {}); });
  if (program.has("auxv") && !program.failed())
    for (const Process& process : processes)
      if (const Error error = lacks_address_space(process); error && !program.failed()) program.report(error);
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 50, .nr_choosing = 3}};

}  // namespace

}  // namespace critpipe::filters
