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
  // `stored`: the image, opened without blocks. Its first blocks are tried if they can be read: one that decodes with
  // no size is damaged. Else the size of the image tells only what is left of all sizes alone, and nothing where it is
  // not known. A pagemap that is not whole, or fits to no size, tells nothing. `block_bytes`: as
  // PageStore::block_bytes(), asked where several sizes fit.
  void add(const Pagemap& pagemap, const PagesImage& stored, std::optional<std::uint64_t> block_bytes = {},
           bool is_size_known = true);
  std::uint64_t size() const;  // in bytes; 0: it cannot be told
  bool is_certain() const;     // is it the only one that fits?

 private:
  static constexpr std::array<std::uint64_t, 3> sizes{smallest_page, 16 << 10, 64 << 10};
  std::array<bool, sizes.size()> fits_{true, true, true};
  bool is_told_ = false;
};

// What a set tells, or else the nearest of its parents that tells it; 0: none does. All of a chain have the same.
template <typename Set, typename Told>
std::uint64_t page_size_of_chain(Set* set, const Told& told) {
  for (; set; set = set->parent())
    if (const std::uint64_t size = told(*set)) return size;
  return 0;
}

}  // namespace critpipe
