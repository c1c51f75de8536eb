// What stands behind a CheckpointMemory. Internal.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"
#include "model/page_size_of_set.hpp"
#include "pages/held_bytes.hpp"
#include "pages/pagemaps.hpp"
#include "set/sets_of.hpp"
#include "source/cut_inputs.hpp"

namespace critpipe {

// A set of images, as far as memory goes.
struct MemorySet final : PageStore {
  // A pages image that is no file of a directory.
  struct Streamed {
    std::string place;
    std::uint64_t seen_bytes = 0;  // of its content have come
    std::uint64_t came_bytes = 0;  // as it is stored
    std::uint64_t order = 0;       // in which images come
    PagesImage::Part part = {};    // where it can be read by position, if it can
    std::unique_ptr<PagesImage> opened = {};
  };

  // Bytes of a ghost file that cannot be read again, at their offset.
  struct HeldChunk {
    std::uint64_t offset = 0;
    HeldBytes bytes = {};
  };

  SetId id;
  std::string name;   // for people
  std::string place;  // before the names of its images
  Checkpoint checkpoint{{}};
  std::uint64_t page_size = smallest_page;
  std::unique_ptr<PageDirectory> directory;  // null: an archive, a stream or lone images
  std::set<MemoryId> memories;
  std::optional<bool> has_shared_texts;  // as far as address spaces have come; nothing: it has not been looked for
  Pagemaps pagemaps;                     // but those of directories
  std::map<std::uint64_t, Streamed> images;
  PagesToTry pages_to_try;
  bool is_parent = false;                                             // of another set in its input
  std::map<std::string, std::vector<HeldChunk>, std::less<>> ghosts;  // of pipes, by the name of the image

  const Pagemap* pagemap(MemoryId memory) override;
  // How the pages of an image are stored that is no file; null: plain, or error says what is wrong.
  std::shared_ptr<const StoredPages> blocks_of(std::uint64_t pages_id, std::uint64_t with_page_size,
                                               Error& error) const;
  bool has_part(std::uint64_t pages_id) const;
  // An image that is read by position, with pages of that size; null: error says why. Lives until it is asked for
  // another size. Requires: has_part(pages_id).
  const PagesImage* image(std::uint64_t pages_id, std::uint64_t with_page_size, Error& error);
  PageDirectory* page_directory() override { return directory.get(); }
  std::optional<std::uint64_t> dump_uptime() override { return checkpoint.dump_uptime(); }
  std::optional<std::uint64_t> block_bytes() override { return checkpoint.block_bytes(); }
  std::uint64_t page_size_of_tasks() override { return told_page_size(checkpoint); }
  std::uint64_t stored_bytes(std::uint64_t pages_id) const;  // of an image; Member::unknown: not there, or not known
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) override;
};

struct MemoryWork {
  using Range = CheckpointMemory::Range;
  using OnError = CheckpointMemory::OnError;

  // Bytes of a range: in one pages image, of an unlinked file, or zeros.
  struct Piece {
    std::size_t range = 0;
    MemorySet* set = nullptr;  // whose memory it is
    // Where the bytes are: one of them is not null. It or a parent of it.
    PageDirectory* directory = nullptr;
    MemorySet* archive = nullptr;  // read by position, too, or held
    MemorySet* stream = nullptr;   // they come in the order of the images
    std::uint64_t vaddr = 0;
    std::uint64_t size = 0;
    Stretch stretch = {};
    std::uint64_t skip = 0;  // bytes of the stretch before those that are wanted
    std::string ghost = {};  // the image with the unlinked file
    std::uint64_t ghost_offset = 0;

    bool is_stored() const { return stretch.where == Stretch::Where::stored; }
    bool is_streamed() const { return is_stored() && stream; }
    bool has_position() const { return is_stored() && !stream; }
    // Where it has. As PageDirectory::image().
    const PagesImage* image(Error& error) const;
  };

  // Inputs that are read together: those of the user, then each parent.
  struct Source {
    std::vector<std::string> inputs;
    SetsOf<MemorySet> sets = {};
    bool failed = false;  // something in them could not be read, and was reported
    // Archives that are read by position, by SetId::checkpoint. Few of them: each costs a descriptor.
    std::map<std::string, std::shared_ptr<const InputFile>, std::less<>> files = {};
  };
  using TakePiece = std::function<Step(const Piece&, std::uint64_t done, Bytes bytes)>;

  MemoryWork(std::vector<std::string> inputs, MemoryOptions with, OnError to);

  std::vector<Source> sources;  // the first is that of the processes
  MemoryOptions options;
  OnError report;
  bool from_pipe = false;
  std::deque<Task> unknown;  // of pagemaps without the other images of their task
  std::vector<Process> processes;
  std::uint64_t room = options.held_bytes;  // for what is still to be held
  RoomToTry room_to_try{options.page_size};
  bool over_limit = false;
  CutInputs cut_inputs;
  std::set<std::pair<Reason, std::string>> known;  // errors, and their images
  bool note(const Error& error);                   // is it new?
  void hold(Bytes bytes, HeldBytes& to);           // as long as there is room

  void load();
  void load(Source& source);
  void finish();
  void add_processes(MemorySet& set);
  void learn_page_size(MemorySet& set) const;  // when it is finished, and has its parent
  void report_missing(const MemorySet& set);
  void link_parents();
  MemorySet* parent_in(const Source& source);
  std::vector<MemorySet*> children();  // sets of the first source that have memory
  // A part of a stretch of the set.
  static Piece piece_of(std::size_t range, MemorySet& set, std::uint64_t begin, std::uint64_t end,
                        const Stretch& stretch);
  bool has_parents() const { return sources.size() > 1; }
  Needs needs() const;  // of each set
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

  // Gives streamed pieces a position in options.spool, if there is one and they would have to come more than once.
  // Reasons: io_write.
  Error unpack(std::vector<Piece>& pieces);
  std::uint64_t spooled_bytes = 0;
  std::uint64_t nr_images = 0;  // of pages, that have come
  bool was_streamed = false;    // the inputs were read for pages

  // The bytes of pieces, in their order. With `lost`, which is told of what cannot be read, goes on behind it; else it
  // ends with the first error, before which all bytes were taken.
  Error deliver(const std::vector<Piece>& pieces, const TakePiece& take, const OnError& lost = {});
  Error missing(const Piece& piece) const;  // why it did not come
  // The same of ranges.
  Error read(std::span<const Range> ranges, const TakePiece& take, const OnError& lost = {});
  // The same of a piece in a file, in an unlinked file, or of zeros. Stops where `step` says so.
  Error by_position(const Piece& piece, const TakePiece& take, Step& step, const OnError& lost = {});
  Error from_ghost(const Piece& piece, const TakePiece& take, Step& step);
};

}  // namespace critpipe
