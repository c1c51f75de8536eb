// How large the pages are of a set whose images say it nowhere: a pre-dump has no core images. Internal.
#pragma once

#include <array>
#include <optional>

#include "critpipe/pages.hpp"

namespace critpipe {

// A pages image has all present pages of its pagemap, and its blocks decode to them: of the sizes that pages have on
// the machines of CRIU, each pagemap leaves those that it fits to.
class PageSizeByImages {
 public:
  // `stored`: the image, opened without blocks; its size may be Member::unknown. The first block is tried if it can be
  // read; else the size of the image tells only what is left of all sizes alone. A pagemap that is not whole, or fits
  // to no size, tells nothing. `block_bytes`: as PageStore::block_bytes(), asked where no block could be tried.
  void add(const Pagemap& pagemap, const PagesImage& stored, std::optional<std::uint64_t> block_bytes = {});
  std::uint64_t size() const;  // in bytes; 0: it cannot be told

 private:
  static constexpr std::array<std::uint64_t, 3> sizes{smallest_page, 16 << 10, 64 << 10};
  std::array<bool, sizes.size()> fits_{true, true, true};
  bool is_told_ = false;
};

}  // namespace critpipe
