// Numbers that have been doubles.
#include "json/parse/doubts.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <string>

namespace critpipe {
namespace {

// As jq 1.5 and 1.6 print a number: 17 digits, then zeros.
std::string as_jq(std::uint64_t value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", static_cast<double>(value));
  double rounded = 0;
  std::sscanf(text, "%lf", &rounded);
  std::string digits = text;
  if (const auto e = digits.find("e+"); e != digits.npos) {
    const auto exponent = static_cast<std::size_t>(std::stoi(digits.substr(e + 2)));
    digits.erase(e);
    std::erase(digits, '.');
    digits.resize(exponent + 1, '0');
  }
  return digits;
}

TEST(Doubts, ExactNumbersStand) {
  for (const char* exact : {"9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551615",
                            "18446744073699065856", "18446744073709547520", "1000000000000000000",
                            "10000000000000000000", "123456789012345678", "4611686018427387904", "0",
                            "500000000000000000", "17293822569102704640"})
    EXPECT_FALSE(looks_rounded(exact)) << exact;
}

TEST(Doubts, RoundedNumbersAreKnown) {
  for (const char* rounded : {"18446744073709552000", "9223372036854775800", "18446744073699066000",
                              "18446744073699070000", "15033630805934975000", "18364758544493064000"})
    EXPECT_TRUE(looks_rounded(rounded)) << rounded;
}

TEST(Doubts, FewRandomNumbersLookRounded) {
  std::mt19937_64 random{7};
  constexpr int count = 20000;
  int as_they_are = 0, long_ones = 0, through_jq = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t value = random();
    const std::string digits = std::to_string(value);
    if (digits.size() < 18) continue;
    ++long_ones;
    as_they_are += looks_rounded(digits);
    through_jq += looks_rounded(as_jq(value));
  }
  EXPECT_LT(as_they_are, long_ones / 200);
  EXPECT_GT(through_jq, long_ones - long_ones / 50);
}

}  // namespace
}  // namespace critpipe
