// One search by several threads. Internal.
//
// What is fed is cut into chunks. Each is searched by itself, by one thread, together with some bytes before it, in
// which the searches of two chunks meet: at a place that no match of either spans, both find the same from there on, as
// nothing but the end of the last match decides what the next one is. Up to it the matches of one count, and from it on
// those of the other. Where there is no such place, the caller's thread goes on from the chunk before, until there is.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "search/search_chunk.hpp"

namespace critpipe::search {

class ParallelSearch final : public FedSearch {
 public:
  ParallelSearch(const Patterns& patterns, std::size_t context, unsigned nr_threads, Search::OnMatch on_match,
                 OnReadError on_read_error, std::size_t capacity = shared_chunk_bytes);
  ~ParallelSearch() override;

  void begin(std::uint64_t address) override;
  Step feed(Bytes bytes) override;
  Step end() override { return step_; }
  std::optional<std::size_t> reach_into_zeros() const override { return alone_.reach_into_zeros(); }
  const Error& error() const override { return error_; }
  Step read(const PagesImage& image, std::uint64_t position, std::size_t size) override;
  Step feed_read(std::size_t size) override;
  void wait_for_reads() override;
  Step finish() override;

  // Beside other patterns, an unbounded one has matches that come late, at a time that depends on blocks.
  static bool works_for(const Patterns& patterns);
  std::size_t nr_met() const { return nr_met_; }  // borders of chunks at which two searches met; for tests

 private:
  using ChunkPtr = std::unique_ptr<SearchChunk>;

  // The threads.
  class ChunkSearch;
  void work() noexcept;

  // The caller's thread. To fill chunks:
  SearchChunk& filling();
  void send(bool is_last = false);
  // What came of the next chunk:
  void settle_front();
  void settle(ChunkPtr chunk);
  void end_stretch();
  void take(const SearchChunk& chunk, std::uint64_t from);
  bool meets(const SearchChunk& chunk);
  // Searching itself:
  void search_again(const SearchChunk& chunk);
  void search_alone(const SearchChunk& chunk, std::size_t first_run);
  void go_on_alone(const SearchChunk& chunk);
  void begin_alone(std::uint64_t position, std::uint64_t address);
  void feed_alone(Bytes bytes);
  void end_alone();
  void went_alone(Step step);
  Step found_alone(const Match& found);
  void report_alone(std::uint64_t end);
  void meet_alone(const SearchChunk& chunk);

  struct Between {                        // where two searches may meet
    std::uint64_t first = 0, latest = 0;  // positions
    std::uint64_t seen_to = 0;            // of the bytes that the first one has seen
  };
  std::uint64_t first_meeting(const SearchChunk& chunk) const {
    return chunk.head_position() + (chunk.head_is_all() ? 0 : needs_before_);
  }
  std::optional<std::uint64_t> meeting_place(const KeptMatches& left, std::size_t from, const SearchChunk& right,
                                             Between between) const;
  bool is_left_behind(const SearchChunk& chunk, std::uint64_t place, std::uint64_t seen_to) const;
  void report_until(std::uint64_t end);
  void report(Match found, std::uint64_t address);

  const Patterns& patterns_;
  const std::size_t context_;
  std::size_t needs_before_ = 0;  // bytes that a match needs before it
  std::size_t needs_after_ = 0;   // that decide about matches which end before them
  std::size_t most_before_ = 0;   // that a chunk is searched with
  const unsigned nr_threads_;
  Search::OnMatch on_match_;
  OnReadError on_read_error_;
  Step step_ = Step::go;
  Error error_;
  std::size_t nr_met_ = 0;

  ChunkRooms rooms_;
  ChunkPtr filling_;                   // null: the next bytes begin one
  const SearchChunk* last_ = nullptr;  // that was sent
  SearchChunk::Tail tail_;             // its
  bool begins_ = true;                 // do the next bytes begin a stretch?
  std::uint64_t address_ = 0;          // of the next bytes
  std::uint64_t position_ = 0;         // of the next chunk
  std::vector<ChunkPtr> free_;

  ChunkPtr previous_;                     // what was settled last
  const SearchChunk* settled_ = nullptr;  // it, if the matches of its last stretch wait
  std::uint64_t from_ = 0;                // matches before it are those of earlier chunks
  std::size_t nr_reported_ = 0;

  std::unique_ptr<ChunkSearch> own_;  // of this thread
  Search alone_;
  bool is_alone_ = false;         // this thread searches the last stretch
  std::uint64_t alone_from_ = 0;  // matches before it were reported
  std::uint64_t alone_end_ = 0;   // of the last one that was
  std::uint64_t shift_ = 0;       // from positions to addresses
  KeptMatches found_;             // in the last chunk
  bool found_too_many_ = false;

  std::mutex mutex_;
  std::condition_variable sent_, read_, done_;
  std::deque<ChunkPtr> in_order_;  // sent and not settled; the caller's
  std::deque<SearchChunk*> to_do_;
  const SearchChunk* awaited_ = nullptr;  // by the caller
  std::size_t nr_waiting_ = 0;            // for what is read
  bool is_over_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace critpipe::search
