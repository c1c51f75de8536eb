// Pages on their way, and the pagemaps that are made of them.
#include <algorithm>
#include <cstring>

#include "cli/inputs.hpp"
#include "crit-repack/repack.hpp"
#include "critpipe/check.hpp"

namespace critpipe::filters {

namespace {

constexpr std::uint32_t map_hugetlb = 0x40000;  // flags
constexpr std::uint32_t status_hugetlb = 1u << 27;
// Parts that are collected before their pages are read: of archives more, which are read from their begin each time.
constexpr std::size_t most_parts = 1 << 14, most_parts_by_position = 1 << 12;

// CRIU maps zeros there.
bool is_zero_without_pages(const Mapping* mapping) {
  if (!mapping || mapping->is_shared() || is_huge(mapping)) return false;
  const Mapping::Kind kind = mapping->kind();
  return kind == Mapping::Kind::anon || kind == Mapping::Kind::heap || kind == Mapping::Kind::stack;
}

unsigned jobs_of(Program& program) { return threads_of(program, "jobs", 8); }

constexpr unsigned packers_of_reader = 4;  // one thread reads plain pages as fast as so many pack them

}  // namespace

bool is_huge(const Mapping* mapping) {
  return mapping && ((mapping->flags & map_hugetlb) || (mapping->status & status_hugetlb));
}

bool Repack::store() {
  bool good = true;
  for (std::size_t i = 0; good && i < set_.memories.size(); ++i) {
    good = collect(i);
    const bool is_last = i + 1 == set_.memories.size();
    if (good && (is_last || !directory().empty() || parts_.size() > most_parts)) good = write_parts();
    if (PageDirectory* const holder = set_.store->page_directory()) holder->forget(set_.memories[i]);
    if (base_) base_->forget(set_.memories[i]);
  }
  good = good && (!current_ || end_memory());
  if (current_) (void)images_->close(current_->pages, false);
  if (base_)
    for (const Error& error : base_->new_errors()) good = fail(error) && good;
  return good;
}

// Of two memories in one pages image, what is written would have only one.
bool Repack::refuse_shared_images() {
  std::map<std::uint64_t, MemoryId> first;
  for (std::size_t i = 0; i < set_.memories.size(); ++i) {
    const auto [one, is_new] = first.try_emplace(set_.pages_ids[i], set_.memories[i]);
    if (!is_new)
      return fail(std::string{set_.place} + pagemap_name(set_.memories[i]),
                  pages_name(one->first) + " is also that of " + pagemap_name(one->second));
  }
  return true;
}

// The pagemap as parts, and what has to be read for them.
bool Repack::collect(std::size_t memory) {
  const MemoryId id = set_.memories[memory];
  const Pagemap* const pagemap = set_.store->pagemap(id);
  if (!pagemap) return fail({Reason::missing_image, std::string{set_.place} + pagemap_name(id)});
  memories_.push_back(
      {id, pagemap->pages_id, pagemap->stored(set_.page_size).bytes, static_cast<bool>(pagemap->layout)});
  if (!check_size(memory, *pagemap) || !check_entries(*set_.store, *pagemap, std::string{set_.place})) return false;
  const Pagemap* const base = base_ ? base_->pagemap(id) : nullptr;
  if (base && !check_entries(*base_, *base, base_->path() + "/")) return false;
  if (program_.has("rewrite")) open_old(memories_.back());
  const std::vector<PageRun> runs = pagemap->runs;
  const auto visit = [&](const TakePart& take) {
    return std::ranges::all_of(runs, [&](const PageRun& run) { return visit_parts(memory, run, take); });
  };
  // Before any of it is written: is it whole, and how will it be stored?
  const auto look_at = [&](const Part& part) {
    const Pagemap* const from = part.is_stored ? set_.store->ancestor(part.stretch.level).pagemap(id) : nullptr;
    memories_[memory].is_compressed |= from && from->layout;
    return true;
  };
  if (!visit(look_at)) return false;
  if (memories_[memory].is_compressed && block_bytes_ == 0) block_bytes_ = block_bytes_as_before();
  if (runs.empty()) parts_.push_back({memory, false, false, {}, {}});
  return visit([&](const Part& part) {
    parts_.push_back(part);
    return !has_positions_ || parts_.size() < most_parts_by_position || write_parts();
  });
}

// Pages that are compressed and stay so keep the size of their blocks: what the newest layer says that has any, by its
// inventory or else by the largest of its blocks.
std::uint64_t Repack::block_bytes_as_before() {
  const auto is_valid = [this](std::uint64_t bytes) {
    return bytes > 0 && bytes <= max_block_bytes && bytes % set_.page_size == 0;
  };
  for (PageStore* store = set_.store; store; store = resolves() ? store->parent() : nullptr) {
    if (const auto said = store->block_bytes(); said && is_valid(*said)) return *said;
    std::uint64_t most = 0;
    for (const MemoryId memory : set_.memories) {
      const Pagemap* const pagemap = store->pagemap(memory);
      if (pagemap) most = std::max(most, bytes_of_pages(pagemap->pages_per_block(), set_.page_size));
      if (PageDirectory* const holder = store->page_directory()) holder->forget(memory);
    }
    if (is_valid(most)) return most;
  }
  return default_block_bytes;
}

// What the pagemap does not tell would be lost. One that is too short is found when it is read.
bool Repack::check_size(std::size_t memory, const Pagemap& pagemap) {
  Error wrong;
  (void)pagemap.blocks(set_.page_size, wrong);
  if (wrong) {
    wrong.image = std::string{set_.place} + pagemap_name(pagemap.memory);
    return fail(std::move(wrong));
  }
  const StoredSize there{set_.pages_bytes[memory]};
  if (there.bytes != Member::unknown)
    if (Error surplus = pagemap.surplus(there, std::string{set_.place} + pages_name(pagemap.pages_id), set_.page_size))
      return fail(std::move(surplus));
  const std::uint64_t most = source_options(program_).max_bytes;
  content_bytes_ += std::min(bytes_of_pages(pagemap.nr_present, set_.page_size), ~std::uint64_t{0} - content_bytes_);
  if (content_bytes_ > most && pagemap.layout)
    return fail({Reason::limit_size, std::string{set_.place} + pages_name(pagemap.pages_id), Error::nowhere,
                 Error::nowhere, most});
  return true;
}

// Entries that overlap say twice what a page holds, and so on: it is not for a repack to decide what is meant.
bool Repack::check_entries(PageStore& store, const Pagemap& pagemap, const std::string& place) {
  std::optional<PagesFault> first;
  const auto take = [&first](const PagesFault& fault) {
    if (!first && !fault.is_tolerated) first = fault;
  };
  EntryCheck{take, place + pagemap_name(pagemap.memory), set_.page_size}.runs(pagemap.runs);
  if (first)
    return fail(first->image, format("0x%llx: ", static_cast<unsigned long long>(*first->vaddr)) + first->text);
  const auto is_above = [](const PageRun& run) { return run.is_parent(); };
  PageStore* const above = resolves() && std::ranges::any_of(pagemap.runs, is_above) ? store.parent() : nullptr;
  const Pagemap* const next = above ? above->pagemap(pagemap.memory) : nullptr;
  if (!next) return true;
  return check_entries(*above, *next, above->page_directory() ? above->page_directory()->path() + "/" : "parent: ");
}

// Why a parent is not there.
void Repack::report_parents() {
  for (PageStore* store = set_.store; store; store = store->parent())
    if (PageDirectory* const directory = store->page_directory())
      for (const Error& error : directory->new_errors()) (void)fail(error);
}

bool Repack::visit_parts(std::size_t memory, const PageRun& run, const TakePart& take) {
  const auto fault = [&](const char* why) {
    return fail(std::string{set_.place} + pagemap_name(set_.memories[memory]),
                format("0x%llx: %s", static_cast<unsigned long long>(run.vaddr), why));
  };
  const bool is_kept_there = run.is_parent() && !resolves();
  const bool leads_out = directory().empty() && (has_link_ || program_.has("plan"));
  if (is_kept_there && !set_.store->parent() && !leads_out)
    return fault("pages are in a parent, and there is none here");
  if (is_kept_there || (!run.is_parent() && !run.is_present())) return take({memory, false, !resolves(), run, {}});
  bool begins = !resolves();
  const MemoryId id = set_.memories[memory];
  return visit_stretches(
      *set_.store, id, set_.page_size, run.vaddr, run.end(set_.page_size), [&](const Stretch& stretch) {
        if (stretch.where == Stretch::Where::hole && stretch.level == 0) return Step::go;
        if (stretch.where != Stretch::Where::stored) {
          report_parents();
          Error error{Reason::no_bytes, std::string{set_.place} + pagemap_name(id)};
          error.name =
              format("%llu pages at 0x%llx should be in a parent that is not here, or lacks them",
                     static_cast<unsigned long long>(stretch.nr_pages), static_cast<unsigned long long>(stretch.vaddr));
          (void)fail(std::move(error));
          return Step::stop;
        }
        return take({memory, true, std::exchange(begins, false), {}, stretch}) ? Step::go : Step::stop;
      });
}

// Those who pack are the threads that there are. Others would only take turns with them.
unsigned Repack::nr_readers() const {
  const auto is_compressed = [this](const Part& part) { return memories_[part.memory].is_compressed; };
  const bool packs_plain = options_.block_bytes > 0 && std::ranges::none_of(parts_, is_compressed);
  return packs_plain ? std::max(1U, jobs_of(program_) / packers_of_reader) : jobs_of(program_);
}

bool Repack::write_parts() {
  std::vector<Stretch> stretches;
  std::vector<std::size_t> part_of;
  for (std::size_t i = 0; i < parts_.size(); ++i)
    if (parts_[i].is_stored) {
      stretches.push_back(parts_[i].stretch);
      part_of.push_back(i);
    }
  next_part_ = 0;
  std::size_t open = parts_.size();
  bool good = true;
  const Error error = memory_->read(
      set_, stretches,
      [&](std::size_t number, Bytes bytes) {
        const std::size_t part = part_of[number];
        if (part != open && !(good = advance(part))) return Step::stop;
        open = part;
        const Step step = take(parts_[part], bytes);
        good = step == Step::go;
        return step;
      },
      nr_readers());
  if (error) return fail(error);
  good = good && advance(parts_.size());
  parts_.clear();
  return good;
}

// All parts before this one are done.
bool Repack::advance(std::size_t part) {
  for (; next_part_ <= part && next_part_ < parts_.size(); ++next_part_) {
    const Part& next = parts_[next_part_];
    if ((!current_ || current_->memory != next.memory) && !begin_memory(next.memory)) return false;
    if (next.begins && current_->writer->cut() == Step::stop) return false;
    if (!next.is_stored && next.run.nr_pages > 0 && !refer(next.run)) return false;
  }
  done_bytes_ = 0;
  return true;
}

bool Repack::begin_memory(std::size_t number) {
  if (current_ && !end_memory()) return false;
  const Memory& memory = memories_[number];
  current_ = Current{.memory = number};
  const Task* const task =
      memory.id.shmem ? nullptr : set_.checkpoint->find_task(static_cast<std::uint32_t>(memory.id.id));
  if (task) current_->mappings = MappingIndex{task->memory.mappings};
  chosen_.begin(*set_.checkpoint, memory.id, current_->mappings);
  current_->pages = images_->open(member(pages_name(memory.pages_id)), nullptr, OutForm::stream);
  if (!current_->pages) {
    current_.reset();
    return false;
  }
  keep_identity(current_->pages, memory.old_pages, pages_name(memory.pages_id));
  const bool stays_compressed = !options_.decompress && memory.is_compressed;
  const PagesWriter::Options options{.page_size = set_.page_size,
                                     .block_bytes = stays_compressed ? block_bytes_ : options_.block_bytes,
                                     .acceleration = static_cast<int>(program_.number("acceleration", 1)),
                                     .threads = jobs_of(program_),
                                     .no_flags = forms_[memory.id].no_flags,
                                     .old_counts = forms_[memory.id].old_counts,
                                     .bare_head = forms_[memory.id].head == Head::bare};
  current_->writer = std::make_unique<PagesWriter>(*current_->pages, options);
  return true;
}

bool Repack::end_memory() {
  const Memory& memory = memories_[current_->memory];
  PagesWriter& writer = *current_->writer;
  bool good = writer.finish() == Step::go;
  if (images_->close(current_->pages, good) == Step::stop) good = false;
  if (good) {
    (memory.id.shmem ? shared_ : process_).written += writer.nr_pages();
    has_blocks_ |= writer.has_blocks();
    Output* const map = images_->open(member(pagemap_name(memory.id)), nullptr, OutForm::stream);
    keep_identity(map, memory.old_pagemap, pagemap_name(memory.id));
    good = map && writer.write_pagemap(memory.pages_id, *map) == Step::go;
    if (map) good = images_->close(map, good) == Step::go && good;
  }
  if (good && program_.has("rewrite")) note_pages(memory, writer);
  memories_[current_->memory].old_pages = {};
  memories_[current_->memory].old_pagemap = {};
  current_.reset();
  return good;
}

// Pages whose bytes are elsewhere.
bool Repack::refer(const PageRun& run) {
  Counts& counts = memories_[current_->memory].id.shmem ? shared_ : process_;
  if (!chosen_.leaves_out_any()) {
    if (run.is_parent()) counts.in_parent += run.nr_pages;
    refers_ |= run.is_parent();
    return current_->writer->refer(run) == Step::go;
  }
  const std::uint64_t end = run.end(set_.page_size);
  for (std::uint64_t at = run.vaddr; at < end;) {
    std::uint64_t until = end;
    const bool kept = chosen_.keeps(at, until);
    PageRun part = run;
    part.vaddr = at;
    // Borders of mappings are borders of pages; what is hostile need not be.
    part.nr_pages = std::max<std::uint64_t>(1, pages_in(std::min(until, end) - at, set_.page_size));
    at = part.end(set_.page_size);
    if (!kept) {
      counts.dropped += part.nr_pages;
      continue;
    }
    if (run.is_parent()) {
      counts.in_parent += part.nr_pages;
      refers_ = true;
    }
    if (current_->writer->refer(part) == Step::stop) return false;
  }
  return true;
}

// Pages come in pieces that need not be whole.
Step Repack::take(const Part& part, Bytes bytes) {
  const std::size_t page_size = set_.page_size;
  const auto whole_pages = [&](Bytes whole) {
    const std::uint64_t vaddr = part.stretch.vaddr + done_bytes_;
    done_bytes_ += whole.size();
    return pages(part, vaddr, whole);
  };
  if (!carry_.empty()) {
    const std::size_t missing = std::min(page_size - carry_.size(), bytes.size());
    carry_.insert(carry_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(missing));
    bytes = bytes.subspan(missing);
    if (carry_.size() < page_size) return Step::go;
    const Step step = whole_pages(carry_);
    carry_.clear();
    if (step == Step::stop) return step;
  }
  const std::size_t whole = bytes.size() - bytes.size() % page_size;
  if (whole > 0 && whole_pages(bytes.first(whole)) == Step::stop) return Step::stop;
  carry_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(whole), bytes.end());
  return Step::go;
}

// What the parent of --rebase has at these addresses.
void Repack::look_at_base(std::uint64_t vaddr, std::size_t size) {
  base_bytes_.resize(size);
  base_has_.assign(pages_in(size, set_.page_size), false);
  const auto visit = [&](const Stretch& stretch) {
    if (stretch.where != Stretch::Where::stored) return Step::go;
    const std::uint64_t begin = std::max(stretch.vaddr, vaddr);
    const std::uint64_t end = std::min(stretch.end(set_.page_size), vaddr + size);
    if (begin >= end) return Step::go;
    PageDirectory& holder = *base_->ancestor(stretch.level).page_directory();
    const std::span<std::byte> into{base_bytes_.data() + (begin - vaddr), end - begin};
    if (Error error = holder.read(stretch, set_.page_size, begin - stretch.vaddr, into)) {
      (void)fail(std::move(error));
      return Step::stop;
    }
    for (std::uint64_t at = begin; at < end; at += set_.page_size)
      base_has_[pages_in(at - vaddr, set_.page_size)] = true;
    return Step::go;
  };
  (void)visit_stretches(*base_, memories_[current_->memory].id, set_.page_size, vaddr, vaddr + size, visit);
}

Repack::What Repack::what_of(std::uint64_t vaddr, Bytes page, std::size_t offset, std::uint64_t& end) {
  const bool is_shared = memories_[current_->memory].id.shmem;
  const bool is_kept = chosen_.keeps(vaddr, end);
  const Mapping* mapping = nullptr;
  if (!is_shared) {
    const std::vector<const Mapping*>& all = current_->mappings.all();
    auto next = current_->mappings.from(vaddr);
    if (next != all.end() && (*next)->start <= vaddr) {
      mapping = *next++;
      end = std::min(end, mapping->end);
    }
    if (next != all.end()) end = std::min(end, (*next)->start);
  }
  if (!is_kept) return What::drop;
  const bool may_be_left_out = options_.drop_zero && is_zero_without_pages(mapping);
  if (may_be_left_out || base_) end = vaddr + page.size();
  if (may_be_left_out && is_zero(page)) return What::drop;
  if (base_ && base_has_[pages_in(offset, set_.page_size)] &&
      std::memcmp(page.data(), base_bytes_.data() + offset, page.size()) == 0)
    return What::refer;
  return is_shared || is_huge(mapping) ? What::plain : What::blocks;
}

// What follows each other and is stored alike goes out at once.
Step Repack::pages(const Part& part, std::uint64_t vaddr, Bytes bytes) {
  const std::uint32_t flags = PageRun::present | (part.stretch.flags & PageRun::lazy);
  const std::size_t size = set_.page_size;
  Counts& counts = memories_[current_->memory].id.shmem ? shared_ : process_;
  PagesWriter& writer = *current_->writer;
  if (base_) look_at_base(vaddr, bytes.size());
  std::size_t known = 0;  // up to where the last answer holds
  const auto what_at = [&](std::size_t at) {
    std::uint64_t until = 0;
    const What what = what_of(vaddr + at, bytes.subspan(at, size), at, until);
    // Borders of mappings are borders of pages; what is hostile need not be.
    const std::uint64_t alike = until - std::min(until, vaddr + at);
    known = at + static_cast<std::size_t>(std::min<std::uint64_t>(alike, bytes.size() - at));
    known = std::max(at + size, known + (size - known % size) % size);
    return what;
  };
  Step step = failed_ ? Step::stop : Step::go;
  What what = what_at(0);
  for (std::size_t begin = 0; begin < bytes.size() && step == Step::go;) {
    std::size_t end = known;
    What next = what;
    for (; end < bytes.size() && (next = what_at(end)) == what; end = known) {
    }
    const std::uint64_t count = (end - begin) / size;
    switch (what) {
      case What::drop: counts.dropped += count; break;
      case What::refer:
        counts.in_parent += count;
        refers_ = true;
        step = writer.refer({vaddr + begin, count, 0, PageRun::parent});
        break;
      case What::plain:
      case What::blocks: {
        const auto store = what == What::plain ? PagesWriter::Store::plain : PagesWriter::Store::blocks;
        step = writer.add(vaddr + begin, flags, store, bytes.subspan(begin, end - begin));
      }
    }
    begin = end;
    what = next;
  }
  return step;
}

}  // namespace critpipe::filters
