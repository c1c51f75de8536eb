// All memory of some checkpoints, counted: which pages there are, and on demand what they hold.
//
//     PageSurvey survey{{.contents = true}, report};
//     survey.read("c1.tar.zst");
//     for (const auto& set : survey.finish())
//       for (const auto& [id, memory] : set->memories) use(memory.totals.present, memory.contents->zero);
//
// Images may come in any order and interleaved; each is read once. Of a directory, pages images are read by position
// and by several threads, after everything else; from archives and streams they are taken as they come, and what is
// found is joined with the pagemaps at the end. Memory: 16 bytes a page while its pagemap or the page size is unknown,
// and about 32 bytes a distinct page; over the budget, distinct pages are estimated. With `runs`, 32 bytes a run.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "critpipe/checkpoint.hpp"
#include "critpipe/memory.hpp"
#include "critpipe/page_facts.hpp"

namespace critpipe {

struct PageTotals {
  std::uint64_t entries = 0, pages = 0;
  std::uint64_t present = 0, parent = 0, lazy = 0;       // pages with that flag; one page may have several
  std::uint64_t absent = 0;                              // neither present nor in the parent
  std::uint64_t present_parent = 0, present_lazy = 0;    // with both flags
  PageRun first = {}, last = {};                         // lowest and highest; Requires: entries > 0
  std::array<std::uint64_t, 46> lengths = {};            // entries by bit width of nr_pages
  std::array<PageRun, 4> largest = {};                   // nr_pages 0: there are fewer
  bool ascending = true;

  void add(std::span<const PageRun> runs);
  void add(const PageTotals& other);                     // all but first, last and ascending
};

struct ContentTotals {
  std::uint64_t scanned = 0;     // pages that were there to read; the counts below are of these
  std::uint64_t zero = 0;
  std::uint64_t holes = 0;       // of the zero pages: those that take no room in the file. Smallest pages
  std::uint64_t distinct = 0;    // different contents; the zero page is one
  std::uint64_t shared = 0;      // of them: those that a memory counted earlier has too
  bool exact = true;             // of distinct and shared
  std::array<std::uint64_t, nr_page_classes> classes = {};

  std::uint64_t duplicate() const { return scanned - std::min(distinct, scanned); }
  void add(const ContentTotals& other);                  // all but distinct, shared, exact
};

struct SurveyedMemory {
  MemoryId memory;
  bool named = true;             // false: an image from a pipe; memory is not known
  std::string place;             // of the pagemap
  PageTotals totals;
  Pagemap pagemap;               // pages_id and nr_present always; runs on demand
  bool complete = true;          // false: the pagemap ended in a fault
  std::optional<ContentTotals> contents;
};

struct SurveyedPages {
  std::string place;
  bool on_disk = false;          // place is a file that can be read by position
  std::uint64_t size_bytes = 0;
  bool complete = true;
  bool claimed = false;          // a pagemap names it
  FactStore facts;               // if they are kept
  ContentTotals contents;        // of one that no pagemap claims, or over the budget
};

struct SurveyedSet {
  std::string name;              // for people: the input, and the folder in it
  std::string directory;         // where its images are files; empty: in an archive or a stream
  std::unique_ptr<Checkpoint> checkpoint;
  std::uint64_t page_size = smallest_page;
  std::map<MemoryId, SurveyedMemory> memories;
  std::map<std::uint64_t, SurveyedPages> images;         // by pages_id
  PageTotals totals;
  ContentTotals contents;
  CompressionEstimate zstd, lz4;

  // The runs: kept ones, or read from the directory, then until the next call. Null: damaged, see the folder's errors.
  const Pagemap* pagemap(MemoryId memory);
  PageFolder* folder();          // null: not a directory
  const SurveyedPages* image_of(const SurveyedMemory& memory) const;

 private:
  std::unique_ptr<PageFolder> folder_;
  std::optional<MemoryId> loaded_;
};

struct SurveyOptions {
  bool mappings = true;                // names of tasks and mappings; page size
  bool runs = false;                   // keep them, but for directories: those are read again
  bool contents = false;               // read the pages
  bool keep_facts = false;
  std::uint64_t page_size = 0;         // 0: what the images say
  std::uint64_t budget_bytes = ~std::uint64_t{0};
  unsigned nr_threads = 1;
  Limits limits = {};
  std::function<bool(std::string_view)> wanted = {};                       // names of images; none: all
  std::function<void(std::uint64_t done, std::uint64_t all)> progress = {};   // bytes of pages; all may be 0: unknown
};

struct SurveyWork;             // internal

class PageSurvey final : public Decoding {
 public:
  PageSurvey(SurveyOptions options, std::function<void(const Error&)> report);
  ~PageSurvey() override;

  // Reads all inputs, then the pages of directories, and joins. In the order of the inputs.
  std::vector<std::unique_ptr<SurveyedSet>>& read(const std::vector<std::string>& inputs, const SourceOptions& options);
  // Over all sets.
  const ContentTotals& contents() const;

  bool wants(std::string_view name) override;
  bool reads_raw() const override { return false; }      // sinks say it one by one
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override;

 private:
  std::unique_ptr<SurveyWork> work_;
};

// The shared object behind a mapping: its pagemap is pagemap-shmem-ID. Nothing for private memory and regular files.
std::optional<MemoryId> shared_object(const Checkpoint& checkpoint, const Mapping& mapping);

}  // namespace critpipe
