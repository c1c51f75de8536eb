// Command lines and environments.
#include <algorithm>
#include <set>

#include "base/kept_errors.hpp"
#include "memory/checkpoint_memory.hpp"
#include "memory/text_places.hpp"

namespace critpipe {

namespace {

using Texts = CheckpointMemory::Texts;
using Range = CheckpointMemory::Range;

// One list, and the ranges that hold it: its own, and where its last string may go on.
struct ReadList {
  std::optional<std::vector<std::string>> Texts::*kind;
  const char* name;
  bool is_known = false;      // its bytes can be had
  std::uint64_t missing = 0;  // of its own bytes, which have not come
  std::uint64_t weight = 0;
  std::string own = {}, behind = {};

  bool is_too_large() const { return weight > max_texts_bytes; }
  void add(Bytes bytes, bool is_behind);
};

void ReadList::add(Bytes bytes, bool is_behind) {
  missing -= is_behind ? 0 : bytes.size();
  const auto nr_strings = static_cast<std::uint64_t>(std::ranges::count(bytes, std::byte{0}));
  weight += bytes.size() + nr_strings * sizeof(std::string);
  if (!is_too_large()) (is_behind ? behind : own).append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// The lists of one process after the other, each until it is handed on.
class TextsReading {
 public:
  TextsReading(CheckpointMemory& memory, std::span<const Process> processes,
               const CheckpointMemory::TextsWanted& wanted, const MemoryWork::OnError& fault,
               const CheckpointMemory::OnTexts& take)
      : memory_{memory}, processes_{processes}, wanted_{wanted}, fault_{fault}, take_{take}, lists_(processes.size()) {}
  void read();

 private:
  struct Owner {
    std::size_t process, list;
    bool is_behind;
  };
  void plan();
  void plan(std::size_t process, ReadList list);
  bool add(const Owner& owner, std::uint64_t begin, std::uint64_t end, Absent absent,
           const MemoryWork::OnError& absence);
  Step hand_on(std::size_t end);
  Texts texts_of(std::size_t process);

  CheckpointMemory& memory_;
  std::span<const Process> processes_;
  const CheckpointMemory::TextsWanted& wanted_;
  const MemoryWork::OnError& fault_;
  const CheckpointMemory::OnTexts& take_;
  std::vector<std::vector<ReadList>> lists_;  // of each process
  std::vector<Range> ranges_;
  std::vector<Owner> owners_;  // of the ranges
  std::size_t next_ = 0;       // process that is handed on
};

bool TextsReading::add(const Owner& owner, std::uint64_t begin, std::uint64_t end, Absent absent,
                       const MemoryWork::OnError& absence) {
  if (begin >= end) return true;
  const Range range{processes_[owner.process], begin, end, absent};
  const std::vector<Error> errors = memory_.absences(range);
  for (const Error& error : errors) absence(error);
  if (!errors.empty()) return false;
  ranges_.push_back(range);
  owners_.push_back(owner);
  lists_[owner.process][owner.list].missing += owner.is_behind ? 0 : end - begin;
  return true;
}

void TextsReading::plan(std::size_t process, ReadList list) {
  const AddressSpace& space = processes_[process].task->memory;
  const bool is_arguments = list.kind == &Texts::arguments;
  const std::uint64_t begin = is_arguments ? space.arg_start : space.env_start;
  const std::uint64_t end = is_arguments ? space.arg_end : space.env_end;
  const std::uint64_t size = std::max(begin, end) - begin;
  const Owner owner{process, lists_[process].size(), false}, behind{owner.process, owner.list, true};
  lists_[process].push_back(std::move(list));
  ReadList& planned = lists_[process].back();
  if (size > max_texts_bytes) planned.weight = size;
  else planned.is_known = add(owner, begin, end, wanted_.absent, fault_);
  if (is_arguments && planned.is_known && size > 0)
    (void)add(behind, end, space.title_end(), Absent::zero_holes, [](const Error&) {});
}

void TextsReading::plan() {
  const Checkpoint* pages_only = nullptr;  // was said
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    const Process& process = processes_[i];
    if (!process.task->has_memory) {
      const bool is_said = process.checkpoint == std::exchange(pages_only, process.checkpoint);
      if (!is_said) fault_(lacks_address_space(process));
      continue;
    }
    if (wanted_.arguments) plan(i, {&Texts::arguments, "command line"});
    if (wanted_.environment) plan(i, {&Texts::environment, "environment"});
  }
}

Texts TextsReading::texts_of(std::size_t process) {
  Texts texts;
  for (const ReadList& list : lists_[process]) {
    if (list.is_too_large()) {
      Error error{Reason::limit_json, processes_[process].set->text()};
      error.name = std::string{"the "} + list.name + " of process " + std::to_string(processes_[process].task->pid) +
                   ", with 32 for each word,";
      error.want = max_texts_bytes;
      fault_(error);
    } else if (list.is_known && list.missing == 0) {
      texts.*list.kind = strings_in(list.own, list.behind);
    }
  }
  lists_[process].clear();
  return texts;
}

// The processes before `end`.
Step TextsReading::hand_on(std::size_t end) {
  for (; next_ < end; ++next_)
    if (take_(processes_[next_], texts_of(next_)) == Step::stop) return Step::stop;
  return Step::go;
}

void TextsReading::read() {
  plan();
  Step step = Step::go;
  const auto take = [&](const MemoryWork::Piece& piece, std::uint64_t done, Bytes bytes) {
    const auto& [process, list, is_behind] = owners_[piece.range];
    step = hand_on(process);
    if (step == Step::stop) return step;
    ReadList& to = lists_[process][list];
    const bool is_behind_loss = is_behind && piece.vaddr + done != ranges_[piece.range].begin + to.behind.size();
    if (!is_behind_loss) to.add(bytes, is_behind);
    return step;
  };
  std::set<std::pair<Reason, std::string>> said;  // of each image once
  const auto lost = [&](const Error& error) {
    if (said.size() < max_kept_errors && said.emplace(error.reason, error.image).second) fault_(error);
  };
  if (const Error error = memory_.work().read(ranges_, take, lost)) fault_(error);
  if (step == Step::go) (void)hand_on(processes_.size());
}

}  // namespace

Error lacks_address_space(const Process& process) {
  if (process.task->has_memory) return {};
  Error error{Reason::no_tree, process.set->text()};
  error.name = process.checkpoint->pages_only();
  if (error.name.empty()) {
    error.reason = Reason::missing_image;
    error.image = std::string{process.place} + image_name("MM", process.task->pid);
  }
  return error;
}

void CheckpointMemory::texts(std::span<const Process> processes, const TextsWanted& wanted, const OnTexts& take) {
  TextsReading{*this, processes, wanted, work_->report, take}.read();
}

Error CheckpointMemory::texts(const Process& process, const TextsWanted& wanted, Texts& texts) {
  Error first;
  const OnError keep = [&](const Error& error) { first = first ? first : error; };
  const OnTexts take = [&](const Process&, Texts all) {
    texts = std::move(all);
    return Step::go;
  };
  TextsReading{*this, {&process, 1}, wanted, keep, take}.read();
  return first;
}

Error CheckpointMemory::arguments(const Process& process, std::vector<std::string>& all) {
  Texts found;
  Error error = texts(process, {.environment = false}, found);
  all = std::move(found.arguments).value_or(std::vector<std::string>{});
  return error;
}

Error CheckpointMemory::environment(const Process& process, std::vector<std::string>& all) {
  Texts found;
  Error error = texts(process, {.arguments = false}, found);
  all = std::move(found.environment).value_or(std::vector<std::string>{});
  return error;
}

}  // namespace critpipe
