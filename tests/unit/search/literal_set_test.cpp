// Many literals against std::string::find, with and without vectors.
#include "search/literal_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace critpipe;
using search::LiteralSet;

namespace {

using Places = std::vector<std::pair<std::size_t, std::size_t>>;  // place, literal

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

Places wanted_places(const std::vector<LiteralSet::Literal>& literals, const std::string& text, std::size_t from) {
  Places places;
  const std::string low = lower(text);
  for (std::size_t number = 0; number < literals.size(); ++number) {
    const auto& [literal, caseless] = literals[number];
    const std::string& in = caseless ? low : text;
    const std::string what = caseless ? lower(literal) : literal;
    for (std::size_t at = from; (at = in.find(what, at)) != in.npos; ++at) places.emplace_back(at, number);
  }
  std::ranges::sort(places);
  return places;
}

std::string random_text(std::mt19937& random, std::size_t size, std::string_view letters) {
  std::string text(size, '\0');
  for (char& letter : text)
    letter = random() % 50 == 0 ? static_cast<char>(random()) : letters[random() % letters.size()];
  return text;
}

}  // namespace

TEST(LiteralSet, FindsWhatFindFinds) {
  std::mt19937 random{3};
  std::size_t nr_found = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::string_view letters = std::string_view{"abABz\xc3\0 ", 8}.substr(0, 2 + random() % 7);
    const std::string text = random_text(random, random() % 600, letters);
    std::vector<LiteralSet::Literal> literals;
    const std::size_t least = LiteralSet::shortest + random() % 10;
    for (std::size_t nr = 1 + random() % 12; nr > 0; --nr) {
      const std::size_t size = least + random() % 6;
      const bool is_there = text.size() > size && random() % 2 == 0;
      literals.push_back(
          {is_there ? text.substr(random() % (text.size() - size), size) : random_text(random, size, letters),
           random() % 4 == 0});
    }
    LiteralSet set{literals};
    const std::size_t from = random() % 4;
    const Places wanted = wanted_places(literals, text, from);
    nr_found += wanted.size();
    for (const auto way : {LiteralSet::best_way(), LiteralSet::PassOver{nullptr}}) {
      set.use(way);
      Places found;
      std::vector<std::size_t> last(literals.size());
      set.find(std::as_bytes(std::span{text}), from, [&](std::size_t place, std::size_t number) {
        ASSERT_GE(place, last[number]);
        last[number] = place;
        found.emplace_back(place, number);
      });
      std::ranges::sort(found);
      ASSERT_EQ(found, wanted) << "round " << round;
    }
  }
  EXPECT_GT(nr_found, 3000u);
}
