// survey: All memory of some checkpoints, counted: which pages there are, and on demand what they hold.
//
//     PageSurvey survey{{.contents = true}, [](const Error& error) { puts(to_string(error).c_str()); }};
//     for (const auto& set : survey.read({"c1.tar.zst"}))
//       for (const auto& [id, memory] : set->memories)
//         printf("%lu present, %lu zero\n", memory.totals.present, memory.contents->zero);
//
// Images may come in any order and interleaved; each is read once. Pages images of directories are read by position
// and by several threads, after everything else; those of archives and streams are scanned as they come and joined with
// the pagemaps at the end. Memory: 16 bytes a page until its pagemap and the page size are known, and about 32 bytes a
// distinct page; over the budget, distinct pages are estimated. With `runs`, 32 bytes a run.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "critpipe/memory.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A guess, from every eighth line of 64 bytes; only zero is certain.
enum class PageClass : std::uint8_t {
  zero,
  sparse,    // few bytes are not zero
  text,      // printable ASCII
  code,      // x86-64 instructions
  pointers,  // a quarter or more of the words look like addresses
  random,    // encrypted, compressed or noise
  data       // anything else
};
constexpr std::size_t nr_page_classes = 7;
std::string_view name_of(PageClass page_class);

// What a page holds, in 16 bytes: a hash of its content, and what it looks like. Two different pages of 2^40 have the
// same hash with a probability below 10^-4. Hashes are keyed, so they can be compared only within a process.
struct PageFact {
  std::uint64_t low = 0;
  std::uint32_t high = 0;
  PageClass page_class = PageClass::zero;
  std::array<std::uint8_t, 3> unused = {};

  bool is_zero() const { return page_class == PageClass::zero; }
  bool same_as(const PageFact& other) const {
    return low == other.low && high == other.high && is_zero() == other.is_zero();
  }
};

// Facts about the pages of one pages image, by page number. Holes in the file take no room.
class PageFacts {
 public:
  PageFacts();
  ~PageFacts();
  PageFacts(PageFacts&& other) noexcept;
  PageFacts& operator=(PageFacts&& other) noexcept;

  std::uint64_t nr_pages(std::uint64_t page_size) const;  // whole pages
  // Requires: number < nr_pages(page_size).
  PageFact page(std::uint64_t number, std::uint64_t page_size) const;

  struct CRITPIPE_INNER Store;  // internal
  Store& store() { return *store_; }

 private:
  std::unique_ptr<Store> store_;
};

// Facts about the pages of an image that was opened with the smallest page size. Reasons: io_read, cut_pages.
[[nodiscard]] Error scan_pages(const PagesImage& image, unsigned nr_threads, PageFacts& facts);

struct PageTotals {
  std::uint64_t entries = 0, pages = 0;
  std::uint64_t present = 0, parent = 0, lazy = 0;     // pages with that flag; one page may have several
  std::uint64_t absent = 0;                            // neither present nor in the parent
  std::uint64_t present_parent = 0, present_lazy = 0;  // with both flags
  PageRun first = {}, last = {};                       // lowest and highest; Requires: entries > 0
  std::array<std::uint64_t, 46> lengths = {};          // entries by bit width of nr_pages
  std::array<PageRun, 4> largest = {};                 // nr_pages 0: there are fewer
  bool ascending = true;

  void add(std::span<const PageRun> runs);
  void add(const PageTotals& other);  // all but first, last and ascending
};

struct ContentTotals {
  std::uint64_t scanned = 0;  // pages that were there to read; the counts below are of these
  std::uint64_t zero = 0;
  std::uint64_t holes = 0;     // zero pages that take no room in the file, counted in smallest pages
  std::uint64_t distinct = 0;  // different contents; the zero page is one
  std::uint64_t shared = 0;    // distinct contents that a memory counted earlier has too
  bool exact = true;           // of distinct and shared; else estimates, off by distinct_error() at one sigma
  std::array<std::uint64_t, nr_page_classes> classes = {};

  std::uint64_t duplicate() const { return scanned - std::min(distinct, scanned); }
  void add(const ContentTotals& other);  // all but distinct, shared, exact
};
double distinct_error();  // relative

// What a compressor would make of pages, from a sample of them.
struct CompressionEstimate {
  double ratio = 0;  // compressed / plain
  double error = 0;  // of the ratio, one standard deviation
  std::uint64_t sampled_bytes = 0;
};

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
  std::uint64_t pages_id = 0;
  std::string place;
  bool on_disk = false;  // place is a file that can be read by position
  std::uint64_t size_bytes = 0;
  bool complete = true;
  bool claimed = false;    // a pagemap names it
  PageFacts facts;         // if they are kept
  ContentTotals contents;  // of an image that no pagemap claims
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
  PageDirectory* page_directory();  // null: not a directory
  const SurveyedPages* image_of(const SurveyedMemory& memory) const;

 private:
  std::unique_ptr<PageDirectory> page_directory_;
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
  std::function<bool(std::string_view)> wanted = {};                         // names of images; none: all
  std::function<bool(MemoryId)> memories = {};                               // whose memory; none: all
  std::function<void(std::uint64_t done, std::uint64_t all)> progress = {};  // bytes of pages; all may be 0: unknown
};

struct CRITPIPE_INNER SurveyWork;  // internal

class PageSurvey final : public Decoding {
 public:
  PageSurvey(SurveyOptions options, std::function<void(const Error&)> report);
  ~PageSurvey() override;

  // Reads all inputs, then the pages of directories, and joins. In the order of the inputs. Call once.
  std::vector<std::unique_ptr<SurveyedSet>>& read(const std::vector<std::string>& inputs,
                                                  const SourceOptions& options = {});
  const ContentTotals& contents() const;  // over all sets

  bool wants(std::string_view name) override;
  bool reads_raw() const override { return false; }  // sinks say it one by one
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override;

 private:
  std::unique_ptr<SurveyWork> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
