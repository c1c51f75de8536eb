// search: Patterns in bytes and in the memory of checkpoints: many at once, in one pass, with exact bounds.
//
//     Patterns patterns;
//     if (Error error = patterns.add({.text = "passw[o0]rd=[^\\x00]{1,64}"})) return error;
//     if (Error error = patterns.compile()) return error;
//
//     Search search{patterns, 16, [](const Match& found) {                  // bytes: with 16 around each match
//       printf("%lx: %lu bytes\n", found.address, found.length);
//       return Step::go;
//     }};
//     search.begin(0x7f0000001000);                                         // bytes that follow have no gap
//     if (search.feed(bytes) == Step::go) (void)search.end();               // feed blocks of any size
//     if (search.error()) return search.error();
//
//     const auto print = [](const MemoryMatch& found) {                     // memory: with its owner and mapping
//       printf("%u %lx %s\n", found.pid.value_or(0), found.address, std::string{found.mapping_name}.c_str());
//       return Step::go;
//     };
//     MemorySearch memory{patterns, {}, print, [](const Error& error) { puts(to_string(error).c_str()); }};
//     if (memory.directory("dump") == Step::go) (void)memory.inputs({"c1.tar.zst"}, {});
//
// Matches. Patterns see bytes; `.` is any byte except a newline. For each pattern by itself, a match is the one that
// begins first, and of those the longest, or the shortest if the pattern has a lazy quantifier; the next one begins at
// its end or later. The result does not depend on how the bytes are cut into blocks. An unbounded pattern (`a.*b`) ends
// where no longer match follows within max_lookahead bytes. Matches do not cross a gap. Search reports them in the
// order of their beginnings, unless more than 65536 would have to wait for an earlier one.
//
// Patterns that one pass cannot find (back references, look-around), that match the empty text, or that would take too
// much memory are refused.
//
// Memory. A MemorySearch searches the bytes that images hold. Runs of a pagemap with adjacent addresses are one
// stretch, even if some of their pages are stored in a parent; holes, lazy pages and mapped files are not in the images
// and end a stretch. Shared memory is searched once and reported for each process that maps it. If pages come before
// their pagemap, as they may on a pipe, matches wait for it.
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
constexpr std::size_t max_bounded_match = 16 << 10;  // a pattern with longer matches counts as unbounded
constexpr std::size_t max_lookahead = 64 << 10;
constexpr std::size_t max_context = 64 << 10;
constexpr std::size_t max_shown = 4 << 10;  // bytes of a match that are handed out

// A pattern as a user writes it.
struct PatternText {
  enum class Syntax : std::uint8_t {
    regex,    // Hyperscan's subset of PCRE
    literal,  // the text itself
    hexbytes  // "de ad ?? e?": hexadecimal digits, ? is any digit
  };
  std::string text;
  Syntax syntax = Syntax::regex;
  bool caseless = false;  // ignore the case of ASCII letters
  bool utf16 = false;     // match the text in UTF-16, little endian
};

// A set of patterns. Once compiled it does not change, and any number of searches and threads may use it.
class Patterns {
 public:
  Patterns();
  ~Patterns();
  // Adds a pattern. Its number is the count of those before it; a duplicate is not added. Reasons: bad_pattern.
  [[nodiscard]] Error add(const PatternText& pattern);
  // Call once, after the last add() and before any Search. Takes seconds for many or large patterns. Reasons:
  // bad_pattern.
  [[nodiscard]] Error compile();
  std::size_t size() const;
  const std::string& text(std::size_t number) const;  // as it was added; lives as long as *this
  // Does any pattern depend on the bytes beside a match: ^, $, \b?
  bool see_neighbours() const;

  struct CRITPIPE_INNER Compiled;                          // internal
  const Compiled& compiled() const { return *compiled_; }  // internal

 private:
  bool find_in_zeros() const;
  std::unique_ptr<Compiled> compiled_;
};

// A match in bytes. The views live until the callback returns.
struct Match {
  std::uint64_t address;  // of its first byte
  std::uint64_t length;   // in bytes
  std::size_t pattern;    // its number
  Bytes before;           // the context, as far as the stretch has it
  Bytes match;            // its first max_shown bytes at most
  Bytes after;
};

// Searches stretches of bytes, one after the other. For one thread at a time; several may share the patterns.
class Search {
 public:
  // Step::stop ends the search.
  using OnMatch = std::function<Step(const Match&)>;
  // Requires: the patterns are compiled and outlive *this. `context`: bytes to hand out on each side of a match, at
  // most max_context. Throws std::bad_alloc where the engine lacks memory.
  Search(const Patterns& patterns, std::size_t context, OnMatch on_match);
  ~Search();

  // Begins a stretch, whose first byte has this address; ends the one before.
  void begin(std::uint64_t address);
  // The next bytes of the stretch, a block of any size. Reports the matches that nothing behind them can change.
  // Step::stop: the callback wants no more, or error() is set; neither feed() nor end() may follow. What the callback
  // throws passes through.
  Step feed(Bytes bytes);
  // Ends the stretch and reports the remaining matches. Step::stop as in feed().
  Step end();
  // How many zero bytes at each end of a run of zeros have to be searched: no match reaches further in, or lies in
  // zeros alone. Nothing: zeros must be searched like other bytes.
  std::optional<std::size_t> reach_into_zeros() const;
  // Every match that begins before this address was reported.
  std::uint64_t reported_to() const;
  // Why the engine failed. Reasons: no_search.
  const Error& error() const;

 private:
  class CRITPIPE_INNER Machine;
  std::unique_ptr<Machine> machine_;
};

// Searches everything that is stored of one process: its own pages, those in parents and in shared objects. Adjacent
// runs of pages are one stretch. The error is that of CheckpointMemory::read_stored or of the search.
Error search_memory(CheckpointMemory& memory, const Process& process, Search& search);

// Which memory is searched, as if there were no other. An empty list does not restrict.
struct MemoryFilter {
  struct Range {  // of addresses
    std::uint64_t begin, end;
  };
  std::vector<std::uint32_t> pids;
  std::vector<Range> ranges;       // need not be aligned
  std::vector<std::string> areas;  // any of these: a kind of mapping ("heap", "anon", ...) or "file=GLOB"
  std::string protection;          // "rw": letters that protection_of(mapping) must contain

  bool is_empty() const { return pids.empty() && ranges.empty() && areas.empty() && protection.empty(); }
  // Is this a valid element of `areas`?
  static bool knows_area(std::string_view area);
};

// What a MemorySearch reads and hands out.
struct MemorySearchOptions {
  std::size_t context = 0;      // bytes to hand out on each side of a match, at most max_context
  std::uint64_t page_size = 0;  // in bytes; 0: the one that the images say
  MemoryFilter filter = {};
  bool names = true;  // of mappings are asked for: it is an error if the image is missing that has them
  Limits limits = {};
  std::function<void(const SetId&)> on_set = {};  // called when the first image of a set is met, before its matches
  unsigned nr_threads = 1;  // that search beside the caller's; each takes 1 MiB, and up to 16 MiB for matches
};

// A match in the memory of a checkpoint. Views, references and pointers live until the callback returns.
struct MemoryMatch {
  const SetId& set;
  std::optional<std::uint32_t> pid;  // none: shared memory that no process maps, or pages without a pagemap
  std::optional<MemoryId> memory;    // none: pages without a pagemap
  std::uint64_t address;             // if there is no pid, the offset in the shared object or in the pages image
  std::uint64_t length;
  std::size_t pattern;
  const Mapping* mapping;         // null: not known
  std::string_view mapping_name;  // "/usr/lib/libc.so.6", "[heap]"; may be empty
  std::string_view image;         // of pages without a pagemap: their image
  Bytes before, match, after;     // as in Match
};

// Searches the memory of checkpoints. An error, even of the engine, ends the search of the image or the memory that it
// is about; the others are searched. For one thread at a time.
class MemorySearch {
 public:
  using OnMatch = std::function<Step(const MemoryMatch&)>;  // Step::stop ends the search
  using OnError = std::function<void(const Error&)>;
  // Requires: the patterns are compiled and outlive *this.
  MemorySearch(const Patterns& patterns, MemorySearchOptions options, OnMatch on_match, OnError on_error);
  ~MemorySearch();

  // Searches a directory of images and its parents: the memory of each task in the order of their tree, then shared
  // memory, each in address order. Step::stop: a callback returned it.
  Step directory(const std::string& path, const SourceOptions& options = {});
  // Searches inputs of other forms in the order in which their images come; regular files may be read twice. Pages
  // whose parent is in another input are not searched, which is reported as unsearched_pages. Step::stop as in
  // directory().
  Step inputs(const std::vector<std::string>& inputs, const SourceOptions& options);
  // Searches one checkpoint of any form whose parents, the nearest first, are inputs, too: as directory() does.
  // Archives are read once for each task, and again where more than 32 MiB would have to be held; of pipes all pages
  // are, and limit_held says if those are too many.
  Step with_parents(const std::vector<std::string>& inputs, const std::vector<std::string>& parents,
                    const SourceOptions& options);
  // Call after the last input. One error for each part of the filter that matched nothing, or one saying that there was
  // nothing to search. Reasons: usage.
  std::vector<Error> unmatched() const;

  struct CRITPIPE_INNER Work;  // internal

 private:
  std::unique_ptr<Work> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
