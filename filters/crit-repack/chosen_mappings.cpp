#include "crit-repack/chosen_mappings.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "critpipe/fields.hpp"
#include "critpipe/schema.hpp"

namespace critpipe::filters {

// One expression, and the image whose entries it looks at.
class ChosenMappings::Test {
 public:
  Test(Program& program, const char* option)
      : option_{"--" + std::string{option} + ": "}, text_{*program.value(option)} {
    if (const Error error = expression_.parse(text_)) program.usage(option_ + to_string(error));
    matcher_.emplace(expression_, image_);
  }
  bool holds(const Mapping& mapping) {
    static const Message& message = *find_message("vma_entry");
    std::string payload;
    const std::pair<const char*, std::uint64_t> fields[] = {
        {"start", mapping.start}, {"end", mapping.end},     {"pgoff", mapping.pgoff},   {"shmid", mapping.shmid},
        {"prot", mapping.prot},   {"flags", mapping.flags}, {"status", mapping.status}, {"fd", 1}};
    for (const auto& [name, value] : fields) {
      append_varint(payload, message.find(name)->number << 3);
      append_varint(payload, value);
    }
    return matcher_->look({1, 0, &message, std::as_bytes(std::span{payload}), true, image_.kind});
  }
  // Why no mapping fits.
  Error without_mapping() const {
    if (Error error = expression_.unanswered()) return error;
    Error error{Reason::usage};
    error.name = option_ + "no mapping fits " + text_ + ": crit-x INPUT mems lists them";
    return error;
  }

 private:
  std::string option_, text_;
  Expression expression_;
  Image image_{"vmas-1.img", kind_of_name("vmas-1.img"), Head::common};
  std::optional<ImageMatcher> matcher_;
};

ChosenMappings::ChosenMappings(Program& program) {
  if (program.has("only-pages")) only_ = std::make_unique<Test>(program, "only-pages");
  if (program.has("drop")) drop_ = std::make_unique<Test>(program, "drop");
}

ChosenMappings::~ChosenMappings() = default;

Error ChosenMappings::choose_of(const Checkpoint& checkpoint) {
  for (Test* const test : {only_.get(), drop_.get()}) {
    if (!test) continue;
    bool fits_any = false;
    for (const Task& task : checkpoint.tasks())
      for (const Mapping& mapping : task.memory.mappings) {
        const bool fits = test->holds(mapping);
        fits_any |= fits;
        if (fits == (test == drop_.get())) left_out_.insert(&mapping);
      }
    if (!fits_any) return test->without_mapping();
  }
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
