#include "memory/text_places.hpp"

#include <algorithm>

#include "model/model.hpp"

namespace critpipe {

namespace {

TextPlace bounded(std::uint64_t begin, std::uint64_t end, std::uint64_t most_bytes) {
  if (end <= begin) return {begin, begin};
  return {begin, begin + std::min(end - begin, most_bytes)};
}

}  // namespace

TextPlace arguments_place(const AddressSpace& space, std::uint64_t most_bytes) {
  return bounded(space.arg_start, space.title_end(), most_bytes);
}
TextPlace environment_place(const AddressSpace& space, std::uint64_t most_bytes) {
  return bounded(space.env_start, space.env_end, most_bytes);
}

const AddressSpace* space_of(const Checkpoint& checkpoint, std::uint32_t pid) {
  const auto& collected = model_of(checkpoint).collected;
  const auto task = collected.find(pid);
  return task == collected.end() || !task->second.has_memory ? nullptr : &task->second.memory;
}

}  // namespace critpipe
