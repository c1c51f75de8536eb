// Inputs into sets, and sets through the rules.
#include <algorithm>
#include <filesystem>

#include "base/kept_errors.hpp"
#include "check/checked_images.hpp"
#include "check/findings.hpp"
#include "check/given_keys.hpp"
#include "check/image_checks.hpp"
#include "memory/join_parents.hpp"
#include "set/sets_of.hpp"
#include "source/cut_inputs.hpp"

namespace critpipe {

namespace {

constexpr std::string_view inventory = "inventory.img";

void add_parents(PageDirectory& directory, std::vector<Directory::Identity>& parents) {
  for (PageDirectory* above = directory.linked_parent(); above; above = above->linked_parent())
    if (const auto identity = above->identity()) parents.push_back(*identity);
}

// Gives sets of archives and streams their parents in the same input, and returns those to which directories link.
std::vector<Directory::Identity> join_parents_among(SetsOf<CheckedImages>& sets) {
  std::vector<Directory::Identity> above;
  const std::vector<CheckedImages*> parents = sets.parents();
  for (std::size_t i = 0; i < sets.size(); ++i) {
    CheckedImages& set = *sets.all()[i];
    PageDirectory* const directory = set.page_directory();
    if (directory) add_parents(*directory, above);
    if (directory || !parents[i]) continue;
    set.give_parent(*parents[i]);
    parents[i]->is_parent = true;
  }
  return above;
}

}  // namespace

KnownInputs look_at_directories(std::span<const std::string> inputs) {
  KnownInputs known;
  for (const std::string& input : inputs) {
    std::error_code none;
    if (input == "-" || !std::filesystem::is_directory(input, none) || is_container_image(input)) continue;
    PageDirectory directory{input};
    add_parents(directory, known.parents);
    Error error;
    const auto set = ImageSet::open_input(input, error);
    const auto is_pagemap = [](const std::string& name) { return name.starts_with("pagemap-"); };
    if (set && set->has("pstree.img")) known.lack_pages |= std::ranges::none_of(set->members(), is_pagemap);
  }
  return known;
}

struct CheckReader::Work {
  explicit Work(RestorePlan told) : plan{std::move(told)}, keys{plan} {}

  struct Parent {
    std::string input;
    SetsOf<CheckedImages> sets = {};
    bool has_failed = false;  // something in it could not be read
  };
  RestorePlan plan;
  GivenKeys keys;
  SetsOf<CheckedImages> sets;
  EngineFiles beside;           // of the sets
  std::vector<Parent> parents;  // that were given, the nearest first
  std::vector<Error> errors, damages, damages_of_parents;
  std::size_t room_for_errors = max_kept_errors, room_for_damages = max_kept_errors;
  RoomToTry room_to_try;

  std::unique_ptr<CheckedImages> make() const { return std::make_unique<CheckedImages>(plan); }
  // Those that are being read.
  SetsOf<CheckedImages>& now() { return parents.empty() ? sets : parents.back().sets; }
  CheckedImages& home_of(const Error& damage);
  void leave_out_asides();
  void fail(Error error) { keep_error(errors, std::move(error), room_for_errors); }
  void refuse_raw();
  void join_sets(const KnownInputs& known);
  CheckedImages* parent_in(Parent& parent);
  CheckedImages* join_parents();
};

// What is wrong with an input as a whole goes to its first set.
CheckedImages& CheckReader::Work::home_of(const Error& damage) {
  if (!damage.set) return sets.empty() ? sets.add({damage.image, {}}, make()) : *sets.all().front();
  const SetId& id = *damage.set;
  if (CheckedImages* const known = id.is_input ? nullptr : sets.find(id)) return *known;
  for (const auto& set : sets.all())
    if (set->id.checkpoint == id.checkpoint) return *set;
  return sets.add({id.checkpoint, {}}, make());
}

// What stands beside a directory with images is no set of its own.
void CheckReader::Work::leave_out_asides() {
  std::set<std::string_view> with_images;  // inputs
  for (const auto& set : sets.all())
    if (set->checkpoint.kind() != SetKind::aside) with_images.insert(set->id.checkpoint);
  std::set<CheckedImages*> asides;
  for (const auto& set : sets.all())
    if (set->checkpoint.kind() == SetKind::aside && with_images.contains(set->id.checkpoint)) asides.insert(set.get());
  (void)sets.take_out(asides);
}

// Raw images by themselves, of which nothing can be said.
void CheckReader::Work::refuse_raw() {
  std::set<CheckedImages*> raw;
  for (const auto& set : sets.all()) {
    const auto is_raw = [](const auto& image) { return !image.second.kind || image.second.kind->is_raw(); };
    if (set->is_set || set->images.empty() || !std::ranges::all_of(set->images, is_raw)) continue;
    const auto& [name, image] = *set->images.begin();
    if (image.is_damaged || !image.kind) continue;
    Error error{Reason::raw_image, set->place + name};
    error.name = image.kind->about;
    fail(std::move(error));
    raw.insert(set.get());
  }
  (void)sets.take_out(raw);
}

void CheckReader::Work::join_sets(const KnownInputs& known) {
  std::vector<Directory::Identity> above = join_parents_among(sets);
  above.insert(above.end(), known.parents.begin(), known.parents.end());
  for (const auto& set : sets.all()) {
    const auto own = set->page_directory() ? set->page_directory()->identity() : std::nullopt;
    if (own && std::ranges::find(above, *own) != above.end()) set->is_parent = true;
  }
  std::set<std::string> with_tree;  // inputs
  for (const auto& set : sets.all())
    if (set->has_tasks()) with_tree.insert(set->id.checkpoint);
  for (const auto& set : sets.all())
    set->has_tree_beside =
        with_tree.contains(set->id.checkpoint) || (known.lack_pages && set->checkpoint.kind() == SetKind::pages);
}

// The set with pagemaps, if it is the only one.
CheckedImages* CheckReader::Work::parent_in(Parent& parent) {
  (void)join_parents_among(parent.sets);
  std::vector<CheckedImages*> found;
  for (const auto& set : parent.sets.all())
    if (!set->memories.empty() && !set->is_parent) found.push_back(set.get());
  if (found.size() == 1) return found.front();
  if (!found.empty() || !parent.has_failed) fail(no_single_parent(parent.input, found.size()));
  return nullptr;
}

// The parents that were given stand above the only set with pagemaps. What they lack of it is a finding of that set,
// which is returned; null: there is none.
CheckedImages* CheckReader::Work::join_parents() {
  if (parents.empty()) return nullptr;
  std::vector<CheckedImages*> children;
  for (const auto& set : sets.all())
    if (!set->memories.empty() && !set->is_parent) children.push_back(set.get());
  if (children.empty() && !errors.empty()) return nullptr;
  if (children.size() != 1) {
    Error error{Reason::usage};
    error.name = "parents go with one checkpoint, and the inputs have " + std::to_string(children.size());
    fail(std::move(error));
    return nullptr;
  }
  CheckedImages* below = children.front();
  std::vector<std::string> inputs;
  for (Parent& parent : parents) {
    CheckedImages* const above = parent_in(parent);
    if (!above) return children.front();
    below->give_parent(*above);
    below = above;
    inputs.push_back(parent.input);
  }
  children.front()->learn_page_size();
  std::vector<MemoryId> memories;
  for (const auto& [id, memory] : children.front()->memories) memories.push_back(id);
  check_parents(*children.front(), memories, children.front()->page_size(), inputs, [this](const Error& error) {
    if (error.reason == Reason::usage) fail(error);
  });
  return children.front();
}

CheckReader::CheckReader(RestorePlan plan, const Limits& limits)
    : Decoding{limits, KindFrom::bytes}, work_{std::make_unique<Work>(std::move(plan))} {}
CheckReader::~CheckReader() = default;

void CheckReader::begin_parent(const std::string& input) { work_->parents.push_back({input}); }

bool CheckReader::wants(const Member& member) {
  if (!member.in_set) return true;
  const std::string& name = member.name;
  if (name == "parent") return true;
  if (work_->parents.empty() && EngineFiles::knows(name)) return true;
  const bool is_of_parent = memory_of_name(name) || is_pages_name(name) || name == inventory;
  return is_image_name(name) && (work_->parents.empty() || is_of_parent);
}

std::unique_ptr<Sink> CheckReader::sink_for(const Member& member) {
  if (!wants(member)) return nullptr;
  if (!work_->parents.empty() && !member.is_image) return parent_link_sink(work_->now(), member);
  if (!member.is_image && member.name != "parent")
    return EngineFiles::knows(member.name) ? work_->beside.sink_for(member) : nullptr;
  CheckedImages& set = work_->now().of(member, [this] { return work_->make(); });
  if (!member.is_image) {
    set.has_link = true;
    return parent_link_sink(work_->sets, member);
  }
  if (set.directory.empty()) set.directory = member.directory;
  set.is_set |= member.in_set;
  set.checkpoint.note(member.name);
  const auto report = [this, place = member.place, id = member.set](Error error) {
    error.image = place;
    error.set = id;
    this->report(error);
  };
  const auto make = [&set, name = member.name, report] {
    return make_image_check(set, name, set.checkpoint.wants(name) ? set.checkpoint.sink_for(name) : nullptr, report);
  };
  return pages_id_of_name(member.name) ? set.to_try(member, work_->room_to_try, make) : make();
}

void CheckReader::report(const Error& error) {
  const bool no_input = error.reason == Reason::no_set || error.reason == Reason::no_images;
  const bool is_parent = !work_->parents.empty();
  if (is_parent && error.member == inventory) return;  // which a restore does not read
  if (is_parent) work_->parents.back().has_failed = true;
  if (no_input || fault_of(error.reason) != Fault::data) work_->fail(error);
  else keep_error(is_parent ? work_->damages_of_parents : work_->damages, error, work_->room_for_damages);
}

std::span<const Error> CheckReader::errors() const { return work_->errors; }
std::vector<std::string> CheckReader::unused_keys() const { return work_->keys.unused(); }

std::vector<CheckedSet> CheckReader::finish(const KnownInputs& known) {
  work_->leave_out_asides();
  work_->refuse_raw();
  CutInputs cut;
  for (const Error& damage : work_->damages) cut.note(damage);
  for (const auto& set : work_->sets.all()) {
    set->is_cut = cut.may_lack(set->id, !set->directory.empty());
    set->has_circle = work_->sets.is_in_circle(set->id);
    set->beside = work_->beside.of(set->id);
    set->finish();
  }
  work_->join_sets(known);
  for (const auto& set : work_->sets.all()) set->learn_page_size();
  const CheckedImages* const child = work_->join_parents();
  std::map<const CheckedImages*, std::vector<const Error*>> damages;
  for (const Error& damage : work_->damages) damages[&work_->home_of(damage)].push_back(&damage);
  std::vector<CheckedSet> checked;
  const std::vector<std::string> texts = set_texts(ids_of(work_->sets.all()));
  for (std::size_t i = 0; i < work_->sets.size(); ++i) {
    CheckedImages& images = *work_->sets.all()[i];
    Findings findings{images};
    for (const Error* const damage : damages[&images]) findings.damage(*damage);
    if (&images == child)
      for (const Error& damage : work_->damages_of_parents) findings.damage(damage, true);
    findings.contradictions();
    findings.blocks();
    findings.pages();
    findings.fields();
    findings.rules();
    work_->keys.look_at(images);
    checked.push_back(findings.finish());
    checked.back().text = texts[i];
    for (const Error& error : work_->errors)
      checked.back().nr_unread += error.set && (*error.set == images.id ||
                                                (error.set->is_input && error.set->checkpoint == images.id.checkpoint));
    images.close_directory();
  }
  return checked;
}

}  // namespace critpipe
