// Inputs into checkpoints.
#include <algorithm>
#include <filesystem>

#include "model/collect.hpp"

namespace critpipe {

namespace {

// "checkpoint/core-1.img" -> "core-1.img"
std::string_view last_part(std::string_view name) { return name.substr(name.rfind('/') + 1); }

}  // namespace

bool CheckpointReader::Found::has_tree() const {
  return !checkpoint.tasks().empty() && checkpoint.tasks().front().in_tree;
}

CheckpointReader::CheckpointReader(const Needs& needs, const Limits& limits) : Decoding{limits}, needs_{needs} {}

// The images of a folder come together, or nearly so.
CheckpointReader::Found& CheckpointReader::at(std::string_view folder) {
  for (std::size_t i = found_.size(); i-- > 0;)
    if (found_[i].folder == folder) return found_[i];
  found_.push_back({std::string{folder}, Checkpoint{needs_}, false});
  return found_.back();
}

bool CheckpointReader::wants(std::string_view name) { return is_needed(needs_, last_part(name)); }

std::unique_ptr<Sink> CheckpointReader::sink_for(const Member& member) {
  const std::string_view file = last_part(member.name);
  if (!is_needed(needs_, file)) return nullptr;
  const std::string& place = member.place.ends_with(file) ? member.place : member.name;
  Found& found = at(std::string_view{place}.substr(0, place.size() - file.size()));
  found.is_set |= member.in_set;
  return found.checkpoint.sink_for(file);
}

// The place of an image begins with that of its folder.
void CheckpointReader::report(const Error& error) {
  Found* best = nullptr;
  for (Found& found : found_)
    if (error.image.starts_with(found.folder) && (!best || found.folder.size() >= best->folder.size())) best = &found;
  if (best) best->checkpoint.report(error);
  else homeless_.push_back(error);
}

std::vector<CheckpointReader::Found>& CheckpointReader::finish(std::string_view input) {
  if (found_.empty()) {
    std::error_code none;
    const char* below = std::filesystem::is_directory(input, none) ? "/" : ":";
    at(input == "-" ? "" : std::string{input} + below).is_set = homeless_.empty();
  }
  for (const Error& error : homeless_) found_.front().checkpoint.report(error);
  for (Found& found : found_) found.checkpoint.finish(found.folder, found.is_set);
  return found_;
}

Checkpoint read_checkpoint(const std::string& input, const Needs& needs, const Limits& limits) {
  CheckpointReader reader{needs, limits};
  (void)read_input(input, reader);
  std::vector<CheckpointReader::Found>& all = reader.finish(input);
  const auto best = std::ranges::find_if(all, &CheckpointReader::Found::has_tree);
  return std::move((best == all.end() ? all.front() : *best).checkpoint);
}

}  // namespace critpipe
