// memory: The memory of processes in checkpoints, as bytes at addresses.
//
//     CheckpointMemory memory{{"c1.tar.zst"}};
//     for (const Process& process : memory.processes()) {
//       std::vector<std::string> arguments;
//       if (Error error = memory.arguments(process, arguments)) puts(to_string(error).c_str());
//     }
//
// The bytes of a page are in the checkpoint itself, in one of its parents, or in a shared object. If an entry says that
// a page is in the parent, the pagemap of the same name there tells where, which may again point to its parent; a
// missing link, pagemap or entry is an error and never read as zeros. Addresses that no entry covers are a hole: they
// hold zeros in anonymous memory, and the bytes of the file where one is mapped. The images have those of a file that
// was unlinked, in ghost-file-N; others are not in the checkpoint, and reading them is an error that names the file.
//
// The pages of shared anonymous, SysV and memfd mappings are in pagemap-shmem-ID, by their offset in the object. A
// private mapping of such an object has the pages that the process changed in its own pagemap.
//
// Sources of the facts: criu/pagemap.c (read_parent_page, try_open_parent), criu/shmem.c, criu/memfd.c, criu/mem.c.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/pages.hpp"
#include "critpipe/set.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Pages with consecutive addresses, and where their content is.
struct Stretch {
  enum class Where : std::uint8_t {
    stored,  // in the pages image `pages_id` of the ancestor `level`
    hole,    // no entry covers them, or one without present pages
    lazy,    // on the source of a lazy migration, not in the images
    missing  // in a parent that does not exist or does not have them
  };
  std::uint64_t vaddr = 0;
  std::uint64_t nr_pages = 0;
  Where where = Where::hole;
  std::uint32_t level = 0;  // the set where the search ended; 0: the first, 1: its parent
  MemoryId memory = {};     // in whose pagemap the pages were found
  std::uint64_t pages_id = 0;
  std::uint64_t page = 0;   // number of the first page in that image
  std::uint32_t flags = 0;  // of the entry in the first set

  // The address behind the last page.
  std::uint64_t end(std::uint64_t page_size) const { return address_behind(vaddr, nr_pages, page_size); }
};

class PageDirectory;

// Finds the pagemaps of a set, and its parent. Derive from it for other storage.
class PageStore {
 public:
  virtual ~PageStore() = default;
  // Null: there is none, or it is damaged. Lives as long as the store, or until it is told to forget it.
  virtual const Pagemap* pagemap(MemoryId memory) = 0;
  // Where its images can be read by position; null: they are in an archive or a stream.
  virtual PageDirectory* page_directory() { return nullptr; }
  // As Checkpoint::dump_uptime(). Nothing: its inventory is not there, does not tell, or was not read.
  virtual std::optional<std::uint64_t> dump_uptime();
  virtual std::optional<std::uint64_t> block_bytes();  // the same of Checkpoint::block_bytes()
  // How large pages are, in bytes, as an auxiliary vector of its tasks says; 0: none does.
  virtual std::uint64_t page_size_of_tasks();
  // A pages image, and how many of its pages are whole; none, where it is not there.
  struct Held {
    std::string place = {};
    std::uint64_t nr_pages = 0;
  };
  // The one of that id, as the pagemap of that memory says that it is stored.
  virtual Held held(std::uint64_t pages_id, MemoryId memory, std::uint64_t page_size);
  // It as it is stored, without blocks; null: it is not there. Of one in an archive or a stream perhaps nothing, or no
  // more than its beginning, can be read.
  virtual std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id);

  // The parent that was given, or else the one that a link leads to. Null: there is no link, or it leads nowhere or in
  // a circle.
  PageStore* parent();
  // Gives it a parent, which must outlive *this, in place of its link or of the one that it was given before.
  void give_parent(PageStore& parent) { replaced_parent_ = std::exchange(given_parent_, &parent); }
  bool has_given_parent() const { return given_parent_ != nullptr; }
  PageStore* replaced_parent() const { return replaced_parent_; }  // that was given before; null: none
  // The store itself for level 0, its parent for 1. Requires: there are that many.
  PageStore& ancestor(std::uint32_t level);

 private:
  PageStore *given_parent_ = nullptr, *replaced_parent_ = nullptr;
};

// A directory of images, and its parents. Pagemaps and parents are read on their first use and then kept. What can't be
// read is in errors(), once each. For one thread at a time.
class PageDirectory final : public PageStore {
 public:
  // Which pagemaps' faults go into errors(). parents: the caller has read the directory's own and reported them.
  enum class ErrorsOf : std::uint8_t { all, parents };
  // If the directory can't be opened, errors() says why, and it has no pagemaps.
  explicit PageDirectory(const std::string& path, const Limits& limits = {}, ErrorsOf errors_of = ErrorsOf::all);
  ~PageDirectory() override;

  const std::string& path() const;  // as it was given
  const Pagemap* pagemap(MemoryId memory) override;
  // Frees a pagemap, here and in all parents.
  void forget(MemoryId memory);
  PageDirectory* page_directory() override { return this; }
  std::optional<std::uint64_t> dump_uptime() override;  // reads the inventory
  std::optional<std::uint64_t> block_bytes() override;  // the same
  std::uint64_t page_size_of_tasks() override;          // reads the image of one
  Held held(std::uint64_t pages_id, MemoryId memory, std::uint64_t page_size) override;
  bool has_parent_link() const;    // whether or not it leads to a directory
  PageDirectory* linked_parent();  // null as in parent()
  // Of the directory with the images; nothing: it can't be opened.
  std::optional<Directory::Identity> identity() const;
  // The pages image with that id; null: error says why. Lives until 15 other images have been asked for, including
  // those of parents. If its pages are compressed, ask for its pagemap first; `stored_page_size` is the size of the
  // pages that were compressed, where `page_size` is a smaller one. Reasons: io_open, bad_member, bad_blocks.
  const PagesImage* image(std::uint64_t pages_id, std::uint64_t page_size, Error& error,
                          std::uint64_t stored_page_size = 0);
  // Fills `into` from byte `skip` of a stretch on, which is stored in this directory. May read beyond it, over the
  // pages that are stored behind it. Reasons: io_open, bad_member, io_read, cut_pages.
  [[nodiscard]] Error read(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                           std::span<std::byte> into);
  // Opens another image of the directory. Reasons: io_open, bad_member.
  [[nodiscard]] InputFile open(std::string_view name, Error& error) const;
  const std::vector<Error>& errors() const;  // of all parents, too
  std::vector<Error> new_errors();           // those that it has not given before

 private:
  struct CRITPIPE_INNER Chain;
  struct CRITPIPE_INNER Work;
  explicit PageDirectory(std::unique_ptr<Work> work);

  std::unique_ptr<Work> work_;
};

// Visits all stretches of [begin, end), widened to whole pages, in ascending order and without gaps. False: `visit`
// returned Step::stop. Requires: is_page_size(page_size). A store is for one thread at a time.
using VisitStretch = std::function<Step(const Stretch&)>;
bool visit_stretches(PageStore& store, MemoryId memory, std::uint64_t page_size, std::uint64_t begin, std::uint64_t end,
                     const VisitStretch& visit);

// Whether given parents, the nearest first, are what the memories of a set ask for. The set's store has them as its
// ancestors. Reports each that lacks pages (bad_parent) or that nothing is asked of (usage); errors name it. Wrong
// parents may have pages at the same addresses: one that is not the parent to which a link leads, or that was dumped
// after its child, is the only error (usage).
void check_parents(PageStore& store, std::span<const MemoryId> memories, std::uint64_t page_size,
                   std::span<const std::string> parents, const std::function<void(const Error&)>& report);

// Why a given parent is none, though it can be read: it holds no set with pagemaps (no_parent), or several (usage).
Error no_single_parent(const std::string& input, std::size_t nr_sets);

// The shared object that is mapped. Nothing: the mapping is of private memory or a regular file.
std::optional<MemoryId> shared_object(const Checkpoint& checkpoint, const Mapping& mapping);
// Is this shared object a memfd or a System V segment? Their pages are in the images even if no process maps them.
// System V segments are known only if the checkpoint was read with the kind "IPCNS_SHM".
bool is_kept_unmapped(const Checkpoint& checkpoint, MemoryId memory);
// The size of the task's shared mappings, in bytes, including those of files.
std::uint64_t shared_bytes(const Task& task);

// What a Checkpoint reads for those who look at memory.
Needs needs_of_memory();

// What a caller needs from the images of a set.
struct PartsWanted {
  std::string place;                                   // of the set: before the names of its images
  bool names = false;                                  // what is mapped, and how it is called
  bool comms = false;                                  // what tasks are called
  std::function<bool(MemoryId)> has_pagemap = {};      // is it there? Empty: pages are not asked for
  std::function<bool(std::uint32_t pid)> pids = {};    // of which processes; empty: all
  std::function<bool(std::string_view)> selects = {};  // which images may be named; empty: all
};
// Images that the memory of tasks should have and that are not in their set (missing_image), once each. Nothing of a
// set without tasks, and no pagemap where there is neither one nor a pages image. Requires: the checkpoint was read
// with needs_of_memory(), was told of pagemaps and pages images and is finished.
std::vector<Error> missing_parts(const Checkpoint& checkpoint, const PartsWanted& wanted);

// Finds mappings by address. Leaves out guards, which lie inside other mappings. The mappings must outlive it.
class MappingIndex {
 public:
  MappingIndex() = default;
  explicit MappingIndex(std::span<const Mapping> mappings);
  // The mapping that holds the address; null: there is none.
  const Mapping* at(std::uint64_t vaddr) const;
  // The first mapping that ends behind the address.
  std::vector<const Mapping*>::const_iterator from(std::uint64_t vaddr) const;
  const std::vector<const Mapping*>& all() const { return all_; }  // ascending

 private:
  std::vector<const Mapping*> all_;
};

// The same for the addresses of a process, whose holes may be stored in the shared objects that it maps.
bool visit_stretches(PageStore& store, const Checkpoint& checkpoint, const Task& task, std::uint64_t page_size,
                     std::uint64_t begin, std::uint64_t end, const VisitStretch& visit);
// For many visits to one process: `mappings` are those of the task.
bool visit_stretches(PageStore& store, const Checkpoint& checkpoint, const Task& task, const MappingIndex& mappings,
                     std::uint64_t page_size, std::uint64_t begin, std::uint64_t end, const VisitStretch& visit);

// How to read addresses whose bytes no image has.
enum class Absent : std::uint8_t {
  refused,         // any is an error
  zero_anonymous,  // holes of anonymous memory read as zeros; the rest is an error: files, lazy and missing pages
  zero_holes,      // all other holes read as zeros, too; lazy and missing pages are an error
  zero             // all of them read as zeros
};

// A process with a pagemap. Pointers and views live as long as the CheckpointMemory.
struct Process {
  const Task* task = nullptr;
  const Checkpoint* checkpoint = nullptr;
  const SetId* set = nullptr;
  std::string_view name;   // of the set, for people
  std::string_view place;  // what errors name its images with: "DIR/", "a.tar:"
};

// Why it is not known where a process has its command line, environment and auxiliary vector: its mm image is not
// there. Reasons: missing_image, no_tree (a pre-dump).
Error lacks_address_space(const Process& process);

// How a CheckpointMemory reads its inputs.
struct MemoryOptions {
  // Bytes of pages to hold at most: of pipes what may be asked for, and of archives what comes before its turn. More
  // than that of a pipe is limit_held; other inputs are then read again.
  std::uint64_t held_bytes = std::uint64_t{1} << 30;
  // What will be read. For texts() alone, all pages of a pipe are held only if they come before the images that tell
  // where the texts are.
  enum class Content : std::uint8_t { all, texts } content = Content::all;
  std::uint64_t page_size = 0;  // in bytes; 0: the one that the images say
  // Inputs that the pages of parents are in, the nearest first: directories, archives or streams, with one set of
  // images each. They stand in place of the link `parent`. Requires: the inputs have one set.
  std::vector<std::string> parents = {};
  Limits limits = {};
  SourceOptions source = {};
  std::function<bool(std::string_view path)> wanted = {};  // which images to read; empty: all
  std::function<bool(std::uint32_t pid)> pids = {};        // which processes to read; empty: all
  bool comms = false;                                      // what they are called is asked for
  std::vector<std::string_view> kinds = {};                // as Needs::kinds, for messages() of the checkpoints
  // A file for read() of a StoredSet: compressed archives and streams are unpacked into it if their pages are wanted in
  // another order than theirs, or again. Null: they are read as often as it takes.
  std::shared_ptr<const InputFile> spool = {};
};

// A set that is no parent of another in its input, and how its memory is stored. Pointers and views live as long as the
// CheckpointMemory.
struct StoredSet {
  const SetId* id = nullptr;
  std::string_view place;  // what errors name its images with: "DIR/", "a.tar:"
  const Checkpoint* checkpoint = nullptr;
  PageStore* store = nullptr;                 // its pagemaps and its parents, for visit_stretches()
  std::vector<MemoryId> memories = {};        // with a pagemap, in the order of their pages images
  std::vector<std::uint64_t> pages_ids = {};  // of each of them
  // Of their images, as they are stored; Member::unknown: not there, or not known.
  std::vector<std::uint64_t> pages_bytes = {};
  bool is_compressed = false;  // any of them
  std::uint64_t page_size = smallest_page;
};

struct CRITPIPE_INNER MemoryWork;  // internal

// Reads the memory of all processes in inputs of any form. Directories are read by position. Archives and image streams
// in files are read once by the constructor and again by each read(), which should therefore get many ranges at once.
// Of pipes, all pages that may be asked for are held in memory. For one thread at a time.
class CheckpointMemory {
 public:
  // What to read, and how.
  struct Range {
    Process process;
    std::uint64_t begin = 0, end = 0;  // addresses, which need not be aligned
    Absent absent = Absent::zero_anonymous;
  };
  using OnError = std::function<void(const Error&)>;
  // Receive bytes, whose view lives until the return. Step::stop ends the reading, which is no error.
  using OnBytes = std::function<Step(std::uint64_t vaddr, Bytes bytes)>;
  using OnBytesOf = std::function<Step(std::size_t range, Bytes bytes)>;

  // Reads which processes and pages there are. `on_error` gets the errors of inputs, pagemaps and parents, now and
  // during later calls.
  explicit CheckpointMemory(std::vector<std::string> inputs, MemoryOptions options = {}, OnError on_error = {});
  ~CheckpointMemory();

  std::span<const Process> processes() const;            // by set and pid
  const Process* find_process(std::uint32_t pid) const;  // the first with that pid; null: there is none

  // The addresses whose bytes are those of unlinked files, which the images have. Ascending.
  std::vector<Range> unlinked(const Process& process) const;
  // What read() would refuse to read: an error with the reason no_bytes for each stretch of the range.
  std::vector<Error> absences(const Range& range);
  // Reads the ranges one after the other, each in address order. Ends with the first error; `on_bytes` has got
  // everything before it. Reasons: no_bytes, io_open, io_read, bad_member, cut_pages, missing_image, limit_held.
  [[nodiscard]] Error read(std::span<const Range> ranges, const OnBytesOf& on_bytes);
  [[nodiscard]] Error read(const Range& range, std::string& bytes);
  // Reads everything that is stored of a process, in address order, but not of unlinked files. Skips what should be
  // stored but is missing, and returns the first such error.
  [[nodiscard]] Error read_stored(const Process& process, const OnBytes& on_bytes);

  // What a process was started with, each string without its NUL. Nothing: not asked for, or not to be had.
  struct Texts {
    std::optional<std::vector<std::string>> arguments = {}, environment = {};
  };
  struct TextsWanted {  // which of them, and what absent pages count as
    bool arguments = true, environment = true;
    Absent absent = Absent::zero_anonymous;
  };
  using OnTexts = std::function<Step(const Process&, Texts)>;
  // Hands on one process after the other, and holds the texts of one. What cannot be had is reported. Reasons: those of
  // read(), and limit_json, no_tree.
  void texts(std::span<const Process> processes, const TextsWanted& wanted, const OnTexts& on_texts);
  // The same for one process.
  [[nodiscard]] Error arguments(const Process& process, std::vector<std::string>& all);
  [[nodiscard]] Error environment(const Process& process, std::vector<std::string>& all);

  // The sets with memory, in the order in which they begin, and what is stored of them, as it stands. Stretches are
  // read in their order, each of them stored; `on_bytes` gets its number. Directories are read by several threads,
  // ahead of `on_bytes`, which must not use the set's store.
  std::vector<StoredSet> sets();
  [[nodiscard]] Error read(const StoredSet& set, std::span<const Stretch> stretches, const OnBytesOf& on_bytes,
                           unsigned nr_threads = 1);

  MemoryWork& work() { return *work_; }  // internal

 private:
  Error texts(const Process& process, const TextsWanted& wanted, Texts& texts);

  std::unique_ptr<MemoryWork> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
