// What bytes are fed to that are searched: one thread, or several. Internal.
#pragma once

#include "critpipe/pages.hpp"
#include "critpipe/search.hpp"

namespace critpipe::search {

class FedSearch {
 public:
  virtual ~FedSearch() = default;
  // As in Search.
  virtual void begin(std::uint64_t address) = 0;
  virtual Step feed(Bytes bytes) = 0;
  virtual Step end() = 0;
  virtual std::optional<std::size_t> reach_into_zeros() const = 0;
  virtual const Error& error() const = 0;

  // The next `size` bytes, of any stretches, are at a position in the content of an image, which stays until finish().
  // They are read whenever it suits, and fed by feed_read() in their order. Those that cannot be read end a stretch.
  virtual Step read(const PagesImage& image, std::uint64_t position, std::size_t size) = 0;
  virtual Step feed_read(std::size_t size) = 0;
  // The images that read() was told of may go.
  virtual void wait_for_reads() = 0;
  // Ends the stretch; all that was fed has been searched and reported.
  virtual Step finish() = 0;
};

using OnReadError = std::function<void(const Error&)>;
// Memory: three chunks of 512 KiB for each thread, and their matches, 4 MiB at most. The matches, their order, and the
// thread that calls are those of one thread. Requires: as Search.
std::unique_ptr<FedSearch> make_search(const Patterns& patterns, std::size_t context, unsigned nr_threads,
                                       Search::OnMatch on_match, OnReadError on_read_error = {});

constexpr std::size_t chunk_bytes = 256 << 10;  // no read may be larger
// What a thread gets at once: so large that handing it over costs little.
constexpr std::size_t shared_chunk_bytes = 512 << 10;

}  // namespace critpipe::search
