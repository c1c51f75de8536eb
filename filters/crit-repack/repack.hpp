// A checkpoint that is stored in another way: what is to be done, and what was done so far.
//
//     open()       the input: one set, its pagemaps, its parents
//     pass_on()    all that is not memory; inventory and statistics are kept for later
//     store()      pages on their way, memory by memory, and the pagemaps that are made of them
//     edited()     inventory and statistics, as things are now
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "crit-repack/chosen_mappings.hpp"
#include "critpipe/memory.hpp"
#include "critpipe/pages_writer.hpp"
#include "critpipe/stored_image.hpp"

namespace critpipe::filters {

constexpr std::uint64_t default_block_bytes = 256 << 10;
constexpr std::int64_t version_of_heads = 1, version_of_plain = 2, version_of_blocks = 3;  // of an inventory

// Are these pages never compressed?
bool is_huge(const Mapping* mapping);

// How many pages were written, skipped for the parent, and left out; of processes or of shared objects.
struct Counts {
  std::uint64_t written = 0, in_parent = 0, dropped = 0;
};

class Repack {
 public:
  explicit Repack(Program& program);
  int run();

 private:
  class PassOn;
  struct Options {
    bool flatten, drop_zero, decompress;
    std::uint64_t block_bytes;  // 0: as it is stored now, unless decompress
  };
  // A pagemap and its pages.
  struct Memory {
    MemoryId id;
    std::uint64_t pages_id = 0, stored_bytes = 0;
    bool is_compressed = false;                  // here, or in a parent from which pages come
    InputFile old_pages = {}, old_pagemap = {};  // with --rewrite
  };
  // What becomes part of a pagemap: pages that are stored, or a run without bytes.
  struct Part {
    std::size_t memory = 0;
    bool is_stored = false;
    bool begins = false;  // an entry of the pagemap as it was
    PageRun run = {};     // if nothing is stored
    Stretch stretch = {};
  };
  // The memory that is being written.
  struct Current {
    std::size_t memory = 0;
    Output* pages = nullptr;
    std::unique_ptr<PagesWriter> writer = {};
    MappingIndex mappings = {};
  };
  enum class What : std::uint8_t { drop, refer, plain, blocks };

  bool open();
  bool open_base();
  bool refuse_children();
  bool refuse_children_in_input();
  bool refuse_child(const std::string& set, const std::string& child);
  bool refuse_child_of(const std::string& directory);
  bool refuse_target();
  bool refuse_lost_parent();
  bool refuse_other_versions();
  bool refuse_shared_images();
  std::string target() const;  // the directory that is written; empty: something else
  void drop_old_link();
  bool resolves() const { return options_.flatten || base_; }  // references to parents
  std::string directory() const;                               // of the input; empty: it is none
  std::string member(const std::string& name) const;           // as it is called in the output
  void pass_on();
  bool link_parent();

  bool store();
  bool collect(std::size_t memory);
  bool check_size(std::size_t memory, const Pagemap& pagemap);
  bool check_entries(PageStore& store, const Pagemap& pagemap, const std::string& place);
  void report_parents();
  using TakePart = std::function<bool(const Part& part)>;
  bool visit_parts(std::size_t memory, const PageRun& run, const TakePart& take);
  std::uint64_t block_bytes_as_before();
  unsigned nr_readers() const;
  bool write_parts();
  bool advance(std::size_t part);
  bool begin_memory(std::size_t memory);
  bool end_memory();
  bool refer(const PageRun& run);
  Step take(const Part& part, Bytes bytes);
  Step pages(const Part& part, std::uint64_t vaddr, Bytes bytes);
  // `end`: up to where the answer is the same for all pages.
  What what_of(std::uint64_t vaddr, Bytes page, std::size_t offset, std::uint64_t& end);
  void look_at_base(std::uint64_t vaddr, std::size_t size);

  bool edited(const char* name);
  bool edit_inventory(StoredImage& image);
  bool edit_statistics(StoredImage& image);
  bool keeps_version();
  bool is_compressed_above();
  int say_plan();
  bool fail(Error error) {
    if (!spooled_.empty() && (error.image == "-" || error.image.starts_with("-:"))) error.image.replace(0, 1, spooled_);
    program_.report(error);
    failed_ = true;
    return false;
  }
  bool fail(std::string image, std::string why) {
    Error error{Reason::usage, std::move(image)};
    error.name = std::move(why);
    return fail(std::move(error));
  }

  Program& program_;
  Options options_;
  std::vector<std::string> inputs_;
  std::string spooled_;  // what standard input holds now, by its name
  std::uint64_t stdin_offset_ = Member::unknown;
  std::unique_ptr<CheckpointMemory> memory_;
  StoredSet set_;
  bool has_positions_ = false;           // all pages are read from directories
  std::unique_ptr<PageDirectory> base_;  // of --rebase
  ChosenMappings chosen_;
  std::unique_ptr<ImagesOut> images_;
  bool has_link_ = false, writes_link_ = false, leaves_baks_ = false;
  struct PagemapForm {
    Head head = Head::common;
    bool old_counts = true;  // as before CRIU 4.2
    bool no_flags = true;    // as before CRIU 3.5
  };
  std::map<MemoryId, PagemapForm> forms_;
  std::map<std::string, std::string, std::less<>> kept_;   // images to be changed, by name
  std::map<std::string, std::string, std::less<>> paths_;  // what they are called in the output

  std::vector<Memory> memories_;
  std::uint64_t block_bytes_ = options_.block_bytes;
  std::uint64_t content_bytes_ = 0;  // of all pages that are stored
  std::vector<Part> parts_;
  std::size_t next_part_ = 0;
  std::uint64_t done_bytes_ = 0;  // of that part
  std::optional<Current> current_;
  std::vector<std::byte> carry_;  // of a page that has not come as a whole
  std::vector<std::byte> base_bytes_;
  std::vector<bool> base_has_;  // by page of base_bytes_

  Counts process_, shared_;
  bool has_blocks_ = false, refers_ = false;
  bool failed_ = false;

  // With --rewrite.
  int rewrite();
  void say(const std::string& line);
  bool rewrite_directory();
  std::int64_t kept_inventory(std::string_view field) const;  // a number of the inventory to be changed; 0: it has none
  bool is_compressed();
  bool is_marked_in_vain();
  bool refuse_old_baks();
  void note_pages(const Memory& memory, const PagesWriter& writer);
  void open_old(Memory& memory);
  void keep_identity(Output* output, const InputFile& old, const std::string& name);
  std::vector<std::string> lines_;  // what is said in the end
  FileOutput output_{1, "standard output", 4096};
};

// Reads what can be read only once into a file without a name, which then is standard input. Reasons: io_open, io_read,
// io_write.
[[nodiscard]] Error spool_input(const std::string& input);

}  // namespace critpipe::filters
