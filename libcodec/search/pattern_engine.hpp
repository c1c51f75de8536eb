// Patterns compiled for Hyperscan. Internal.
//
// Patterns of three kinds:
//   fixed       all matches have one length: an end tells its start. Most of them, and all literals.
//   bounded     an end tells that a match lies in the bytes before it; a second look finds it.
//   unbounded   the engine keeps track of starts itself; each has a stream of its own.
// Fixed and bounded ones share the first stream.
#pragma once

#include <hs/hs.h>

#include <exception>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "search/pattern_text.hpp"
#include "search/search_windows.hpp"

namespace critpipe::search {

struct FreeDatabase {
  void operator()(hs_database_t* database) const { hs_free_database(database); }
};
using Database = std::unique_ptr<hs_database_t, FreeDatabase>;

struct CloseStream {
  // Without a callback nothing is scanned, and an open stream always closes.
  void operator()(hs_stream_t* stream) const { (void)hs_close_stream(stream, nullptr, nullptr, nullptr); }
};
using StreamState = std::unique_ptr<hs_stream_t, CloseStream>;

struct FreeScratch {
  void operator()(hs_scratch_t* scratch) const { hs_free_scratch(scratch); }
};
using Scratch = std::unique_ptr<hs_scratch_t, FreeScratch>;

// A call of the engine failed: what it was to look at has not been searched.
struct EngineFailure {
  std::string what;
};

// Between the engine and its callbacks: no exception passes through its frames, and no result is passed over.
class EngineGuard {
 public:
  // For callbacks. What `note` throws ends the scan, and is thrown again by check().
  template <typename Note>
  int call(Note note) noexcept {
    try {
      return note();
    } catch (...) {
      thrown_ = std::current_exception();
      return 1;
    }
  }
  // After each call. Throws EngineFailure, or what a callback threw.
  void check(hs_error_t result, const char* function) {
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    if (result != HS_SUCCESS && result != HS_SCAN_TERMINATED)
      throw EngineFailure{std::string{function} + " gives " + std::to_string(result)};
  }

 private:
  std::exception_ptr thrown_;
};

struct Pattern {
  enum class Kind : std::uint8_t { fixed, bounded, unbounded };
  std::string text;    // as it was given
  std::string source;  // for the engine
  std::string bytes;   // of a literal
  unsigned flags = 0;
  Kind kind = Kind::fixed;
  Traits traits = {};
  std::uint64_t shortest = 0, longest = 0;  // bytes of a match; the source may find shorter ones of an unbounded one
  std::size_t place = 0;                    // in exact_patterns; of bounded and unbounded ones
};

// Finds the exact bounds of a match near a place that the stream reports. An anchored database gives all ends of a
// match that begins at the first byte, or at the second, behind a neighbour.
struct ExactPattern {
  std::size_t pattern = 0;
  Database starts;            // of a block, with starts; null where that is too much for the engine
  Database here, behind_one;  // anchored; only where they are needed
};

struct Stream {
  Database database;
  bool unbounded = false;
  bool lazy = false;        // starts again behind each match
  std::size_t pattern = 0;  // of an unbounded one
};

}  // namespace critpipe::search

namespace critpipe {

struct Patterns::Compiled {
  std::vector<search::Pattern> patterns;
  bool literals_only = true;
  std::unordered_set<std::string> known;
  std::vector<search::Stream> streams;
  std::vector<search::ExactPattern> exact_patterns;  // of bounded and unbounded patterns
  std::vector<std::size_t> bounded;                  // patterns
  std::vector<std::uint64_t> widths;                 // by pattern; 0: not fixed
  search::Scratch scratch;
  std::uint64_t widest = 0;  // of fixed and bounded ones
  std::size_t nr_unbounded = 0;
  bool matches_zeros = true;  // is there a match in nothing but zeros, or one that may have any number of them?

  std::unique_ptr<search::LiteralSet> literals;   // all of the patterns, in place of the engine
  std::optional<search::NeededByAll> needed;      // what the engine need not look at otherwise
  std::optional<search::PatternShape> unbounded;  // of all unbounded patterns together

  // One that needs no engine.
  bool is_one_literal() const { return literals_only && patterns.size() == 1 && patterns.front().flags == 0; }
  void find_shapes();
  Error measure(search::Pattern& pattern);
  Error compile_shared();
  Error compile_exact(std::size_t number);
  Error compile_stream(std::size_t number);
  Error add_scratch(const hs_database_t* database);
};

}  // namespace critpipe
