#include "json/parse/text_runs.hpp"

#include <algorithm>
#include <cstring>

#include "base/start_thread.hpp"
#include "json/parse/encode_fast_path.hpp"
#include "json/parse/line_index.hpp"

namespace critpipe {

namespace {

constexpr std::size_t run_bytes = block_bytes;
constexpr std::size_t most_run_bytes = 2 * run_bytes;  // where there is nowhere to cut
constexpr std::size_t runs_per_thread = 3;
constexpr std::uint64_t refused_bytes = 64 << 20;  // text that is read by one thread where the cuts are no good
constexpr std::string_view list_border = "}, {", line_border = "}\n{";  // of which the last character begins an entry

// Looks at the last thousand places where one may end; 0: it is at none of them.
std::size_t find_last(std::string_view text, std::string_view border) {
  for (int tries = 0; tries < 1000; ++tries) {
    const void* const found = memrchr(text.data(), border.back(), text.size());
    if (!found) break;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    if (text.substr(0, at + 1).ends_with(border)) return at;
    text = text.substr(0, at);
  }
  return 0;
}

// Where the last entry begins whose beginning is in the text; 0: nowhere. Without a kind, lines are looked for first:
// an entry on a line may hold a list.
std::size_t find_cut(std::string_view text, const RunForm& form) {
  std::size_t cut = 0;
  if (!form.kind || form.lines) cut = find_last(text, line_border);
  if (cut == 0 && (!form.kind || !form.lines)) cut = find_last(text, list_border);
  return cut;
}

}  // namespace

Bytes TextRun::bytes() const { return {reinterpret_cast<const std::byte*>(text.get()), size}; }

TextRuns::TextRuns(RunTaker& taker, const Limits& limits, unsigned threads)
    : taker_{taker}, limits_{limits}, threads_{threads} {}

TextRuns::~TextRuns() {
  {
    const Lock lock{mutex_};
    ends_ = true;
    changed_.notify_all();
  }
  for (std::thread& helper : helpers_) helper.join();
}

std::unique_ptr<TextRun> TextRuns::new_run() {
  if (!free_.empty()) {
    auto run = std::move(free_.back());
    free_.pop_back();
    return run;
  }
  auto run = std::make_unique<TextRun>();
  run->text = std::make_unique<char[]>(most_run_bytes + readable_behind_json);
  run->entries = std::make_unique<EntryEncoder>(run->out, limits_);
  return run;
}

// Read by the parser now, since nothing is queued before it: the text, or its beginning, up to where an entry begins.
std::size_t TextRuns::feed_parser(Bytes text) {
  text = text.first(std::min(text.size(), block_bytes));
  const bool is_worth_it = nr_fed_ + text.size() >= next_try_;
  const std::string_view chars{reinterpret_cast<const char*>(text.data()), text.size()};
  if (const std::size_t cut = is_worth_it ? find_cut(chars, {}) : 0; cut > 0) text = text.first(cut);
  (void)taker_.feed_text(text);
  nr_fed_ += text.size();
  return text.size();
}

Step TextRuns::feed(Bytes text) {
  while (!text.empty() && !taker_.is_stopped()) {
    const bool is_waiting = !runs_.empty() || (next_ && next_->size > 0);
    if (!is_waiting) form_ = nr_fed_ >= next_try_ ? taker_.form_of_next() : RunForm{};
    if (!is_waiting && !form_.kind) {
      text = text.subspan(feed_parser(text));
      continue;
    }
    if (!next_) next_ = new_run();
    const std::size_t room = (next_->size < run_bytes ? run_bytes : most_run_bytes) - next_->size;
    const Bytes some = text.first(std::min(text.size(), room));
    std::memcpy(next_->text.get() + next_->size, some.data(), some.size());
    next_->size += some.size();
    text = text.subspan(some.size());
    if (next_->size < run_bytes) continue;
    const std::size_t cut = find_cut({next_->text.get(), next_->size}, form_);
    if (cut > 0) push(cut);
    else if (next_->size == most_run_bytes) push(next_->size);
    take_ready(threads_ * runs_per_thread);
  }
  return taker_.is_stopped() ? Step::stop : Step::go;
}

void TextRuns::finish() {
  if (next_ && next_->size > 0) push(next_->size);
  take_ready(0);
}

// The first bytes of next_ are a run; the others begin the next one.
void TextRuns::push(std::size_t size) {
  auto run = std::exchange(next_, nullptr);
  if (run->size > size) {
    next_ = new_run();
    next_->size = run->size - size;
    std::memcpy(next_->text.get(), run->text.get() + size, next_->size);
    run->size = size;
  }
  run->form = form_;
  run->is_whole = false;
  run->state = form_.kind ? State::waiting : State::done;
  const Lock lock{mutex_};
  if (form_.kind && helpers_.size() + 1 < threads_ && runs_.size() > helpers_.size()) {
    if (!start_thread(helpers_, [this] { work(); })) threads_ = static_cast<unsigned>(helpers_.size()) + 1;
  }
  runs_.push_back(std::move(run));
  changed_.notify_one();
}

// Until no more than so many are left, and as long as the first is ready.
void TextRuns::take_ready(std::size_t most_left) {
  Lock lock{mutex_};
  while (!runs_.empty() && (runs_.front()->state == State::done || runs_.size() > most_left)) {
    if (runs_.front()->state == State::done) take_first(lock);
    else if (!encode_one(lock)) changed_.wait(lock, [&] { return runs_.front()->state == State::done; });
  }
}

void TextRuns::take_first(Lock& lock) {
  auto run = std::move(runs_.front());
  runs_.pop_front();
  lock.unlock();
  nr_fed_ += run->size;
  if (!taker_.is_stopped()) {
    const bool is_taken = run->is_whole && taker_.take_run(*run);
    nr_refused_ = is_taken ? 0 : nr_refused_ + 1;
    if (!is_taken) {
      (void)taker_.feed_text(run->bytes());
      form_ = taker_.form_of_next();  // it may be of another image
    }
    if (nr_refused_ > 2 * threads_ * runs_per_thread) {
      nr_refused_ = 0;
      next_try_ = nr_fed_ + refused_bytes;
    }
  }
  lock.lock();
  run->out.truncate(0);
  run->size = 0;
  free_.push_back(std::move(run));
}

// The first that waits; false: none does.
bool TextRuns::encode_one(Lock& lock) {
  const auto found = std::ranges::find_if(runs_, [](const auto& run) { return run->state == State::waiting; });
  if (found == runs_.end()) return false;
  TextRun& run = **found;
  run.state = State::at_work;
  lock.unlock();
  try {
    encode(run);
  } catch (const std::bad_alloc&) {
    run.is_whole = false;  // the parser reads it
  }
  lock.lock();
  run.state = State::done;
  return true;
}

void TextRuns::work() {
  Lock lock{mutex_};
  while (!ends_) {
    if (encode_one(lock)) changed_.notify_all();
    else changed_.wait(lock);
  }
}

void TextRuns::encode(TextRun& run) const {
  const char* const begin = run.text.get();
  const char* const end = begin + run.size;
  run.entries->begin_run(*run.form.kind);
  if (run.form.lines) return encode_lines(run, begin, end);
  const char* const after = run.entries->small_entries(begin, end, EntryEncoder::Stand::in_list);
  run.is_whole = after && end - after == 2 && after[0] == ',' && after[1] == ' ' && !run.entries->has_doubts();
}

void TextRuns::encode_lines(TextRun& run, const char* at, const char* end) const {
  for (bool first = true; at != end; first = false) {
    std::uint64_t index;
    at = run.form.words.pass(at, end, index);
    if (!at || (!first && index <= run.last_index)) return;
    at = run.entries->small_entries(at, end, EntryEncoder::Stand::at_end_of_line);
    if (!at || end - at < 2 || at[1] != '\n' || run.entries->has_doubts()) return;
    at += 2;  // } and the end of the line
    if (first) run.first_index = index;
    run.last_index = index;
  }
  run.is_whole = true;
}

}  // namespace critpipe
