// --diff: what has become of the pages of one checkpoint in another.
#include <algorithm>

#include "crit-pages/difference.hpp"
#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {0, "diff", nullptr, "Compare the pages of two checkpoints; exit 1 if they differ."},
};
constexpr const char* takes[] = {"json", "jobs", "output", "parent"};

using Unsigned = unsigned long long;

// Of a mapping; the null one is for pages in none.
struct MappingCounts {
  const SurveyedSet* set = nullptr;
  const Mapping* mapping = nullptr;
  DifferenceCounts counts = {};
};

class Differences {
 public:
  Differences(Program& program, Contents& first, Contents& second, Output& output)
      : first_{first},
        second_{second},
        output_{output},
        json_{output, false, big_numbers_of(program)},
        as_json_{program.has("json")} {}

  void memory(MemoryId id);
  void total();
  bool any() const { return total_.differ(); }

 private:
  MappingCounts& counts_of(SurveyedSet& set, std::uint64_t vaddr, const MappingIndex& mappings, const Users& users,
                           MemoryId id);
  void text(MemoryId id, const DifferenceCounts& sum);
  void json(MemoryId id);

  Contents& first_;
  Contents& second_;
  Output& output_;
  JsonWriter json_;
  bool as_json_;
  std::map<std::uint64_t, MappingCounts> counts_;  // by start of the mapping
  DifferenceCounts total_;
};

std::string counts_text(const DifferenceCounts& counts) {
  return format("%10llu %10llu %10llu %10llu %10llu", Unsigned{counts.changed}, Unsigned{counts.added},
                Unsigned{counts.gone}, Unsigned{counts.moved}, Unsigned{counts.same}) +
         (counts.unknown > 0 ? format("  (%llu not in the images)", Unsigned{counts.unknown}) : std::string{});
}

MappingIndex mappings_of(const SurveyedSet& set, MemoryId id) {
  const Task* task = task_of(set, id);
  return task ? MappingIndex{task->memory.mappings} : MappingIndex{};
}

MappingCounts& Differences::counts_of(SurveyedSet& set, std::uint64_t vaddr, const MappingIndex& mappings,
                                      const Users& users, MemoryId id) {
  const Mapping* mapping = nullptr;
  if (!id.shmem) mapping = mappings.at(vaddr);
  else if (const auto use = users.find(id); use != users.end()) mapping = use->second.mapping;
  MappingCounts& row = counts_[mapping && !id.shmem ? mapping->start : 0];
  if (!row.set) {
    row.set = &set;
    row.mapping = mapping;
  }
  return row;
}

void Differences::memory(MemoryId id) {
  counts_.clear();
  struct Side {
    MappingIndex mappings;
    Users users;
  };
  const Side sides[] = {{mappings_of(first_.set(), id), id.shmem ? users_of(*first_.set().checkpoint) : Users{}},
                        {mappings_of(second_.set(), id), id.shmem ? users_of(*second_.set().checkpoint) : Users{}}};
  compare(first_, second_, id, [&](bool in_second, std::uint64_t vaddr, std::uint64_t nr_pages, Counter counter) {
    SurveyedSet& set = in_second ? second_.set() : first_.set();
    const Side& side = sides[in_second];
    while (nr_pages > 0) {
      MappingCounts& row = counts_of(set, vaddr, side.mappings, side.users, id);
      std::uint64_t end = max_address;  // of the mapping, or of the gap before the next one
      if (row.mapping) end = row.mapping->end;
      else if (const auto next = side.mappings.from(vaddr); next != side.mappings.all().end()) end = (*next)->start;
      const std::uint64_t until = !id.shmem && end > vaddr ? pages_in(end - vaddr, set.page_size) : nr_pages;
      const std::uint64_t here = std::clamp<std::uint64_t>(until, 1, nr_pages);
      row.counts.*counter += here;
      vaddr = address_behind(vaddr, here, set.page_size);
      nr_pages -= here;
    }
  });
  DifferenceCounts sum;
  for (const auto& [start, row] : counts_) sum.add(row.counts);
  total_.add(sum);
  if (as_json_) json(id);
  else if (sum.differ() || sum.unknown > 0) text(id, sum);
}

void Differences::text(MemoryId id, const DifferenceCounts& sum) {
  SurveyedSet& set = second_.set().memories.contains(id) ? second_.set() : first_.set();
  output_.write(counts_text(sum) + "  " + memory_text(set, set.memories.at(id)) + '\n');
  for (const auto& [start, row] : counts_) {
    if (!row.counts.differ() && row.counts.unknown == 0) continue;
    std::string line = counts_text(row.counts) + "    ";
    if (!row.mapping) line += "no mapping";
    else if (id.shmem) line += mapping_text(*row.set->checkpoint, *row.mapping);
    else
      line += format("0x%llx-0x%llx ", Unsigned{row.mapping->start}, Unsigned{row.mapping->end}) +
              mapping_text(*row.set->checkpoint, *row.mapping);
    output_.write(line + '\n');
  }
}

void Differences::json(MemoryId id) {
  for (const auto& [start, row] : counts_) {
    put_set(json_.begin('{'), first_.set().id).key("other").begin('{');
    put_number(put_set(json_, second_.set().id).end('}').key(id.shmem ? "shmem" : "pid"), id);
    print_mapping(json_.key("mapping"), *row.set->checkpoint, row.mapping);
    const DifferenceCounts& counts = row.counts;
    json_.key("changed").number(counts.changed).key("added").number(counts.added).key("gone").number(counts.gone);
    json_.key("moved").number(counts.moved).key("same").number(counts.same).key("unknown").number(counts.unknown);
    json_.end('}').line_end();
  }
}

void Differences::total() {
  if (!as_json_ && (total_.differ() || total_.unknown > 0)) output_.write(counts_text(total_) + "  total\n");
}

int run(Program& program) {
  if (program.arguments().size() != 2) program.usage("--diff takes two checkpoints");
  Destination destination{program, Destination::Content::text};
  SurveyedInputs surveyed{program, {.runs = true, .facts = true, .parents = true}};
  auto& sets = surveyed.sets();
  if (surveyed.has_failed() || (sets.size() != 2 && program.failed())) return program.exit_code();
  if (sets.size() != 2) program.usage(format("--diff takes two checkpoints, but the inputs hold %zu", sets.size()));
  auto& other = sets.back();
  if (sets[0]->page_size != other->page_size) program.usage("the checkpoints have pages of different sizes");
  Contents first{program, *sets[0], surveyed.nr_threads()}, second{program, *other, surveyed.nr_threads()};
  Output& output = destination.output();
  Differences differences{program, first, second, output};
  std::map<MemoryId, bool> ids;
  for (const auto& set : sets)
    for (const auto& [id, memory] : set->memories) ids[id] = true;
  if (!program.has("json"))
    output.write(format("%10s %10s %10s %10s %10s  %s\n", "CHANGED", "ADDED", "GONE", "MOVED", "SAME", "MEMORY"));
  for (const auto& [id, unused] : ids) {
    for (const auto& set : sets) surveyed.pagemap(*set, id);
    differences.memory(id);
    for (const auto& set : sets) set->forget(id);
  }
  differences.total();
  if (differences.any()) program.set_exit_code(exit_no);
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 60}};

}  // namespace

}  // namespace critpipe::filters
