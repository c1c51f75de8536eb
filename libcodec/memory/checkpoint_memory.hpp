// What stands behind a CheckpointMemory. Internal.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

// A set of images, as far as memory goes.
struct MemorySet final : PageStore {
  // A pages image that is no file of a directory.
  struct Streamed {
    std::string place;
    std::uint64_t nr_parts = 0;    // smallest pages that have come
    bool held = false;             // all of them
    std::vector<std::byte> bytes;  // if they are held
  };

  SetId id;
  std::string name;  // for people
  Checkpoint checkpoint{Needs{.mappings = true}};
  std::uint64_t page_size = smallest_page;
  std::unique_ptr<PageDirectory> directory;  // null: an archive, a stream or lone images
  std::string directory_path;                // empty likewise
  std::set<MemoryId> memories;
  std::map<MemoryId, Pagemap> pagemaps;  // but those of directories
  std::map<std::uint64_t, Streamed> images;
  std::size_t nr_reported = 0;  // errors of the directory
  MemorySet* above = nullptr;   // the parent, where both are in one archive or stream
  bool is_parent = false;       // of another set

  const Pagemap* pagemap(MemoryId memory) override;
  PageStore* parent() override {
    if (directory) return directory->parent();
    return above;
  }
  // That has the bytes of a stored stretch.
  MemorySet& stored_in(const Stretch& stretch) {
    return directory ? *this : static_cast<MemorySet&>(ancestor(stretch.level));
  }
};

struct MemoryWork {
  using Range = CheckpointMemory::Range;
  using Report = CheckpointMemory::Report;
  using Texts = CheckpointMemory::Texts;

  // Bytes of a range, in one pages image, or zeros.
  struct Piece {
    std::size_t range = 0;
    MemorySet* set = nullptr;
    std::uint64_t vaddr = 0;
    std::uint64_t size = 0;
    Stretch stretch = {};
    std::uint64_t skip = 0;  // bytes of the stretch before those that are wanted

    bool is_stored() const { return stretch.where == Stretch::Where::stored; }
    bool is_streamed() const { return is_stored() && !set->directory; }
    MemorySet& stored_in() const { return set->stored_in(stretch); }
  };
  using TakePiece = std::function<Step(const Piece&, std::uint64_t done, Bytes bytes)>;

  std::vector<std::string> inputs;
  MemoryOptions options;
  Report report;
  bool from_pipe = false;
  std::map<SetId, std::size_t> numbers;
  std::vector<std::unique_ptr<MemorySet>> sets;
  std::deque<Task> unknown;  // of pagemaps without the other images of their task
  std::vector<Process> processes;
  std::uint64_t held_bytes = 0;
  bool over_limit = false;

  void load();
  MemorySet& set_of(const Member& member);
  void finish();
  void join_parents();
  void report_directory(MemorySet& set);
  MemorySet& set_of(const Process& process) const { return *sets[numbers.at(*process.set)]; }

  // The pieces of a range in order; `absent` gets what none is made of. Where it is stopped, the rest is left out.
  bool cut(std::size_t number, const Range& range, const std::function<Step(const Piece&)>& piece,
           const std::function<Step(Error)>& absent);
  Error absence(const Range& range, const Stretch& stretch, std::uint64_t begin, std::uint64_t end) const;

  void stored(const Process& process, const std::function<Step(const Piece&)>& piece,
              const std::function<Step(Error)>& absent);
  std::vector<std::vector<std::string>> texts(CheckpointMemory& memory, std::span<const Process> processes, Texts which,
                                              Absent absent, const Report& fault);

  // The bytes of pieces, in their order.
  Error deliver(const std::vector<Piece>& pieces, const TakePiece& take);
  // Of a directory, and zeros. Stops where `step` says so.
  Error by_position(const Piece& piece, const TakePiece& take, Step& step);
};

// The directory that a member's set is in, if it is a file there; else empty.
std::string directory_of(const Member& member);

}  // namespace critpipe
