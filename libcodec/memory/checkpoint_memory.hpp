// What stands behind a CheckpointMemory. Internal.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"
#include "set/sets_of.hpp"
#include "source/cut_inputs.hpp"

namespace critpipe {

// A set of images, as far as memory goes.
struct MemorySet final : PageStore {
  // A pages image that is no file of a directory.
  struct Streamed {
    std::string place;
    std::uint64_t seen_bytes = 0;  // of its content have come
    bool held = false;             // all of them
    std::vector<std::byte> bytes;  // if they are held
  };

  // Bytes of a ghost file that cannot be read again, at their offset.
  struct HeldChunk {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes = {};
  };

  SetId id;
  std::string name;   // for people
  std::string place;  // before the names of its images
  Checkpoint checkpoint{Needs{.mappings = true}};
  std::uint64_t page_size = smallest_page;
  std::unique_ptr<PageDirectory> directory;  // null: an archive, a stream or lone images
  std::set<MemoryId> memories;
  std::map<MemoryId, Pagemap> pagemaps;  // but those of directories
  std::map<std::uint64_t, Streamed> images;
  bool is_parent = false;                                             // of another set in its input
  std::map<std::string, std::vector<HeldChunk>, std::less<>> ghosts;  // of pipes, by the name of the image

  const Pagemap* pagemap(MemoryId memory) override;
  // How the pages of an image are stored that is no file; null: plain, or error says what is wrong.
  std::shared_ptr<const StoredPages> blocks_of(std::uint64_t pages_id, Error& error) const;
  PageDirectory* page_directory() override { return directory.get(); }
};

struct MemoryWork {
  using Range = CheckpointMemory::Range;
  using Report = CheckpointMemory::Report;

  // Bytes of a range: in one pages image, of an unlinked file, or zeros.
  struct Piece {
    std::size_t range = 0;
    MemorySet* set = nullptr;            // whose memory it is
    PageDirectory* directory = nullptr;  // it or its parent, where the bytes are read by position; else null
    MemorySet* stream = nullptr;         // the same, where they come in the order of the images
    std::uint64_t vaddr = 0;
    std::uint64_t size = 0;
    Stretch stretch = {};
    std::uint64_t skip = 0;  // bytes of the stretch before those that are wanted
    std::string ghost = {};  // the image with the unlinked file
    std::uint64_t ghost_offset = 0;

    bool is_stored() const { return stretch.where == Stretch::Where::stored; }
    bool is_streamed() const { return is_stored() && stream; }
  };

  // Inputs that are read together: those of the user, then each parent.
  struct Source {
    std::vector<std::string> inputs;
    SetsOf<MemorySet> sets = {};
    bool failed = false;  // something in them could not be read, and was reported
  };
  using TakePiece = std::function<Step(const Piece&, std::uint64_t done, Bytes bytes)>;

  MemoryWork(std::vector<std::string> inputs, MemoryOptions with, Report to);

  std::vector<Source> sources;  // the first is that of the processes
  MemoryOptions options;
  Report report;
  bool from_pipe = false;
  std::deque<Task> unknown;  // of pagemaps without the other images of their task
  std::vector<Process> processes;
  std::uint64_t held_bytes = 0;
  bool over_limit = false;
  CutInputs cut_inputs;
  std::set<std::pair<Reason, std::string>> known;      // errors, and their images
  bool note(const Error& error);                       // is it new?
  void hold(Bytes bytes, std::vector<std::byte>& to);  // as long as options.held_bytes lasts

  void load();
  void load(Source& source);
  void finish();
  void add_processes(MemorySet& set);
  void report_missing(const MemorySet& set);
  void link_parents();
  MemorySet* parent_in(const Source& source);
  std::vector<MemorySet*> children();  // sets of the first source that have memory
  // A part of a stretch of the set.
  static Piece piece_of(std::size_t range, MemorySet& set, std::uint64_t begin, std::uint64_t end,
                        const Stretch& stretch);
  bool has_parents() const { return sources.size() > 1; }
  SourceOptions options_of(const Source& source) const;
  // What is wrong with pagemaps in directories, once each.
  void report_directory(PageStore& store);
  MemorySet& set_of(const Process& process) const { return *sources.front().sets.find(*process.set); }

  const MappingIndex& mappings_of(const Task& task) const;  // until it is asked for another task
  mutable const Task* indexed_ = nullptr;
  mutable MappingIndex index_ = {};
  // The pieces of a range in order; `absent` gets what none is made of. Where it is stopped, the rest is left out.
  bool cut(std::size_t number, const Range& range, const std::function<Step(const Piece&)>& piece,
           const std::function<Step(Error)>& absent);
  Error absence(const Range& range, const Stretch& stretch, std::uint64_t begin, std::uint64_t end) const;

  void stored(const Process& process, const std::function<Step(const Piece&)>& piece,
              const std::function<Step(Error)>& absent);

  // The bytes of pieces, in their order.
  Error deliver(const std::vector<Piece>& pieces, const TakePiece& take);
  // Of a directory, of unlinked files, and zeros. Stops where `step` says so.
  Error by_position(const Piece& piece, const TakePiece& take, Step& step);
  Error from_ghost(const Piece& piece, const TakePiece& take, Step& step);
};

}  // namespace critpipe
