// One search: blocks through the engine, its reports to trackers, their matches out in order. Internal.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "search/literal_finder.hpp"
#include "search/match_trackers.hpp"
#include "search/search_windows.hpp"

namespace critpipe {

class Search::Machine {
 public:
  Machine(const Patterns::Compiled& compiled, std::size_t context, OnMatch on_match);
  ~Machine();

  void begin(std::uint64_t address);
  Step feed(Bytes bytes);
  Step end();
  const Error& error() const { return error_; }
  std::uint64_t reported_to() const;
  std::optional<std::size_t> reach_into_zeros() const {
    if (compiled_.matches_zeros) return std::nullopt;
    return static_cast<std::size_t>(compiled_.widest) + context_ + 1;
  }

 private:
  struct OpenStream {
    Machine* machine = nullptr;
    const search::Stream* of = nullptr;
    search::StreamState state = {};
    std::uint64_t base = 0;  // position of the stream's first byte
    std::unique_ptr<search::UnboundedTracker> tracker = {};
    bool took = false;  // a lazy pattern's match ended the scan
  };

  static int note_shared(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* open);
  static int note_unbounded(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* open);
  static int note_lazy(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* open);
  static match_event_handler note_of(const OpenStream& open);
  bool sees_neighbours(const OpenStream& open) const {
    return compiled_.patterns[open.of->pattern].traits.sees_neighbours;
  }

  template <typename Work>
  Step guarded(Work work);
  void finish();
  void scan_stream(OpenStream& open, Bytes bytes);
  void reset(OpenStream& open, match_event_handler note);
  Step slice(Bytes bytes);
  void scan(OpenStream& open, Bytes bytes);
  void scan_windows(std::size_t block);
  void scan_literal(Bytes bytes);
  void find_literal(Bytes bytes, std::uint64_t base);
  void scan_literals(Bytes bytes);
  void rescan(OpenStream& open, std::uint64_t from);
  void settle(bool last);
  Step emit(bool last);
  Step show(const search::MatchSpan& match);
  void keep_starts(std::uint64_t first);
  void keep_start(const search::MatchSpan& match, std::uint64_t first);
  std::uint64_t earliest() const;
  std::size_t bytes_to_keep() const;

  const Patterns::Compiled& compiled_;
  const std::size_t context_;
  OnMatch on_match_;
  search::EngineGuard guard_;
  Error error_;
  search::Scratch scratch_;
  search::MatchFinder finder_;
  search::RecentBytes recent_;
  std::uint64_t address_ = 0;  // of the stretch
  bool open_ = false;
  bool stopped_ = false;
  std::optional<search::LiteralFinder> literal_;  // in place of streams
  std::optional<search::SearchWindows> windows_;  // for streams
  std::uint64_t scanned_to_ = 0;                  // by streams
  std::vector<OpenStream> streams_;
  std::vector<std::uint64_t> behind_;  // of fixed patterns
  std::vector<search::BoundedTracker> bounded_;
  std::vector<std::size_t> place_of_;       // pattern -> bounded tracker
  std::vector<search::MatchSpan> matches_;  // of this slice
  std::deque<search::MatchSpan> waiting_;   // for the bytes behind them, and for earlier ones
  struct MatchStart {
    Bytes before, match;
    std::vector<std::byte> bytes;
  };
  std::map<std::pair<std::uint64_t, std::size_t>, MatchStart> starts_;  // of matches that began long ago
  std::vector<std::byte> before_, shown_, after_, scanned_;
};

}  // namespace critpipe
