// Pages on their way, and the pagemaps that are made of them.
#include <algorithm>
#include <cstdio>

#include "crit-repack/repack.hpp"

namespace critpipe::filters {

namespace {

constexpr std::uint32_t map_hugetlb = 0x40000;  // flags
constexpr std::uint32_t status_hugetlb = 1u << 27;

}  // namespace

bool Repack::memory(MemoryId id) {
  const Pagemap* const pagemap = directory_->pagemap(id);
  if (!pagemap) return fail({Reason::missing_image, set_->place + pagemap_name(id)});
  StoredImage old;
  if (Error error = old.load(set_->directory + "/" + pagemap_name(id))) return fail(error);
  const bool old_counts = std::ranges::all_of(
      old.entries.begin() + !old.entries.empty(), old.entries.end(),
      [](const StoredEntry& entry) { return entry.integer("nr_pages") == 0 || entry.integer("compat_nr_pages") != 0; });
  const Task* const task = id.shmem ? nullptr : set_->checkpoint->find_task(static_cast<std::uint32_t>(id.id));
  mappings_ = task ? MappingIndex{task->memory.mappings} : MappingIndex{};
  is_shared_ = id.shmem;
  Output* const output = images_->open(pages_name(pagemap->pages_id), nullptr, OutForm::stream);
  if (!output) return false;
  std::uint64_t block_bytes = plan_.block_bytes;
  if (block_bytes == 0 && !plan_.decompress && pagemap->layout) block_bytes = default_block_bytes;
  PagesWriter writer{*output,
                     {.page_size = set_->page_size,
                      .block_bytes = block_bytes,
                      .acceleration = static_cast<int>(program_.number("acceleration", 1)),
                      .old_counts = old_counts}};
  const std::uint64_t old_bytes = pagemap->stored(set_->page_size).bytes;
  const std::uint64_t pages_id = pagemap->pages_id;
  Counts& counts = id.shmem ? shared_ : process_;
  const std::vector<PageRun> runs = pagemap->runs;
  bool good = true;
  for (const PageRun& run : runs)
    if (!(good = run_of(id, run, writer, counts))) break;
  good = writer.finish() == Step::go && good;
  if (images_->close(output, good) == Step::stop || !good) return false;
  counts.written += writer.nr_pages();
  has_blocks_ |= writer.has_blocks();
  Output* const map = images_->open(pagemap_name(id), nullptr, OutForm::stream);
  good = map && writer.write_pagemap(pagemap->pages_id, *map) == Step::go;
  if (map) good = images_->close(map, good) == Step::go && good;
  if (program_.has("rewrite")) {
    const std::uint64_t bytes = writer.stored_bytes();
    const auto kib = [](std::uint64_t size) { return std::to_string(size / 1024) + "K"; };
    std::string line = "  " + pagemap_name(id) + ": " + std::to_string(writer.nr_pages()) + " pages (" +
                       kib(old_bytes) + " -> " + kib(bytes);
    if (bytes <= old_bytes && old_bytes > 0) {
      char saved[32];
      const double share = static_cast<double>(bytes) / static_cast<double>(old_bytes);
      std::snprintf(saved, sizeof saved, ", %.1f%% saved", 100 - 100 * share);
      line += saved;
    }
    line += ')';
    say(line);
    replaced_.insert(replaced_.end(), {pagemap_name(id), pages_name(pages_id)});
  }
  directory_->forget(id);
  return good;
}

bool Repack::run_of(MemoryId id, const PageRun& run, PagesWriter& writer, Counts& counts) {
  if (run.is_parent() && !plan_.flatten) {
    counts.in_parent += run.nr_pages;
    refers_ = true;
    return writer.refer(run) == Step::go;
  }
  if (!run.is_parent() && !run.is_present()) return writer.refer(run) == Step::go;
  return visit_stretches(
      *directory_, id, set_->page_size, run.vaddr, run.end(set_->page_size),
      [&](const Stretch& stretch) { return stretch_of(id, stretch, writer, counts) ? Step::go : Step::stop; });
}

bool Repack::stretch_of(MemoryId id, const Stretch& stretch, PagesWriter& writer, Counts& counts) {
  if (stretch.where != Stretch::Where::stored) {
    if (stretch.where == Stretch::Where::hole && stretch.level == 0) return true;
    Error error{Reason::no_bytes, set_->place + pagemap_name(id)};
    char text[120];
    std::snprintf(text, sizeof text, "%llu pages at 0x%llx should be in a parent that is not here, or lacks them",
                  static_cast<unsigned long long>(stretch.nr_pages), static_cast<unsigned long long>(stretch.vaddr));
    error.name = text;
    return fail(error);
  }
  PageDirectory& holder = *directory_->ancestor(stretch.level).page_directory();
  const std::uint64_t size = bytes_of_pages(stretch.nr_pages, set_->page_size);
  std::vector<std::byte> bytes(std::min<std::uint64_t>(size, 1 << 20));
  for (std::uint64_t done = 0; done < size;) {
    const std::span<std::byte> here{bytes.data(), std::min<std::uint64_t>(bytes.size(), size - done)};
    if (Error error = holder.read(stretch, set_->page_size, done, here)) return fail(error);
    if (pages(stretch, stretch.vaddr + done, here, writer, counts) == Step::stop) return false;
    done += here.size();
  }
  return true;
}

static bool is_droppable(const Mapping* mapping) {
  if (!mapping || mapping->is_shared()) return false;
  const Mapping::Kind kind = mapping->kind();
  return kind == Mapping::Kind::anon || kind == Mapping::Kind::heap || kind == Mapping::Kind::stack;
}

static bool is_huge(const Mapping* mapping) {
  return mapping && ((mapping->flags & map_hugetlb) || (mapping->status & status_hugetlb));
}

// What follows each other and is stored alike goes out at once.
Step Repack::pages(const Stretch& at, std::uint64_t vaddr, Bytes bytes, PagesWriter& writer, Counts& counts) {
  const std::uint32_t flags = PageRun::present | (at.flags & PageRun::lazy);
  const std::size_t size = set_->page_size;
  const auto store_of = [&](std::uint64_t address) {
    return is_shared_ || is_huge(mapping_at(address)) ? PagesWriter::Store::plain : PagesWriter::Store::blocks;
  };
  const auto is_dropped = [&](std::size_t offset) {
    if (!plan_.drop_zero || is_shared_) return false;
    const Bytes page = bytes.subspan(offset, size);
    const bool zero = std::ranges::all_of(page, [](std::byte one) { return one == std::byte{0}; });
    const Mapping* const mapping = zero ? mapping_at(vaddr + offset) : nullptr;
    return is_droppable(mapping) && !is_huge(mapping);
  };
  for (std::size_t begin = 0; begin < bytes.size();) {
    if (is_dropped(begin)) {
      ++counts.dropped;
      begin += size;
      continue;
    }
    const PagesWriter::Store store = store_of(vaddr + begin);
    std::size_t end = begin + size;
    while (end < bytes.size() && store_of(vaddr + end) == store && !is_dropped(end)) end += size;
    if (writer.add(vaddr + begin, flags, store, bytes.subspan(begin, end - begin)) == Step::stop) return Step::stop;
    begin = end;
  }
  return Step::go;
}

}  // namespace critpipe::filters
