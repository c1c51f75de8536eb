// Entries of large images, encoded by several threads. Internal.
//
// The text is cut where an entry of a list or a line seems to begin, and each stretch is encoded the short way as if
// one did. The parser takes what came of a stretch only where it stands at its begin, between two entries of the same
// image, and if all of the stretch was encoded; else it reads the text itself. So what comes out, and every message, is
// what one thread gives, wherever the text was cut.
#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "critpipe/image.hpp"
#include "json/parse/entry_encoder.hpp"
#include "json/parse/line_index.hpp"

namespace critpipe {

// As what a stretch is encoded.
struct RunForm {
  const Kind* kind = nullptr;  // null: the parser is not between entries, or they are not for the short way
  bool lines = false;
  LineWords words = {};
};

// A stretch of text, and what came of it.
struct TextRun {
  std::unique_ptr<char[]> text;  // with room around it
  std::size_t size = 0;
  RunForm form = {};
  enum class State : std::uint8_t { waiting, at_work, done } state = State::waiting;
  bool is_whole = false;  // all of it was encoded
  WireBuffer out = {};
  std::uint64_t first_index = 0, last_index = 0;  // of lines
  std::unique_ptr<EntryEncoder> entries = {};     // that encoded them: how many, and where their runs lie

  Bytes bytes() const;
};

// The parser, which has the last word.
class RunTaker {
 public:
  virtual ~RunTaker() = default;
  virtual RunForm form_of_next() = 0;
  virtual bool take_run(TextRun& run) = 0;  // false: its text is to be fed
  virtual Step feed_text(Bytes text) = 0;
  virtual bool is_stopped() const = 0;
};

class TextRuns {
 public:
  // Requires: threads > 1.
  TextRuns(RunTaker& taker, const Limits& limits, unsigned threads);
  ~TextRuns();
  Step feed(Bytes text);
  void finish();  // all that was fed is taken

 private:
  using Lock = std::unique_lock<std::mutex>;
  using State = TextRun::State;
  std::size_t feed_parser(Bytes text);
  void push(std::size_t size);
  void take_first(Lock& lock);
  void take_ready(std::size_t most_left);
  bool encode_one(Lock& lock);
  void encode(TextRun& run) const;
  void encode_lines(TextRun& run, const char* begin, const char* end) const;
  void work();
  std::unique_ptr<TextRun> new_run();

  RunTaker& taker_;
  Limits limits_;
  unsigned threads_;
  std::uint64_t nr_fed_ = 0;
  std::uint64_t next_try_ = 1 << 20;  // less text is not worth it
  std::size_t nr_refused_ = 0;        // one after the other
  std::unique_ptr<TextRun> next_;     // the text that is not cut yet
  RunForm form_;                      // of what is in the queue

  std::mutex mutex_;  // for what follows
  std::condition_variable changed_;
  std::list<std::unique_ptr<TextRun>> runs_;
  std::vector<std::unique_ptr<TextRun>> free_;
  bool ends_ = false;
  std::vector<std::thread> helpers_;
};

}  // namespace critpipe
