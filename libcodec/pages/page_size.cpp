#include "pages/page_size.hpp"

#include <algorithm>

#include "critpipe/pages_writer.hpp"
#include "pages/page_blocks.hpp"

namespace critpipe {

namespace {

// Does the first block that is not zeros decode to pages of that size? Without one, the size of the file says it.
bool decodes_with(const PageLayout& layout, std::uint64_t page_size, StoredSize size, const PagesImage& stored) {
  Error error;
  const auto placed = layout.place(page_size, error);
  if (!placed) return false;
  for (std::uint64_t page = 0; page < placed->nr_pages();) {
    const StoredPages::Block block = placed->block_of(page);
    page = block.page + block.nr_pages;
    if (block.is_plain || block.size == 0) continue;
    std::vector<std::byte> bytes(block.size), content(bytes_of_pages(block.nr_pages, page_size));
    return !stored.read_content(block.offset, bytes) && unpack_block(bytes, content) == Reason::none;
  }
  return placed->size_bytes() == size.bytes;
}

}  // namespace

void PageSizeByImages::add(const Pagemap& pagemap, StoredSize size, const PagesImage* stored) {
  if (!pagemap.is_complete || pagemap.nr_present == 0 || (pagemap.layout && !stored)) return;
  std::array<bool, sizes.size()> fits{};
  for (std::size_t i = 0; i < sizes.size(); ++i)
    fits[i] = pagemap.address_bits % sizes[i] == 0 &&
              (pagemap.layout ? decodes_with(*pagemap.layout, sizes[i], size, *stored)
                              : StoredSize::of(pagemap.nr_present, sizes[i]).bytes == size.bytes);
  if (std::ranges::none_of(fits, std::identity{})) return;
  is_told_ = true;
  for (std::size_t i = 0; i < sizes.size(); ++i) fits_[i] = fits_[i] && fits[i];
}

std::uint64_t PageSizeByImages::size() const {
  const auto found = std::ranges::find(fits_, true);
  return is_told_ && found != fits_.end() ? sizes[static_cast<std::size_t>(found - fits_.begin())] : 0;
}

bool Pagemap::fits_larger_pages(StoredSize size, std::uint64_t page_size) const {
  Error ignored;
  for (page_size *= 2; page_size <= largest_page; page_size *= 2) {
    // What reads the image goes on with the blocks that the layout keeps.
    const auto placed = layout ? layout->place(page_size, ignored) : nullptr;
    const std::uint64_t bytes = placed ? placed->size_bytes() : StoredSize::of(nr_present, page_size).bytes;
    if ((placed || !layout) && bytes == size.bytes) return true;
  }
  return false;
}

Error Pagemap::surplus(StoredSize size, std::string place, std::uint64_t page_size) const {
  const std::uint64_t claimed = stored(page_size).bytes;
  if (size.bytes <= claimed) return {};
  std::string text = std::to_string(size.bytes) + " bytes, but the entries of " + pagemap_name(memory) + " make up " +
                     std::to_string(claimed);
  if (fits_larger_pages(size, page_size)) text += ": is another --page-size wanted?";
  return named_error(Reason::no_bytes, std::move(place), std::move(text));
}

}  // namespace critpipe
