// A checkpoint that is stored in another way: what is to be done, and what was done so far.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "critpipe/pages_writer.hpp"
#include "critpipe/stored_image.hpp"
#include "critpipe/survey.hpp"

namespace critpipe::filters {

constexpr std::uint64_t default_block_bytes = 256 << 10;

// How many pages were written, skipped for the parent, and dropped; of processes or of shared objects.
struct Counts {
  std::uint64_t written = 0, in_parent = 0, dropped = 0;
};

class Repack {
 public:
  explicit Repack(Program& program);
  int run();

 private:
  class PassOn;
  struct Plan {
    bool flatten, drop_zero, decompress;
    std::uint64_t block_bytes;  // 0: as it is stored now, unless decompress
  };
  bool open();
  bool refuse_children();
  void pass_on();
  bool memory(MemoryId id);
  bool run_of(MemoryId id, const PageRun& run, PagesWriter& writer, Counts& counts);
  bool stretch_of(MemoryId id, const Stretch& stretch, PagesWriter& writer, Counts& counts);
  Step pages(const Stretch& at, std::uint64_t vaddr, Bytes bytes, PagesWriter& writer, Counts& counts);
  const Mapping* mapping_at(std::uint64_t vaddr) const { return mappings_.at(vaddr); }
  bool edited(const std::string& name);
  bool edit_inventory(StoredImage& image);
  bool edit_statistics(StoredImage& image);
  bool fail(Error error) {
    program_.report(error);
    failed_ = true;
    return false;
  }

  Program& program_;
  Plan plan_;
  std::unique_ptr<ImagesOut> images_;
  std::unique_ptr<PageSurvey> survey_;
  SurveyedSet* set_ = nullptr;
  PageDirectory* directory_ = nullptr;
  std::vector<std::unique_ptr<PageDirectory>> parents_;  // that were given
  MappingIndex mappings_;
  bool is_shared_ = false;  // the memory
  Counts process_, shared_;
  bool has_blocks_ = false, refers_ = false;
  bool failed_ = false;

  // With --rewrite.
  bool is_as_wanted() const;
  bool keep_old();
  bool rewrite();
  void say(const std::string& line) { std::printf("%s\n", line.c_str()); }
  std::vector<std::string> replaced_;  // names
};

}  // namespace critpipe::filters
