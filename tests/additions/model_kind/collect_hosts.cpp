// utsns-N.img, which the library's model does not read: whoever asks for ids gets its messages, too, and a whole set
// has one for each namespace that its tasks are in.
#include "model/collect.hpp"

namespace critpipe {

namespace {

void collect_host(Model& model, std::uint32_t number, const Entry& entry) {
  model.messages[entry.kind].push_back({number, entry.message, model.arena.keep(entry.payload)});
}

void expect_hosts(const Model& model, Missing& missing) {
  for (const Task& task : model.tasks)
    if (task.ids.uts_ns != 0) missing.want("UTSNS", task.ids.uts_ns);
}

constexpr CollectedKind rows[] = {{"UTSNS", needs_ids, collect_host, expect_hosts}};

}  // namespace

std::span<const CollectedKind> hosts_kinds() { return rows; }

}  // namespace critpipe
