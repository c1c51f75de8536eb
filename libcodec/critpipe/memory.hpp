// memory: The memory of a checkpoint in a directory, by address; parents are followed.
//
//     PageFolder folder{"checkpoint/3"};
//     MemoryReader reader{folder, {.shmem = false, .id = 7}, 4096};
//     std::vector<std::byte> page(4096);
//     reader.stretches(0x1000, 0x9000, [&](const Stretch& stretch) {
//       if (stretch.where != Stretch::Where::stored) return Step::go;
//       const Error error = folder.read(stretch, page.size(), 0, page);          // its first page
//       return error ? Step::stop : Step::go;
//     });
//
// A directory's parent is where its link `parent` leads. A page that an entry places in the parent is looked up in the
// pagemap of the same name there, and may again be in that one's parent. A missing link, pagemap or entry is a fault,
// never zeros. Only a run that no entry covers is a hole: zeros in anonymous memory, the bytes of a mapped file.
//
// Sources of the facts: criu/pagemap.c (read_parent_page, try_open_parent).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>

#include "critpipe/base.hpp"
#include "critpipe/pages.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A stretch of addresses and where its content is.
struct Stretch {
  enum class Where : std::uint8_t {
    stored,  // in pages image `pages_id` of the directory `level` steps up from the first
    hole,    // no entry covers it, or one that says that nothing is stored
    lazy,    // left behind for a lazy restore: it is not in the images
    missing  // said to be in a parent that is not there or does not have it
  };
  std::uint64_t vaddr = 0;
  std::uint64_t nr_pages = 0;
  Where where = Where::hole;
  std::uint32_t level = 0;  // of the directory that knows; 0: the first
  MemoryId memory = {};     // in whose pagemap it was found
  std::uint64_t pages_id = 0;
  std::uint64_t page = 0;   // number of the first page in that image
  std::uint32_t flags = 0;  // of the entry in the first directory
};

// Pagemaps by whose they are, and those of the parent.
class PageStore {
 public:
  virtual ~PageStore() = default;
  // Null: there is none, or it is damaged. Lives until forget(), or as long as the store.
  virtual const Pagemap* pagemap(MemoryId memory) = 0;
  // Null: no link, or it leads nowhere or in a circle.
  virtual PageStore* parent() = 0;
};

// A directory with images, and those above it. Pagemaps and parents are read when they are first asked for, and kept.
// What cannot be read is in errors(), once.
class PageFolder final : public PageStore {
 public:
  explicit PageFolder(std::string path, const Limits& limits = {});
  ~PageFolder() override;
  PageFolder(const PageFolder&) = delete;
  PageFolder& operator=(const PageFolder&) = delete;

  const std::string& path() const { return path_; }
  const Pagemap* pagemap(MemoryId memory) override;
  void forget(MemoryId memory);  // here and in all parents
  PageFolder* parent() override;
  bool has_parent_link() const;
  // Bytes of a stored stretch from `skip` on. Reasons: io_open, io_read, cut_pages.
  Error read(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip, std::span<std::byte> into);
  // Open for reading until the next call; -1 with errno.
  int pages_fd(std::uint64_t pages_id);

  const std::vector<Error>& errors() const { return errors_; }  // here and in parents

 private:
  PageFolder(std::string path, PageFolder& child);
  struct OpenPages {
    const PageFolder* folder = nullptr;
    std::uint64_t pages_id = 0;
    int fd = -1;
  };

  std::string path_;
  Limits limits_;
  PageFolder* child_ = nullptr;
  PageFolder* first_ = this;  // keeps what all of a chain share
  std::uint64_t device_ = 0, inode_ = 0;
  bool parent_known_ = false;
  std::unique_ptr<PageFolder> parent_;
  std::map<MemoryId, std::unique_ptr<Pagemap>> pagemaps_;
  std::array<OpenPages, 16> open_pages_;  // the most recent first
  std::vector<Error> errors_;
};

// One memory in address order. Not for several threads at once, nor are other readers of its store.
class MemoryReader {
 public:
  using Visit = std::function<Step(const Stretch&)>;

  // Requires: page_size is a multiple of smallest_page.
  MemoryReader(PageStore& store, MemoryId memory, std::uint64_t page_size)
      : store_{store}, memory_{memory}, page_size_{page_size} {}

  // Covers [begin, end), which is widened to whole pages, without gaps, in ascending order. False: `visit` stopped.
  bool stretches(std::uint64_t begin, std::uint64_t end, const Visit& visit);

 private:
  struct CRITPIPE_INNER Walk;
  bool walk(Walk& walk, PageStore& store, std::uint32_t level, std::uint64_t begin, std::uint64_t end);

  PageStore& store_;
  MemoryId memory_;
  std::uint64_t page_size_;
};

}  // namespace critpipe
#pragma GCC visibility pop
