// Every way to find a literal against std::search, on bytes in which nearly everything is a candidate.
#include "search/literal_finder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace critpipe;
using search::LiteralFinder;

namespace {

std::vector<std::size_t> all_places(const LiteralFinder& finder, const std::string& text, std::size_t from) {
  std::vector<std::size_t> places;
  const Bytes bytes = std::as_bytes(std::span{text});
  for (std::size_t at = from; (at = finder.find(bytes, at)) != LiteralFinder::npos; ++at) places.push_back(at);
  return places;
}

std::vector<std::size_t> wanted_places(const std::string& literal, const std::string& text, std::size_t from) {
  std::vector<std::size_t> places;
  for (std::size_t at = from; (at = text.find(literal, at)) != text.npos; ++at) places.push_back(at);
  return places;
}

std::string random_text(std::mt19937& random, std::size_t size, unsigned letters) {
  std::string text(size, '\0');
  for (char& letter : text) letter = static_cast<char>(0x7e + random() % letters);
  return text;
}

}  // namespace

TEST(Literal, EveryWayFindsWhatSearchFinds) {
  std::mt19937 random{1};
  std::size_t nr_ways = 0;
  for (const auto& way : LiteralFinder::all_ways()) {
    if (!way.works_here()) continue;
    ++nr_ways;
    for (int round = 0; round < 3000; ++round) {
      const std::string text = random_text(random, random() % 700, 1 + round % 4);
      std::string literal = random_text(random, 1 + random() % 6, 1 + round % 4);
      if (round % 3 == 0 && text.size() > 200) literal = text.substr(random() % 100, 1 + random() % 100);
      LiteralFinder finder{literal};
      finder.use(way);
      if (round % 2 == 0) finder.learn(std::as_bytes(std::span{text}));
      const std::size_t from = random() % 5;
      ASSERT_EQ(all_places(finder, text, from), wanted_places(literal, text, from)) << way.name << " round " << round;
    }
  }
  EXPECT_GE(nr_ways, 1u);
}

// Its bytes are chosen from what was seen, with the largest and smallest sizes there are.
TEST(Literal, RareBytesAreChosen) {
  LiteralFinder finder{"aab?ac"};
  const std::string text = std::string(100'000, 'a') + std::string(100'000, 'b') + std::string(100'000, 'c');
  finder.learn(std::as_bytes(std::span{text}));
  EXPECT_TRUE(finder.first() == 3 || finder.second() == 3);
  EXPECT_EQ(finder.find(std::as_bytes(std::span{text}), 0), LiteralFinder::npos);
  EXPECT_EQ(finder.find({}, 0), LiteralFinder::npos);
  LiteralFinder one{"x"};
  EXPECT_EQ(one.find(std::as_bytes(std::span{"yyx", 3}), 0), 2u);
}

TEST(Literal, LearnsOfShortPieces) {
  LiteralFinder finder{"aab?ac"};
  const std::string text(100, 'a'), other(100, 'b'), third(100, 'c');
  for (int i = 0; i < 3000; ++i)
    for (const std::string* piece : {&text, &other, &third}) finder.learn(std::as_bytes(std::span{*piece}));
  EXPECT_TRUE(finder.first() == 3 || finder.second() == 3);
}
