#include "search/fed_search.hpp"

#include "search/parallel_search.hpp"
#include "search/plain_search.hpp"

namespace critpipe::search {

Step PlainSearch::feed(Bytes bytes) {
  if (std::exchange(begins_, false)) search_.begin(address_);
  address_ += bytes.size();
  return search_.feed(bytes);
}

Step PlainSearch::read(const PagesImage& image, std::uint64_t position, std::size_t size) {
  if (read_.size() < size) read_.resize(size);  // it only grows, so that it is not cleared each time
  nr_fed_ = next_lost_ = 0;
  lost_.clear();
  image.read_content(position, std::span{read_}.first(size),
                     [this](std::size_t begin, std::size_t end, const Error& error) {
                       lost_.push_back({begin, end});
                       if (on_read_error_) on_read_error_(error);
                     });
  return Step::go;
}

Step PlainSearch::feed_read(std::size_t size) {
  for (const std::size_t end = nr_fed_ + size; nr_fed_ < end;) {
    while (next_lost_ < lost_.size() && lost_[next_lost_].end <= nr_fed_) ++next_lost_;
    const Lost lost = next_lost_ < lost_.size() ? lost_[next_lost_] : Lost{end, end};
    const bool is_lost = lost.begin <= nr_fed_;
    const std::size_t to = std::min(end, is_lost ? lost.end : lost.begin);
    const Bytes bytes = Bytes{read_}.subspan(nr_fed_, to - nr_fed_);
    nr_fed_ = to;
    if (is_lost) {
      begins_ = true;
      address_ += bytes.size();
    }
    if ((is_lost ? search_.end() : feed(bytes)) == Step::stop) return Step::stop;
  }
  return Step::go;
}

std::unique_ptr<FedSearch> make_search(const Patterns& patterns, std::size_t context, unsigned nr_threads,
                                       Search::OnMatch on_match, OnReadError on_read_error) {
  if (nr_threads > 1 && ParallelSearch::works_for(patterns))
    return std::make_unique<ParallelSearch>(patterns, context, nr_threads, std::move(on_match),
                                            std::move(on_read_error));
  return std::make_unique<PlainSearch>(std::make_unique<Search>(patterns, context, std::move(on_match)),
                                       std::move(on_read_error));
}

}  // namespace critpipe::search
