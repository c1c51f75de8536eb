// Facts about pages: making them, joining those of small pages, keeping those of an image. Internal.
//
// Pages are scanned by the smallest page size, since a stream brings pages before anything says how large they are;
// joined() makes the fact of a larger page from those of its parts.
#pragma once

#include <map>

#include "base/secret.hpp"
#include "critpipe/survey.hpp"

namespace critpipe {

// Requires: bytes.size() is a multiple of smallest_page; one fact for each.
void scan_pages(Bytes bytes, PageFact* facts);
// The fact of the page that these parts make up.
PageFact joined(std::span<const PageFact> parts);

// How scan_pages does it on this machine ("avx512", "avx2", "plain"), and all ways that there are, for tests.
struct PageScanner {
  std::string_view name;
  bool (*works_here)();
  void (*scan)(const std::byte* pages, std::size_t nr_pages, PageFact* facts, const HashSecret& secret);
};
std::span<const PageScanner> all_page_scanners();  // the best that works first
const PageScanner& page_scanner();

// Facts by number of smallest page, for any number of pages. What was never written and is not lost counts as zero, so
// that holes in a file take no room.
struct PageFacts::Chunks {
  static constexpr std::size_t chunk_pages = 1 << 14;

  // Facts of one chunk, with room for the first nr_pages at least. Distinct facts for which there is room may be filled
  // by distinct threads.
  PageFact* chunk(std::size_t index, std::size_t nr_pages);
  void grow(std::size_t nr_pages) { nr_pages_ = std::max(nr_pages_, nr_pages); }
  std::size_t size() const { return nr_pages_; }
  bool has_chunk(std::size_t index) const { return chunks_.contains(index); }
  // Of a page of nr_parts smallest pages.
  PageFact page(std::size_t number, std::size_t nr_parts) const;
  std::size_t nr_zero(std::size_t page) const;
  void drop(std::size_t chunk_index) { chunks_.erase(chunk_index); }
  void lose(std::size_t begin, std::size_t end);  // what could not be read

 private:
  std::map<std::size_t, std::vector<PageFact>> chunks_;  // each as long as the largest pages need
  std::map<std::size_t, std::size_t> lost_;              // begin and end; what touches is one
  std::size_t nr_pages_ = 0;
};

}  // namespace critpipe
