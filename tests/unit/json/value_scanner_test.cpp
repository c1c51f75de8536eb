// Every good image, cut at every byte: an error or, at an entry's border, a clean end; what is printed is a prefix.
#include <gtest/gtest.h>

#include "unit/testing.hpp"

namespace critpipe {
namespace {

using namespace testing;

const JsonOptions lines{.form = JsonOptions::Form::lines};

struct Cut {
  Error error;
  std::string lines;
};

Cut decoded(const TestImage& image, std::size_t size) {
  StringOutput output;
  JsonSink sink{output, lines};
  // Its own memory, so that a sanitizer sees a read beyond the cut.
  const std::vector<char> exact{image.bytes.begin(), image.bytes.begin() + static_cast<std::ptrdiff_t>(size)};
  const Error error = decode({exact.data(), exact.size()}, sink, image.name);
  return {error, output.take()};
}

// The bytes of an entry end here: an image that is cut here looks whole.
std::vector<std::size_t> borders(const TestImage& image) {
  class Borders final : public Sink {
   public:
    explicit Borders(std::vector<std::size_t>& all) : all_{all} {}
    Step begin(const Image&) override { return Step::go; }
    Step entry(const Entry& entry) override {
      all_.push_back(entry.offset);
      return Step::go;
    }

   private:
    std::vector<std::size_t>& all_;
  };
  std::vector<std::size_t> all;
  Borders sink{all};
  decode(image.bytes, sink, image.name);
  all.push_back(image.bytes.size());
  return all;
}

// A ghost file that is not in chunks goes to the end of its file: any cut leaves a shorter one.
std::size_t begin_of_rest(const TestImage& image) {
  class Rest final : public Sink {
   public:
    Step entry(const Entry& entry) override {
      end_ = entry.offset + 4 + entry.payload.size();
      return Step::go;
    }
    Step part(const ExtraPart& part) override {
      if (part.size == ExtraPart::unknown) found = end_;
      return Step::go;
    }
    std::size_t found = ~std::size_t{0};

   private:
    std::size_t end_ = 0;
  } rest;
  decode(image.bytes, rest, image.name);
  return rest.found;
}

void expect_prefix(const TestImage& image, std::size_t size, const std::string& whole, bool is_border) {
  Cut cut = decoded(image, size);
  if (is_border) {
    EXPECT_FALSE(cut.error) << to_string(cut.error);
    // The head alone is an image without entries, which has a line of its own.
    if (cut.lines.ends_with("\"entries\": []}\n")) cut.lines.clear();
  } else {
    EXPECT_TRUE(name_of(cut.error.reason).starts_with("cut_")) << to_string(cut.error);
    EXPECT_LE(cut.error.offset, size);
    // The last line says what happened; there is none where not even the magic is whole.
    const std::size_t last = cut.lines.empty() ? 0 : cut.lines.rfind('\n', cut.lines.size() - 2) + 1;
    EXPECT_NE(cut.lines.find("\"error\": ", last), cut.lines.npos) << cut.lines;
    cut.lines.resize(last);
  }
  EXPECT_TRUE(whole.starts_with(cut.lines)) << cut.lines;
}

TEST(Cut, EverySmallImageAtEveryByte) {
  const auto images = test_images(4096);
  std::size_t nr_cuts = 0;
  for (const TestImage& image : images) {
    SCOPED_TRACE(image.path);
    const Cut whole = decoded(image, image.bytes.size());
    const Kind* kind = kind_of_name(image.name);
    if (whole.error || (kind && kind->is_raw())) continue;
    const auto all_borders = borders(image);
    const std::size_t rest = begin_of_rest(image);
    for (std::size_t size = nr_cuts % one_in; size < std::min(image.bytes.size(), rest); size += one_in, ++nr_cuts) {
      SCOPED_TRACE(size);
      const bool is_head = all_borders.front() == size;
      expect_prefix(image, size, whole.lines, is_head || std::ranges::binary_search(all_borders, size));
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GT(nr_cuts, 100000u / one_in) << "from " << images.size() << " images";
}

// Of larger ones a sample: around each border, and a few hundred places between.
TEST(Cut, LargerImagesHereAndThere) {
  std::size_t nr_images = 0;
  for (const TestImage& image : test_images(1 << 20)) {
    if (image.bytes.size() <= 4096) continue;
    SCOPED_TRACE(image.path);
    const Cut whole = decoded(image, image.bytes.size());
    const Kind* kind = kind_of_name(image.name);
    if (whole.error || (kind && kind->is_raw())) continue;
    ++nr_images;
    const auto all_borders = borders(image);
    const std::size_t rest = begin_of_rest(image);
    const std::size_t step = 1 + image.bytes.size() / 200;
    for (std::size_t size = 0; size < std::min(image.bytes.size(), rest); size += step) {
      SCOPED_TRACE(size);
      expect_prefix(image, size, whole.lines, std::ranges::binary_search(all_borders, size));
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GT(nr_images, 5u);
}

}  // namespace
}  // namespace critpipe
