// survey: Counts the pages of checkpoints: which there are, and on request what they contain.
//
//     PageSurvey survey{{.contents = true}, [](const Error& error) { puts(to_string(error).c_str()); }};
//     for (const auto& set : survey.read({"c1.tar.zst"}))
//       for (const auto& [id, memory] : set->memories)
//         printf("%lu present, %lu zero\n", memory.totals.present, memory.contents->zero);
//
// Images may come in any order and interleaved; each is read once. Pages images in directories are read by position and
// by several threads, after all other images; those of archives and streams are scanned as they come and joined with
// their pagemaps at the end. Memory: 16 bytes for each page until its pagemap and the page size are known, about 32 for
// each distinct page, and with `runs` 32 for each run. Over the budget, the number of distinct pages is estimated.
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

// What a page looks like, guessed from every eighth of its lines of 64 bytes. Only `zero` is certain.
enum class PageClass : std::uint8_t {
  zero,
  sparse,    // nearly all bytes are zero
  text,      // printable ASCII
  code,      // x86-64 instructions
  pointers,  // at least a quarter of the words look like addresses
  random,    // encrypted, compressed or noise
  data       // anything else
};
constexpr std::size_t nr_page_classes = 7;
std::string_view name_of(PageClass page_class);  // "zero"

// The content of a page in 16 bytes: its hash and its class. Among 2^40 different pages, the probability that any two
// have the same hash is below 10^-4. Hashes are keyed, and differ from one run of the program to the next.
struct PageFact {
  std::uint64_t low = 0;
  std::uint32_t high = 0;
  PageClass page_class = PageClass::zero;
  bool is_lost = false;  // it could not be read: nothing else is known of it
  std::array<std::uint8_t, 2> unused = {};

  bool is_zero() const { return page_class == PageClass::zero && !is_lost; }  // all its bytes are 0
  // Have both pages the same content?
  bool same_as(const PageFact& other) const {
    return low == other.low && high == other.high && is_zero() == other.is_zero() && !is_lost && !other.is_lost;
  }
};

// The facts of a pages image, by page number. Holes in the file take no memory. Once filled, any number of threads may
// read them.
class PageFacts {
 public:
  PageFacts();
  ~PageFacts();
  PageFacts(PageFacts&& other) noexcept;
  PageFacts& operator=(PageFacts&& other) noexcept;

  std::uint64_t nr_pages(std::uint64_t page_size) const;  // whole pages
  // Requires: number < nr_pages(page_size).
  PageFact page(std::uint64_t number, std::uint64_t page_size) const;
  // How many pages from that one on are zero without a look at each, as in a hole; 0: page() says what this one is.
  std::uint64_t nr_zero(std::uint64_t number, std::uint64_t page_size) const;

  struct CRITPIPE_INNER Chunks;          // internal
  Chunks& chunks() { return *chunks_; }  // internal

 private:
  std::unique_ptr<Chunks> chunks_;
};

// Scans a pages image, which must be opened with smallest_page as its page size. Reasons: io_read, cut_pages.
[[nodiscard]] Error scan_pages(const PagesImage& image, unsigned nr_threads, PageFacts& facts);

// Counts of pagemap entries and their pages.
struct PageTotals {
  std::uint64_t entries = 0, pages = 0;
  std::uint64_t present = 0, parent = 0, lazy = 0;     // pages with that flag; a page may have several
  std::uint64_t absent = 0;                            // neither present nor in the parent
  std::uint64_t present_parent = 0, present_lazy = 0;  // with both flags
  PageRun first = {}, last = {};                       // lowest and highest; valid if entries > 0
  std::array<std::uint64_t, 46> lengths = {};          // entries by bit width of nr_pages
  std::array<PageRun, 4> largest = {};                 // nr_pages == 0: there are fewer
  bool ascending = true;                               // the runs are, and do not overlap

  void add(std::span<const PageRun> runs);  // in their order, which decides on `ascending`
  void add(const PageTotals& other);        // without first, last and ascending
};

// Counts of pages by content.
struct ContentTotals {
  std::uint64_t scanned = 0;  // pages that were read; all counts below are of these
  std::uint64_t zero = 0;
  std::uint64_t holes = 0;     // zero pages that take no room in the file, counted in smallest pages
  std::uint64_t distinct = 0;  // different contents; that of the zero page counts
  std::uint64_t shared = 0;    // distinct contents that occur in a memory counted before, too
  bool exact = true;           // false: `distinct` and `shared` are estimates with an error of distinct_error()
  std::array<std::uint64_t, nr_page_classes> classes = {};

  std::uint64_t duplicate() const { return scanned - std::min(distinct, scanned); }  // pages beyond the first of each
  void add(const ContentTotals& other);  // without distinct, shared and exact
};
double distinct_error();  // relative, one standard deviation

// How well pages compress, estimated from a sample of them.
struct CompressionEstimate {
  double ratio = 0;  // compressed / plain
  double error = 0;  // of the ratio, one standard deviation
  std::uint64_t sampled_bytes = 0;
  bool known = true;  // false: there are pages that are not zeros, and none of them could be sampled
};

// A pagemap and what was counted of its pages.
struct SurveyedMemory {
  MemoryId memory;
  bool named = true;   // false: the pagemap has no name, as from a pipe, and `memory` is not known
  bool alone = false;  // the pagemap is an input by itself, not one of a set
  SetId set;
  std::string place;  // of the pagemap, for messages
  PageTotals totals;
  Pagemap pagemap;                        // its runs only if they are kept: see SurveyOptions::runs
  bool complete = true;                   // false: the pagemap is damaged
  bool compressed = false;                // some of the pages are
  std::optional<ContentTotals> contents;  // nothing: they were not read
};

// A pages image.
struct SurveyedPages {
  std::uint64_t pages_id = 0;
  std::string place;     // for messages
  bool on_disk = false;  // `place` is the path of a file that can be read by position
  std::uint64_t size_bytes = 0;
  std::uint64_t content_bytes = 0;                 // what its pages hold, where it came in a stream
  std::shared_ptr<const StoredPages> blocks = {};  // the layout by which a stream's pages were decoded
  bool complete = true;                            // false: it is damaged
  bool claimed = false;                            // a pagemap refers to it
  PageFacts facts;                                 // with SurveyOptions::keep_facts
  ContentTotals contents;                          // if no pagemap refers to it
};

// All memory of one set of images.
struct SurveyedSet final : PageStore {
  SurveyedSet();
  ~SurveyedSet() override;

  SetId id;
  std::string place;      // for messages: what precedes the names of its images
  std::string name;       // for people: the input, and the set if the input has several
  std::string directory;  // of its images; empty: they are in an archive or a stream
  bool is_set = false;    // it was given as a whole; false: some of its images were, each by itself
  std::unique_ptr<Checkpoint> checkpoint;
  std::uint64_t page_size = smallest_page;
  std::map<MemoryId, SurveyedMemory> memories;
  std::map<std::uint64_t, SurveyedPages> images;  // by pages_id
  PageTotals totals;                              // over all memories
  ContentTotals contents;
  CompressionEstimate zstd, lz4;

  // With its runs, if they were kept or can be read from the directory. Lives until forget(); null: there is none.
  const Pagemap* pagemap(MemoryId memory) override;
  void forget(MemoryId memory);  // frees the runs, if they can be read again
  // Its errors() are those of parents: the survey reports what is wrong with its own pagemaps.
  PageDirectory* page_directory() override;
  std::optional<std::uint64_t> dump_uptime() override;
  std::optional<std::uint64_t> block_bytes() override;
  std::uint64_t page_size_of_tasks() override;
  Held held(std::uint64_t pages_id, MemoryId memory, std::uint64_t page_size) override;
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) override;
  // The ancestor of that level, if it was surveyed, too; null: it is a directory that a link leads to.
  SurveyedSet* surveyed(std::uint32_t level) { return dynamic_cast<SurveyedSet*>(&ancestor(level)); }
  const SurveyedPages* image_of(const SurveyedMemory& memory) const;  // null: it is missing

  struct CRITPIPE_INNER State;        // internal
  State& state() { return *state_; }  // internal

 private:
  std::unique_ptr<State> state_;
};

// What a PageSurvey reads and keeps.
struct SurveyOptions {
  bool mappings = true;         // read tasks and mappings, for their names and the page size
  bool places = true;           // where pages are stored matters: a pages image in one LZ4 frame is an error
  bool runs = false;            // keep the runs of pagemaps, except those that can be read again from a directory
  bool contents = false;        // read the pages
  bool check_blocks = false;    // decode compressed pages of archives and streams
  bool keep_facts = false;      // of each page
  std::uint64_t page_size = 0;  // in bytes; 0: the one that the images say
  std::uint64_t page_size_of_parents = 0;          // for sets of pages whose images say none; 0: the usual one
  std::uint64_t budget_bytes = ~std::uint64_t{0};  // of memory for distinct pages
  unsigned nr_threads = 1;
  Limits limits = {};
  // Gets runs as they come. The runs of a pagemap that is an input by itself are then not kept; but from its first
  // compressed pages on, they are kept instead.
  std::function<Step(const SurveyedMemory&, std::span<const PageRun>)> on_runs = {};
  std::function<bool(std::string_view name)> wanted = {};  // which images to read; empty: all
  std::function<bool(MemoryId)> memories = {};             // which memory to read; empty: all
  // Gets bytes of pages that were scanned, and of all; 0: not known.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress = {};
};

struct CRITPIPE_INNER SurveyWork;  // internal

// Surveys inputs. For one thread at a time.
class PageSurvey final : public Decoding {
 public:
  // `report` gets all errors of inputs and images.
  PageSurvey(SurveyOptions options, std::function<void(const Error&)> report);
  ~PageSurvey() override;

  // Reads all inputs, then the pages in directories, and joins them: one SurveyedSet for each set, in the order of the
  // inputs. They live as long as *this. Call once.
  std::vector<std::unique_ptr<SurveyedSet>>& read(const std::vector<std::string>& inputs,
                                                  const SourceOptions& options = {});
  const ContentTotals& contents() const;  // over all sets

  bool wants(const Member& member) override;
  bool reads_raw() const override { return false; }  // Sink::pass_over decides
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override;

 private:
  class CRITPIPE_INNER Again;
  void read_again(const std::vector<std::string>& inputs, const SourceOptions& options);

  std::unique_ptr<SurveyWork> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
