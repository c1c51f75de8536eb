#include "crit-repack/chosen_mappings.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "critpipe/fields.hpp"
#include "critpipe/schema.hpp"

namespace critpipe::filters {

// One expression, asked of each mapping of one process after the other.
class ChosenMappings::Test {
 public:
  Test(Program& program, const char* option, std::string text)
      : is_drop{std::string_view{option} == "drop"},
        option_{"--" + std::string{option} + ": "},
        text_{std::move(text)} {
    if (const Error error = expression_.parse(text_)) program.usage(option_ + to_string(error));
  }
  void begin(const std::string& name) { matcher_.emplace(expression_, Image{name, &kind_, Head::common}); }
  bool fits(std::uint64_t index, Bytes entry) {
    const bool fits = matcher_->look({index, 0, kind_.later, entry, false, &kind_});
    fits_any_ |= fits;
    return fits;
  }
  // Why no mapping fits; none: one does.
  Error without_mapping() const {
    if (fits_any_) return {};
    Error error = expression_.unanswered(true, "a mapping (vma_entry)");
    const std::string why = error ? to_string(error) : "no mapping fits " + text_ + ": crit-x INPUT mems lists them";
    error = {Reason::usage};
    error.name = option_ + why;
    return error;
  }

  const bool is_drop;

 private:
  const Kind& kind_ = *find_kind("VMAS");
  std::string option_, text_;
  Expression expression_;
  std::optional<ImageMatcher> matcher_;
  bool fits_any_ = false;
};

namespace {

// Those that images have mappings in, in the order in which Task::memory.mappings has what they say.
constexpr std::string_view kinds_of_mappings[] = {"MM", "VMAS"};

// As they are in the image: some of Task::memory.mappings are changed.
std::vector<Bytes> entries_of(const Checkpoint& checkpoint, std::string_view kind, std::uint32_t pid) {
  static const Field& vmas = *find_message("mm_entry")->find("vmas");
  std::vector<Bytes> entries;
  for (const ImageMessage& message : checkpoint.messages(kind, pid))
    if (message.message == &vmas.message()) entries.push_back(message.payload);
    else
      for (Fields fields{*message.message, message.payload}; fields.next();)
        if (fields.value().field == &vmas) entries.push_back(fields.value().bytes);
  return entries;
}

}  // namespace

ChosenMappings::ChosenMappings(Program& program) {
  for (const char* option : {"only-pages", "drop"})
    for (std::string& text : program.values(option))
      tests_.push_back(std::make_unique<Test>(program, option, std::move(text)));
}

ChosenMappings::~ChosenMappings() = default;

std::vector<std::string_view> ChosenMappings::kinds() const {
  return leaves_out_any() ? std::vector<std::string_view>{std::begin(kinds_of_mappings), std::end(kinds_of_mappings)}
                          : std::vector<std::string_view>{};
}

Error ChosenMappings::choose_of(const Checkpoint& checkpoint) {
  const bool keeps_all = std::ranges::all_of(tests_, [](const auto& test) { return test->is_drop; });
  for (const Task& task : checkpoint.tasks()) {
    auto mapping = task.memory.mappings.begin();
    for (const std::string_view kind : kinds_of_mappings) {
      const std::vector<Bytes> entries = entries_of(checkpoint, kind, task.pid);
      for (const auto& test : tests_)
        if (!entries.empty()) test->begin(image_name(kind, task.pid));
      for (std::size_t i = 0; i < entries.size() && mapping != task.memory.mappings.end(); ++i, ++mapping) {
        bool is_kept = keeps_all, is_dropped = false;
        for (const auto& test : tests_)
          if (test->fits(i, entries[i])) (test->is_drop ? is_dropped : is_kept) = true;
        if (is_dropped || !is_kept) left_out_.insert(&*mapping);
      }
    }
  }
  for (const auto& test : tests_)
    if (Error error = test->without_mapping()) return error;
  return {};
}

void ChosenMappings::begin(const Checkpoint& checkpoint, MemoryId memory, const MappingIndex& mappings) {
  mappings_ = &mappings;
  is_shared_ = memory.shmem;
  parts_.clear();
  if (!leaves_out_any() || !is_shared_) return;
  for (const Task& task : checkpoint.tasks())
    for (const Mapping& mapping : task.memory.mappings)
      if (mapping.start < mapping.end && shared_object(checkpoint, mapping) == memory)
        parts_.push_back({mapping.pgoff, mapping.pgoff + (mapping.end - mapping.start), &mapping});
}

// No expression speaks of what is in no mapping, such as an object that is only open: it stays. A page of a shared
// object is kept for whoever keeps it.
bool ChosenMappings::keeps(std::uint64_t vaddr, std::uint64_t& end) {
  end = max_address;
  if (!leaves_out_any()) return true;
  if (!is_shared_) {
    const auto next = mappings_->from(vaddr);
    if (next == mappings_->all().end()) return true;
    const bool is_inside = (*next)->start <= vaddr;
    end = is_inside ? (*next)->end : (*next)->start;
    return !is_inside || !left_out_.contains(*next);
  }
  bool is_mapped = false, kept = false;
  for (const Part& part : parts_) {
    if (part.begin > vaddr) end = std::min(end, part.begin);
    if (part.begin > vaddr || part.end <= vaddr) continue;
    end = std::min(end, part.end);
    is_mapped = true;
    kept |= !left_out_.contains(part.mapping);
  }
  return kept || !is_mapped;
}

}  // namespace critpipe::filters
