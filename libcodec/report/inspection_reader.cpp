// One pass over an input: images to the model, configuration to the container, sizes of all, and a few bytes of pages.
#include <algorithm>
#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path_names.hpp"
#include "memory/page_size_of_chain.hpp"
#include "model/model.hpp"
#include "pages/held_pages.hpp"
#include "report/files_above.hpp"
#include "report/inspection_work.hpp"
#include "set/sets_of.hpp"

namespace critpipe {

namespace {

// Other files may be empty.
bool is_wanted_whole(std::string_view name) { return name == "config.dump" || name == "spec.dump"; }

}  // namespace

struct InspectionReader::Work final : Receiver {
  Work(std::vector<std::string> named, InspectOptions with)
      : inputs{std::move(named)}, options{std::move(with)}, checkpoints{needs_of(options), options.limits} {}

  Step begin(const Member& member) override;
  bool needs_bytes(const Member& member) override;
  Step bytes(const Member& member, Bytes bytes) override;
  Step end(const Member& member) override;
  bool has_enough(const Member& member) override;
  void fail(const Member* member, const Error& error) override;

  // What becomes of a member that is open.
  struct Open {
    enum class Use : std::uint8_t { size, image, text, pages } use = Use::size;
    std::string text = {};
    std::size_t most = 0;                    // bytes of the text
    HeldPages* pages = nullptr;              // null: nothing of them is kept
    std::unique_ptr<Sink> to_try = nullptr;  // null: their page size is not asked for, or they can be read again
  };

  // The inputs, or a parent that was given.
  struct Source {
    std::vector<std::string> inputs;
    std::shared_ptr<const InputFile> file = {};  // of one archive, for images that are read by position
    std::uint64_t file_bytes = 0;                // of all its files
    bool is_pipe = false;
    bool has_failed = false;
  };

  void look_at(const std::string& input, Source& source);
  void read_all();
  InspectedSet& set_of(const Member& member);
  Open opened(const Member& member);
  HeldPages* capture(const Member& member, std::uint64_t pages_id);
  bool want_texts(const Member& member, std::uint64_t pages_id, HeldPages& held);
  void add_text(const SetId& id, const std::string& place, std::string_view name, std::string_view text);
  void look_above(const SetId& id, const std::string& directory);
  void join_sets();
  InspectedSet* join_given_parents(std::span<InspectedSet* const> own);
  InspectedSet* parent_in(std::size_t source);
  std::vector<Inspection> finish();
  void say_why_empty(Inspection& inspection);
  Inspection inspect(SetCheckpoint& found);
  void take_what_stands_above(Inspection& inspection);

  std::vector<std::string> inputs;
  InspectOptions options;
  CheckpointReader checkpoints;
  ContainerFiles containers;
  std::vector<Source> sources;  // the first is that of the inputs
  std::size_t nr_read = 0;      // of them
  SetsOf<InspectedSet> sets;
  std::size_t nr_with_images = 0, nr_joined = 0;  // of the sets: in all, and when they were joined
  std::map<std::uint64_t, Open> open;
  std::set<std::pair<SetId, std::string>> texts_read;  // of directories, with their paths
  std::vector<Error> errors;
  std::uint64_t room_for_tails = all_tails_bytes;
  std::uint64_t room_for_texts = kept_text_bytes;
  RoomToTry room_to_try{};
  bool has_image = false;
};

InspectedSet& InspectionReader::Work::set_of(const Member& member) {
  InspectedSet& set = sets.of(member, [this] {
    auto made = std::make_unique<InspectedSet>();
    made->source = nr_read;
    made->input = sources[nr_read].file;
    return made;
  });
  // Configuration and statistics may stand one directory above the images.
  if (member.directory.empty() || !set.directory.empty() || !member.name.ends_with(".img")) return set;
  set.place = member.set_place;
  set.directory = member.directory;
  return set;
}

// Who is whose parent, as far as their members have come.
void InspectionReader::Work::join_sets() {
  if (std::exchange(nr_joined, nr_with_images) == nr_with_images) return;
  const std::vector<InspectedSet*> parents = sets.parents();
  for (std::size_t i = 0; i < parents.size(); ++i) {
    if (!parents[i] || !sets.all()[i]->has_images) continue;
    sets.all()[i]->give_parent(*parents[i]);
    parents[i]->child = sets.all()[i].get();
  }
}

// Where command lines are in a pages image, if its pagemap and the address space have come. Those of a pre-dump are
// those of the dump beside it.
bool InspectionReader::Work::want_texts(const Member& member, std::uint64_t pages_id, HeldPages& held) {
  const Checkpoint* checkpoint = checkpoints.begun(*member.set);
  if (!checkpoint) return false;
  const Model& model = model_of(*checkpoint);
  InspectedSet& set = set_of(member);
  auto& pids = set.pid_of_pages;
  if (!pids.contains(pages_id))
    for (const auto& [pid, task] : model.collected)
      if (task.has_pagemap) pids.try_emplace(task.pages_id, pid);
  const auto known = pids.find(pages_id);
  if (known == pids.end()) return false;
  join_sets();
  const AddressSpace* space = nullptr;
  for (const InspectedSet* at = &set; at && !space; at = at->child)
    if (const Checkpoint* const filled = checkpoints.begun(at->id)) space = space_of(*filled, known->second);
  if (!space) return false;
  const Task& task = model.collected.at(known->second);
  const std::uint64_t page_size = space->page_size ? space->page_size : smallest_page;
  for (const TextPlace text : {arguments_place(*space, longest_text), environment_place(*space, longest_text)})
    (void)held.want(task.pagemap, task.page_layout.get(), page_size, text.begin, text.end);
  return true;
}

HeldPages* InspectionReader::Work::capture(const Member& member, std::uint64_t pages_id) {
  InspectedSet& set = set_of(member);
  if (!set.directory.empty() || !member.in_set) return nullptr;
  PagesImage::Part& part = set.images[pages_id] = {};
  if (member.at != Member::unknown && set.input) {
    const std::uint64_t begin = options.source.stdin_offset;
    part = {.file = set.input, .begin = member.at, .size = member.size};
    if (sources[nr_read].inputs.front() == "-" && begin != Member::unknown) part.begin += begin;
    return nullptr;
  }
  auto held = std::make_shared<HeldPages>(room_for_texts);
  if (options.overview || !want_texts(member, pages_id, *held)) {
    held = std::make_shared<HeldPages>(room_for_tails);
    if (!options.overview) held->want_end(kept_tail_bytes);
  }
  part.held = held;
  return held.get();
}

InspectionReader::Work::Open InspectionReader::Work::opened(const Member& member) {
  using Use = Open::Use;
  if (const auto pages_id = pages_id_of_name(member.name)) {
    set_of(member).note_pages(*pages_id, member.size);
    (void)checkpoints.wants(member);  // so that it knows of them
    HeldPages* const pages = capture(member, *pages_id);
    return {.use = Use::pages, .pages = pages, .to_try = set_of(member).sink_to_try(member, room_to_try)};
  }
  if (member.is_image) return {.use = checkpoints.wants(member) ? Use::image : Use::size};
  const bool is_blob = is_container_blob(member.name) && (member.size <= max_container_file_bytes);
  if (!is_container_file(member.name) && !is_blob) return {};
  return {.use = Use::text, .most = member.name == "dump.log" ? max_log_head_bytes : max_container_file_bytes};
}

Step InspectionReader::Work::begin(const Member& member) {
  InspectedSet& set = set_of(member);
  has_image |= member.is_image;
  const bool had_images = set.has_images;
  set.note(member);
  nr_with_images += set.has_images && !had_images;
  if (member.size != Member::unknown) set.count(member, member.size);
  const Open& now = open.insert_or_assign(member.id, opened(member)).first->second;
  if (now.use != Open::Use::image) return Step::go;
  return checkpoints.begin(member);
}

bool InspectionReader::Work::needs_bytes(const Member& member) {
  const Open& now = open[member.id];
  switch (now.use) {
    case Open::Use::image: return checkpoints.needs_bytes(member);
    case Open::Use::text: return true;
    case Open::Use::pages:
      return (now.pages && !now.pages->has_enough()) ||
             (now.to_try && now.to_try->pass_over(member.size) == Step::stop);
    case Open::Use::size: break;
  }
  return false;
}

Step InspectionReader::Work::bytes(const Member& member, Bytes bytes) {
  Open& now = open[member.id];
  if (member.size == Member::unknown) set_of(member).count(member, bytes.size());
  if (now.use == Open::Use::image) return checkpoints.bytes(member, bytes);
  if (now.use == Open::Use::pages && now.pages) now.pages->take(bytes);
  if (now.to_try) (void)now.to_try->raw(bytes);
  if (now.use == Open::Use::text) {
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    now.text += text.substr(0, now.most - std::min(now.most, now.text.size()));
  }
  return Step::go;
}

bool InspectionReader::Work::has_enough(const Member& member) {
  const Open& now = open[member.id];
  switch (now.use) {
    case Open::Use::image: return checkpoints.has_enough(member);
    case Open::Use::text: return now.text.size() >= now.most;
    case Open::Use::pages: return (!now.pages || now.pages->has_enough()) && (!now.to_try || now.to_try->has_enough());
    case Open::Use::size: break;
  }
  return member.size != Member::unknown;
}

void InspectionReader::Work::add_text(const SetId& id, const std::string& place, std::string_view name,
                                      std::string_view text) {
  // What stands above a directory may lie in the input, too.
  std::error_code none;
  if (const auto path = std::filesystem::canonical(place, none); !none && !texts_read.emplace(id, path).second) return;
  if (Error error = containers.add(id, name, text)) {
    error.image = place;
    error.set = std::make_shared<const SetId>(id);
    errors.push_back(std::move(error));
  }
}

Step InspectionReader::Work::end(const Member& member) {
  const auto found = open.find(member.id);
  if (found == open.end()) return Step::go;
  const Open now = std::move(found->second);
  open.erase(found);
  if (now.use == Open::Use::image) return checkpoints.end(member);
  if (now.to_try) (void)now.to_try->end();
  if (now.use != Open::Use::text) return Step::go;
  if (now.text.size() == max_container_file_bytes) {
    Error error{Reason::limit_size, member.place};
    error.want = max_container_file_bytes;
    errors.push_back(std::move(error));
  } else if (!now.text.empty() || is_wanted_whole(member.name)) {
    add_text(*member.set, member.place, member.name, now.text);
  }
  return Step::go;
}

void InspectionReader::Work::fail(const Member* member, const Error& error) {
  const auto found = member ? open.find(member->id) : open.end();
  const bool is_image = !member || member->is_image;
  if (found != open.end()) {
    if (found->second.to_try) found->second.to_try->fail(error);
    open.erase(found);
  }
  sources[nr_read].has_failed = true;
  if (is_image) checkpoints.fail(member, error);
  else errors.push_back(error);
}

void InspectionReader::Work::look_above(const SetId& id, const std::string& directory) {
  each_file_above(directory, [&](const InputFile& file, std::string_view name, std::string_view text) {
    add_text(id, file.place(), name, text);
  });
}

// The set of a given parent that has pages, if it is the only one.
InspectedSet* InspectionReader::Work::parent_in(std::size_t source) {
  std::vector<InspectedSet*> found;
  for (const auto& set : sets.all()) {
    if (set->source != source || set->child || !set->checkpoint) continue;
    if (std::ranges::any_of(set->checkpoint->tasks(), &Task::has_pagemap)) found.push_back(set.get());
  }
  if (found.size() == 1) return found.front();
  if (found.empty() && sources[source].has_failed) return nullptr;
  errors.push_back(no_single_parent(sources[source].inputs.front(), found.size()));
  return nullptr;
}

// The parents that were given stand above the only checkpoint, the nearest first. Null: they do not.
InspectedSet* InspectionReader::Work::join_given_parents(std::span<InspectedSet* const> own) {
  std::vector<InspectedSet*> children;
  for (InspectedSet* const set : own)
    if (!set->child) children.push_back(set);
  if (children.size() != 1) {
    Error error{Reason::usage, inputs.front()};
    error.name = "parents go with one checkpoint, and the input has " + std::to_string(children.size());
    errors.push_back(std::move(error));
    return nullptr;
  }
  InspectedSet* below = children.front();
  for (std::size_t source = 1; source < sources.size(); ++source) {
    InspectedSet* const parent = parent_in(source);
    if (!parent) return nullptr;
    below->give_parent(*parent);
    below = parent;
  }
  return children.front();
}

Inspection InspectionReader::Work::inspect(SetCheckpoint& found) {
  InspectedSet* known = sets.find(found.id);
  InspectedSet& set = known ? *known : sets.add(found.id, std::make_unique<InspectedSet>());
  Inspection inspection;
  inspection.id = found.id;
  inspection.checkpoint = std::make_shared<Checkpoint>(std::move(found.checkpoint));
  set.checkpoint = inspection.checkpoint.get();
  inspection.is_directory = !set.directory.empty();
  if (inspection.is_directory) look_above(found.id, set.directory);
  inspection.container = containers.of(found.id);
  inspection.sizes = set.all_sizes();
  if (!inspection.is_directory && known) inspection.sizes.input = sources[set.source].file_bytes;
  inspect_processes(inspection);
  inspection.sizes.is_of_pipe = options.overview && sources[set.source].is_pipe;
  if (options.overview && !inspection.checkpoint->pages_only().empty()) inspection.nr_processes = set.nr_pagemaps;
  // That there are only pages is an answer, too.
  for (const Error& error : inspection.checkpoint->errors())
    if (error.reason != Reason::no_tree) inspection.errors.push_back(error);
  if (options.overview) return inspection;
  inspect_statistics(inspection, *inspection.checkpoint);
  inspect_memory(inspection);
  inspect_files(inspection);
  inspect_sockets(inspection);
  inspect_mounts(inspection);
  inspect_namespaces(inspection);
  inspect_missing(inspection, set);
  return inspection;
}

// Engines put statistics and files beside the directory of a pre-dump, where no images are.
void InspectionReader::Work::take_what_stands_above(Inspection& inspection) {
  const Generation generation = generation_of(inspection.id.set);
  const InspectedSet* const above =
      generation.number > 0 ? sets.find({inspection.id.checkpoint, std::string{generation.base}}) : nullptr;
  if (!above || above->has_images) return;
  add_files(inspection.sizes, above->sizes);
  if (above->checkpoint && !inspection.statistics) inspect_statistics(inspection, *above->checkpoint);
}

// Who asks for images alone is told what is there instead.
void InspectionReader::Work::say_why_empty(Inspection& inspection) {
  std::vector<Error> why;
  SourceOptions plain = options.source;
  plain.all_members = plain.any_file = false;
  if (std::ranges::all_of(inputs, [&](const std::string& input) { return can_read_again(input, plain); })) {
    CheckpointReader reader{Needs{}, options.limits};
    (void)read_inputs(inputs, reader, plain);
    for (SetCheckpoint& found : reader.finish(inputs.front()))
      for (const Error& error : found.checkpoint.errors()) why.push_back(error);
  }
  if (why.empty()) why.push_back({.reason = Reason::no_images, .image = inputs.front(), .name = "input"});
  inspection.errors = std::move(why);
}

// What is wrong with it, who reads it says.
void InspectionReader::Work::look_at(const std::string& input, Source& source) {
  struct stat status = {};
  Error none;
  InputFile file;
  if (input == "-") file = InputFile{dup(STDIN_FILENO), input};
  else if (stat(input.c_str(), &status) == 0 && S_ISREG(status.st_mode)) file = InputFile::at(input, none);
  const bool has_size = file.is_open() && file.size() != InputFile::unknown;
  source.is_pipe |= file.is_open() ? !has_size : !S_ISDIR(status.st_mode);
  if (has_size) source.file_bytes += file.size();
  if (file.is_open() && source.inputs.size() == 1) source.file = std::make_shared<const InputFile>(std::move(file));
}

void InspectionReader::Work::read_all() {
  std::vector<std::string> all = inputs;
  all.insert(all.end(), options.parents.begin(), options.parents.end());
  const std::vector<InputName> names = name_inputs(all);
  sources.push_back({inputs});
  for (const std::string& parent : options.parents) sources.push_back({{parent}});
  SourceOptions source = options.source;
  auto name = names.begin();
  for (; nr_read < sources.size(); ++nr_read) {
    Source& now = sources[nr_read];
    for (const std::string& input : now.inputs) look_at(input, now);
    const auto end = name + static_cast<std::ptrdiff_t>(now.inputs.size());
    if (nr_read > 0 || source.names.empty()) source.names.assign(name, end);
    name = end;
    (void)read_inputs(now.inputs, *this, source);
    source.set.reset();  // the one that is asked for is in the inputs
  }
}

std::vector<Inspection> InspectionReader::Work::finish() {
  std::vector<SetCheckpoint>& found = checkpoints.finish(inputs.front());
  const bool is_empty = !has_image && found.size() == 1 && found.front().checkpoint.tasks().empty();
  join_sets();
  const std::vector<const SetCheckpoint*> best = checkpoints_among(found);
  // Of a parent that was given only its pages count.
  const auto is_shown = [&](const SetCheckpoint& each) {
    const InspectedSet* const set = sets.find(each.id);
    return !(set && set->source > 0) && std::ranges::binary_search(best, &each);
  };
  std::vector<InspectedSet*> own;
  for (SetCheckpoint& each : found) {
    InspectedSet* const set = sets.find(each.id);
    if (set) set->checkpoint = &each.checkpoint;
    if (set && is_shown(each)) own.push_back(set);
  }
  InspectedSet* const child = options.parents.empty() || own.empty() ? nullptr : join_given_parents(own);
  for (SetCheckpoint& each : found)
    if (InspectedSet* const set = sets.find(each.id)) learn_page_size(each.checkpoint, *set, set->memories());
  if (child)
    check_parents(*child, child->memories(), child->checkpoint->page_size(), options.parents,
                  [this](const Error& error) { errors.push_back(error); });
  std::vector<Inspection> shown, parents;
  for (SetCheckpoint& each : found) (is_shown(each) ? shown : parents).push_back(inspect(each));
  if (shown.empty()) {
    SetCheckpoint nothing{{inputs.front(), {}}, {}, Checkpoint{needs_of(options)}};
    shown.push_back(inspect(nothing));
  }
  std::vector<SetId> ids;
  for (Inspection& inspection : shown) {
    ids.push_back(inspection.id);
    InspectedSet& set = *sets.find(inspection.id);
    if (!set.child) take_what_stands_above(inspection);
    if (options.overview) continue;
    for (PageStore* at = set.parent(); at; at = at->parent()) ++inspection.nr_parents;
    read_texts(inspection, set);
    inspect_attention(inspection);
  }
  const std::vector<std::string> texts = set_texts(ids);
  for (std::size_t i = 0; i < shown.size(); ++i) shown[i].text_id = texts[i];
  if (is_empty) say_why_empty(shown.front());
  for (Error& error : errors) shown.front().errors.push_back(std::move(error));
  for (Inspection& parent : parents) {
    const bool is_given = sets.find(parent.id)->source > 0;
    if (is_given)
      std::erase_if(parent.errors, [](const Error& error) { return error.reason == Reason::missing_image; });
    if (is_given || parent.checkpoint->kind() == SetKind::aside)
      std::ranges::move(parent.errors, std::back_inserter(shown.front().errors));
  }
  return shown;
}

InspectionReader::InspectionReader(std::vector<std::string> inputs, InspectOptions options)
    : work_{std::make_unique<Work>(std::move(inputs), std::move(options))} {
  work_->options.source.all_members = work_->options.source.any_file = true;
}
InspectionReader::~InspectionReader() = default;

std::vector<Inspection> InspectionReader::read() {
  work_->read_all();
  return work_->finish();
}

}  // namespace critpipe
