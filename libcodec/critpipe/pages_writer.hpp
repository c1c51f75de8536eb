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
// of them. The bytes do not depend on the number of threads. Memory: the pagemap and two blocks; with several threads,
// four blocks and two more for each thread, or as many times 512 KiB. For one thread at a time.
#pragma once

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
    unsigned threads = 1;           // that compress, of which the caller is one
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

  std::uint64_t nr_pages() const;      // written
  std::uint64_t stored_bytes() const;  // of the pages image; behind finish()
  bool has_blocks() const;

 private:
  class CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
