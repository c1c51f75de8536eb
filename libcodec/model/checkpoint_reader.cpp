// Inputs into checkpoints.
#include <algorithm>
#include <filesystem>
#include <set>

#include "base/path_names.hpp"
#include "critpipe/set.hpp"
#include "model/collect.hpp"
#include "model/page_size_of_set.hpp"
#include "set/sets_of.hpp"
#include "source/cut_inputs.hpp"

namespace critpipe {

bool SetCheckpoint::has_tree() const { return !checkpoint.tasks().empty() && checkpoint.tasks().front().in_tree; }

struct CheckpointReader::Work {
  // A set of which anything was met, whether or not that is read.
  struct Met {
    SetId id;
    std::string place;
    bool has_tasks = false, has_pages = false;
    bool is_noted = false;  // a pagemap was
    std::string directory = {};
    PagesToTry pages = {};
    const Checkpoint* checkpoint = nullptr;  // when it is finished
    const Met* above = nullptr;              // its parent in the same archive
  };
  class Climb;
  const Needs needs;
  SetsOf<Met> met = {};
  SetsOf<SetCheckpoint> sets = {};
  RoomToTry room_to_try{};
  CutInputs cut = {};
  std::vector<SetCheckpoint> finished = {};
  std::vector<Error> errors_without_set = {};  // of no set that is known
  std::shared_ptr<std::size_t> room_for_errors = std::make_shared<std::size_t>(max_kept_errors);  // of all

  void learn_page_sizes();

  std::unique_ptr<SetCheckpoint> make() const {
    auto made = std::make_unique<SetCheckpoint>(SetCheckpoint{{}, {}, Checkpoint{needs}});
    made->checkpoint.model_->room_for_errors = room_for_errors;
    return made;
  }
};

CheckpointReader::CheckpointReader(const Needs& needs, const Limits& limits)
    : Decoding{limits}, work_{new Work{needs}} {}
CheckpointReader::~CheckpointReader() = default;

const Checkpoint* CheckpointReader::begun(const SetId& id) const {
  const SetCheckpoint* set = work_->sets.find(id);
  return set ? &set->checkpoint : nullptr;
}

namespace {

// The inputs that have a set with more than what stands beside images.
std::set<std::string_view> inputs_with_images(std::span<const SetCheckpoint> all) {
  std::set<std::string_view> inputs;
  for (const SetCheckpoint& found : all)
    if (found.checkpoint.kind() != SetKind::aside) inputs.insert(found.id.checkpoint);
  return inputs;
}

bool is_only_noted(const Needs& needs, std::string_view name) {
  return !is_needed(needs, name) && (tells_of_set(name) || name.starts_with("pagemap-"));
}

}  // namespace

// Of the pagemaps that are not read, the first of a set says that there are some. Pages images tell the page size of
// a set without tasks.
bool CheckpointReader::wants(const Member& member) {
  if (!member.in_set) return true;
  Work::Met& met = work_->met.of(member);
  met.has_tasks |= is_of_tasks(member.name);
  met.has_pages |= is_pages_name(member.name);
  if (is_needed(work_->needs, member.name)) return true;
  if (pages_id_of_name(member.name)) return work_->needs.pagemaps && !met.has_tasks;
  return is_only_noted(work_->needs, member.name) && (tells_of_set(member.name) || !met.is_noted);
}

// What an image by itself is, its bytes say.
std::unique_ptr<Sink> CheckpointReader::sink_for(const Member& member) {
  const bool noted = is_only_noted(work_->needs, member.name);
  if (member.in_set && pages_id_of_name(member.name))
    return work_->met.of(member).pages.sink_for(member, work_->met.of(member).has_tasks, work_->room_to_try);
  if (member.in_set && !noted && !is_needed(work_->needs, member.name)) return nullptr;
  Work::Met& met = work_->met.of(member);
  met.is_noted |= member.name.starts_with("pagemap-");
  if (!member.directory.empty()) met.directory = member.directory;
  SetCheckpoint& found = work_->sets.of(member, [this] { return work_->make(); });
  found.is_set |= member.in_set;
  const bool tells_kind = member.in_set || kind_of_name(member.name);
  return found.checkpoint.sink_for(tells_kind ? std::string_view{member.name} : "-");
}

void CheckpointReader::report(const Error& error) {
  // What is only noted need not be a file that can be opened.
  const bool is_unopened = error.reason == Reason::io_open || error.reason == Reason::bad_member;
  if (is_unopened && (is_only_noted(work_->needs, error.member) || pages_id_of_name(error.member))) return;
  work_->cut.note(error);
  if (SetCheckpoint* found = work_->sets.find(error)) found->checkpoint.report(error);
  else keep_error(work_->errors_without_set, error, *work_->room_for_errors);
}

std::vector<SetCheckpoint>& CheckpointReader::finish(std::string_view input) {
  if (work_->sets.empty()) {
    std::error_code none;
    const bool is_directory = std::filesystem::is_directory(input, none);
    const char* below = is_directory ? "/" : ":";
    while (input.size() > 1 && input.ends_with('/')) input.remove_suffix(1);
    SetCheckpoint& found = work_->sets.add({std::string{input}, {}}, work_->make());
    found.place = input == "-" ? "" : std::string{input} + below;
    found.is_set = work_->errors_without_set.empty() && (is_directory || !is_image_name(input));
  }
  std::vector<SetCheckpoint>& all = work_->finished;
  for (const auto& found : work_->sets.all()) all.push_back(std::move(*found));
  // Those of the input go with the checkpoint that is asked for.
  const auto best = std::ranges::find_if(all, &SetCheckpoint::has_tree);
  Checkpoint& home = (best == all.end() ? all.front() : *best).checkpoint;
  *work_->room_for_errors += work_->errors_without_set.size();
  for (const Error& error : work_->errors_without_set) home.report(error);
  const std::set<std::string_view> with_images = inputs_with_images(all);
  for (SetCheckpoint& found : all) {
    const Work::Met* const met = work_->met.find(found.id);
    found.checkpoint.model_->has_tasks |= met && met->has_tasks;
    found.checkpoint.model_->has_pages |= met && met->has_pages;
    const bool may_lack = work_->cut.may_lack(found.id, met && !met->directory.empty());
    const bool is_aside = found.checkpoint.kind() == SetKind::aside && with_images.contains(found.id.checkpoint);
    found.checkpoint.model_->called = found.id.text();
    found.checkpoint.finish(found.place, found.is_set && !may_lack && !is_aside);
    if (is_aside) continue;
    const bool is_empty = found.checkpoint.tasks().empty() && found.checkpoint.errors().empty();
    if (found.is_set || may_lack || !is_empty || !found.checkpoint.pages_only().empty()) continue;
    found.checkpoint.report({.reason = Reason::no_bytes,
                             .image = found.id.text(),
                             .name = "no processes in what was given of it: give the whole checkpoint, or its "
                                     "pstree.img and core images, too"});
  }
  if (work_->needs.pagemaps) work_->learn_page_sizes();
  return all;
}

// From a set to its parents, by the links of directories, or to those in the same archive.
class CheckpointReader::Work::Climb {
 public:
  Climb(const Met& set, const Checkpoint& checkpoint) : set_{&set}, checkpoint_{&checkpoint} {}
  std::uint64_t told(PageSizeByImages& sizes) const {
    if (const std::uint64_t size = told_page_size(*checkpoint_)) return size;
    add_images(sizes, *checkpoint_, set_->pages);
    return sizes.size();
  }
  // Goes on to it, and forgets this one.
  Climb* parent() { return set_->directory.empty() && !images_ ? above() : linked(); }

 private:
  Climb* above() {
    set_ = set_->above;
    checkpoint_ = set_ ? set_->checkpoint : nullptr;
    return checkpoint_ ? this : nullptr;
  }
  Climb* linked();

  const Met* set_;
  const Checkpoint* checkpoint_;
  std::unique_ptr<ImageSet> images_;          // of a directory
  std::unique_ptr<CheckpointReader> reader_;  // that has read them
};

CheckpointReader::Work::Climb* CheckpointReader::Work::Climb::linked() {
  Error error;
  if (!images_) images_ = ImageSet::open_input(set_->directory, error);
  if (images_) images_ = images_->parent(error);
  if (!images_) return nullptr;
  reader_ = std::make_unique<CheckpointReader>(Needs{.pagemaps = true});
  (void)images_->read(*reader_);
  const auto& read = reader_->work_->sets.all();
  set_ = read.empty() ? nullptr : reader_->work_->met.find(read.front()->id);
  if (!set_) return nullptr;
  checkpoint_ = &read.front()->checkpoint;
  read.front()->checkpoint.finish(read.front()->place, false);
  return this;
}

void CheckpointReader::Work::learn_page_sizes() {
  const std::vector<Met*> parents = met.parents();
  for (std::size_t i = 0; i < parents.size(); ++i) met.all()[i]->above = parents[i];
  for (const SetCheckpoint& one : finished)
    if (Met* const set = met.find(one.id)) set->checkpoint = &one.checkpoint;
  for (SetCheckpoint& one : finished) {
    const Met* const set = met.find(one.id);
    if (!set || one.checkpoint.pages_only().empty()) continue;
    Climb climb{*set, one.checkpoint};
    PageSizeByImages sizes;
    one.checkpoint.learn_page_size(page_size_of_chain(&climb, [&sizes](const Climb& at) { return at.told(sizes); }));
  }
}

std::vector<const SetCheckpoint*> checkpoints_among(std::span<const SetCheckpoint> all) {
  enum Rank : std::uint8_t { other, pages, tree };
  const std::set<std::string_view> with_images = inputs_with_images(all);
  const auto rank_of = [&](const SetCheckpoint& set) {
    if (set.checkpoint.kind() == SetKind::aside && with_images.contains(set.id.checkpoint)) return other;
    const bool has_something = !set.checkpoint.pages_only().empty() || !set.checkpoint.errors().empty();
    // Tasks that no tree names are those of a set whose tree is missing.
    const bool has_tasks = set.has_tree() || (set.checkpoint.pages_only().empty() && !set.checkpoint.tasks().empty());
    return has_tasks ? tree : has_something ? pages : other;
  };
  std::map<std::string_view, Rank> best;  // of each input
  for (const SetCheckpoint& set : all) {
    Rank& rank = best[set.id.checkpoint];
    rank = std::max(rank, rank_of(set));
  }
  std::vector<const SetCheckpoint*> chosen;
  for (const SetCheckpoint& set : all)
    if (rank_of(set) == best[set.id.checkpoint]) chosen.push_back(&set);
  return chosen;
}

Checkpoint read_checkpoint(const std::string& input, const Needs& needs, const Limits& limits) {
  CheckpointReader reader{needs, limits};
  (void)read_input(input, reader);
  std::vector<SetCheckpoint>& all = reader.finish(input);
  const SetCheckpoint* const best = checkpoints_among(all).front();
  return std::move(all[static_cast<std::size_t>(best - all.data())].checkpoint);
}

}  // namespace critpipe
