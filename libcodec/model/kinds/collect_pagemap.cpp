// pagemap-N: the runs of pages of a task.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

struct OldRun {
  std::uint64_t vaddr = 0, nr_pages = 0;
  std::uint32_t compat_nr_pages = 0, flags = 0;
  bool in_parent = false;
};

// Releases before 4.2 count in field 2, those before 3.5 have no flags.
void collect_pagemap(Model& model, std::uint32_t pid, const Entry& entry) {
  static const MessageReader<OldRun> reader{"pagemap_entry",
                                            {{"vaddr", put<&OldRun::vaddr>},
                                             {"compat_nr_pages", put<&OldRun::compat_nr_pages>},
                                             {"in_parent", put<&OldRun::in_parent>}}};
  static const Field& flags = *reader.message().find("flags");
  static const Field& nr_pages = *reader.message().find("nr_pages");
  Task& task = model.collected[pid];
  task.has_pagemap = true;
  if (entry.index == 0) return;
  OldRun old;
  bool has_flags = false, has_count = false;
  reader.read(entry.payload, old, [&](const Value& value) {
    if (value.field == &flags) has_flags = true, old.flags = static_cast<std::uint32_t>(value.integer);
    if (value.field == &nr_pages) has_count = true, old.nr_pages = value.integer;
  });
  Run run{old.vaddr, has_count ? old.nr_pages : old.compat_nr_pages, old.flags};
  if (!has_flags && !old.in_parent) run.flags = page_present;
  if (old.in_parent) run.flags |= page_parent;
  task.pagemap.push_back(run);
}

bool needed(const Needs& needs) { return needs.pagemaps; }

void expect_pagemap(const Model& model, Missing& missing) {
  for (const Task& task : model.tasks)
    if (task.is_running()) missing.want("pagemap-", task.pid);
}

constexpr CollectedKind rows[] = {
    {"PAGEMAP", needed, collect_pagemap, expect_pagemap},
};

}  // namespace

std::span<const CollectedKind> pagemap_kinds() { return rows; }

}  // namespace critpipe
