// Images of a set whose absence leaves something of its memory unknown.
#include <algorithm>

#include "base/path_names.hpp"
#include "critpipe/memory.hpp"
#include "model/collect.hpp"

namespace critpipe {

namespace {

// Of a process that nobody asks for?
bool is_left_out(const Error& error, const WantedPid& wanted) {
  const std::string_view name = last_part(std::string_view{error.image}.substr(error.image.rfind(':') + 1));
  const bool is_of_task = name.starts_with("core-") || name.starts_with("mm-");
  return wanted && is_of_task && !wanted(number_in(name));
}

bool maps_files(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.tasks(), [](const Task& task) {
    return std::ranges::any_of(task.memory.mappings, [](const Mapping& mapping) { return mapping.has_file(); });
  });
}

}  // namespace

std::vector<Error> missing_memory(const Checkpoint& checkpoint, const std::string& place,
                                  const std::set<MemoryId>& memories, const WantedPid& wanted) {
  std::vector<Error> missing;
  if (checkpoint.tasks().empty() || !checkpoint.tasks().front().in_tree) return missing;
  const bool needs_files = maps_files(checkpoint);
  for (const Error& error : checkpoint.errors()) {
    const bool is_needed = needs_files || error.reason != Reason::missing_image || !error.image.ends_with("files.img");
    if (error.reason != Reason::no_tree && is_needed && !is_left_out(error, wanted)) missing.push_back(error);
  }
  const auto lacks_pagemap = [&](const Task& task) {
    return task.is_running() && (!wanted || wanted(task.pid)) && !memories.contains({false, task.pid});
  };
  if (std::ranges::all_of(memories, &MemoryId::shmem)) {
    std::string set = place;
    if (set.ends_with('/') || set.ends_with(':')) set.pop_back();
    if (std::ranges::any_of(checkpoint.tasks(), lacks_pagemap)) missing.push_back({Reason::no_pagemaps, set});
    return missing;
  }
  for (const Task& task : checkpoint.tasks())
    if (lacks_pagemap(task)) missing.push_back({Reason::missing_image, place + pagemap_name({false, task.pid})});
  return missing;
}

std::uint64_t nr_missing_in_parents(PageStore& store, MemoryId memory, std::uint64_t page_size) {
  std::uint64_t missing = 0;
  const Pagemap* const pagemap = store.pagemap(memory);
  if (!pagemap) return 0;
  for (const PageRun& run : pagemap->runs) {
    if (!run.is_parent()) continue;
    (void)visit_stretches(store, memory, page_size, run.vaddr, run.end(page_size), [&](const Stretch& stretch) {
      if (stretch.where == Stretch::Where::missing) missing += stretch.nr_pages;
      return Step::go;
    });
  }
  return missing;
}

}  // namespace critpipe
