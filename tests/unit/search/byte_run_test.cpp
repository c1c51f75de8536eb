// Long runs of bytes of one set are those that are there, however many bytes they have to have.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "critpipe/search.hpp"
#include "search/pattern_shape.hpp"

namespace critpipe {
namespace {

using Spans = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Spans found_by(const Patterns& patterns, std::string_view bytes, unsigned seed) {
  Spans found;
  Search search{patterns, 8, [&](const Match& match) {
                  found.emplace_back(match.address, match.address + match.length);
                  return Step::go;
                }};
  std::mt19937 random{seed};
  search.begin(0);
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + random() % 5000);
    EXPECT_EQ(search.feed(bytes_of(bytes.substr(0, size))), Step::go);
    bytes.remove_prefix(size);
  }
  EXPECT_EQ(search.end(), Step::go);
  return found;
}

Spans runs_of(std::string_view bytes, const std::function<bool(char)>& is_of_set, std::size_t least) {
  Spans runs;
  for (std::size_t at = 0, end = 0; at < bytes.size(); at = end + 1) {
    for (end = at; end < bytes.size() && is_of_set(bytes[end]);) ++end;
    if (end - at >= least) runs.emplace_back(at, end);
  }
  return runs;
}

TEST(ByteRun, WhatIsOne) {
  const auto text = [](std::string_view regex) {
    const auto run = search::run_of(regex);
    return run ? std::string{run->set} + " " + std::to_string(run->least) : "";
  };
  EXPECT_EQ(text("\\x00{4000,}"), "\\x00 4000");
  EXPECT_EQ(text("[a-z\\d]{300,}"), "[a-z\\d] 300");
  EXPECT_EQ(text(".{300,}"), ". 300");
  EXPECT_EQ(text("(?:a){300,}"), "(?:a) 300");
  for (const char* other : {"a{300}", "a{300,400}", "a{300,}?", "a{300,}b", "ba{300,}", "(?:ab){300,}", "a+", "a{,300}",
                            "(?i)a{300,}", "(?:a|b){300,}", "a{300,}{2}", "a", "a{300,}|b", "\\b{300,}", ""})
    EXPECT_EQ(text(other), "") << other;
}

TEST(ByteRun, AreFoundFromTheirLengthOn) {
  std::string bytes;
  for (const std::size_t size : {499, 500, 501, 999, 1000, 1001, 3999, 4000, 4001, 1, 70'000, 1500, 140'000, 999, 4000})
    bytes.append(size, 'a').append(size % 2 + 1, '-').append(size / 2, 'B').append("?");
  for (const std::size_t least : {500, 501, 1000, 4000, 20'000}) {
    const std::string count = "{" + std::to_string(least) + ",}";
    const std::tuple<std::string, bool, std::function<bool(char)>> rows[] = {
        {"a", false, [](char c) { return c == 'a'; }},
        {"[^-?]", false, [](char c) { return c != '-' && c != '?'; }},
        {"b", true, [](char c) { return c == 'B'; }}};
    for (const auto& [set, caseless, is_of_set] : rows) {
      Patterns patterns;
      ASSERT_FALSE(patterns.add({.text = set + count, .caseless = caseless}));
      ASSERT_FALSE(patterns.compile());
      const Spans runs = runs_of(bytes, is_of_set, least);
      EXPECT_FALSE(runs.empty());
      for (unsigned seed = 0; seed < 3; ++seed) EXPECT_EQ(found_by(patterns, bytes, seed), runs) << set << count;
    }
  }
}

}  // namespace
}  // namespace critpipe
