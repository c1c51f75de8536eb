// The outputs of what several threads read at the same time, in the order in which one thread would write them.
//
//   - The output at the front of the queue has the turn. Its text goes straight on, and no lock is held while it is
//     written: nobody but the front writes.
//   - The text of any other is held, up to held_piece_bytes; a thread that has more waits for its turn.
//   - The front ends: it leaves the queue and writes what those right behind it have ready. The first that is not done
//     has the turn.
//   - An image that several threads decode has its chunks in the queue before the piece that it belongs to. A chunk is
//     filled, settled when those before it are, and decoded by whoever comes for it then: no thread waits for another's
//     chunk. Its text is held until it is complete: that of one which turned out to be damaged is dropped, with those
//     behind it.
//   - The queue has room for some pieces and some chunks for each thread; whoever finds it full waits or helps with
//     another image, so memory is bounded.
//   - Who waits is woken when there is something for it to do, and no one else is.
//   - An error is a mark in the text of its piece: it is reported when all before it has been written.
//   - Once the output fails or a piece says Step::stop, nothing more is written and all threads come back.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <vector>

#include "cli/filter.hpp"
#include "cli/shared_image.hpp"

namespace critpipe::filters {

class TurnQueue;

// The text of one piece, of a few small ones, or of a chunk of an image.
class TurnOutput final : public Output {
 public:
  explicit TurnOutput(TurnQueue& turns) : Output{512 << 10}, turns_{turns} {}
  void report(const Error& error);
  std::size_t size() const { return size_ + waiting().size(); }  // of all its text

 private:
  friend class TurnQueue;
  bool drain(const char* bytes, std::size_t size) override;
  void clear();

  TurnQueue& turns_;
  std::list<TurnOutput>::iterator place_ = {};
  std::string held_;
  std::vector<std::pair<std::size_t, Error>> errors_;  // behind so many bytes of held_
  bool done_ = false;
  bool stops_ = false;            // nothing behind it is wanted
  bool dropped_ = false;          // nothing of it is wanted
  std::size_t size_ = 0;          // that was drained
  SharedImage* image_ = nullptr;  // of a chunk: of which image; of a piece: the one that is being decoded

  // Of a chunk:
  enum class Stage : std::uint8_t { claimed, filled, settled };  // settled: or done, without entries
  bool is_chunk_ = false;
  Stage stage_ = Stage::claimed;
  SharedImage::Chunk chunk_ = {};
  TurnOutput* piece_ = nullptr;
  SharedImage* goes_to_ = nullptr;  // who gets its text, which lives until it is written; null: the output

  // Of a piece, and its image:
  std::deque<TurnOutput*> unsettled_ = {};
  std::size_t nr_chunks_ = 0;                                           // that are not done
  std::size_t nr_at_work_ = 0;                                          // threads that have one of them
  std::optional<SharedImage::Chunk> failed_ = {};                       // the first of them
  std::vector<std::pair<std::uint64_t, std::uint64_t>> selected_ = {};  // chunks, and how many entries
};

// A chunk to be filled, or one that is settled to be decoded.
struct ChunkWork {
  TurnOutput* output = nullptr;  // null: it is another's
  SharedImage* image = nullptr;
  SharedImage::Chunk* chunk = nullptr;
  bool is_settled = false;
  bool has_more = false;          // there is other work
  std::uint64_t nr_selected = 0;  // entries of it
  ChunkBuffer spare = {};         // this thread's, for its next chunk
};

class TurnQueue {
 public:
  TurnQueue(Program& program, Output& output, std::size_t most_pieces, std::size_t most_chunks)
      : program_{program}, output_{output}, most_pieces_{most_pieces}, most_chunks_{most_chunks} {}

  // A place for a piece at the end of the queue; null: there is no room, or nothing more is to be read.
  TurnOutput* begin();
  void end(TurnOutput& piece, Step step);
  void no_more_pieces();

  // From here on several threads decode an image of the piece.
  void share(TurnOutput& piece, SharedImage& image);
  // A chunk that is settled, or the next of the first image that has one; false: there is none, or no room.
  bool claim(ChunkWork& work);
  // True: it is settled, and for this thread to decode.
  bool end_fill(ChunkWork& work);
  void end_chunk(ChunkWork& work, bool good);
  // Of a chunk in which something was thrown: stop().
  void give_up(ChunkWork& work);
  // Waits until there is a chunk to claim: true; or until no chunk of the piece's image is left or at work.
  bool wait_for_chunk(const TurnOutput& piece);
  // Waits until nobody uses the image any more.
  struct Shared {
    std::optional<SharedImage::Chunk> failed = {};  // the chunk, if any, from whose begin on nothing was printed
    std::uint64_t nr_selected = 0;                  // entries of those before it
  };
  Shared unshare(TurnOutput& piece);
  // Waits until there is a chunk to claim, or room for a piece; false: nothing will come.
  bool wait_for_work();

  // Nothing more is written, and all threads come back.
  void stop();
  bool is_stopped();

 private:
  friend class TurnOutput;
  using Lock = std::unique_lock<std::mutex>;
  using Outputs = std::list<TurnOutput>;
  static constexpr std::size_t held_piece_bytes = 256 << 10;
  static constexpr std::size_t held_error_bytes = 512;  // about, with its names

  bool write(TurnOutput& piece, const char* bytes, std::size_t size);
  void report(TurnOutput& piece, const Error& error);

  // Must it wait for its turn, since too much is held?
  bool has_no_room(const TurnOutput& piece, std::size_t more) const {
    return piece.held_.size() + piece.errors_.size() * held_error_bytes + more > held_piece_bytes;
  }
  bool is_first(const TurnOutput& piece) const { return &outputs_.front() == &piece; }
  bool is_first_done() const { return outputs_.front().done_; }
  TurnOutput& add(Outputs::iterator before);
  void write_held(TurnOutput& piece);
  void write_all(TurnOutput& output);
  void write_done(Lock& lock);
  bool has_chunk() const { return !stopped_ && (!settled_.empty() || with_chunk()); }
  TurnOutput* with_chunk() const;
  std::size_t settle(TurnOutput& piece);
  void go_on(Lock& lock, bool ended_front, std::size_t nr_works);  // nr_works: for others
  bool has_ended(const TurnOutput& piece) const;
  void wait_for_turn(Lock& lock, const TurnOutput& piece) {
    turn_.wait(lock, [&] { return stopped_ || is_first(piece); });
  }
  // Who has a piece with an image has an eye on all of it, and whoever has none takes what comes.
  void wake_for(std::size_t nr_works) {
    owners_.notify_all();
    for (; nr_works > 0; --nr_works) idle_.notify_one();
  }
  void wake_all() {
    owners_.notify_all();
    idle_.notify_all();
    turn_.notify_all();
  }

  Program& program_;
  Output& output_;
  std::size_t most_pieces_, most_chunks_;
  std::mutex mutex_;                              // for what follows
  std::condition_variable turn_, owners_, idle_;  // the turn; a piece's chunks; any work
  Outputs outputs_, free_;
  std::vector<TurnOutput*> sharing_;  // pieces with images that are decoded in chunks, in the order of the queue
  std::deque<TurnOutput*> settled_;   // chunks that nobody has taken yet
  std::size_t nr_pieces_ = 0, nr_chunks_ = 0;  // in the queue
  std::size_t nr_open_ = 0;                    // pieces that are not done
  bool ended_ = false;
  bool stopped_ = false;
};

}  // namespace critpipe::filters
