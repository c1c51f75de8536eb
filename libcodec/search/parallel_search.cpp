// The threads of a search, and the chunks on their way.
#include "search/parallel_search.hpp"

#include <algorithm>
#include <new>

#include "base/start_thread.hpp"
#include "search/pattern_engine.hpp"

namespace critpipe::search {

namespace {

constexpr std::size_t meeting_bytes = 2 << 10;             // in which two searches are to meet
constexpr std::size_t unbounded_meeting_bytes = 16 << 10;  // the same where matches may be long

// False: it lacks memory.
template <typename Work>
bool attempt(Work work) {
  try {
    work();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace

// The search of one thread, chunk after chunk.
class ParallelSearch::ChunkSearch {
 public:
  explicit ChunkSearch(ParallelSearch& of) : of_{of} {}
  void take_next(std::unique_lock<std::mutex>& lock);

 private:
  void search(SearchChunk& chunk) {
    chunk_ = &chunk;
    chunk.take_before();
    if (!search_)
      search_ = std::make_unique<Search>(of_.patterns_, of_.context_, [this](const Match& found) {
        chunk_->keep(found);
        return chunk_->is_full ? Step::stop : Step::go;
      });
    chunk.search(*search_);
    if (chunk.is_full || chunk.error) search_.reset();  // it does not go on
  }

  ParallelSearch& of_;
  SearchChunk* chunk_ = nullptr;
  std::unique_ptr<Search> search_;
};

ParallelSearch::ParallelSearch(const Patterns& patterns, std::size_t context, unsigned nr_threads,
                               Search::OnMatch on_match, OnReadError on_read_error, std::size_t capacity)
    : patterns_{patterns},
      context_{context},
      nr_threads_{nr_threads},
      on_match_{std::move(on_match)},
      on_read_error_{std::move(on_read_error)},
      rooms_{capacity, std::size_t{3} * nr_threads},
      own_{std::make_unique<ChunkSearch>(*this)},
      alone_{patterns, context, [this](const Match& found) { return found_alone(found); }} {
  const Patterns::Compiled& compiled = patterns.compiled();
  needs_before_ = context + 1;
  needs_after_ = std::max(static_cast<std::size_t>(compiled.widest) + 2, context);
  most_before_ = needs_before_ + needs_after_ + (compiled.nr_unbounded > 0 ? unbounded_meeting_bytes : meeting_bytes);
}

bool ParallelSearch::works_for(const Patterns& patterns) {
  const Patterns::Compiled& compiled = patterns.compiled();
  return compiled.nr_unbounded == 0 || (compiled.patterns.size() == 1 && compiled.unbounded);
}

ParallelSearch::~ParallelSearch() {
  {
    const std::scoped_lock lock{mutex_};
    is_over_ = true;
  }
  sent_.notify_all();
  read_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// Requires: there is something to do, and the lock is held, as it is afterwards. What the chunk waits for is being read
// by a thread that took it before, and reading waits for nobody.
void ParallelSearch::ChunkSearch::take_next(std::unique_lock<std::mutex>& lock) {
  SearchChunk& chunk = *of_.to_do_.front();
  of_.to_do_.pop_front();
  lock.unlock();
  const bool was_read = attempt([&] { chunk.read(); });
  lock.lock();
  if (!was_read) chunk.lose();
  chunk.is_read = true;
  if (of_.nr_waiting_ > 0) of_.read_.notify_all();
  if (const SearchChunk* const before = chunk.waits_for(); before && !before->is_read) {
    ++of_.nr_waiting_;
    of_.read_.wait(lock, [&] { return of_.is_over_ || before->is_read; });
    --of_.nr_waiting_;
    if (of_.is_over_) return;
  }
  lock.unlock();
  const bool was_searched = was_read && attempt([&] { search(chunk); });
  lock.lock();
  chunk.lacks_memory = !was_searched;
  chunk.is_done = true;
  if (&chunk == of_.awaited_) of_.done_.notify_one();
}

void ParallelSearch::work() noexcept {
  ChunkSearch search{*this};
  std::unique_lock lock{mutex_};
  for (;;) {
    sent_.wait(lock, [this] { return is_over_ || !to_do_.empty(); });
    if (is_over_) return;
    search.take_next(lock);
  }
}

SearchChunk& ParallelSearch::filling() {
  if (filling_) return *filling_;
  if (free_.empty()) {
    filling_ = std::make_unique<SearchChunk>(rooms_, most_before_);
  } else {
    filling_ = std::move(free_.back());
    free_.pop_back();
  }
  filling_->reuse(position_);
  if (last_ && !begins_) filling_->follow(*last_, tail_, address_);
  return *filling_;
}

void ParallelSearch::begin(std::uint64_t address) {
  begins_ = true;
  address_ = address;
}

Step ParallelSearch::feed(Bytes bytes) {
  while (!bytes.empty() && step_ == Step::go) {
    SearchChunk& chunk = filling();
    if (std::exchange(begins_, false)) chunk.begin(address_);
    const std::size_t fed = chunk.feed(bytes);
    bytes = bytes.subspan(fed);
    address_ += fed;
    if (chunk.room() == 0) send();
  }
  return step_;
}

Step ParallelSearch::read(const PagesImage& image, std::uint64_t position, std::size_t size) {
  if (filling().room() < size) send();
  if (step_ == Step::go) filling().add_read(image, position, size);
  return step_;
}

Step ParallelSearch::feed_read(std::size_t size) {
  if (step_ == Step::stop) return step_;
  SearchChunk& chunk = filling();
  if (std::exchange(begins_, false)) chunk.begin(address_);
  chunk.feed_read(size);
  address_ += size;
  return step_;
}

void ParallelSearch::wait_for_reads() {
  if (filling_ && !filling_->is_empty()) send();
  std::unique_lock lock{mutex_};
  ++nr_waiting_;
  read_.wait(lock, [this] { return std::ranges::all_of(in_order_, [](const ChunkPtr& one) { return one->is_read; }); });
  --nr_waiting_;
}

// On to a thread; if there is none, it is searched here and now. This one is a thread as the others where enough is
// under way.
void ParallelSearch::send(bool is_last) {
  ChunkPtr chunk = std::move(filling_);
  position_ = chunk->end();
  last_ = chunk.get();
  tail_ = chunk->tail();
  const bool is_all = is_last && threads_.empty();  // little is searched at once
  if (!is_all && threads_.size() + 1 < nr_threads_) (void)start_thread(threads_, [this] { work(); });
  if (threads_.empty()) {
    chunk->read();
    chunk->take_before();
    chunk->is_full = true;
    return settle(std::move(chunk));
  }
  in_order_.push_back(std::move(chunk));
  std::unique_lock lock{mutex_};
  to_do_.push_back(in_order_.back().get());
  sent_.notify_one();
  while (step_ == Step::go && !in_order_.empty() &&
         (in_order_.front()->is_done || in_order_.size() > 2 * std::size_t{nr_threads_})) {
    lock.unlock();
    settle_front();
    lock.lock();
  }
}

void ParallelSearch::settle_front() {
  {
    std::unique_lock lock{mutex_};
    awaited_ = in_order_.front().get();
    while (!awaited_->is_done) {
      if (to_do_.empty()) done_.wait(lock, [this] { return awaited_->is_done; });
      else own_->take_next(lock);
    }
  }
  ChunkPtr chunk = std::move(in_order_.front());
  in_order_.pop_front();
  if (chunk->lacks_memory) throw std::bad_alloc{};
  settle(std::move(chunk));
}

Step ParallelSearch::finish() {
  if (filling_ && !filling_->is_empty() && step_ == Step::go) send(true);
  while (!in_order_.empty() && step_ == Step::go) settle_front();
  if (step_ == Step::go) end_stretch();
  last_ = nullptr;
  begins_ = true;
  return step_;
}

}  // namespace critpipe::search
