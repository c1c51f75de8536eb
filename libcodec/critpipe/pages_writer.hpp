// pages: Writing a pages image and its pagemap, plain or in LZ4 blocks.
//
//     PagesWriter writer{pages, {.page_size = 4096, .block_bytes = 256 << 10}};
//     Step step = writer.add(0x400000, PageRun::present, PagesWriter::Store::blocks, bytes);  // whole pages, ascending
//     if (step == Step::go) step = writer.refer({0x500000, 3, 0, PageRun::parent});           // without bytes
//     if (step == Step::go) step = writer.finish();
//     if (step == Step::go) step = writer.write_pagemap(1, pagemap);
//     if (step == Step::stop) return pages.error();
//
// What continues the entry before it is joined to it. A block of zeros takes no room; one of which LZ4 saves less than
// an eighth is stored as it is. Plain entries behind blocks begin at the next page of the file, and say so by a flag.
// Memory: the pagemap, and two blocks. For one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "critpipe/output.hpp"
#include "critpipe/pages.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class PagesWriter {
 public:
  struct Options {
    std::uint64_t page_size = smallest_page;
    std::uint64_t block_bytes = 0;  // 0: all plain. Requires: a multiple of the page size, at most max_block_bytes
    int acceleration = 1;           // of LZ4: higher is faster and compresses less
    bool old_counts = false;        // count pages where releases before 4.2 look; in entries with blocks, there too
  };
  enum class Store : std::uint8_t { plain, blocks };

  // The output must outlive *this.
  PagesWriter(Output& pages, const Options& options) : output_{pages}, options_{options} {}

  Step add(std::uint64_t vaddr, std::uint32_t flags, Store store, Bytes pages);
  Step refer(const PageRun& run);
  Step finish();  // all pages are out
  // Requires: finish() was called.
  Step write_pagemap(std::uint64_t pages_id, Output& pagemap) const;

  std::uint64_t nr_pages() const { return nr_pages_; }          // written
  std::uint64_t stored_bytes() const { return stored_bytes_; }  // of the pages image
  bool has_blocks() const { return has_blocks_; }

 private:
  static constexpr std::size_t most_blocks = 1 << 16;  // of an entry, so that none is too long to be read

  void put(Bytes bytes);
  void block();
  Step close_entry();

  Output& output_;
  Options options_;
  bool is_open_ = false;
  PageRun run_;
  Store store_ = Store::plain;
  std::vector<std::uint32_t> sizes_;
  std::vector<std::byte> block_;
  std::string packed_;
  std::string entries_;
  std::uint64_t nr_pages_ = 0, stored_bytes_ = 0;
  bool has_blocks_ = false;
};

}  // namespace critpipe
#pragma GCC visibility pop
