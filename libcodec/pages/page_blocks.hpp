// Pages that are stored in LZ4 blocks, as their pagemap lists them. Internal.
//
//     pages-PAGES_ID.img   := (pages | blocks)*                    of the present entries, in their order
//     blocks of an entry   := block*                               each of pages_per_block pages, the last of fewer
//     block                := nothing                              size 0: zeros
//                           | as many bytes as its pages have      size = decoded length: as it is
//                           | LZ4, without a frame                 smaller
//
// A block decodes to at most 4 MiB. An entry with the flag payload_aligned begins at the next border of a page in the
// file. Sizes come from images: nothing is allocated by what they claim but the room of one block.
//
// Sources of the facts: the development branch of CRIU after 4.2.1.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "critpipe/fields.hpp"
#include "critpipe/pages.hpp"

namespace critpipe {

// The sizes of all blocks of a pagemap, in their order: as on the wire, since there may be one for each page, with sums
// that make any of them be found in some steps.
class BlockSizes {
 public:
  // The numbers of a list, one behind the other, as they stand on the wire. Requires: they are checked.
  void append(Bytes varints);
  void append(std::uint32_t size);
  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }
  std::uint64_t sum_before(std::uint64_t block) const { return at(block).sum(); }  // the sum, if it is count()
  std::uint32_t operator[](std::uint64_t block) const { return at(block).size(); }

  // A block and, step by step, those behind it. As long as nothing is appended.
  class At {
   public:
    At() = default;
    std::uint64_t sum() const { return sum_; }    // of those before it
    std::uint32_t size() const { return size_; }  // 0: behind the last
    void next() {
      sum_ += size_;
      size_ = next_ == end_ ? 0 : static_cast<std::uint32_t>(trusted_varint(next_));
    }

   private:
    friend class BlockSizes;
    At(std::uint64_t sum, Bytes varints) : sum_{sum}, next_{varints.data()}, end_{next_ + varints.size()} { next(); }

    std::uint64_t sum_ = 0;
    std::uint32_t size_ = 0;
    const std::byte *next_ = nullptr, *end_ = nullptr;
  };
  At at(std::uint64_t block) const;

 private:
  static constexpr std::size_t sum_every = 64;  // blocks
  struct Mark {
    std::uint64_t sum, offset;
  };

  std::vector<std::byte> varints_;
  std::vector<Mark> marks_;
  std::uint64_t count_ = 0, sum_ = 0;
};

// The present pages of one pagemap, in their order: plain ones, and entries with blocks. Any number of threads may read
// one that is complete.
class PageLayout {
 public:
  // Pages that follow one another in the image: of one entry with blocks, or of any number of plain ones.
  struct Part {
    std::uint64_t page = 0;  // number of its first page in the pages image
    std::uint64_t nr_pages = 0;
    std::uint64_t entry = 0;            // of the pagemap
    std::uint64_t first_block = 0;      // in sizes: behind those of the part before it
    std::uint32_t pages_per_block = 0;  // 0: plain pages
    bool aligned = false;               // begins where a page begins in the file
  };
  std::vector<Part> parts;
  std::shared_ptr<BlockSizes> sizes = std::make_shared<BlockSizes>();

  // Never fails: 0 where the pages are plain.
  std::uint64_t nr_blocks(const Part& part) const {
    return part.pages_per_block == 0 ? 0 : (part.nr_pages + part.pages_per_block - 1) / part.pages_per_block;
  }
  // The same for one page size, made once. Null: blocks are larger than their pages, or than max_block_bytes. Reasons:
  // bad_blocks, with the entry.
  std::shared_ptr<const StoredPages> placed(std::uint64_t page_size, Error& error) const;
  // The same, made anew and not kept.
  std::shared_ptr<const StoredPages> place(std::uint64_t page_size, Error& error) const;

 private:
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const StoredPages> placed_;
};

// Where pages are in a pages image. Any number of threads may read it, and it keeps its layout alive no longer than
// that lives.
class StoredPages {
 public:
  // What is read as one: a block, or plain pages up to where they end.
  struct Block {
    std::uint64_t page = 0, nr_pages = 0;  // numbers in the pages image; 0 pages: there are no more
    std::uint64_t offset = 0, size = 0;    // in the file
    bool is_plain = true;
  };
  // Goes from one to the next.
  class Walk {
   public:
    // From the one that the page is in. Of plain pages: from that page on.
    Walk(const StoredPages& pages, std::uint64_t page);
    const Block& operator*() const { return block_; }
    const Block* operator->() const { return &block_; }
    void next();

   private:
    void stand_at(std::uint64_t page);

    const StoredPages* pages_;
    std::size_t part_;  // that it is in
    BlockSizes::At size_;
    Block block_;
  };
  Block block_of(std::uint64_t page) const { return *Walk{*this, page}; }
  bool is_of_same_layout(const StoredPages& other) const { return sizes_ == other.sizes_; }
  std::uint64_t page_size() const { return page_size_; }
  std::uint64_t nr_pages() const { return nr_pages_; }      // that the pages image holds
  std::uint64_t size_bytes() const { return size_bytes_; }  // of the pages image
  std::uint64_t most_pages() const { return most_pages_; }  // of a block
  // How many of the first pages are whole in a file of that size.
  std::uint64_t nr_pages_in(std::uint64_t size_bytes) const;
  // A file of that size ends before the page: what its block needs, and has.
  Error cut(std::string place, std::uint64_t page, std::uint64_t size_bytes) const;

 private:
  friend class PageLayout;

  std::vector<PageLayout::Part> parts_;
  std::shared_ptr<const BlockSizes> sizes_;
  std::vector<std::uint64_t> offsets_;  // of parts; with blocks, less the sum of all blocks before
  std::uint64_t page_size_ = 0, nr_pages_ = 0, size_bytes_ = 0, most_pages_ = 0;
};

// Bytes of a pages image as they come to what its pages hold. For one thread at a time.
class BlockFeed {
 public:
  using Take = std::function<Step(Bytes content)>;  // the view lives until the return
  // Gets a block that is damaged, in place of its content, and the offset of it in the image. Reasons: bad_block.
  using Refuse = std::function<void(const Error& error, std::uint64_t content_bytes)>;
  explicit BlockFeed(std::shared_ptr<const StoredPages> pages) : pages_{std::move(pages)} {}
  // Step::stop: `take` said so. Bytes behind the last page are passed over.
  Step feed(Bytes bytes, const Take& take, const Refuse& refuse);

 private:
  Step whole(Bytes stored, const Take& take, const Refuse& refuse);

  std::shared_ptr<const StoredPages> pages_;
  StoredPages::Walk block_{*pages_, 0};
  std::uint64_t at_ = 0;  // bytes that have come
  std::vector<std::byte> stored_, content_;
};

}  // namespace critpipe
