// Inputs into checkpoints.
#include "checkpoint/collect.hpp"

namespace critpipe {

namespace {

// "checkpoint/core-1.img" -> "checkpoint/"
std::string_view folder_of(std::string_view name) { return name.substr(0, name.rfind('/') + 1); }

std::string_view file_of(std::string_view name) { return name.substr(folder_of(name).size()); }

}  // namespace

CheckpointReader::CheckpointReader(const Needs& needs, const Limits& limits) : Decoding{limits}, needs_{needs} {}

Checkpoint& CheckpointReader::at(const std::string& folder) {
  return checkpoints_.try_emplace(folder, needs_).first->second;
}

bool CheckpointReader::wants(std::string_view name) { return is_needed(needs_, file_of(name)); }

std::unique_ptr<Sink> CheckpointReader::sink_for(const Member& member) {
  const std::string folder{folder_of(member.name)};
  const std::string_view file = file_of(member.name);
  if (!is_needed(needs_, file)) return nullptr;
  if (member.place.ends_with(file)) places_[folder] = member.place.substr(0, member.place.size() - file.size());
  return at(folder).sink_for(file);
}

// The place of an image begins with that of its folder.
void CheckpointReader::report(const Error& error) {
  std::string_view folder;
  std::size_t best = 0;
  for (const auto& [name, place] : places_) {
    if (!error.image.starts_with(place) || place.size() < best) continue;
    folder = name;
    best = place.size();
  }
  at(std::string{folder}).report(error);
}

std::map<std::string, Checkpoint>& CheckpointReader::finish(std::string_view input) {
  if (checkpoints_.empty()) at("");
  for (auto& [folder, checkpoint] : checkpoints_) {
    const auto place = places_.find(folder);
    std::string before = input == "-" ? "" : std::string{input} + "/";
    checkpoint.finish(place == places_.end() ? before + folder : place->second);
  }
  return checkpoints_;
}

Checkpoint read_checkpoint(const std::string& input, const Needs& needs, const Limits& limits) {
  CheckpointReader reader{needs, limits};
  SourceOptions options;
  (void)read_input(input, reader, options);
  auto& checkpoints = reader.finish(input);
  for (auto& [folder, checkpoint] : checkpoints)
    if (!checkpoint.tasks().empty() && checkpoint.tasks().front().in_tree) return std::move(checkpoint);
  return std::move(checkpoints.begin()->second);
}

}  // namespace critpipe
