// The outputs of what several threads read at the same time, in the order in which one thread would write them.
//
//   - The output at the front of the queue has the turn. Its text goes straight on, and no lock is held while it is
//     written: nobody but the front writes.
//   - The text of any other is held, up to held_piece_bytes; a thread that has more waits for its turn.
//   - The front ends: it leaves the queue and writes what those right behind it have ready. The first that is not done
//     has the turn, and all who wait are woken.
//   - An image that several threads decode has its chunks in the queue before the piece that it belongs to. Their text
//     is held until they are complete: one that turned out to be damaged is dropped, with those behind it.
//   - The queue has room for some pieces and some chunks for each thread; whoever finds it full waits or helps with
//     another image, so memory is bounded.
//   - An error is a mark in the text of its piece: it is reported when all before it has been written.
//   - Once the output fails or a piece says Step::stop, nothing more is written and all threads come back.
#pragma once

#include <condition_variable>
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
  std::string held_;
  std::vector<std::pair<std::size_t, Error>> errors_;  // behind so many bytes of held_
  bool done_ = false;
  bool stops_ = false;              // nothing behind it is wanted
  bool dropped_ = false;            // nothing of it is wanted
  std::size_t size_ = 0;            // that was drained
  SharedImage* image_ = nullptr;    // of a chunk: of which image; of a piece: the one that is being decoded
  SharedImage* goes_to_ = nullptr;  // of a chunk: who gets its text, which lives until it is written; null: the output
  std::uint64_t number_ = 0;        // of a chunk
  bool is_chunk_ = false;
  std::size_t nr_chunks_ = 0;                                           // of a piece: that are at work
  std::optional<SharedImage::Chunk> failed_ = {};                       // of a piece: the first of them
  std::vector<std::pair<std::uint64_t, std::uint64_t>> selected_ = {};  // of a piece: chunks, and how many entries
};

// A chunk to be decoded.
struct ChunkWork {
  SharedImage* image = nullptr;
  SharedImage::Chunk chunk = {};
  bool has_more = false;          // when it was claimed
  std::uint64_t nr_selected = 0;  // entries of it
  TurnOutput* output = nullptr;
  TurnOutput* piece = nullptr;
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
  // A chunk of the first image that has one; false: there is none, or no room.
  bool claim(ChunkWork& work);
  void end_chunk(ChunkWork& work, bool good);
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
  Outputs::iterator place_of(const TurnOutput& output);
  TurnOutput& add(Outputs::iterator before);
  void write_held(TurnOutput& piece);
  void write_all(TurnOutput& output);
  void write_done(Lock& lock);
  TurnOutput* with_chunk();
  void wait_for_turn(Lock& lock, const TurnOutput& piece) {
    changed_.wait(lock, [&] { return stopped_ || is_first(piece); });
  }

  Program& program_;
  Output& output_;
  std::size_t most_pieces_, most_chunks_;
  std::mutex mutex_;  // for what follows
  std::condition_variable changed_;
  Outputs outputs_, free_;
  std::size_t nr_pieces_ = 0, nr_chunks_ = 0;  // in the queue
  std::size_t nr_open_ = 0;                    // pieces that are not done
  std::size_t nr_shared_ = 0;                  // images
  bool ended_ = false;
  bool stopped_ = false;
};

}  // namespace critpipe::filters
