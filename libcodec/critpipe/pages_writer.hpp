// pages: Writing a pages image and its pagemap, plain or in LZ4 blocks.
//
//     PagesWriter writer{pages, {.page_size = 4096, .block_bytes = 256 << 10}};
//     Step step = writer.add(0x400000, PageRun::present, PagesWriter::Store::blocks, bytes);  // whole pages, ascending
//     if (step == Step::go) step = writer.refer({0x500000, 3, 0, PageRun::parent});           // without bytes
//     if (step == Step::go) step = writer.finish();
//     if (step == Step::go) step = writer.write_pagemap(1, pagemap);
//     if (step == Step::stop) return pages.error();
//
// What continues the entry before it is joined to it, unless cut() was called between. A block of zeros takes no room;
// one of which LZ4 saves less than an eighth is stored as it is. Plain entries behind blocks begin at the next page of
// the file, and say so by a flag; so do entries that begin with a block as it is. If all blocks are, there is no list
// of them. The bytes do not depend on the number of threads. Memory: the pagemap, two blocks, and three more for each
// further thread. For one thread at a time.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "critpipe/output.hpp"
#include "critpipe/pages.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Are all of them 0?
bool is_zero(Bytes bytes);

// What a block is stored as: nothing if it is zeros, LZ4 if that saves an eighth, or else as it is. A view of `room`,
// which grows to hold it, or of the content. `acceleration` is that of PagesWriter::Options.
Bytes pack_block(Bytes content, std::vector<std::byte>& room, int acceleration);
// The way back, which fills `into`. Reasons: bad_block.
[[nodiscard]] Reason unpack_block(Bytes stored, std::span<std::byte> into);

class PagesWriter {
 public:
  // How pages are stored, and which release is to read them.
  struct Options {
    std::uint64_t page_size = smallest_page;
    std::uint64_t block_bytes = 0;  // 0: all plain. Requires: a multiple of the page size, at most max_block_bytes
    int acceleration = 1;           // of LZ4: higher is faster and compresses less
    unsigned threads = 1;           // that compress
    bool no_flags = false;          // as releases up to 3.4, where the flags say no more than these do
    bool old_counts = false;        // count pages where releases before 4.2 look; in entries with blocks, there too
    bool bare_head = false;         // of the pagemap, as releases up to 1.2
  };
  enum class Store : std::uint8_t { plain, blocks };

  // The output must outlive *this.
  PagesWriter(Output& pages, const Options& options);
  ~PagesWriter();

  // Stores whole pages, of which the first is at vaddr, above all that were added before; flags are those of the entry.
  // They are copied. Step::stop: the output failed.
  Step add(std::uint64_t vaddr, std::uint32_t flags, Store store, Bytes pages);
  // Pages that are not stored here: in the parent, or lazy.
  Step refer(const PageRun& run);
  Step cut();     // what follows is another entry
  Step finish();  // all pages are out
  // Requires: finish() was called.
  Step write_pagemap(std::uint64_t pages_id, Output& pagemap) const;

  std::uint64_t nr_pages() const { return nr_pages_; }          // written
  std::uint64_t stored_bytes() const { return stored_bytes_; }  // of the pages image; behind finish()
  bool has_blocks() const { return has_blocks_; }

 private:
  static constexpr std::size_t most_blocks = 1 << 16;  // of an entry, so that none is too long to be read

  struct Block;
  class CRITPIPE_INNER Workers;
  // What is not written yet, in order: a block, or the end of an entry.
  struct Waiting {
    std::unique_ptr<Block> block;  // null: the end
    PageRun run = {};
    Store store = Store::plain;
  };

  void put(Bytes bytes);
  bool align();  // to the border of a page; false: it was there
  void add_blocks(Bytes pages);
  void submit();
  void write_block(Bytes stored, std::size_t content_bytes);
  void write_waiting(std::size_t most);  // until no more blocks than that wait
  void write_entry(const PageRun& run, Store store);
  std::unique_ptr<Block> new_block();

  Output& output_;
  Options options_;
  bool is_open_ = false;  // the entry
  PageRun run_;
  Store store_ = Store::plain;
  std::uint64_t nr_blocks_ = 0;   // of the open entry
  std::unique_ptr<Block> block_;  // that is being filled
  std::deque<Waiting> waiting_;
  std::size_t nr_waiting_ = 0;  // blocks
  std::vector<std::unique_ptr<Block>> spare_;
  std::unique_ptr<Workers> workers_;  // null: blocks are compressed as they come
  std::vector<std::uint32_t> sizes_;  // of the entry that is being written
  bool is_aligned_ = false;           // it begins with a block as it is, behind a gap
  bool has_packed_ = false;           // it has a block that is not
  std::string entries_;
  std::uint64_t nr_pages_ = 0, stored_bytes_ = 0;
  bool has_blocks_ = false;
};

}  // namespace critpipe
#pragma GCC visibility pop
