#include "report/inspected_set.hpp"

#include <algorithm>

#include "base/path_names.hpp"
#include "model/collect.hpp"
#include "source/nested_place.hpp"

namespace critpipe {

namespace {

// A file of a container image and not of the checkpoint in it. What a layer holds counts, and not the layer.
bool is_of_container_image(const Member& member) {
  constexpr std::string_view names[] = {"oci-layout", "index.json", "manifest.json", "repositories",
                                        "version",    "VERSION",    "json"};
  const std::string_view name = member.name;
  if (member.is_image) return false;
  const bool is_config = name.ends_with(".json") && is_container_blob(name.substr(0, name.size() - 5));
  return is_config || is_layer_name(member.path) || std::ranges::find(names, name) != std::end(names);
}

}  // namespace

void InspectedSet::note(const Member& member) {
  has_images |= member.is_image && !is_aside(member.name);
  has_tasks |= member.is_image && is_of_tasks(member.name);
  const auto memory = member.is_image ? memory_of_name(member.name) : std::nullopt;
  nr_pagemaps += memory && !memory->shmem;
}

void InspectedSet::count(const Member& member, std::uint64_t size) {
  const std::string_view name = member.name;
  if (is_of_container_image(member)) return;
  sizes.total += size;
  if (member.is_image) sizes.images += size;
  const bool is_usual = std::string_view{member.set_place}.ends_with("checkpoint/");
  const bool is_statistics = member.is_image && name.starts_with("stats-");
  has_usual_directory_ |= member.is_image && !is_statistics && is_usual;
  if (is_statistics && !is_usual) statistics_ += size;
  else if (member.is_image || is_usual) sizes.directory += size;
  if (is_pages_name(name)) sizes.pages += size;
  else if (name.starts_with("amdgpu-pages-")) sizes.gpu += size;
  else if (name == "rootfs-diff.tar") sizes.root_difference += size;
  else if (name == "devshm-checkpoint.tar") sizes.shared_files += size;
  else if (member.path.find("volumes/") != std::string::npos && name.ends_with(".tar")) sizes.volumes += size;
}

InspectedSizes InspectedSet::all_sizes() const {
  InspectedSizes all = sizes;
  if (!has_usual_directory_) all.directory += statistics_;
  return all;
}

void add_files(InspectedSizes& sizes, const InspectedSizes& others) {
  sizes.total += others.total;
  sizes.images += others.images;
  sizes.directory += others.directory;
  sizes.root_difference += others.root_difference;
  sizes.shared_files += others.shared_files;
  sizes.volumes += others.volumes;
}

std::uint64_t page_size_of(const Checkpoint& checkpoint, const Task& task) {
  return task.memory.page_size ? task.memory.page_size : checkpoint.page_size();
}

// The checkpoint has read them.
const Pagemap* InspectedSet::pagemap(MemoryId memory) {
  if (memory.shmem) return nullptr;
  const auto pid = static_cast<std::uint32_t>(memory.id);
  const Task* task = checkpoint ? checkpoint->find_task(pid) : nullptr;
  if (!task || !task->has_pagemap) return nullptr;
  if (last_ == memory && !pagemap_.runs.empty()) return &pagemap_;
  last_ = memory;
  pagemap_ = pagemap_of(*checkpoint, *task);
  return &pagemap_;
}

std::unique_ptr<Sink> InspectedSet::sink_to_try(const Member& member, RoomToTry& room) {
  const auto part = images.find(*pages_id_of_name(member.name));
  const bool is_captured = part != images.end() && !part->second.file;
  return is_captured ? to_try_.sink_for(member, has_tasks, room) : nullptr;
}

std::optional<std::uint64_t> InspectedSet::pages_bytes(std::uint64_t pages_id) const {
  const auto found = pages_.find(pages_id);
  if (found == pages_.end()) return std::nullopt;
  const auto counted = found->second == Member::unknown ? to_try_.stored_image(pages_id) : nullptr;
  return counted ? counted->stored().bytes : found->second;
}

std::unique_ptr<const PagesImage> InspectedSet::stored_image(std::uint64_t pages_id) {
  if (!directory.empty()) return PageStore::stored_image(pages_id);
  const auto part = images.find(pages_id);
  if (part == images.end() || !part->second.file) return to_try_.stored_image(pages_id);
  return std::make_unique<PagesImage>(part->second, place, smallest_page);
}

std::vector<MemoryId> InspectedSet::memories() const {
  std::vector<MemoryId> memories;
  for (const Task& task : checkpoint->tasks())
    if (task.has_pagemap) memories.push_back({.shmem = false, .id = task.pid});
  return memories;
}

PageDirectory* InspectedSet::page_directory() {
  if (!opened_ && !directory.empty())
    opened_ = std::make_unique<PageDirectory>(directory, Limits{}, PageDirectory::ErrorsOf::parents);
  return opened_.get();
}

bool InspectedSet::read_stored(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                               std::span<std::byte> into) {
  PageStore& holder = ancestor(stretch.level);
  if (PageDirectory* const files = holder.page_directory()) return !files->read(stretch, page_size, skip, into);
  return static_cast<InspectedSet&>(holder).read_part(stretch, page_size, skip, into);
}

bool InspectedSet::read_part(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                             std::span<std::byte> into) {
  const auto part = images.find(stretch.pages_id);
  if (part == images.end() || !part->second.is_there() || stretch.page >= max_pages) return false;
  const Pagemap* const own = pagemap(stretch.memory);
  Error error;
  auto blocks = own ? own->blocks(page_size, error) : nullptr;
  if (error) return false;
  return !PagesImage{part->second, place, page_size, std::move(blocks)}.read(stretch.page, skip, into);
}

namespace {

bool is_anonymous(const MappingIndex& mappings, std::uint64_t begin, std::uint64_t end) {
  while (begin < end) {
    const Mapping* const mapping = mappings.at(begin);
    if (!mapping || !mapping->is_anonymous()) return false;
    begin = mapping->end;
  }
  return true;
}

}  // namespace

bool InspectedSet::read(const Task& task, TextPlace text, std::string& bytes) {
  const std::uint64_t page_size = page_size_of(*checkpoint, task);
  const MemoryId memory{.shmem = false, .id = task.pid};
  bytes.assign(static_cast<std::size_t>(text.end - text.begin), '\0');
  const std::span<std::byte> all = std::as_writable_bytes(std::span{bytes});
  const MappingIndex mappings{task.memory.mappings};
  bool is_there = true, is_any_stored = false;  // nothing but holes is no text
  visit_stretches(*this, memory, page_size, text.begin, text.end, [&](const Stretch& stretch) {
    const std::uint64_t begin = std::max(stretch.vaddr, text.begin);
    const std::uint64_t end = std::min(stretch.end(page_size), text.end);
    if (begin >= end) return Step::go;
    const bool is_hole = stretch.where == Stretch::Where::hole;
    is_any_stored = is_any_stored || !is_hole;
    if (is_hole) is_there = is_anonymous(mappings, begin, end);
    else
      is_there = stretch.where == Stretch::Where::stored &&
                 read_stored(stretch, page_size, begin - stretch.vaddr, all.subspan(begin - text.begin, end - begin));
    return is_there ? Step::go : Step::stop;
  });
  for (PageStore* at = this; at; at = at->has_given_parent() ? at->parent() : nullptr)
    if (PageDirectory* const files = at->page_directory()) files->forget(memory);
  return is_there && is_any_stored;
}

}  // namespace critpipe
