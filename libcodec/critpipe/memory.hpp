// memory: The memory of the processes of checkpoints, as bytes at addresses.
//
//     CheckpointMemory memory{{"c1.tar.zst"}};
//     for (const Process& process : memory.processes()) {
//       std::vector<std::string> arguments;
//       if (Error error = memory.arguments(process, arguments)) puts(to_string(error).c_str());
//     }
//
// Pages are taken from where they are: the checkpoint itself, its parents, shared objects. A page that an entry places
// in the parent is looked up in the pagemap of the same name there, which may again point to its parent; a missing
// link, pagemap or entry is an error, never zeros. A range that no entry covers is a hole: zeros in anonymous memory,
// the file's bytes where a file is mapped.
//
// Pages of shared anonymous, SysV and memfd mappings are in pagemap-shmem-ID, by their offset in the object. A private
// mapping of such an object has the pages that the process changed in its own pagemap, the others in the object's.
//
// Sources of the facts: criu/pagemap.c (read_parent_page, try_open_parent), criu/shmem.c, criu/memfd.c, criu/mem.c.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/pages.hpp"
#include "critpipe/set.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Consecutive pages by address, and where their content is.
struct Stretch {
  enum class Where : std::uint8_t {
    stored,  // in pages image `pages_id` of the ancestor `level`
    hole,    // no entry covers it, or one that says that nothing is stored
    lazy,    // left behind for a lazy restore: it is not in the images
    missing  // said to be in a parent that is not there or does not have it
  };
  std::uint64_t vaddr = 0;
  std::uint64_t nr_pages = 0;
  Where where = Where::hole;
  std::uint32_t level = 0;  // of the set that knows; 0: the first, 1: its parent
  MemoryId memory = {};     // in whose pagemap it was found
  std::uint64_t pages_id = 0;
  std::uint64_t page = 0;   // number of the first page in that image
  std::uint32_t flags = 0;  // of the entry in the first set

  std::uint64_t end(std::uint64_t page_size) const { return address_behind(vaddr, nr_pages, page_size); }
};

// The pagemaps of a set, and its parent.
class PageStore {
 public:
  virtual ~PageStore() = default;
  // Null: there is none, or it is damaged. Lives until forget(), or as long as the store.
  virtual const Pagemap* pagemap(MemoryId memory) = 0;
  // Null: no link, or it leads nowhere or in a circle.
  virtual PageStore* parent() = 0;
  // Itself for level 0, its parent for 1. Requires: there are so many.
  PageStore& ancestor(std::uint32_t level);
};

// A directory with images, and its parents. Pagemaps and parents are read when they are first asked for, and kept.
// What cannot be read is in errors(), once. Not for several threads at once.
class PageDirectory final : public PageStore {
 public:
  explicit PageDirectory(const std::string& path, const Limits& limits = {});
  ~PageDirectory() override;

  const std::string& path() const { return path_; }
  const Pagemap* pagemap(MemoryId memory) override;
  void forget(MemoryId memory);  // here and in all parents
  PageDirectory* parent() override;
  PageDirectory& ancestor(std::uint32_t level) { return static_cast<PageDirectory&>(PageStore::ancestor(level)); }
  bool has_parent_link() const;
  // Null: error says why. Lives until 15 others have been asked for, parents' included.
  const PagesImage* image(std::uint64_t pages_id, std::uint64_t page_size, Error& error);
  // Bytes of a stored stretch from `skip` on; may go on over the pages stored behind it. Reasons: io_open, bad_member,
  // io_read, cut_pages.
  [[nodiscard]] Error read(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                           std::span<std::byte> into);
  const std::vector<Error>& errors() const;  // here and in parents

 private:
  struct CRITPIPE_INNER Chain;
  PageDirectory(std::unique_ptr<ImageSet> set, std::shared_ptr<Chain> chain);

  std::shared_ptr<Chain> chain_;   // what it shares with its parents
  std::unique_ptr<ImageSet> set_;  // null: it can't be opened
  std::string path_;
  bool parent_known_ = false;
  std::unique_ptr<PageDirectory> parent_;
  std::map<MemoryId, std::unique_ptr<Pagemap>> pagemaps_;
};

// Visits all of [begin, end), widened to whole pages, in ascending order and without gaps. False: `visit` stopped. Not
// for several threads that share a store. Requires: is_page_size(page_size).
using VisitStretch = std::function<Step(const Stretch&)>;
bool visit_stretches(PageStore& store, MemoryId memory, std::uint64_t page_size, std::uint64_t begin, std::uint64_t end,
                     const VisitStretch& visit);

// The shared object behind a mapping. Nothing for private memory and regular files.
std::optional<MemoryId> shared_object(const Checkpoint& checkpoint, const Mapping& mapping);
// A memfd of the images: its pages are there even where nobody maps it.
bool is_memfd(const Checkpoint& checkpoint, MemoryId memory);
// Bytes of address space that the task shares with others, files too.
std::uint64_t shared_bytes(const Task& task);

// Mappings by address; guards, which lie inside of others, are left out. Views of the mappings.
class MappingIndex {
 public:
  MappingIndex() = default;
  explicit MappingIndex(std::span<const Mapping> mappings);
  // The mapping that holds the address; null: none does.
  const Mapping* at(std::uint64_t vaddr) const;
  // The first that ends behind the address.
  std::vector<const Mapping*>::const_iterator from(std::uint64_t vaddr) const;
  const std::vector<const Mapping*>& all() const { return all_; }

 private:
  std::vector<const Mapping*> all_;
};

// As visit_stretches, in addresses of a process: what is a hole in its own pagemap may be stored in a shared object.
bool visit_stretches(PageStore& store, const Checkpoint& checkpoint, const Task& task, std::uint64_t page_size,
                     std::uint64_t begin, std::uint64_t end, const VisitStretch& visit);

// What to make of addresses that no image has.
enum class Absent : std::uint8_t {
  refused,         // an error, whatever it is
  zero_anonymous,  // holes of anonymous memory are zeros; files, lazy and missing pages are an error
  zero_holes,      // all holes are zeros
  zero             // everything is
};

// A process with a pagemap. Views live as long as the CheckpointMemory.
struct Process {
  const Task* task = nullptr;
  const Checkpoint* checkpoint = nullptr;
  const SetId* set = nullptr;
  std::string_view name;  // of the set, for people
};

struct MemoryOptions {
  std::uint64_t held_bytes = std::uint64_t{1} << 30;  // more are refused: limit_held
  std::uint64_t page_size = 0;                        // 0: what the images say
  Limits limits = {};
  SourceOptions source = {};
  std::function<bool(std::string_view path)> wanted = {};  // images; none: all
  std::function<bool(std::uint32_t pid)> pids = {};        // none: all
};

struct CRITPIPE_INNER MemoryWork;  // internal

// The memory of all processes in some inputs of any form.
//
// Directories are read by position. Archives and image streams in files are read once to see what is where, and once
// more by each call of read(): ask for many ranges at once. From a pipe, pages that may be wanted are held in memory.
// Not for several threads at once; distinct objects are.
class CheckpointMemory {
 public:
  struct Range {
    Process process;
    std::uint64_t begin = 0, end = 0;  // addresses, aligned or not
    Absent absent = Absent::zero_anonymous;
  };
  using Report = std::function<void(const Error&)>;
  // Views live until the return.
  using Take = std::function<Step(std::uint64_t vaddr, Bytes bytes)>;
  using TakeOf = std::function<Step(std::size_t range, Bytes bytes)>;

  // `report` gets what is wrong with inputs, pagemaps and parents, now and later.
  explicit CheckpointMemory(std::vector<std::string> inputs, MemoryOptions options = {}, Report report = {});
  ~CheckpointMemory();

  std::span<const Process> processes() const;            // by set and pid
  const Process* find_process(std::uint32_t pid) const;  // the first of that pid

  // What of the range no image has, though it is asked for: one no_bytes for each stretch.
  std::vector<Error> absences(const Range& range);
  // All bytes of the ranges, one after the other. Ends with the first error: no_bytes, io_open, io_read, bad_member,
  // cut_pages, missing_image, limit_held. What comes before it is handed out.
  [[nodiscard]] Error read(std::span<const Range> ranges, const TakeOf& take);
  [[nodiscard]] Error read(const Range& range, std::string& bytes);
  // All that is stored of a process, ascending. What should be stored and is missing is passed over, and the first of
  // it is the error.
  [[nodiscard]] Error read_stored(const Process& process, const Take& take);

  // What it was started with, each string without its NUL. Reasons: those of read, and limit_size.
  [[nodiscard]] Error arguments(const Process& process, std::vector<std::string>& all);
  [[nodiscard]] Error environment(const Process& process, std::vector<std::string>& all);
  // The same of many at once; errors go to `report`, and the strings of that process are empty.
  enum class Texts : std::uint8_t { arguments, environment };
  std::vector<std::vector<std::string>> texts(std::span<const Process> processes, Texts which, Absent absent);

 private:
  std::unique_ptr<MemoryWork> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
