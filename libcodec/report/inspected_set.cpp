#include "report/inspected_set.hpp"

#include <algorithm>
#include <cstring>

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
  const auto memory = member.is_image ? memory_of_name(member.name) : std::nullopt;
  nr_pagemaps += memory && !memory->shmem;
}

void InspectedSet::count(const Member& member, std::uint64_t size) {
  const std::string_view name = member.name;
  if (is_of_container_image(member)) return;
  sizes.total += size;
  if (member.is_image) sizes.images += size;
  const std::string& above = member.set_place;
  if (member.is_image ? !name.starts_with("stats-") || !above.ends_with(':') : above.ends_with("checkpoint/"))
    sizes.directory += size;
  if (is_pages_name(name)) sizes.pages += size;
  else if (name.starts_with("amdgpu-pages-")) sizes.gpu += size;
  else if (name == "rootfs-diff.tar") sizes.root_difference += size;
  else if (name == "devshm-checkpoint.tar") sizes.shared_files += size;
  else if (member.path.find("volumes/") != std::string::npos && name.ends_with(".tar")) sizes.volumes += size;
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
  pagemap_ = {.memory = memory, .pages_id = task->pages_id, .runs = task->pagemap, .layout = task->page_layout};
  std::uint64_t page = 0;
  for (PageRun& run : pagemap_.runs) {
    run.page = page;
    if (run.is_present()) page += run.nr_pages;
  }
  pagemap_.nr_present = page;
  pagemap_.seal();
  return &pagemap_;
}

PageDirectory* InspectedSet::page_directory() {
  if (!opened_ && !directory.empty())
    opened_ = std::make_unique<PageDirectory>(directory, Limits{}, PageDirectory::Faults::of_parents);
  return opened_.get();
}

bool InspectedSet::read_stored(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                               std::span<std::byte> into) {
  PageStore& holder = ancestor(stretch.level);
  if (PageDirectory* const files = holder.page_directory()) return !files->read(stretch, page_size, skip, into);
  return static_cast<InspectedSet&>(holder).read_captured(stretch, page_size, skip, into);
}

bool InspectedSet::read_captured(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                                 std::span<std::byte> into) {
  const auto image = images.find(stretch.pages_id);
  if (image == images.end() || stretch.page > max_pages) return false;
  const auto read_stored = [&](std::uint64_t offset, std::span<std::byte> stored) {
    Error error;
    if (image->second.at == Member::unknown) return image->second.read(offset, stored);
    return input && input->pread(stored, image->second.at + offset, error) == stored.size();
  };
  const Pagemap* const own = pagemap(stretch.memory);
  std::shared_ptr<const StoredPages> pages;
  if (Error error; own && own->layout && !(pages = own->layout->placed(page_size, error))) return false;
  const std::uint64_t begin = content_position(stretch.page, page_size, skip), end = begin + into.size();
  std::vector<std::byte> stored, content;
  return visit_blocks(pages.get(), page_size, begin, end, [&](const StoredPages::Block& block, std::uint64_t position) {
    if (block.is_plain) return read_stored(block.offset, into.subspan(position - begin, block.size));
    stored.resize(block.size);
    content.resize(bytes_of_pages(block.nr_pages, page_size));
    if (!read_stored(block.offset, stored) || decode_block(stored, content) != Reason::none) return false;
    const std::uint64_t from = std::max(begin, position), to = std::min(end, position + content.size());
    std::memcpy(into.data() + (from - begin), content.data() + (from - position), to - from);
    return true;
  });
}

bool InspectedSet::read(const Task& task, TextPlace text, std::string& bytes) {
  const std::uint64_t page_size = page_size_of(*checkpoint, task);
  const MemoryId memory{.shmem = false, .id = task.pid};
  bytes.assign(static_cast<std::size_t>(text.end - text.begin), '\0');
  const std::span<std::byte> all = std::as_writable_bytes(std::span{bytes});
  bool is_there = true, is_any_stored = false;  // nothing but holes is no text
  visit_stretches(*this, memory, page_size, text.begin, text.end, [&](const Stretch& stretch) {
    const std::uint64_t begin = std::max(stretch.vaddr, text.begin);
    const std::uint64_t end = std::min(stretch.end(page_size), text.end);
    if (begin >= end || stretch.where == Stretch::Where::hole) return Step::go;
    is_any_stored = true;
    is_there = stretch.where == Stretch::Where::stored &&
               read_stored(stretch, page_size, begin - stretch.vaddr, all.subspan(begin - text.begin, end - begin));
    return is_there ? Step::go : Step::stop;
  });
  for (PageStore* at = this; at; at = at->has_given_parent() ? at->parent() : nullptr)
    if (PageDirectory* const files = at->page_directory()) files->forget(memory);
  return is_there && is_any_stored;
}

}  // namespace critpipe
