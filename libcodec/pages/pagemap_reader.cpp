// Entries of pagemaps, all generations.
#include "critpipe/pages.hpp"

#include <array>
#include <vector>

#include "critpipe/fields.hpp"
#include "pages/page_blocks.hpp"

namespace critpipe {

namespace {

struct Raw {
  std::uint64_t vaddr = 0;
  std::uint32_t compat_nr_pages = 0;
  bool in_parent = false;
  std::optional<std::uint32_t> flags;
  std::optional<std::uint64_t> nr_pages;
  std::uint32_t compressed = 0;  // the field that says so
};

// In any order, with unknown fields between.
Raw read_slowly(const Message& message, Bytes payload) {
  Raw raw;
  for (Fields fields{message, payload}; fields.next();) {
    const Value& value = fields.value();
    // Those of compressed pages, in the forms of all development versions.
    if (value.number >= 6 && value.number <= 8 && raw.compressed == 0) raw.compressed = value.number;
    if (!value.field) continue;
    switch (value.number) {
      case 1: raw.vaddr = value.integer; break;
      case 2: raw.compat_nr_pages = static_cast<std::uint32_t>(value.integer); break;
      case 3: raw.in_parent = value.integer != 0; break;
      case 4: raw.flags = static_cast<std::uint32_t>(value.integer); break;
      case 5: raw.nr_pages = value.integer; break;
      default: break;
    }
  }
  return raw;
}

// Addresses of 32-bit x86 may be sign-extended, those of mappings are not. No other process has any that high.
std::uint64_t address_of(std::uint64_t vaddr, std::uint64_t nr_pages) {
  constexpr std::uint64_t lowest = 0xffffffff80000000;
  if (vaddr < lowest || nr_pages > pages_in(0 - vaddr, smallest_page)) return vaddr;
  return vaddr & 0xffffffff;
}

constexpr std::size_t max_varint = 8;
constexpr std::size_t max_payload = 5 * (1 + max_varint);

// Reads 8 bytes at once, whatever the length, so that no branch depends on it. False: it is longer (a vaddr of 2^56).
inline bool varint(const std::byte*& at, std::uint64_t& value) {
  const std::uint64_t word = load_u64(at);
  const std::uint64_t ends = ~word & 0x8080808080808080;
  if (ends == 0) [[unlikely]]
    return false;
  at += (std::countr_zero(ends) >> 3) + 1;
  value = join_sevens(word & (ends ^ (ends - 1)));
  return true;
}

constexpr std::byte tag(unsigned number) { return static_cast<std::byte>(number << 3); }

// What all releases before 4.2 write: the fields in ascending order. May read max_payload bytes, whatever the size.
inline bool read_old(const std::byte* at, const std::byte* end, Raw& raw) {
  std::uint64_t value = 0;
  if (*at != tag(2) || !varint(++at, value)) return false;
  raw.compat_nr_pages = static_cast<std::uint32_t>(value);
  if (at < end && *at == tag(3)) {
    if (!varint(++at, value)) return false;
    raw.in_parent = value != 0;
  }
  if (at < end && *at == tag(4)) {
    if (!varint(++at, value)) return false;
    raw.flags = static_cast<std::uint32_t>(value);
  }
  if (at < end && *at == tag(5)) {
    if (!varint(++at, value)) return false;
    raw.nr_pages = value;
  }
  return at == end;
}

// The fields in the order in which CRIU writes them, nothing else between.
inline bool read_fast(const std::byte* at, const std::byte* end, Raw& raw) {
  if (*at != tag(1) || !varint(++at, raw.vaddr)) return false;
  // Since 4.2: compat_nr_pages 0, flags, nr_pages. Here all but vaddr and the end of a large count in one word.
  const std::uint64_t word = load_u64(at);
  if ((word & 0xff80ffffff) != 0x2800200010) return read_old(at, end, raw);
  raw.flags = static_cast<std::uint32_t>(word >> 24 & 0x7f);
  at += 5;
  std::uint64_t nr_pages = 0;
  if (!varint(at, nr_pages)) return false;
  raw.nr_pages = nr_pages;
  return at == end;
}

inline PageRun run_of(const Raw& raw) {
  PageRun run;
  run.vaddr = raw.vaddr;
  run.nr_pages = raw.nr_pages ? *raw.nr_pages : raw.compat_nr_pages;
  const std::uint32_t old = raw.in_parent ? PageRun::parent : 0u;
  run.flags = raw.flags ? *raw.flags | old : raw.in_parent ? PageRun::parent : PageRun::present;
  return run;
}

// Of the runs so far.
struct Counts {
  std::uint64_t nr_pages, next_page, end;
  bool ascending;

  // Gives the run its number in the pages image. False: it cannot be.
  bool add(PageRun& run) {
    const std::uint64_t size = run.nr_pages * smallest_page;
    if (run.nr_pages > max_pages - nr_pages || run.vaddr > ~std::uint64_t{0} - size) [[unlikely]]
      return false;
    run.page = next_page;
    nr_pages += run.nr_pages;
    next_page += run.nr_pages & -std::uint64_t{run.is_present()};  // no branch: flags alternate
    ascending &= run.vaddr >= end;
    end = run.vaddr + size;
    return true;
  }
};

}  // namespace

inline bool PagemapReader::place(PageRun& run, std::uint64_t index, std::uint64_t offset) {
  Counts counts{nr_pages_, next_page_, end_, ascending_};
  if (!counts.add(run)) {
    error_ = {run.nr_pages > max_pages - nr_pages_ ? Reason::limit_pages : Reason::bad_run,
              "",
              offset,
              index,
              max_pages,
              run.nr_pages};
    return false;
  }
  ++nr_entries_;
  nr_pages_ = counts.nr_pages;
  next_page_ = counts.next_page;
  end_ = counts.end;
  ascending_ = counts.ascending;
  return true;
}

PageRun PagemapReader::decoded(const Entry& entry) {
  PageRun run = run_of(read_slowly(*entry.message, entry.payload));
  run.vaddr = address_of(run.vaddr, run.nr_pages);
  return run;
}

namespace {

// The list of blocks of one entry, in any of the forms that development versions have written.
struct BlockList {
  std::optional<std::uint64_t> total;
  std::uint64_t pages_per_block = 1;
  bool padded = false;
};

// CRIU packs sizes; single ones mean the same.
BlockList read_blocks(const Entry& entry, BlockSizes& sizes) {
  BlockList list;
  const auto add = [&](const Value& value) {
    if (value.wire == Wire::bytes) sizes.append(value.bytes);
    else sizes.append(static_cast<std::uint32_t>(value.integer));
  };
  for (Fields fields{*entry.message, entry.payload}; fields.next();) {
    const Value& value = fields.value();
    if (value.number == 7 && value.wire == Wire::varint) list.total = value.integer;
    if (value.number == 8 && value.wire == Wire::varint && value.integer != 0)
      list.pages_per_block = static_cast<std::uint32_t>(value.integer);
    if (value.number != 6 || !value.field) continue;
    if (value.field->type != Type::message) {
      add(value);
      continue;
    }
    for (Fields inner{value.field->message(), value.bytes}; inner.next();) {
      const Value& part = inner.value();
      if (!part.field) continue;
      if (part.number == 1) add(part);
      else if (part.number == 2) list.total = part.integer;
      else if (part.number == 3) list.pages_per_block = static_cast<std::uint32_t>(part.integer);
      else if (part.number == 4) list.padded = part.integer != 0;
    }
  }
  return list;
}

}  // namespace

// Adds an entry with blocks, or one behind such an entry. False: its list is wrong.
bool PagemapReader::lay_out(const Entry& entry, const PageRun& run) {
  const auto wrong = [&](const char* why, std::uint64_t want, std::uint64_t have) {
    error_ = {Reason::bad_blocks, "", entry.offset, entry.index, want, have};
    error_.name = why;
    return false;
  };
  BlockSizes& sizes = *layout_->sizes;
  const std::uint64_t first = sizes.count(), sum_before = sizes.sum();
  const BlockList list = read_blocks(entry, sizes);
  const std::uint64_t have = sizes.count() - first, sum = sizes.sum() - sum_before;
  if (list.padded) {
    error_ = {Reason::limit_padded_blocks, "", entry.offset, entry.index};
    return false;
  }
  if (!run.is_present()) return wrong("blocks of pages that are not present", 0, have);
  if (have == 0) return wrong("a list without blocks", 1, 0);
  if (list.pages_per_block == 0) return wrong("blocks without pages", 1, 0);
  const std::uint64_t count = run.nr_pages / list.pages_per_block + (run.nr_pages % list.pages_per_block != 0);
  if (have != count) return wrong("the number of blocks", count, have);
  if (list.total && *list.total != sum) return wrong("the sum of the blocks", *list.total, sum);
  layout_->parts.push_back({run.page, run.nr_pages, entry.index, first,
                            static_cast<std::uint32_t>(list.pages_per_block),
                            (run.flags & PageRun::payload_aligned) != 0});
  return true;
}

bool PagemapReader::next(const Entry& entry, PageRun& run) {
  if (entry.index == 0) {
    if (entry.kind->magic_name != "PAGEMAP") {
      error_ = {Reason::no_pagemap};
      error_.name = entry.kind->name;
      return false;
    }
    pages_id_ = integer_or(*entry.message->find(1), *entry.message, entry.payload, 0);
    return false;
  }
  const Raw raw = read_slowly(*entry.message, entry.payload);
  run = run_of(raw);
  run.vaddr = address_of(run.vaddr, run.nr_pages);
  has_compressed_ |= raw.compressed != 0;
  if (!place(run, entry.index, entry.offset)) return false;
  if (places_ == Places::ignored || (raw.compressed == 0 && !layout_)) return true;
  if (!layout_) {
    layout_ = std::make_shared<PageLayout>();
    if (run.page > 0) layout_->parts.push_back({0, run.page, 0, 0, 0, false});
  }
  if (raw.compressed != 0) return lay_out(entry, run);
  if (!run.is_present() || run.nr_pages == 0) return true;
  const bool aligned = (run.flags & PageRun::payload_aligned) != 0;
  layout_->parts.push_back({run.page, run.nr_pages, entry.index, layout_->sizes->count(), 0, aligned});
  return true;
}

Sink::Taken PagemapReader::next_many(Bytes unchecked, std::uint64_t index, std::uint64_t offset,
                                     std::span<PageRun>& runs) {
  if (layout_) {  // each entry has a place of its own
    runs = {};
    return {};
  }
  // Members and checks of each index would cost 10% of this loop.
  Counts counts{nr_pages_, next_page_, end_, ascending_};
  const std::byte* next = unchecked.data();
  const std::byte* const end = next + unchecked.size();
  PageRun* const first = runs.data();
  PageRun* run = first;
  bool good = true;
  for (PageRun* const last = first + runs.size(); run != last && end - next >= std::ptrdiff_t{4 + max_payload}; ++run) {
    const std::uint32_t size = load_u32(next);
    Raw raw;
    if (size > max_payload || !read_fast(next + 4, next + 4 + size, raw)) break;
    *run = run_of(raw);
    if (good = counts.add(*run); !good) break;
    next += 4 + size;
  }
  Sink::Taken taken;
  taken.bytes = static_cast<std::size_t>(next - unchecked.data());
  taken.entries = static_cast<std::uint64_t>(run - first);
  nr_entries_ += taken.entries;
  nr_pages_ = counts.nr_pages;
  next_page_ = counts.next_page;
  end_ = counts.end;
  ascending_ = counts.ascending;
  if (!good) (void)place(*run, index + taken.entries, offset + taken.bytes);  // notes the error
  runs = runs.first(static_cast<std::size_t>(taken.entries));
  return taken;
}

Step PagemapSink::entry(const Entry& entry) {
  PageRun run;
  if (reader_.error()) return Step::go;
  if (reader_.next(entry, run)) return runs({&run, 1});
  if (!reader_.error()) return head(reader_.pages_id());
  refused(reader_.error());
  return Step::go;
}

Sink::Taken PagemapSink::many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) {
  Taken total;
  std::array<PageRun, 256> some;
  for (;;) {
    std::span<PageRun> runs_here{some};
    if (reader_.error()) return total;
    const Taken taken =
        reader_.next_many(unchecked.subspan(total.bytes), index + total.entries, offset + total.bytes, runs_here);
    total.bytes += taken.bytes;
    total.entries += taken.entries;
    if (!runs_here.empty()) total.step = runs(runs_here);
    if (reader_.error()) refused(reader_.error());
    if (total.step == Step::stop || runs_here.size() < some.size()) return total;
  }
}

}  // namespace critpipe
