// Images that the memory of a set should have and lacks.
#include <algorithm>

#include "critpipe/memory.hpp"
#include "model/model.hpp"

namespace critpipe {

namespace {

class MissingParts {
 public:
  MissingParts(const Checkpoint& checkpoint, const PartsWanted& wanted)
      : checkpoint_{checkpoint}, model_{model_of(checkpoint)}, wanted_{wanted} {}

  std::vector<Error> find();

 private:
  // Where there is none at all, the pages went elsewhere.
  bool lacks_pagemap(MemoryId memory) const {
    return wanted_.has_pagemap && (model_.has_pagemaps || model_.has_pages) && !wanted_.has_pagemap(memory);
  }
  void look_at(const Task& task);
  void look_at(const Mapping& mapping);
  void look_at_segments();
  void want(std::string name);

  const Checkpoint& checkpoint_;
  const Model& model_;
  const PartsWanted& wanted_;
  std::unordered_set<std::uint64_t> segments_;  // of System V whose pages are not in their own image
  std::unordered_set<std::string> named_;
  std::vector<Error> errors_;
  std::size_t room_ = max_kept_errors;
};

void MissingParts::want(std::string name) {
  if (model_.has_image(name) || !named_.insert(name).second) return;
  if (wanted_.selects && !wanted_.selects(name)) return;
  keep_error(errors_, {Reason::missing_image, wanted_.place + name}, room_);
}

void MissingParts::look_at(const Mapping& mapping) {
  const bool is_memfd = mapping.kind() == Mapping::Kind::memfd;
  if (mapping.has_file() && (is_memfd || wanted_.names)) {
    const File* const file = checkpoint_.file_of(mapping);
    if (!file && !model_.has_image("reg-files.img")) want("files.img");
    if (file && file->type == type_memfd && checkpoint_.path_of(*file).empty()) want("memfd.img");
  }
  if (mapping.kind() == Mapping::Kind::sysv && !segments_.contains(mapping.shmid)) return;
  const auto object = shared_object(checkpoint_, mapping);
  if (object && lacks_pagemap(*object)) want(pagemap_name(*object));
}

void MissingParts::look_at(const Task& task) {
  if (!task.is_running() || (wanted_.pids && !wanted_.pids(task.pid))) return;
  const MemoryId own{false, task.pid};
  if (lacks_pagemap(own)) want(pagemap_name(own));
  // In a set that was made for looking at memory, nobody has a name.
  if (wanted_.comms && model_.has_inventory) want(image_name("CORE", task.pid));
  if (wanted_.names && !task.has_memory) want(image_name("MM", task.pid));
  for (const Mapping& mapping : task.memory.mappings) look_at(mapping);
}

void MissingParts::look_at_segments() {
  static const Message& entry = *find_message("ipc_shm_entry");
  static const Field &desc = *entry.find("desc"), &in_pagemaps = *entry.find("in_pagemaps");
  static const Field& number = *desc.message().find("id");
  for (const ImageMessage& segment : checkpoint_.messages("IPCNS_SHM")) {
    if (segment.message != &entry || integer_or(in_pagemaps, entry, segment.payload, 0) == 0) continue;
    const auto described = find_value(desc, entry, segment.payload);
    if (described) segments_.insert(integer_or(number, desc.message(), described->bytes, 0));
  }
  // They are kept though nobody maps them.
  for (const std::uint64_t id : segments_)
    if (const MemoryId object{true, id}; !wanted_.pids && lacks_pagemap(object)) want(pagemap_name(object));
}

std::vector<Error> MissingParts::find() {
  look_at_segments();
  for (const Task& task : checkpoint_.tasks()) look_at(task);
  return std::move(errors_);
}

}  // namespace

// The inventory tells of pre-dumps how large blocks of pages are.
Needs needs_of_memory() { return {.mappings = true, .kinds = {"IPCNS_SHM", "INVENTORY"}}; }

std::vector<Error> missing_parts(const Checkpoint& checkpoint, const PartsWanted& wanted) {
  if (!model_of(checkpoint).is_whole || !checkpoint.pages_only().empty()) return {};
  return MissingParts{checkpoint, wanted}.find();
}

}  // namespace critpipe
