// Command lines and environments.
#include "memory/checkpoint_memory.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t longest_texts = 32 << 20;  // bytes of a process; Linux allows 6 MiB

// Which of the ranges that are read are those of a process.
struct TextRanges {
  static constexpr std::size_t none = ~std::size_t{0};
  bool known = true;  // false: the bytes cannot be had
  std::size_t texts = none;
  std::size_t behind = none;  // where the last string may go on
};

}  // namespace

Error lacks_address_space(const Process& process) {
  if (process.task->has_memory) return {};
  Error error{Reason::no_tree, std::string{process.name}};
  error.name = process.checkpoint->pages_only();
  if (error.name.empty()) {
    error.reason = Reason::missing_image;
    error.image = std::string{process.place} + "mm-" + std::to_string(process.task->pid) + ".img";
  }
  return error;
}

std::vector<std::optional<std::vector<std::string>>> MemoryWork::texts(CheckpointMemory& memory,
                                                                       std::span<const Process> processes, Texts which,
                                                                       Absent absent, const Report& fault) {
  std::vector<Range> ranges;
  std::vector<TextRanges> of_process(processes.size());
  const auto add = [&](const Range& range, bool& known, const Report& absence) {
    if (range.begin >= range.end) return TextRanges::none;
    const std::vector<Error> errors = memory.absences(range);
    for (const Error& error : errors) absence(error);
    known = errors.empty();
    if (!known) return TextRanges::none;
    ranges.push_back(range);
    return ranges.size() - 1;
  };
  const Checkpoint* pages_only = nullptr;  // was said
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const Process& process = processes[i];
    const AddressSpace& space = process.task->memory;
    if (!process.task->has_memory) {
      of_process[i].known = false;
      const bool is_said = process.checkpoint == std::exchange(pages_only, process.checkpoint);
      if (!is_said) fault(lacks_address_space(process));
      continue;
    }
    const bool is_arguments = which == Texts::arguments;
    const std::uint64_t begin = is_arguments ? space.arg_start : space.env_start;
    const std::uint64_t end = is_arguments ? space.arg_end : space.env_end;
    if (end > begin && end - begin > longest_texts) {
      Error error{Reason::limit_size, std::string{process.name}};
      error.want = longest_texts;
      fault(error);
      of_process[i].known = false;
      continue;
    }
    of_process[i].texts = add({process, begin, end, absent}, of_process[i].known, fault);
    bool behind = true;
    if (is_arguments && of_process[i].texts != TextRanges::none)
      of_process[i].behind = add({process, end, space.title_end(), Absent::zero_holes}, behind, [](const Error&) {});
  }
  std::vector<std::string> bytes(ranges.size());
  const Error error = memory.read(ranges, [&](std::size_t range, Bytes block) {
    bytes[range].append(reinterpret_cast<const char*>(block.data()), block.size());
    return Step::go;
  });
  if (error) fault(error);
  std::vector<std::optional<std::vector<std::string>>> all(processes.size());
  const auto at = [&](std::size_t range) {
    return range == TextRanges::none ? std::string_view{} : std::string_view{bytes[range]};
  };
  for (std::size_t i = 0; i < processes.size(); ++i)
    if (of_process[i].known) all[i] = strings_in(at(of_process[i].texts), at(of_process[i].behind));
  return all;
}

std::vector<std::optional<std::vector<std::string>>> CheckpointMemory::texts(std::span<const Process> processes,
                                                                             Texts which, Absent absent) {
  return work_->texts(*this, processes, which, absent, work_->report);
}

Error MemoryWork::texts_of_one(CheckpointMemory& memory, const Process& process, Texts which,
                               std::vector<std::string>& all) {
  Error first;
  const auto keep = [&](const Error& error) { first = first ? first : error; };
  auto found = texts(memory, {&process, 1}, which, Absent::zero_anonymous, keep);
  all.clear();
  if (found.front()) all.swap(*found.front());
  return first;
}

Error CheckpointMemory::arguments(const Process& process, std::vector<std::string>& all) {
  return work_->texts_of_one(*this, process, Texts::arguments, all);
}

Error CheckpointMemory::environment(const Process& process, std::vector<std::string>& all) {
  return work_->texts_of_one(*this, process, Texts::environment, all);
}

}  // namespace critpipe
