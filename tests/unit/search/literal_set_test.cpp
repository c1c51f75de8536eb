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

Places wanted_places(const std::vector<LiteralSet::Literal>& literals, const std::string& text) {
  Places places;
  const std::string low = lower(text);
  for (std::size_t number = 0; number < literals.size(); ++number) {
    const auto& [literal, caseless] = literals[number];
    const std::string& in = caseless ? low : text;
    const std::string what = caseless ? lower(literal) : literal;
    for (std::size_t at = 0; (at = in.find(what, at)) != in.npos; ++at) places.emplace_back(at, number);
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

// Returns how many there are.
std::size_t expect_all(const std::vector<LiteralSet::Literal>& literals, const std::string& text) {
  LiteralSet set{literals};
  const Places wanted = wanted_places(literals, text);
  const std::vector<char> bytes(text.begin(), text.end());  // no more than them, as a sanitizer sees
  for (const auto sift : {LiteralSet::best_sift(), LiteralSet::Sift{nullptr}}) {
    set.use(sift);
    Places found;
    bool in_order = true;
    std::vector<std::size_t> last(literals.size());
    set.find(std::as_bytes(std::span{bytes}), [&](std::size_t place, std::size_t number) {
      in_order = in_order && place >= last[number];
      last[number] = place;
      found.emplace_back(place, number);
    });
    EXPECT_TRUE(in_order);
    std::ranges::sort(found);
    EXPECT_EQ(found, wanted) << literals.size() << " literals in " << text.size() << " bytes";
  }
  return wanted.size();
}

}  // namespace

TEST(LiteralSet, FindsWhatFindFinds) {
  std::mt19937 random{3};
  std::size_t nr_found = 0;
  for (int round = 0; round < 2000 && !HasFailure(); ++round) {
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
    nr_found += expect_all(literals, text);
  }
  EXPECT_GT(nr_found, 3000u);
}

// What vectors leave out depends on which bytes there are, and changes within a text.
TEST(LiteralSet, FindsManyInMemoryOfManyKinds) {
  constexpr std::string_view kinds[] = {{"\0", 1}, "etaoin shrdlu", "0123456789abcdef", "ABCxyz/._-"};
  std::mt19937 random{7};
  for (const std::size_t count : {2u, 40u, 256u, 1000u, 5000u}) {
    for (const std::size_t least : {3u, 4u, 6u, 12u}) {
      std::string text;
      while (text.size() < 20000) text += random_text(random, random() % 3000, kinds[random() % std::size(kinds)]);
      std::vector<LiteralSet::Literal> literals;
      std::set<std::string> known;
      while (literals.size() < count) {
        const std::size_t size = least + random() % 80;
        std::string literal = random() % 4 == 0 ? text.substr(random() % (text.size() - size), size)
                                                : random_text(random, size, kinds[1 + random() % 3]);
        if (random() % 4 == 0 && !literals.empty())
          literal = literals[random() % literals.size()].text.substr(0, least) + literal.substr(0, random() % 3);
        if (known.insert(literal).second) literals.push_back({literal, least == 4 && random() % 3 == 0});
      }
      expect_all(literals, text);
    }
  }
}

TEST(LiteralSet, FindsThemAtBothEndsAndAtEveryPlace) {
  using Literals = std::vector<LiteralSet::Literal>;
  for (const Literals& literals : {Literals{{"abc"}, {"abcd"}}, Literals{{"0123456"}, {"needle/of"}},
                                   Literals{{"https://a.example/q"}, {"https://b.example/"}}})
    for (std::size_t before = 0; before < 200; ++before)
      for (const auto& [literal, caseless] : literals) {
        const std::string text = std::string(before, 'h') + literal;
        expect_all(literals, text);
        expect_all(literals, text + std::string(before % 70, '/'));
      }
}
