#include "pages/page_size.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "critpipe/pages_writer.hpp"
#include "pages/page_blocks.hpp"

namespace critpipe {

namespace {

// Does the first block that is not zeros decode to pages of that size? Nothing: there is none, or it cannot be read.
std::optional<bool> decodes_with(const StoredPages& placed, const PagesImage& stored) {
  for (std::uint64_t page = 0; page < placed.nr_pages();) {
    const StoredPages::Block block = placed.block_of(page);
    page = block.page + block.nr_pages;
    if (block.is_plain || block.size == 0) continue;
    std::vector<std::byte> bytes(block.size), content(bytes_of_pages(block.nr_pages, placed.page_size()));
    if (stored.read_content(block.offset, bytes)) break;
    return unpack_block(bytes, content) == Reason::none;
  }
  return std::nullopt;
}

}  // namespace

void PageSizeByImages::add(const Pagemap& pagemap, const PagesImage& stored, std::optional<std::uint64_t> block_bytes) {
  if (!pagemap.is_complete || pagemap.nr_present == 0) return;
  const std::uint64_t bytes = stored.stored().bytes;
  std::array<bool, sizes.size()> fits{};
  bool is_tried = !pagemap.layout;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Error error;
    const auto placed = pagemap.layout ? pagemap.layout->place(sizes[i], error) : nullptr;
    if (error || pagemap.address_bits % sizes[i] != 0) continue;
    const auto decodes = placed ? decodes_with(*placed, stored) : std::nullopt;
    is_tried = is_tried || decodes;
    fits[i] =
        decodes.value_or((placed ? placed->size_bytes() : StoredSize::of(pagemap.nr_present, sizes[i]).bytes) == bytes);
  }
  const std::uint64_t per_block = pagemap.pages_per_block();
  const auto said = per_block == 0 || !block_bytes ? sizes.end() : std::ranges::find(sizes, *block_bytes / per_block);
  if (!is_tried && said != sizes.end() && fits[static_cast<std::size_t>(said - sizes.begin())]) {
    fits = {};
    fits[static_cast<std::size_t>(said - sizes.begin())] = is_tried = true;
  }
  if (std::ranges::none_of(fits, std::identity{})) return;
  is_told_ = is_told_ || is_tried;
  for (std::size_t i = 0; i < sizes.size(); ++i) fits_[i] = fits_[i] && fits[i];
}

std::uint64_t PageSizeByImages::size() const {
  const auto found = std::ranges::find(fits_, true);
  const bool is_told = is_told_ ? found != fits_.end() : std::ranges::count(fits_, true) == 1;
  return is_told ? sizes[static_cast<std::size_t>(found - fits_.begin())] : 0;
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
