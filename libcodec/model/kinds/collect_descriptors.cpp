// fdinfo-N: descriptor tables.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_fdinfo(Model& model, std::uint32_t files_id, const Entry& entry) {
  static const MessageReader<Descriptor> reader{"fdinfo_entry",
                                                {{"id", put<&Descriptor::file_id>},
                                                 {"flags", put<&Descriptor::flags>},
                                                 {"type", put<&Descriptor::type>},
                                                 {"fd", put<&Descriptor::fd>}}};
  reader.read(entry.payload, model.tables[files_id].emplace_back());
}

void expect_fdinfo(const Model& model, Missing& missing) {
  for (const Task& task : model.tasks)
    if (task.is_running() && task.ids.files != 0) missing.want("FDINFO", task.ids.files);
}

constexpr CollectedKind rows[] = {
    {"FDINFO", needs_descriptors, collect_fdinfo, expect_fdinfo},
};

}  // namespace

std::span<const CollectedKind> descriptors_kinds() { return rows; }

}  // namespace critpipe
