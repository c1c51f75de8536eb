#include "pages/page_size.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "critpipe/pages_writer.hpp"
#include "pages/page_blocks.hpp"

namespace critpipe {

namespace {

// Does the block decode to its pages? Nothing: it cannot be read.
std::optional<bool> decodes(const StoredPages::Block& block, std::uint64_t page_size, const PagesImage& stored) {
  std::vector<std::byte> bytes(block.size), content(bytes_of_pages(block.nr_pages, page_size));
  if (stored.read_content(block.offset, bytes)) return std::nullopt;
  return unpack_block(bytes, content) == Reason::none;
}

// The same of the first block that does so with pages of any size, for each of them; null: of that size there are none.
template <std::size_t nr_sizes>
std::array<std::optional<bool>, nr_sizes> first_decodes(
    const std::array<std::shared_ptr<const StoredPages>, nr_sizes>& placed, const PagesImage& stored) {
  constexpr int most_tried = 16;
  std::array<std::optional<bool>, nr_sizes> all{};
  const auto any = std::ranges::find_if(placed, std::identity{}, &std::shared_ptr<const StoredPages>::get);
  if (any == placed.end()) return all;
  int nr_tried = 0;
  for (std::uint64_t page = 0; page < (*any)->nr_pages() && nr_tried < most_tried;) {
    const StoredPages::Block block = (*any)->block_of(page);  // with the same pages for each size
    page = block.page + block.nr_pages;
    if (block.is_plain || block.size == 0) continue;
    std::array<std::optional<bool>, nr_sizes> here{};
    for (std::size_t i = 0; i < nr_sizes; ++i)
      if (placed[i]) here[i] = decodes(placed[i]->block_of(block.page), placed[i]->page_size(), stored);
    if (std::ranges::none_of(here, [](const auto& one) { return one.has_value(); })) break;
    all = here;
    if (std::ranges::find(all, std::optional{true}) != all.end()) break;
    ++nr_tried;
  }
  return all;
}

}  // namespace

void PageSizeByImages::add(const Pagemap& pagemap, const PagesImage& stored, std::optional<std::uint64_t> block_bytes,
                           bool is_size_known) {
  if (!pagemap.is_complete || pagemap.nr_present == 0) return;
  std::array<std::shared_ptr<const StoredPages>, sizes.size()> placed{};
  std::array<bool, sizes.size()> fits{};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Error error;
    fits[i] = pagemap.address_bits % sizes[i] == 0;
    if (fits[i] && pagemap.layout) fits[i] = (placed[i] = pagemap.layout->place(sizes[i], error)) != nullptr;
  }
  const auto decodes = first_decodes(placed, stored);
  bool is_tried = !pagemap.layout && is_size_known;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    is_tried = is_tried || decodes[i];
    const std::uint64_t bytes =
        placed[i] ? placed[i]->size_bytes() : StoredSize::of(pagemap.nr_present, sizes[i]).bytes;
    fits[i] = fits[i] && decodes[i].value_or(!is_size_known || bytes == stored.stored().bytes);
  }
  const std::uint64_t per_block = pagemap.pages_per_block();
  const auto said = per_block == 0 || !block_bytes ? sizes.end() : std::ranges::find(sizes, *block_bytes / per_block);
  if (said != sizes.end() && fits[static_cast<std::size_t>(said - sizes.begin())]) {
    fits = {};
    fits[static_cast<std::size_t>(said - sizes.begin())] = is_tried = true;
  }
  if (std::ranges::none_of(fits, std::identity{})) return;
  is_told_ = is_told_ || is_tried;
  for (std::size_t i = 0; i < sizes.size(); ++i) fits_[i] = fits_[i] && fits[i];
}

std::uint64_t PageSizeByImages::size() const {
  const auto found = std::ranges::find(fits_, true);
  const bool is_told = is_told_ ? found != fits_.end() : is_certain();
  return is_told ? sizes[static_cast<std::size_t>(found - fits_.begin())] : 0;
}

bool PageSizeByImages::is_certain() const { return std::ranges::count(fits_, true) == 1; }

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
