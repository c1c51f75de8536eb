// A pages image in a file, read by position and by several threads. Internal.
#pragma once

#include <functional>
#include <string>

#include "survey/compression_sample.hpp"
#include "survey/page_facts.hpp"

namespace critpipe {

struct CRITPIPE_INNER FileScan {
  const PagesImage& image;  // of any page size: it is read by smallest pages
  std::uint64_t nr_parts;   // smallest pages that are looked at
  unsigned nr_threads;
  PageFacts::Chunks& facts;             // filled chunk by chunk
  CompressionSample* sample = nullptr;  // of blocks of the image with that pages_id
  std::uint64_t pages_id = 0;

  // `stored`: how many pages take room in the file, before it starts. `ready`: facts [first, first + count) are there;
  // nr_holes pages among them take no room, of any number at once where all are in a hole. Reasons: io_read,
  // cut_pages.
  using Ready = std::function<void(std::uint64_t first, std::uint64_t count, std::uint64_t nr_holes)>;
  Error run(const std::function<void(std::uint64_t)>& stored, const Ready& ready);
};

}  // namespace critpipe
