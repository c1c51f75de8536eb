// survey: All memory of some checkpoints, counted: which pages there are, and on demand what they hold.
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

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "critpipe/page_totals.hpp"
#include "critpipe/process_memory.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct SurveyedMemory {
  MemoryId memory;
  bool named = true;   // false: an image from a pipe; memory is not known
  bool alone = false;  // not one of a set
  SetId set;
  std::string place;  // of the pagemap
  PageTotals totals;
  Pagemap pagemap;       // pages_id and nr_present always; runs on demand
  bool complete = true;  // false: the pagemap ended in a fault
  std::optional<ContentTotals> contents;
};

struct SurveyedPages {
  std::string place;
  bool on_disk = false;  // place is a file that can be read by position
  std::uint64_t size_bytes = 0;
  bool complete = true;
  bool claimed = false;    // a pagemap names it
  FactStore facts;         // if they are kept
  ContentTotals contents;  // of one that no pagemap claims, or over the budget
};

struct SurveyedSet final : PageStore {
  SetId id;
  std::string place;      // for messages, before the names of its images
  std::string name;       // for people: the input, and the set where the input has others
  std::string directory;  // where its images are files; empty: in an archive or a stream
  std::unique_ptr<Checkpoint> checkpoint;
  std::uint64_t page_size = smallest_page;
  std::map<MemoryId, SurveyedMemory> memories;
  std::map<std::uint64_t, SurveyedPages> images;  // by pages_id
  PageTotals totals;
  ContentTotals contents;
  CompressionEstimate zstd, lz4;

  // Runs: kept ones, or read from the directory; then until forget().
  const Pagemap* pagemap(MemoryId memory) override;
  PageStore* parent() override;
  void forget(MemoryId memory);
  PageFolder* folder();  // null: not a directory
  const SurveyedPages* image_of(const SurveyedMemory& memory) const;

 private:
  std::unique_ptr<PageFolder> folder_;
};

struct SurveyOptions {
  bool mappings = true;   // names of tasks and mappings; page size
  bool runs = false;      // keep them, but for directories: those are read again
  bool contents = false;  // read the pages
  bool keep_facts = false;
  std::uint64_t page_size = 0;  // 0: what the images say
  std::uint64_t budget_bytes = ~std::uint64_t{0};
  unsigned nr_threads = 1;
  Limits limits = {};
  // Runs as they come. Those of a pagemap that comes alone are not kept then.
  std::function<Step(const SurveyedMemory&, std::span<const PageRun>)> on_runs = {};
  // A sink for a pages image that is no file of its own, in place of the survey's own; null: that one.
  std::function<std::unique_ptr<Sink>(SurveyedSet&, std::uint64_t pages_id)> pages_sink = {};
  std::function<bool(std::string_view)> wanted = {};                         // names of images; none: all
  std::function<void(std::uint64_t done, std::uint64_t all)> progress = {};  // bytes of pages; all may be 0: unknown
};

struct CRITPIPE_INNER SurveyWork;  // internal

class PageSurvey final : public Decoding {
 public:
  PageSurvey(SurveyOptions options, std::function<void(const Error&)> report);
  ~PageSurvey() override;

  // Reads all inputs, then the pages of directories, and joins. In the order of the inputs.
  std::vector<std::unique_ptr<SurveyedSet>>& read(const std::vector<std::string>& inputs, const SourceOptions& options);
  // Over all sets.
  const ContentTotals& contents() const;

  bool wants(std::string_view name) override;
  bool reads_raw() const override { return false; }  // sinks say it one by one
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override;

 private:
  std::unique_ptr<SurveyWork> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
