// JSON of any kind, beside simdjson: both take the same texts, and find the same in them.
#include <gtest/gtest.h>

#include <random>
#include <simdjson.h>

#include "critpipe/json_value.hpp"

namespace critpipe {
namespace {

namespace dom = simdjson::dom;

void expect_same(const JsonValue& ours, dom::element theirs, const std::string& of) {
  std::string_view text;
  std::int64_t number = 0;
  bool is_on = false;
  dom::object object;
  dom::array list;
  EXPECT_EQ(ours.text(), theirs.get_string().get(text) == simdjson::SUCCESS ? std::string{text} : "") << of;
  EXPECT_EQ(ours.integer().has_value(), theirs.get_int64().get(number) == simdjson::SUCCESS) << of;
  EXPECT_EQ(ours.integer().value_or(number), number) << of;
  EXPECT_EQ(ours.is_true(), theirs.get_bool().get(is_on) == simdjson::SUCCESS && is_on) << of;
  EXPECT_EQ(ours.is_no_text(), !theirs.is_string() && !theirs.is_null()) << of;
  std::vector<JsonValue> elements, values;
  std::vector<std::string> keys;
  ours.each({}, [&](const JsonValue& one) { elements.push_back(one); });
  ours.members({}, [&](std::string_view key, const JsonValue& one) {
    keys.emplace_back(key);
    values.push_back(one);
  });
  std::size_t number_of = 0;
  if (theirs.get_array().get(list) == simdjson::SUCCESS)
    for (const dom::element one : list) {
      ASSERT_LT(number_of, elements.size()) << of;
      expect_same(elements[number_of++], one, of);
    }
  EXPECT_EQ(number_of, elements.size()) << of;
  number_of = 0;
  if (theirs.get_object().get(object) == simdjson::SUCCESS)
    for (const auto [key, one] : object) {
      ASSERT_LT(number_of, keys.size()) << of;
      EXPECT_EQ(keys[number_of], key) << of;
      expect_same(values[number_of++], one, of);
      EXPECT_TRUE(ours.at({key})) << of;
    }
  EXPECT_EQ(number_of, keys.size()) << of;
}

// Is it taken? Of numbers, simdjson refuses those that are too large, too.
enum class Numbers { small, any };
bool compare(const std::string& text, Numbers numbers = Numbers::small) {
  dom::parser parser;
  dom::element theirs;
  const auto error = parser.parse(text).get(theirs);
  const bool is_taken = error == simdjson::SUCCESS;
  const char* why = nullptr;
  const JsonValue ours = JsonValue::in(text, why);
  if (numbers == Numbers::any && ours && error == simdjson::NUMBER_ERROR) return true;
  EXPECT_EQ(static_cast<bool>(ours), is_taken) << text << ": " << (why ? why : "taken");
  EXPECT_EQ(why == nullptr, static_cast<bool>(ours));
  if (is_taken && ours) expect_same(ours, theirs, text);
  return is_taken;
}

const std::string document =
    R"({"id":"7","a\u0062c":[1,-2,3.5,1e3,12345678,-9876543,true,false,null,"x\ty"],)"
    R"( "mounts" : [ { "type":"bind" , "to":["\ud83d\ude00","\"\\\/"] }, {} , [] ], "" : {"a":{"b":{"c":"deep"}}}})";

TEST(JsonValue, FindsWhatIsThere) {
  const char* why = nullptr;
  const JsonValue root = JsonValue::in(document, why);
  ASSERT_TRUE(root) << why;
  EXPECT_EQ(root.text({"id"}), "7");
  EXPECT_EQ(root.text({"", "a", "b", "c"}), "deep");
  EXPECT_EQ(root.json({"", "a", "b"}), R"({"c":"deep"})");
  EXPECT_EQ(root.json({"none"}), "");
  EXPECT_EQ(root.at({"abc"}).texts().size(), 10u);
  EXPECT_EQ(root.text({"mounts"}), "");
  EXPECT_FALSE(root.at({"mounts", "type"}));
  EXPECT_FALSE(root.integer({"id"}));
  std::string types;
  root.each({"mounts"}, [&](const JsonValue& mount) { types += mount.text({"type"}) + ";"; });
  EXPECT_EQ(types, "bind;;;");
  const JsonValue large = JsonValue::in("[9223372036854775807, -9223372036854775808, 9223372036854775808]", why);
  std::vector<std::optional<std::int64_t>> numbers;
  large.each({}, [&](const JsonValue& one) { numbers.push_back(one.integer()); });
  EXPECT_EQ(numbers, (std::vector<std::optional<std::int64_t>>{INT64_MAX, INT64_MIN, std::nullopt}));
  EXPECT_FALSE(JsonValue{}.at({"id"}));
  EXPECT_EQ(JsonValue{}.text(), "");
}

TEST(JsonValue, TakesWhatSimdjsonTakes) {
  EXPECT_TRUE(compare(document));
  for (const char* text : {"1", "-0", "\"\"", "[]", " {} ", "[[],{}]", "{\"a\":1,\"a\":2}", "1.5e-7", "null"})
    EXPECT_TRUE(compare(text)) << text;
  for (const char* text :
       {"",          " ",          "{",          "[1,]",        "[,1]",  "{\"a\"}",     "{\"a\":}", "{a:1}",
        "01",        "1.",         ".5",         "1e",          "-",     "+1",          "tru",      "truex",
        "\"a",       "\"\\x\"",    "\"\\u12\"",  "\"\\ud800\"", "[1 2]", "1 2",         "{}}",      "]",
        "\"a\x01\"", "[\"\xff\"]", "{\"a\":1,}", "{\"a\" 1}",   "[1:2]", "{\"a\":1:2}", "'a'",      "[1}"})
    EXPECT_FALSE(compare(text)) << text;
}

TEST(JsonValue, AgreesOnDamagedTexts) {
  std::mt19937 random{7};
  const std::string letters = "{}[],:\"\\ 0123456789.eE+-truefalsn\x01\xc3\xa9";
  std::size_t nr_taken = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = document;
    for (std::size_t n = random() % 3 + 1; n > 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = letters[random() % letters.size()]; break;
        case 1: text.erase(at, random() % 4 + 1); break;
        default: text.insert(at, 1, letters[random() % letters.size()]); break;
      }
    }
    nr_taken += compare(text, Numbers::any);
    if (HasFailure()) break;
  }
  EXPECT_GT(nr_taken, 1000u);
}

TEST(JsonValue, BoundsWhatNests) {
  const char* why = nullptr;
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(JsonValue::in(nested(1024), why));
  EXPECT_FALSE(JsonValue::in(nested(1025), why));
  EXPECT_STREQ(why, "brackets nest too deeply");
  EXPECT_FALSE(JsonValue::in(std::string(1 << 20, '['), why));
}

}  // namespace
}  // namespace critpipe
