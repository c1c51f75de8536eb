// --list: one run a line.
#include <algorithm>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {'l', "list", nullptr, "Print one run per line: addresses, flags, pages image and offset, mapping."},
};
constexpr const char* takes[] = {"json", "output"};

using Unsigned = unsigned long long;

class Lister {
 public:
  Lister(Program& program, Output& output)
      : output_{output}, json_{output, false, big_numbers_of(program)}, as_json_{program.has("json")} {}

  void begin_set(SurveyedSet& set, bool several);
  void begin_memory(const SurveyedMemory& memory, bool is_new = true);
  Step runs(std::span<const PageRun> runs);

 private:
  void text(const PageRun& run);
  void json(const PageRun& run);
  std::uint64_t end_of(const PageRun& run) const { return run.end(set_->page_size); }
  std::uint64_t offset_of(const PageRun& run) const { return memory_->pagemap.offset_of(run, set_->page_size); }

  Output& output_;
  JsonWriter json_;
  bool as_json_;
  SurveyedSet* set_ = nullptr;
  bool several_ = false;
  Users users_;
  const SurveyedMemory* memory_ = nullptr;
  const Use* use_ = nullptr;
  MappingIndex mappings_;
  std::string image_;
};

void Lister::begin_set(SurveyedSet& set, bool several) {
  set_ = &set;
  several_ = several;
  users_ = users_of(*set.checkpoint);
  memory_ = nullptr;
}

void Lister::begin_memory(const SurveyedMemory& memory, bool is_new) {
  memory_ = &memory;
  const Task* task = task_of(*set_, memory.memory);
  mappings_ = task ? MappingIndex{task->memory.mappings} : MappingIndex{};
  const auto use = users_.find(memory.memory);
  use_ = memory.memory.shmem && use != users_.end() ? &use->second : nullptr;
  image_ = pages_name(memory.pagemap.pages_id);
  if (as_json_ || !is_new) return;
  output_.write((several_ ? visible(set_->name) + ": " : std::string{}) + memory_text(*set_, memory) + '\n');
}

void Lister::text(const PageRun& run) {
  std::string line = format("  0x%012llx-0x%012llx %8llu  %-14s", Unsigned{run.vaddr}, Unsigned{end_of(run)},
                            Unsigned{run.nr_pages}, flags_text(run.flags).c_str());
  line += run.is_present() ? format("  %s+0x%llx", image_.c_str(), Unsigned{offset_of(run)}) : std::string{"  -"};
  if (const Pagemap::Blocks stored = memory_->pagemap.blocks_of(run); stored.count > 0)
    line += format(
        ", %llu bytes (%.0f%%) in %llu block%s", Unsigned{stored.bytes},
        100.0 * static_cast<double>(stored.bytes) / static_cast<double>(bytes_of_pages(run.nr_pages, set_->page_size)),
        Unsigned{stored.count}, stored.count == 1 ? "" : "s");
  if (use_) {
    line += "  " + mapping_text(*set_->checkpoint, *use_->mapping);
  } else if (const Mapping* mapping = mappings_.at(run.vaddr)) {
    line += "  " + mapping_text(*set_->checkpoint, *mapping);
    // CRIU joins pages of neighbours.
    std::size_t more = 0;
    auto next = mappings_.from(run.vaddr) + 1;
    for (; next != mappings_.all().end() && (*next)->start < end_of(run); ++next) ++more;
    if (more > 0) line += format(" and %zu more", more);
  }
  output_.write(line + '\n');
}

void Lister::json(const PageRun& run) {
  put_set(json_.begin('{'), set_->id).key(memory_->memory.shmem ? "shmem" : "pid");
  if (memory_->named) put_number(json_, memory_->memory);
  else json_.null();
  json_.key("vaddr").number(run.vaddr).key("nr_pages").number(run.nr_pages).key("flags").number(run.flags);
  json_.key("pages_image");
  if (run.is_present()) json_.text(image_).key("offset").number(offset_of(run));
  else json_.null().key("offset").null();
  if (const Pagemap::Blocks stored = memory_->pagemap.blocks_of(run); stored.count > 0)
    json_.key("stored_bytes").number(stored.bytes).key("blocks").number(stored.count);
  json_.key("mapping");
  if (use_) {
    json_.begin('{').key("kind").text(name_of(use_->mapping->kind()));
    json_.key("name").text(set_->checkpoint->name_of(*use_->mapping)).key("users").begin('[');
    for (const std::uint32_t pid : use_->pids) json_.number(pid);
    json_.end(']').end('}');
  } else {
    print_mapping(json_, *set_->checkpoint, mappings_.at(run.vaddr));
  }
  json_.end('}').line_end();
}

Step Lister::runs(std::span<const PageRun> runs) {
  for (const PageRun& run : runs) {
    if (as_json_) json(run);
    else text(run);
    if (output_.step() == Step::stop) return Step::stop;
  }
  return Step::go;
}

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  Lister lister{program, destination.output()};
  // A pagemap without its checkpoint streams through.
  SurveyedSet alone;
  alone.checkpoint = std::make_unique<Checkpoint>(Needs{});
  alone.page_size = page_size_of(program).value_or(alone.page_size);
  const SurveyedMemory* current = nullptr;
  const auto on_runs = [&](const SurveyedMemory& memory, std::span<const PageRun> runs) {
    if (!memory.alone) return Step::go;
    if (current != &memory) {
      alone.id = memory.set;
      lister.begin_set(alone, program.arguments().size() > 1);
      lister.begin_memory(memory);
      current = &memory;
    }
    return lister.runs(runs);
  };
  SurveyedInputs surveyed{program, {.runs = true, .on_runs = on_runs}};
  for (const auto& set : surveyed.sets()) {
    lister.begin_set(*set, surveyed.several());
    for (const auto& [id, memory] : set->memories) {
      const Pagemap* pagemap = surveyed.pagemap(*set, id);
      if (!pagemap || pagemap->runs.empty()) continue;
      lister.begin_memory(memory, &memory != current);  // the rest of one that is alone
      if (lister.runs(pagemap->runs) == Step::stop) return destination.commit();
      set->forget(id);
    }
  }
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 20}};

}  // namespace

}  // namespace critpipe::filters
