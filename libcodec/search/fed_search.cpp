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
  read_.resize(size);
  nr_fed_ = 0;
  const Error error = image.read_content(position, read_);
  was_read_ = !error;
  if (error && on_read_error_) on_read_error_(error);
  return Step::go;
}

Step PlainSearch::feed_read(std::size_t size) {
  const Bytes bytes = Bytes{read_}.subspan(nr_fed_, size);
  nr_fed_ += size;
  if (was_read_) return feed(bytes);
  begins_ = true;
  address_ += size;
  return search_.end();
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
