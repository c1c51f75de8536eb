// A pagemap with lists of blocks, and the pages image beside it: no crash, and one content however it is read.
//
// Input: a byte for the pieces, a byte with the length of the pagemap in units of 16 bytes, the pagemap, the pages
// image.
#include "critpipe/pages.hpp"
#include "fuzz/fuzz.hpp"

namespace critpipe {
namespace {

constexpr std::uint64_t page_size = smallest_page;

struct Content {
  std::vector<std::byte> bytes;
  bool is_damaged = false;
  bool operator==(const Content&) const = default;
};

Content fed(std::shared_ptr<const StoredPages> pages, Bytes image, std::uint64_t seed) {
  Content content;
  BlockFeed feed{std::move(pages)};
  const auto take = [&](Bytes bytes) {
    content.bytes.insert(content.bytes.end(), bytes.begin(), bytes.end());
    return Step::go;
  };
  (void)feed.feed({}, take);
  in_pieces(image, seed, [&](Bytes piece) { return feed.feed(piece, take) == Step::go; });
  content.is_damaged = static_cast<bool>(feed.error());
  return content;
}

// By position, block after block.
Content read(const StoredPages& pages, Bytes image) {
  Content content;
  for (std::uint64_t page = 0; page < pages.nr_pages();) {
    const StoredPages::Block block = pages.block_of(page);
    require(block.nr_pages > 0 && block.page <= page && page < block.page + block.nr_pages);
    require(block.offset + block.size <= pages.size_bytes());
    if (block.offset > image.size() && block.size > 0) return content;
    const Bytes there = image.subspan(std::min<std::size_t>(block.offset, image.size()));
    const Bytes stored = there.first(std::min<std::size_t>(there.size(), block.size));
    page = block.page + block.nr_pages;
    if (block.is_plain) {
      content.bytes.insert(content.bytes.end(), stored.begin(), stored.end());
      if (stored.size() < block.size) return content;
      continue;
    }
    if (stored.size() < block.size) return content;
    std::vector<std::byte> decoded(block.nr_pages * page_size);
    if (decode_block(stored, decoded) != Reason::none) {
      content.is_damaged = true;
      return content;
    }
    content.bytes.insert(content.bytes.end(), decoded.begin(), decoded.end());
  }
  return content;
}

void run(Bytes input) {
  const unsigned seed = take_byte(input);
  const std::size_t size = std::min<std::size_t>(take_byte(input) * std::size_t{16}, input.size());
  Pagemap pagemap;
  PagemapLoader loader{pagemap, [](const Error&) {}};
  Decoder decoder{loader, "pagemap-1.img", {.entry_bytes = 1 << 20}};
  (void)decoder.feed(input.first(size));
  (void)decoder.finish();
  if (!pagemap.layout) return;
  Error error;
  const auto pages = pagemap.layout->placed(page_size, error);
  require(static_cast<bool>(pages) != static_cast<bool>(error));
  if (!pages || pages->nr_pages() > 4096) return;
  const Bytes image = input.subspan(size);
  const Content whole = fed(pages, image, 0);
  require(whole == fed(pages, image, seed + 1));
  const Content read_by_position = read(*pages, image);
  require(read_by_position.is_damaged == whole.is_damaged && read_by_position.bytes == whole.bytes);
  if (!whole.is_damaged) require(pages_in(whole.bytes.size(), page_size) == pages->nr_pages_in(image.size()));
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
