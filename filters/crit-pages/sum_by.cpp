// --by: sums over mappings, files, processes or flags.
#include <algorithm>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    Option{0, "by", "WHAT", "Sum up pages by WHAT: vma, file, process or flags; with --contents zero pages too."}
        .one_of("vma file process flags"),
};
constexpr const char* takes[] = {"contents", "json", "jobs", "output"};

using Unsigned = unsigned long long;

enum class By : std::uint8_t { vma, file, process, flags };

struct Sum {
  const SurveyedSet* set = nullptr;
  MemoryId memory = {};
  const Mapping* mapping = nullptr;
  std::string name = {};
  std::uint32_t flags = 0;
  std::uint64_t entries = 0, pages = 0, present = 0, parent = 0, lazy = 0, zero = 0;
  std::uint64_t page_size = smallest_page;
  std::map<MemoryId, bool> users = {};  // processes that have pages in it
};

class Sums {
 public:
  Sums(By by, bool contents, bool several) : by_{by}, contents_{contents}, several_{several} {}

  void add(SurveyedSet& set, const SurveyedMemory& memory, const Pagemap& pagemap, const Users& users);
  void print_text(Output& output);
  void print_json(JsonWriter& json);
  bool empty() const { return sums_.empty(); }

 private:
  Sum& sum_of(SurveyedSet& set, const SurveyedMemory& memory, const Mapping* mapping, std::uint32_t flags);
  void take(Sum& sum, const SurveyedSet& set, const SurveyedMemory& memory, const PageRun& run, std::uint64_t from,
            std::uint64_t nr_pages);
  std::vector<const Sum*> in_order() const;
  std::string title(const Sum& sum) const;

  By by_;
  bool contents_;
  bool several_;
  std::map<std::string, Sum> sums_;
  // The sum that was asked for last: neighbours mostly go to the same.
  struct {
    const SurveyedMemory* memory;
    const Mapping* mapping;
    std::uint32_t flags;
    Sum* sum;
  } last_ = {};
};

Sum& Sums::sum_of(SurveyedSet& set, const SurveyedMemory& memory, const Mapping* mapping, std::uint32_t flags) {
  if (last_.sum && last_.memory == &memory && last_.mapping == mapping && (by_ != By::flags || last_.flags == flags))
    return *last_.sum;
  std::string name;
  std::string key;
  switch (by_) {
    case By::vma:
      key = format("%d %020llu %020llu", memory.memory.shmem, Unsigned{memory.memory.id},
                   mapping ? Unsigned{mapping->start} : 0ull);
      if (!mapping) key += " -";
      break;
    case By::file:
      name = mapping ? set.checkpoint->name_of(*mapping) : memory.named ? "[unmapped]" : "[unknown]";
      if (name.empty()) name.append("[anon]");
      key = name;
      break;
    case By::process: key = format("%d %020llu", memory.memory.shmem, Unsigned{memory.memory.id}); break;
    case By::flags: key = format("%u", flags); break;
  }
  key = set.id.checkpoint + '\0' + set.id.set + '\0' + key;
  const auto [found, added] = sums_.try_emplace(std::move(key));
  Sum& sum = found->second;
  if (added) {
    sum.set = &set;
    sum.memory = memory.memory;
    sum.mapping = mapping;
    sum.name = std::move(name);
    sum.flags = flags;
    sum.page_size = set.page_size;
  }
  last_ = {&memory, mapping, flags, &sum};
  return sum;
}

void Sums::take(Sum& sum, const SurveyedSet& set, const SurveyedMemory& memory, const PageRun& run, std::uint64_t from,
                std::uint64_t nr_pages) {
  ++sum.entries;
  sum.pages += nr_pages;
  if (run.is_present()) sum.present += nr_pages;
  if (run.is_parent()) sum.parent += nr_pages;
  if (run.is_lazy()) sum.lazy += nr_pages;
  sum.users[memory.memory] = true;
  if (!contents_ || !run.is_present()) return;
  const SurveyedPages* image = set.image_of(memory);
  if (!image) return;
  const std::uint64_t end = std::min(run.page + from + nr_pages, image->facts.nr_pages(set.page_size));
  for (std::uint64_t page = run.page + from; page < end; ++page)
    sum.zero += image->facts.page(page, set.page_size).is_zero();
}

// Runs are cut where mappings begin and end.
void Sums::add(SurveyedSet& set, const SurveyedMemory& memory, const Pagemap& pagemap, const Users& users) {
  const Task* task = task_of(set, memory.memory);
  const MappingIndex mappings = task ? MappingIndex{task->memory.mappings} : MappingIndex{};
  const auto use = memory.memory.shmem ? users.find(memory.memory) : users.end();
  auto next = mappings.all().begin();
  for (const PageRun& run : pagemap.runs) {
    if (memory.memory.shmem || by_ == By::process || by_ == By::flags) {
      const Mapping* mapping = use == users.end() ? nullptr : use->second.mapping;
      take(sum_of(set, memory, mapping, run.flags), set, memory, run, 0, run.nr_pages);
      continue;
    }
    for (std::uint64_t done = 0; done < run.nr_pages;) {
      const std::uint64_t at = address_behind(run.vaddr, done, set.page_size);
      while (next != mappings.all().end() && (*next)->end <= at) ++next;
      const bool inside = next != mappings.all().end() && (*next)->start <= at;
      const std::uint64_t left = run.nr_pages - done;
      std::uint64_t until = left;
      if (next != mappings.all().end() && at < max_address)
        until = pages_in((inside ? (*next)->end : (*next)->start) - at, set.page_size);
      const std::uint64_t here = std::clamp<std::uint64_t>(until, 1, left);
      take(sum_of(set, memory, inside ? *next : nullptr, run.flags), set, memory, run, done, here);
      done += here;
    }
  }
}

// The largest first; mappings and processes stay where they are.
std::vector<const Sum*> Sums::in_order() const {
  std::vector<const Sum*> all;
  for (const auto& [key, sum] : sums_) all.push_back(&sum);
  if (by_ == By::file || by_ == By::flags)
    std::ranges::stable_sort(all, [](const Sum* a, const Sum* b) { return a->present > b->present; });
  return all;
}

std::string Sums::title(const Sum& sum) const {
  const std::string whose = several_ ? visible(sum.set->name) + ": " : std::string{};
  const auto found = sum.set->memories.find(sum.memory);
  const std::string who = found == sum.set->memories.end() ? std::string{} : memory_text(*sum.set, found->second);
  switch (by_) {
    case By::vma: {
      if (!sum.mapping) return whose + who + (sum.memory.shmem ? "" : "  no mapping");
      if (sum.memory.shmem) return whose + who + "  " + mapping_text(*sum.set->checkpoint, *sum.mapping);
      return whose + who + format("  0x%llx-0x%llx ", Unsigned{sum.mapping->start}, Unsigned{sum.mapping->end}) +
             mapping_text(*sum.set->checkpoint, *sum.mapping);
    }
    case By::file: return whose + visible(sum.name);
    case By::process: return whose + who;
    case By::flags: return whose + flags_text(sum.flags);
  }
  return {};
}

void Sums::print_text(Output& output) {
  output.write(format("%10s %10s %10s %10s %12s%s  %s\n", "PAGES", "PRESENT", "PARENT", "LAZY", "HERE",
                      contents_ ? format(" %10s", "ZERO").c_str() : "",
                      by_ == By::vma       ? "MAPPING"
                      : by_ == By::file    ? "FILE"
                      : by_ == By::process ? "PROCESS"
                                           : "FLAGS"));
  for (const Sum* sum : in_order())
    output.write(format("%10llu %10llu %10llu %10llu %12s%s  %s\n", Unsigned{sum->pages}, Unsigned{sum->present},
                        Unsigned{sum->parent}, Unsigned{sum->lazy},
                        size_text(bytes_of_pages(sum->present, sum->page_size)).c_str(),
                        contents_ ? format(" %10llu", Unsigned{sum->zero}).c_str() : "", title(*sum).c_str()));
}

void Sums::print_json(JsonWriter& json) {
  for (const Sum* sum : in_order()) {
    put_set(json.begin('{'), sum->set->id);
    if (by_ == By::vma || by_ == By::process) put_number(json.key(sum->memory.shmem ? "shmem" : "pid"), sum->memory);
    if (by_ == By::process && !sum->memory.shmem) put_comm(json, task_of(*sum->set, sum->memory));
    if (by_ == By::vma) print_mapping(json.key("mapping"), *sum->set->checkpoint, sum->mapping);
    if (by_ == By::file) put_name(json, "file", sum->name).key("users").number(sum->users.size());
    if (by_ == By::flags) json.key("flags").number(sum->flags).key("entries").number(sum->entries);
    json.key("pages").number(sum->pages).key("present").number(sum->present).key("parent").number(sum->parent);
    json.key("lazy").number(sum->lazy).key("bytes").number(bytes_of_pages(sum->present, sum->page_size));
    if (contents_) json.key("zero").number(sum->zero);
    json.end('}').line_end();
  }
}

int run(Program& program) {
  constexpr std::pair<std::string_view, By> words[] = {
      {"vma", By::vma}, {"file", By::file}, {"process", By::process}, {"flags", By::flags}};
  const std::string word = *program.value("by");
  const auto by = std::ranges::find(words, word, &std::pair<std::string_view, By>::first);
  if (by == std::end(words)) program.usage("--by takes vma, file, process or flags, not " + word);
  const bool contents = program.has("contents");
  if (!contents) program.refuse({"jobs"}, "means nothing without --contents");
  Destination destination{program, Destination::Content::text};
  SurveyedInputs surveyed{program, {.runs = true, .facts = contents}};
  if (surveyed.has_failed()) return program.exit_code();
  Sums sums{by->second, contents, surveyed.several()};
  for (const auto& set : surveyed.sets()) {
    const Users users = users_of(*set->checkpoint);
    for (const auto& [id, memory] : set->memories) {
      const Pagemap* pagemap = surveyed.pagemap(*set, id);
      if (pagemap) sums.add(*set, memory, *pagemap, users);
      set->forget(id);
    }
  }
  if (program.has("json")) {
    JsonWriter json{destination.output(), false, big_numbers_of(program)};
    sums.print_json(json);
  } else if (!sums.empty() || !program.failed()) {
    sums.print_text(destination.output());
  }
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 30}};

}  // namespace

}  // namespace critpipe::filters
