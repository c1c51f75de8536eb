// Are images of another dump among those of this one? CRIU writes over what is there and leaves the rest.
#include <algorithm>

#include "check/checked_images.hpp"

namespace critpipe {

namespace {

// Has the tree a task that owns these pages?
bool is_owned(const CheckedImages& set, const std::set<std::uint64_t>& shared, MemoryId memory) {
  if (memory.shmem) return shared.contains(memory.id) || is_kept_unmapped(set.checkpoint, memory);
  const Task* const task = set.checkpoint.find_task(static_cast<std::uint32_t>(memory.id));
  return task && task->in_tree;
}

}  // namespace

// Two signs: a pagemap of nobody names the pages of a task, since each dump numbers them from 1; or the tasks have all
// the pages that the dump says that it wrote, and there are more.
bool CheckedImages::find_other_dump() const {
  if (!has_whole_tree()) return false;
  std::set<std::uint64_t> shared;
  for (const Task& task : checkpoint.tasks())
    for (const Mapping& mapping : task.memory.mappings)
      if (const auto object = shared_object(checkpoint, mapping)) shared.insert(object->id);
  std::set<std::uint64_t> owned;
  std::uint64_t nr_owned = 0;
  for (const auto& [id, memory] : memories)
    if (is_owned(*this, shared, id)) {
      owned.insert(memory.pagemap.pages_id);
      nr_owned += memory.pagemap.nr_present;
    }
  const Record dump = first("STATS").inner("dump");
  const std::uint64_t written = dump.number("pages_written") + dump.number("shpages_written");
  const bool has_all = written > 0 && nr_owned >= written;
  return std::ranges::any_of(memories, [&](const auto& one) {
    const Pagemap& pagemap = one.second.pagemap;
    if (is_owned(*this, shared, one.first)) return false;
    return owned.contains(pagemap.pages_id) || (has_all && pagemap.nr_present > 0);
  });
}

}  // namespace critpipe
