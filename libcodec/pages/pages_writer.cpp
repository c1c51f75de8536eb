// Pages and their pagemap, written.
#include "critpipe/pages_writer.hpp"

#include <algorithm>
#include <lz4.h>

#include "critpipe/fields.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

namespace {

void append_word(std::string& out, std::uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(word >> shift & 0xff);
}

void append_number(std::string& out, unsigned field, std::uint64_t value) {
  append_varint(out, field << 3);
  append_varint(out, value);
}

void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  append_varint(out, field << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_entry(std::string& out, std::string_view payload) {
  append_word(out, static_cast<std::uint32_t>(payload.size()));
  out += payload;
}

bool is_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte one) { return one == std::byte{0}; });
}

}  // namespace

void PagesWriter::put(Bytes bytes) {
  output_.pass(bytes);
  stored_bytes_ += bytes.size();
}

// The block that was gathered.
void PagesWriter::block() {
  if (block_.empty()) return;
  if (is_zero(block_)) {
    sizes_.push_back(0);
  } else {
    const std::size_t most = block_.size() - block_.size() / 8;
    packed_.resize(most);
    const int size = LZ4_compress_fast(reinterpret_cast<const char*>(block_.data()), packed_.data(),
                                       static_cast<int>(block_.size()), static_cast<int>(most), options_.acceleration);
    const Bytes stored =
        size > 0 ? std::as_bytes(std::span{packed_}).first(static_cast<std::size_t>(size)) : Bytes{block_};
    sizes_.push_back(static_cast<std::uint32_t>(stored.size()));
    put(stored);
  }
  block_.clear();
}

Step PagesWriter::close_entry() {
  if (!std::exchange(is_open_, false)) return output_.step();
  block();
  const bool in_blocks = store_ == Store::blocks && run_.is_present();
  const bool counts_old = options_.old_counts && run_.nr_pages <= 0xffffffff;
  const bool old = counts_old && !in_blocks;
  std::string payload;
  append_number(payload, 1, run_.vaddr);
  append_number(payload, 2, counts_old ? run_.nr_pages : 0);
  append_number(payload, 4, run_.flags);
  if (!old) append_number(payload, 5, run_.nr_pages);
  if (in_blocks) {
    std::string sizes, blocks;
    std::uint64_t total = 0;
    for (const std::uint32_t size : sizes_) {
      append_varint(sizes, size);
      total += size;
    }
    append_bytes(blocks, 1, sizes);
    append_number(blocks, 2, total);
    append_number(blocks, 3, pages_in(options_.block_bytes, options_.page_size));
    append_bytes(payload, 6, blocks);
    sizes_.clear();
    has_blocks_ = true;
  }
  append_entry(entries_, payload);
  return output_.step();
}

Step PagesWriter::add(std::uint64_t vaddr, std::uint32_t flags, Store store, Bytes pages) {
  if (options_.block_bytes == 0) store = Store::plain;
  flags &= ~static_cast<std::uint32_t>(PageRun::payload_aligned);
  const bool joins = is_open_ && run_.is_present() && store_ == store && sizes_.size() < most_blocks &&
                     (run_.flags & ~static_cast<std::uint32_t>(PageRun::payload_aligned)) == flags &&
                     run_.end(options_.page_size) == vaddr;
  if (!joins) {
    if (close_entry() == Step::stop) return Step::stop;
    run_ = {vaddr, 0, nr_pages_, flags};
    store_ = store;
    is_open_ = true;
    if (store == Store::plain && stored_bytes_ % options_.page_size != 0) {
      run_.flags |= PageRun::payload_aligned;
      const std::vector<std::byte> gap(options_.page_size - stored_bytes_ % options_.page_size);
      put(gap);
    }
  }
  const std::uint64_t count = pages_in(pages.size(), options_.page_size);
  run_.nr_pages += count;
  nr_pages_ += count;
  if (store == Store::plain) {
    put(pages);
    return output_.step();
  }
  while (!pages.empty()) {
    const std::size_t take = std::min<std::size_t>(pages.size(), options_.block_bytes - block_.size());
    block_.insert(block_.end(), pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(take));
    pages = pages.subspan(take);
    if (block_.size() == options_.block_bytes) block();
  }
  return output_.step();
}

Step PagesWriter::refer(const PageRun& run) {
  if (close_entry() == Step::stop) return Step::stop;
  run_ = run;
  run_.flags &= ~static_cast<std::uint32_t>(PageRun::payload_aligned);
  is_open_ = true;
  return close_entry();
}

Step PagesWriter::finish() { return close_entry(); }

Step PagesWriter::write_pagemap(std::uint64_t pages_id, Output& pagemap) const {
  std::string head, payload;
  append_word(head, common_magic);
  append_word(head, kind_of_name("pagemap-1.img")->magic);
  append_number(payload, 1, pages_id);
  append_entry(head, payload);
  pagemap.write(head);
  pagemap.write(entries_);
  return pagemap.step();
}

}  // namespace critpipe
