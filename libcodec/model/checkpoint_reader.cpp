// Inputs into checkpoints.
#include <algorithm>
#include <filesystem>

#include "base/path_names.hpp"
#include "model/collect.hpp"

namespace critpipe {

bool SetCheckpoint::has_tree() const { return !checkpoint.tasks().empty() && checkpoint.tasks().front().in_tree; }

CheckpointReader::CheckpointReader(const Needs& needs, const Limits& limits) : Decoding{limits}, needs_{needs} {}

SetCheckpoint& CheckpointReader::at(const SetId& id) {
  const auto [known, added] = numbers_.try_emplace(id, found_.size());
  if (added) {
    found_.push_back({id, {}, Checkpoint{needs_}, false});
    found_.back().checkpoint.model_->room_for_errors = room_for_errors_;
  }
  return found_[known->second];
}

const Checkpoint* CheckpointReader::begun(const SetId& id) const {
  const auto known = numbers_.find(id);
  return known == numbers_.end() ? nullptr : &found_[known->second].checkpoint;
}

namespace {

bool is_only_noted(const Needs& needs, std::string_view name) {
  return !is_needed(needs, name) && (tells_of_set(name) || name.starts_with("pagemap-"));
}

}  // namespace

// Of the pagemaps that are not read, the first of a set says that there are some.
bool CheckpointReader::wants(std::string_view path) {
  const std::string_view name = last_part(path);
  if (is_needed(needs_, name)) return true;
  return is_only_noted(needs_, name) && !noted_.contains(path.substr(0, path.size() - name.size()));
}

// What an image by itself is, its bytes say.
std::unique_ptr<Sink> CheckpointReader::sink_for(const Member& member) {
  const bool noted = is_only_noted(needs_, member.name);
  if (member.in_set && !noted && !is_needed(needs_, member.name)) return nullptr;
  if (member.name.starts_with("pagemap-"))
    noted_.emplace(member.path.substr(0, member.path.size() - member.name.size()));
  SetCheckpoint& found = at(*member.set);
  if (found.place.empty()) found.place = place_beside(member, {});
  found.is_set |= member.in_set;
  return found.checkpoint.sink_for(member.name);
}

void CheckpointReader::report(const Error& error) {
  // What is only noted need not be a file that can be opened.
  const std::string_view name = std::string_view{error.image}.substr(error.image.find_last_of("/:") + 1);
  const bool is_unopened = error.reason == Reason::io_open || error.reason == Reason::bad_member;
  if (is_unopened && is_only_noted(needs_, name)) return;
  const auto known = error.set ? numbers_.find(*error.set) : numbers_.end();
  if (known != numbers_.end()) found_[known->second].checkpoint.report(error);
  else keep_error(errors_without_set_, error, *room_for_errors_);
}

std::vector<SetCheckpoint>& CheckpointReader::finish(std::string_view input) {
  if (found_.empty()) {
    std::error_code none;
    const char* below = std::filesystem::is_directory(input, none) ? "/" : ":";
    while (input.size() > 1 && input.ends_with('/')) input.remove_suffix(1);
    SetCheckpoint& found = at({std::string{input}, {}});
    found.place = input == "-" ? "" : std::string{input} + below;
    found.is_set = errors_without_set_.empty();
  }
  // Those of the input go with the checkpoint that is asked for.
  const auto best = std::ranges::find_if(found_, &SetCheckpoint::has_tree);
  Checkpoint& home = (best == found_.end() ? found_.front() : *best).checkpoint;
  *room_for_errors_ += errors_without_set_.size();
  for (const Error& error : errors_without_set_) home.report(error);
  for (SetCheckpoint& found : found_) found.checkpoint.finish(found.place, found.is_set);
  return found_;
}

Checkpoint read_checkpoint(const std::string& input, const Needs& needs, const Limits& limits) {
  CheckpointReader reader{needs, limits};
  (void)read_input(input, reader);
  std::vector<SetCheckpoint>& all = reader.finish(input);
  const auto best = std::ranges::find_if(all, &SetCheckpoint::has_tree);
  return std::move((best == all.end() ? all.front() : *best).checkpoint);
}

}  // namespace critpipe
