// pagemap-N: the runs of pages of a task.
#include <algorithm>

#include "model/collect.hpp"

namespace critpipe {

namespace {

void collect_pagemap(Model& model, std::uint32_t pid, const Entry& entry) {
  Task& task = model.collected[pid];
  task.has_pagemap = true;
  PagemapReader& reader = model.pagemaps[pid];
  PageRun run;
  if (entry.index == 0) {
    reader = PagemapReader{};
    (void)reader.next(entry, run);
    task.pages_id = reader.pages_id();
    return;
  }
  if (reader.error() || !reader.next(entry, run)) {
    run = PagemapReader::decoded(entry);
    run.page = max_pages;  // nobody knows where it is
  }
  task.pagemap.push_back(run);
  task.page_layout = reader.error() ? nullptr : reader.layout();
}

bool needed(const Needs& needs) { return needs.pagemaps; }

void expect_pagemap(const Model& model, Missing& missing) {
  // Where there is neither a pagemap nor a pages image, the pages are elsewhere.
  const bool are_here = model.has_pagemaps || model.has_pages;
  if (!are_here && std::ranges::any_of(model.tasks, &Task::is_running)) return missing.say(Reason::no_pagemaps);
  for (const Task& task : model.tasks)
    if (task.is_running()) missing.want("PAGEMAP", task.pid);
}

constexpr CollectedKind rows[] = {
    {"PAGEMAP", needed, collect_pagemap, expect_pagemap},
};

}  // namespace

std::span<const CollectedKind> pagemap_kinds() { return rows; }

}  // namespace critpipe
