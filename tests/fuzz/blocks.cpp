// A pagemap with lists of blocks, and the pages image beside it: no crash, and one content however it is read. What is
// lost counts as zeros.
//
// Input: a byte for the pieces, a byte with the length of the pagemap in units of 16 bytes, the pagemap, the pages
// image.
#include "fuzz/fuzz.hpp"
#include "pages/held_pages.hpp"

namespace critpipe {
namespace {

constexpr std::uint64_t page_size = smallest_page;

struct Content {
  std::vector<std::byte> bytes;
  bool is_damaged = false;
  bool operator==(const Content&) const = default;
};

// As a stream.
class Stream final : public PagesSink {
 public:
  Content content;

 protected:
  void refused(const Error& error) override {
    content.is_damaged = true;
    content.bytes.resize(content.bytes.size() + error.want);
  }
  Step pages(std::uint64_t first, Bytes bytes) override {
    require(content_position(first, smallest_page) == content.bytes.size());
    content.bytes.insert(content.bytes.end(), bytes.begin(), bytes.end());
    return Step::go;
  }
};

Content streamed(std::shared_ptr<const StoredPages> blocks, Bytes image, std::uint64_t seed) {
  Stream stream;
  stream.stored_as(std::move(blocks));
  bool goes_on = true;
  in_pieces(image, seed, [&](Bytes piece) { return goes_on = stream.raw(piece) == Step::go; });
  if (goes_on) (void)stream.end();
  stream.content.bytes.resize(stream.content.bytes.size() / page_size * page_size);
  return stream.content;
}

// By position, `at_once` pages at a time.
Content read(const PagesImage& image, std::uint64_t at_once) {
  Content content;
  for (;;) {
    std::vector<std::byte> pages(bytes_of_pages(at_once, page_size));
    std::size_t size = pages.size();
    image.read_content(content.bytes.size(), pages, [&](std::size_t begin, std::size_t end, const Error& error) {
      if (error.reason == Reason::cut_pages) size = begin / page_size * page_size;
      else content.is_damaged = true;
      std::fill(pages.begin() + static_cast<std::ptrdiff_t>(begin), pages.begin() + static_cast<std::ptrdiff_t>(end),
                std::byte{0});
    });
    content.bytes.insert(content.bytes.end(), pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(size));
    if (size < pages.size()) return content;
  }
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
  const auto blocks = pagemap.blocks(page_size, error);
  require(static_cast<bool>(blocks) != static_cast<bool>(error));
  if (!blocks || pagemap.nr_present > 4096) return;
  const Bytes image = input.subspan(size);
  const Content whole = streamed(blocks, image, 0);
  require(whole == streamed(blocks, image, seed + 1));
  std::uint64_t room = image.size();
  const auto held = std::make_shared<HeldPages>(room);
  held->want_all();
  in_pieces(image, seed, [&](Bytes piece) {
    held->take(piece);
    return true;
  });
  const PagesImage by_position{{.held = held}, "pages-1.img", page_size, blocks};
  require(read(by_position, seed % 7 + 1) == whole);
  if (!whole.is_damaged)
    require(pages_in(whole.bytes.size(), page_size) == pagemap.nr_pages_in({image.size()}, page_size));
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
