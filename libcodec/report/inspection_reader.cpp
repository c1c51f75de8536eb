// One pass over an input: images to the model, configuration to the container, sizes of all, and a few bytes of pages.
#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

#include "base/path_names.hpp"
#include "report/inspection_work.hpp"
#include "source/nested_place.hpp"

namespace critpipe {

namespace {

Needs needs_of(const InspectOptions& options) {
  if (options.overview) return {.kinds = {"INVENTORY"}};
  return {.ids = true,
          .threads = true,
          .descriptors = true,
          .mappings = true,
          .pagemaps = true,
          .credentials = true,
          .queues = true,
          .kinds = {"STATS", "UTSNS", "INVENTORY", "MNTS", "SHMEM_PAGEMAP", "SECCOMP"}};
}

// A file of a container image and not of the checkpoint in it. What a layer holds counts, and not the layer.
bool is_of_container_image(const Member& member) {
  constexpr std::string_view names[] = {"oci-layout", "index.json", "manifest.json", "repositories",
                                        "version",    "VERSION",    "json"};
  const std::string_view name = member.name;
  if (member.is_image) return false;
  const bool is_config = name.ends_with(".json") && is_container_blob(name.substr(0, name.size() - 5));
  return is_config || is_layer_name(member.path) || std::ranges::find(names, name) != std::end(names);
}

void count_size(InspectedSizes& sizes, const Member& member, std::uint64_t size) {
  const std::string_view name = member.name;
  if (is_of_container_image(member)) return;
  sizes.total += size;
  if (member.is_image) sizes.images += size;
  const std::string& place = member.set_place;
  if (member.is_image ? !name.starts_with("stats-") || !place.ends_with(':') : place.ends_with("checkpoint/"))
    sizes.directory += size;
  if (is_pages_name(name)) sizes.pages += size;
  else if (name.starts_with("amdgpu-pages-")) sizes.gpu += size;
  else if (name == "rootfs-diff.tar") sizes.root_difference += size;
  else if (name == "devshm-checkpoint.tar") sizes.shared_files += size;
  else if (member.path.find("volumes/") != std::string::npos && name.ends_with(".tar")) sizes.volumes += size;
}

}  // namespace

struct InspectionReader::Work final : Receiver {
  Work(std::string named, InspectOptions with)
      : input{std::move(named)}, options{std::move(with)}, checkpoints{needs_of(options), options.limits} {}

  bool wants(std::string_view) override { return true; }
  bool wants_alone(std::string_view) override { return true; }
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
    std::size_t most = 0;  // bytes of the text
    CapturedImage* pages = nullptr;
  };

  SetFacts& facts_of(const Member& member);
  Open opened(const Member& member);
  CapturedImage* capture(const Member& member, std::uint64_t pages_id);
  bool want_texts(const Member& member, std::uint64_t pages_id, CapturedImage& image);
  const AddressSpace* space_of(const SetId& id, std::uint32_t pid) const;
  const AddressSpace* space_of_child(const SetId& set, std::uint32_t pid) const;
  void want_place(const Task& task, const AddressSpace& space, TextPlace place, CapturedImage& image);
  const Checkpoint* checkpoint_of(const SetId& id);
  void add_text(const SetId& id, const std::string& place, std::string_view name, std::string_view text);
  void look_above(const SetId& id, const std::string& directory);
  std::vector<Inspection> finish();
  void join_parents();
  void say_why_empty(Inspection& inspection);
  Inspection inspect(SetCheckpoint& found, InputFile& file);

  std::string input;
  InspectOptions options;
  CheckpointReader checkpoints;
  ContainerFiles containers;
  std::map<SetId, SetFacts> sets;
  std::map<std::uint64_t, Open> open;
  std::vector<Error> errors;
  std::uint64_t room_for_tails = all_tails_bytes;
  std::uint64_t room_for_texts = kept_text_bytes;
  bool has_image = false;
};

SetFacts& InspectionReader::Work::facts_of(const Member& member) {
  SetFacts& facts = sets[*member.set];
  // Configuration and statistics may stand one directory above the images.
  if (member.directory.empty() || !facts.directory.empty() || !member.name.ends_with(".img")) return facts;
  facts.directory = member.set_place;
  if (facts.directory.ends_with('/')) facts.directory.pop_back();
  return facts;
}

const AddressSpace* InspectionReader::Work::space_of(const SetId& id, std::uint32_t pid) const {
  const Checkpoint* checkpoint = checkpoints.begun(id);
  if (!checkpoint) return nullptr;
  const auto& collected = model_of(*checkpoint).collected;
  const auto task = collected.find(pid);
  return task == collected.end() || !task->second.has_memory ? nullptr : &task->second.memory;
}

// Where command lines are in a pages image, if its pagemap and the address space have come. Those of a pre-dump are
// those of the dump beside it.
bool InspectionReader::Work::want_texts(const Member& member, std::uint64_t pages_id, CapturedImage& image) {
  const Checkpoint* checkpoint = checkpoints.begun(*member.set);
  if (!checkpoint) return false;
  const Model& model = model_of(*checkpoint);
  auto& pids = sets[*member.set].pid_of_pages;
  if (!pids.contains(pages_id))
    for (const auto& [pid, task] : model.collected)
      if (task.has_pagemap) pids.try_emplace(task.pages_id, pid);
  const auto known = pids.find(pages_id);
  if (known == pids.end()) return false;
  const AddressSpace* space = space_of(*member.set, known->second);
  if (!space) space = space_of_child(*member.set, known->second);
  if (!space) return false;
  for (const TextPlace place : {arguments_place(*space), environment_place(*space)})
    want_place(model.collected.at(known->second), *space, place, image);
  return true;
}

const AddressSpace* InspectionReader::Work::space_of_child(const SetId& set, std::uint32_t pid) const {
  const Generation generation = generation_of(set.set);
  if (generation.number == 0) return nullptr;
  for (const auto& [id, facts] : sets)
    if (const Generation other = generation_of(id.set);
        other.base == generation.base && other.number < generation.number)
      if (const AddressSpace* space = space_of(id, pid)) return space;
  return nullptr;
}

// A pagemap may claim the same addresses again and again.
void InspectionReader::Work::want_place(const Task& task, const AddressSpace& space, TextPlace place,
                                        CapturedImage& image) {
  const std::uint64_t page_size = space.page_size ? space.page_size : smallest_page;
  std::uint64_t left = place.end - place.begin, page = 0;
  Error error;
  const auto pages = task.page_layout ? task.page_layout->placed(page_size, error) : nullptr;
  if (task.page_layout && !pages) return;
  const auto want = [&](const StoredPages::Block& block, std::uint64_t) {
    if (block.size > room_for_texts) return false;
    room_for_texts -= block.size;
    image.want(block.offset, block.offset + block.size);
    return true;
  };
  for (const PageRun& run : task.pagemap) {
    const std::uint64_t begin = std::max(run.vaddr, place.begin), end = std::min(run.end(page_size), place.end);
    if (run.is_present() && begin < end && end - begin <= left && page <= max_pages) {
      const PlacedBytes bytes = PlacedBytes::of(page, run.vaddr, page_size, begin, end);
      if (!visit_blocks(pages.get(), page_size, bytes.position, bytes.end(), want)) return;
      left -= end - begin;
    }
    if (run.is_present()) page += run.nr_pages;
  }
}

CapturedImage* InspectionReader::Work::capture(const Member& member, std::uint64_t pages_id) {
  SetFacts& facts = facts_of(member);
  if (!facts.directory.empty() || options.overview || !member.in_set) return nullptr;
  if (!facts.pages) facts.pages = std::make_unique<CapturedSet>();
  CapturedImage& image = facts.pages->images[pages_id];
  const std::uint64_t begin = options.source.stdin_offset;
  image.at = member.at;
  if (input == "-" && image.at != Member::unknown && begin != Member::unknown) image.at += begin;
  if (image.at == Member::unknown && !want_texts(member, pages_id, image)) image.want_tail();
  return &image;
}

InspectionReader::Work::Open InspectionReader::Work::opened(const Member& member) {
  using Use = Open::Use;
  if (const auto pages_id = pages_id_of_name(member.name))
    return {.use = Use::pages, .pages = capture(member, *pages_id)};
  if (member.is_image) return {.use = !member.in_set || checkpoints.wants(member.path) ? Use::image : Use::size};
  const bool is_blob = is_container_blob(member.name) && (member.size <= max_container_file_bytes);
  if (!is_container_file(member.name) && !is_blob) return {};
  return {.use = Use::text, .most = member.name == "dump.log" ? max_log_head_bytes : max_container_file_bytes};
}

Step InspectionReader::Work::begin(const Member& member) {
  SetFacts& facts = facts_of(member);
  has_image |= member.is_image;
  if (member.size != Member::unknown) count_size(facts.sizes, member, member.size);
  const Open& now = open.insert_or_assign(member.id, opened(member)).first->second;
  return now.use == Open::Use::image ? checkpoints.begin(member) : Step::go;
}

bool InspectionReader::Work::needs_bytes(const Member& member) {
  const Open& now = open[member.id];
  switch (now.use) {
    case Open::Use::image: return checkpoints.needs_bytes(member);
    case Open::Use::text: return true;
    case Open::Use::pages: return now.pages && now.pages->at == Member::unknown && !now.pages->has_enough();
    case Open::Use::size: break;
  }
  return false;
}

Step InspectionReader::Work::bytes(const Member& member, Bytes bytes) {
  Open& now = open[member.id];
  if (member.size == Member::unknown) count_size(facts_of(member).sizes, member, bytes.size());
  if (now.use == Open::Use::image) return checkpoints.bytes(member, bytes);
  if (now.use == Open::Use::pages && now.pages) now.pages->take(bytes, room_for_tails);
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
    case Open::Use::pages: return !now.pages || now.pages->has_enough();
    case Open::Use::size: break;
  }
  return member.size != Member::unknown;
}

void InspectionReader::Work::add_text(const SetId& id, const std::string& place, std::string_view name,
                                      std::string_view text) {
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
  if (now.use != Open::Use::text) return Step::go;
  if (now.text.size() == max_container_file_bytes) {
    Error error{Reason::limit_size, member.place};
    error.want = max_container_file_bytes;
    errors.push_back(std::move(error));
  } else if (!now.text.empty()) {
    add_text(*member.set, member.place, member.name, now.text);
  }
  return Step::go;
}

void InspectionReader::Work::fail(const Member* member, const Error& error) {
  const auto found = member ? open.find(member->id) : open.end();
  const bool is_image = !member || member->is_image;
  if (found != open.end()) open.erase(found);
  if (is_image) checkpoints.fail(member, error);
  else errors.push_back(error);
}

// Docker's configuration is two directories above the images, and that of a bundle one.
void InspectionReader::Work::look_above(const SetId& id, const std::string& directory) {
  std::error_code none;
  const std::filesystem::path path = std::filesystem::canonical(directory, none);
  if (none) return;
  const auto read = [&](const std::filesystem::path& above, const char* name) {
    Error error;
    const Directory opened{above.string(), error};
    const InputFile file = error ? InputFile{} : opened.open(name, error);
    if (error || !file.is_open() || file.size() > max_container_file_bytes) return;
    std::string text(static_cast<std::size_t>(file.size()), '\0');
    text.resize(file.pread(std::as_writable_bytes(std::span{text}), 0, error));
    if (std::string_view{name} == "config.json" && text.find("\"ociVersion\"") == std::string::npos) return;
    if (!error) add_text(id, file.place(), name, text);
  };
  const auto above = path.filename() == "checkpoint" ? path.parent_path() : path;
  if (above != path)
    for (const char* name : {"spec.dump", "config.dump", "status.dump", "network.status"}) read(above, name);
  if (above.parent_path().filename() == "checkpoints") {
    read(above.parent_path().parent_path(), "config.v2.json");
    read(above.parent_path().parent_path(), "hostconfig.json");
  } else {
    read(above.parent_path(), "config.json");
  }
}

void InspectionReader::Work::join_parents() {
  std::vector<SetId> ids;
  std::vector<SetFacts*> facts;
  for (auto& [id, set] : sets) {
    ids.push_back(id);
    facts.push_back(&set);
  }
  const std::vector<std::size_t> parents = parents_among(ids);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (parents[i] < ids.size() && facts[i]->pages && facts[parents[i]]->pages)
      facts[i]->pages->give_parent(*facts[parents[i]]->pages);
}

Inspection InspectionReader::Work::inspect(SetCheckpoint& found, InputFile& file) {
  SetFacts& facts = sets[found.id];
  Inspection inspection;
  inspection.id = found.id;
  inspection.checkpoint = std::make_shared<Checkpoint>(std::move(found.checkpoint));
  inspection.is_directory = !facts.directory.empty();
  if (inspection.is_directory) look_above(found.id, facts.directory);
  inspection.container = containers.of(found.id);
  inspection.sizes = facts.sizes;
  if (!inspection.is_directory && file.is_open()) inspection.sizes.input = file.size();
  inspect_processes(inspection);
  // That there are only pages is an answer, too.
  for (const Error& error : inspection.checkpoint->errors())
    if (error.reason != Reason::no_tree) inspection.errors.push_back(error);
  if (options.overview) return inspection;
  inspect_statistics(inspection);
  inspect_memory(inspection);
  inspect_files(inspection);
  inspect_sockets(inspection);
  inspect_mounts(inspection);
  inspect_namespaces(inspection);
  return inspection;
}

// Who asks for images alone is told what is there instead.
void InspectionReader::Work::say_why_empty(Inspection& inspection) {
  std::vector<Error> why;
  SourceOptions plain = options.source;
  plain.all_members = plain.any_file = false;
  if (can_read_again(input, plain)) {
    CheckpointReader reader{Needs{}, options.limits};
    (void)read_input(input, reader, plain);
    for (SetCheckpoint& found : reader.finish(input))
      for (const Error& error : found.checkpoint.errors()) why.push_back(error);
  }
  if (why.empty()) why.push_back({.reason = Reason::no_images, .image = input, .name = "input"});
  inspection.errors = std::move(why);
}

std::vector<Inspection> InspectionReader::Work::finish() {
  std::vector<SetCheckpoint>& found = checkpoints.finish(input);
  InputFile file;
  struct stat status;
  if (input == "-") file = InputFile{dup(STDIN_FILENO), input};
  else if (stat(input.c_str(), &status) == 0 && S_ISREG(status.st_mode))
    file = InputFile{::open(input.c_str(), O_RDONLY | O_CLOEXEC), input};
  std::vector<SetId> ids;
  for (const SetCheckpoint& each : found) ids.push_back(each.id);
  const std::vector<std::size_t> parents = parents_among(ids);
  std::vector<bool> is_shown(found.size(), true);
  const bool any_tree = std::ranges::any_of(found, &SetCheckpoint::has_tree);
  const auto has_pages = [](const SetCheckpoint& one) { return !one.checkpoint.pages_only().empty(); };
  const bool any_pages = std::ranges::any_of(found, has_pages);
  for (std::size_t i = 0; i < found.size(); ++i)
    is_shown[i] = found[i].has_tree() || (!any_tree && (!any_pages || has_pages(found[i])));
  const bool is_empty = !has_image && found.size() == 1 && found.front().checkpoint.tasks().empty();
  join_parents();
  std::vector<Inspection> all;
  std::vector<SetId> shown;
  std::vector<std::unique_ptr<TextReader>> readers;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const SetFacts& facts = sets[found[i].id];
    all.push_back(inspect(found[i], file));
    if (facts.pages) facts.pages->set_checkpoint(*all.back().checkpoint);
    for (std::size_t p = parents[i]; p < found.size(); p = parents[p]) ++all.back().nr_parents;
    shown.push_back(found[i].id);
  }
  if (!options.overview)
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!is_shown[i]) continue;
      TextReader reader{*all[i].checkpoint, sets[ids[i]].pages.get(), sets[ids[i]].directory, &file};
      read_texts(all[i], reader);
      inspect_attention(all[i]);
    }
  std::vector<Inspection> result;
  std::vector<SetId> result_ids;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (is_shown[i]) {
      result_ids.push_back(all[i].id);
      result.push_back(std::move(all[i]));
    }
  const std::vector<std::string> texts = texts_of(result_ids);
  for (std::size_t i = 0; i < result.size(); ++i) result[i].text_id = texts[i];
  if (is_empty) say_why_empty(result.front());
  for (Error& error : errors) result.front().errors.push_back(std::move(error));
  return result;
}

InspectionReader::InspectionReader(std::string input, InspectOptions options)
    : work_{std::make_unique<Work>(std::move(input), std::move(options))} {
  work_->options.source.all_members = work_->options.source.any_file = true;
}
InspectionReader::~InspectionReader() = default;

std::vector<Inspection> InspectionReader::read() {
  (void)read_input(work_->input, *work_, work_->options.source);
  return work_->finish();
}

bool InspectedSocket::is_listening() const {
  constexpr std::uint32_t listen = 10;
  return socket.state == listen;
}

std::string Inspection::comm_of(std::uint32_t pid) const {
  const Task* task = checkpoint->find_task(pid);
  return task ? task->comm : std::string{};
}

}  // namespace critpipe
