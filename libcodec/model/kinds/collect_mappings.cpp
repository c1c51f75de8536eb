// mm-N and, in old sets, vmas-N: address spaces.
#include "model/auxiliary_vector.hpp"
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

const MessageReader<Mapping>& mapping_reader() {
  static const MessageReader<Mapping> reader{"vma_entry",
                                             {{"start", put<&Mapping::start>},
                                              {"end", put<&Mapping::end>},
                                              {"pgoff", put<&Mapping::pgoff>},
                                              {"shmid", put<&Mapping::shmid>},
                                              {"prot", put<&Mapping::prot>},
                                              {"flags", put<&Mapping::flags>},
                                              {"status", put<&Mapping::status>}}};
  return reader;
}

void collect_mm(Model& model, std::uint32_t pid, const Entry& entry) {
  using Space = AddressSpace;
  static const MessageReader<Space> reader{"mm_entry",
                                           {{"mm_start_code", put<&Space::start_code>},
                                            {"mm_end_code", put<&Space::end_code>},
                                            {"mm_start_data", put<&Space::start_data>},
                                            {"mm_end_data", put<&Space::end_data>},
                                            {"mm_start_stack", put<&Space::start_stack>},
                                            {"mm_start_brk", put<&Space::start_brk>},
                                            {"mm_brk", put<&Space::brk>},
                                            {"mm_arg_start", put<&Space::arg_start>},
                                            {"mm_arg_end", put<&Space::arg_end>},
                                            {"mm_env_start", put<&Space::env_start>},
                                            {"mm_env_end", put<&Space::env_end>},
                                            {"exe_file_id", put<&Space::exe_id>}}};
  static const Field& vmas = *reader.message().find("vmas");
  Task& task = model.collected[pid];
  // Growing would copy a large one again and again.
  constexpr std::size_t large = 64 << 10, usual_vma_bytes = 32;
  if (model.needs.mappings && entry.payload.size() > large)
    task.memory.mappings.reserve(entry.payload.size() / usual_vma_bytes);
  reader.read(entry.payload, task.memory, [&](const Value& value) {
    if (value.field != &vmas || !model.needs.mappings) return;
    task.memory.mappings.emplace_back();
    mapping_reader().read(value.bytes, task.memory.mappings.back());
  });
  task.has_memory = true;
  task.memory.auxv = auxiliary_vector_in(*entry.message, entry.payload);
  task.memory.page_size = page_size_in(task.memory.auxv);
  if (model.page_size == 0) model.page_size = task.memory.page_size;
}

void collect_vma(Model& model, std::uint32_t pid, const Entry& entry) {
  std::vector<Mapping>& mappings = model.collected[pid].memory.mappings;
  mapping_reader().read(entry.payload, mappings.emplace_back());
}

bool mappings(const Needs& needs) { return needs.mappings; }
bool memory(const Needs& needs) { return needs.mappings || needs.pagemaps; }

void expect_mm(const Model& model, Missing& missing) {
  if (!model.needs.mappings) return;
  for (const Task& task : model.tasks)
    if (task.is_running()) missing.want("MM", task.pid);
}

constexpr CollectedKind rows[] = {
    {"MM", memory, collect_mm, expect_mm},
    {"VMAS", mappings, collect_vma, nullptr},
};

}  // namespace

std::span<const CollectedKind> mappings_kinds() { return rows; }

}  // namespace critpipe
