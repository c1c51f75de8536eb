// Searching the memory of checkpoints: whose it is, at which address, in what mapping.
//
//     MemorySearch search{patterns, {}, [](const MemoryFound& found) { print(found); return Step::go; }, report};
//     search.directory("dump/3");                 // in address order, through parents
//     search.inputs({"c1.tar.zst", "-"});         // as the images come
//
// What is searched are the bytes that the images hold, stretch by stretch of adjacent addresses: runs of a pagemap that
// touch are one, also where some of their pages come from a parent. Holes, lazy pages and files that are only mapped
// are not in the images and end a stretch. Shared memory is searched once, and found in each process that maps it.
//
// On a pipe pages may come before the pagemap that places them. Then matches wait, with some bytes around those that
// cross a page border, until the pagemap tells which pages are adjacent.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "critpipe/memory.hpp"
#include "critpipe/search.hpp"
#include "critpipe/source.hpp"
#include "critpipe/task.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

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
  std::string_view set;              // where there are several: which directory or folder
  std::optional<std::uint32_t> pid;  // none: shared memory that nobody maps, or pages without a pagemap
  std::optional<MemoryId> memory;    // none: pages without a pagemap
  std::uint64_t address;             // without a pid: in the shared object, or in the pages image
  std::uint64_t length;
  std::size_t pattern;
  const Mapping* mapping;         // null: not known
  std::string_view mapping_name;  // "/usr/lib/libc.so.6", "[heap]"; may be empty
  std::string_view image;         // pages without a pagemap: which
  Bytes before, match, after;     // as in Found
};

class MemorySearch {
 public:
  using Report = std::function<Step(const MemoryFound&)>;
  using Fault = std::function<void(const Error&)>;
  MemorySearch(const Patterns& patterns, MemorySearchOptions options, Report report, Fault fault);
  ~MemorySearch();

  Step directory(const std::string& path, bool several);
  Step inputs(const std::vector<std::string>& inputs, const SourceOptions& options);

  struct CRITPIPE_INNER Work;  // internal

 private:
  std::unique_ptr<Work> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
