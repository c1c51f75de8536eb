// search: Finding bytes in memory: many patterns at once, in one pass, with exact starts.
//
//     Patterns patterns;
//     if (Error error = patterns.add({.text = "passw[o0]rd=[^\\x00]{1,64}"})) return error;
//     if (Error error = patterns.compile()) return error;
//     Search search{patterns, 16, [](const Found& found) {
//       printf("%lx: %lu bytes\n", found.address, found.length);
//       return Step::go;
//     }};
//     search.begin(0x7f0000001000);              // a stretch of memory without a gap
//     Step step = search.feed(bytes);            // blocks of any size
//     if (step == Step::go) step = search.end();
//     if (step == Step::stop) return search.error();
//
// What a match is does not depend on how memory is cut into blocks: of each pattern by itself, the match that begins
// first; of those the longest, or the shortest where the pattern has a lazy quantifier; then the next one behind it.
// Patterns see bytes: `.` is one, but for a newline. A pattern without a bound (`a.*b`) is taken to its end when
// nothing longer follows within max_lookahead bytes. Matches do not cross a gap.
//
// Patterns that no search in one pass can find (back references, look-around), that match nothing at all, or that would
// take unreasonable memory are refused with a reason.
//
// Searching the memory of checkpoints: whose it is, at which address, in what mapping.
//
//     const auto print = [](const MemoryFound& found) {
//       printf("%u %lx\n", found.pid.value_or(0), found.address);
//       return Step::go;
//     };
//     MemorySearch search{patterns, {}, print, [](const Error& error) { puts(to_string(error).c_str()); }};
//     Step step = search.directory("dump/3", false);                     // in address order, through parents
//     if (step == Step::go) step = search.inputs({"c1.tar.zst"}, {});    // as the images come
//
// What is searched are the bytes that the images hold, stretch by stretch of adjacent addresses: runs of a pagemap that
// touch are one, also where some of their pages come from a parent. Holes, lazy pages and files that are only mapped
// are not in the images and end a stretch. Shared memory is searched once, and found in each process that maps it.
//
// On a pipe pages may come before the pagemap that places them. Then matches wait, with some bytes around those that
// cross a page border, until the pagemap tells which pages are adjacent.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "critpipe/image.hpp"
#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"
#include "critpipe/task.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

constexpr std::size_t max_patterns = 100'000;
constexpr std::size_t max_pattern_bytes = 16 << 10;
constexpr std::size_t max_unbounded_patterns = 64;   // each takes a pass of its own
constexpr std::size_t max_bounded_match = 16 << 10;  // longer: counts as unbounded
constexpr std::size_t max_lookahead = 64 << 10;
constexpr std::size_t max_context = 64 << 10;
constexpr std::size_t max_shown = 4 << 10;  // bytes of a match that are handed out

struct PatternText {
  enum class Form : std::uint8_t { regex, literal, hexbytes };
  std::string text;  // hexbytes: "de ad ?? e?", a ? is any half byte
  Form form = Form::regex;
  bool caseless = false;  // ASCII letters
  bool utf16 = false;     // as UTF-16, little endian
};

class Patterns {
 public:
  Patterns();
  ~Patterns();
  // Reasons: bad_pattern. The pattern's number is the count of those before it; a text that is there already is not
  // added again.
  [[nodiscard]] Error add(const PatternText& pattern);
  // Call once, before any Search. May take seconds for many or large patterns. Reasons: bad_pattern.
  [[nodiscard]] Error compile();
  std::size_t size() const;
  const std::string& text(std::size_t number) const;
  // Does any look at what stands beside a match: ^, $, \b?
  bool see_neighbours() const;

  struct CRITPIPE_INNER Compiled;  // internal

 private:
  friend class Search;
  std::unique_ptr<Compiled> compiled_;
};

struct Found {
  std::uint64_t address;
  std::uint64_t length;
  std::size_t pattern;
  Bytes before, match, after;  // match: at most max_shown bytes from its start; views live until the return
};

// Requires: the patterns outlive it. Not for several threads.
class Search {
 public:
  using Report = std::function<Step(const Found&)>;
  // context: bytes before and after, at most max_context.
  Search(const Patterns& patterns, std::size_t context, Report report);
  ~Search();

  void begin(std::uint64_t address);
  Step feed(Bytes bytes);
  Step end();
  // Why feed or end gave Step::stop where no report did. Reasons: no_search.
  const Error& error() const;

 private:
  class CRITPIPE_INNER Machine;
  std::unique_ptr<Machine> machine_;
};

class MemoryFolder;
// Searches all that is stored of a process: matches go on from one run of pages to the next,
// through parents and shared objects, where addresses do. Errors are those of MemoryFolder::read_stored.
Error search_memory(MemoryFolder& folder, const Task& task, Search& search);

// Only this memory is searched, as if there were no other. Empty lists: all.
struct MemoryFilter {
  struct Range {
    std::uint64_t begin, end;
  };
  std::vector<std::uint32_t> pids;
  std::vector<Range> ranges;       // of addresses
  std::vector<std::string> areas;  // any of them: a kind of mapping ("heap", "anon", ...) or "file=GLOB"
  std::string protection;          // letters that the mapping has: "rw"

  // Is this the name of an area?
  static bool knows_area(std::string_view area);
};

struct MemorySearchOptions {
  std::size_t context = 0;
  std::uint64_t page_size = 0;  // 0: what the images say
  MemoryFilter filter = {};
  Limits limits = {};
};

struct MemoryFound {
  const SetId& set;
  std::optional<std::uint32_t> pid;  // none: shared memory that nobody maps, or pages without a pagemap
  std::optional<MemoryId> memory;    // none: pages without a pagemap
  std::uint64_t address;             // without a pid: in the shared object, or in the pages image
  std::uint64_t length;
  std::size_t pattern;
  const Mapping* mapping;         // null: not known
  std::string_view mapping_name;  // "/usr/lib/libc.so.6", "[heap]"; may be empty
  std::string_view image;         // pages without a pagemap: the path of their image
  Bytes before, match, after;     // as in Found
};

class MemorySearch {
 public:
  using Report = std::function<Step(const MemoryFound&)>;
  using Fault = std::function<void(const Error&)>;
  MemorySearch(const Patterns& patterns, MemorySearchOptions options, Report report, Fault fault);
  ~MemorySearch();

  Step directory(const std::string& path);
  Step inputs(const std::vector<std::string>& inputs, const SourceOptions& options);

  struct CRITPIPE_INNER Work;  // internal

 private:
  std::unique_ptr<Work> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
