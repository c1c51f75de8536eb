// Our JSON of every message equals what the reference printer makes of libprotobuf's reading of the same bytes.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include "unit/messages.hpp"
#include "unit/reference_printer.hpp"
#include "unit/testing.hpp"

namespace critpipe {
namespace {

using namespace testing;

std::string printed(const Message& table, std::string_view payload, bool pretty) {
  const Checked checked = check(table, view(payload));
  EXPECT_EQ(name_of(checked.reason), "none");
  StringOutput output;
  print_message(output, table, view(payload), {.pretty = pretty, .canonical = checked.canonical});
  return output.take();
}

// The first lines that differ, not two texts of megabytes.
void expect_same(const std::string& ours, const std::string& theirs) {
  if (ours == theirs) return;
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(ours, theirs).in1 - ours.begin());
  const std::size_t begin = at < 80 ? 0 : at - 80;
  ADD_FAILURE() << "at " << at << ":\n  ours:   " << ours.substr(begin, 160)
                << "\n  theirs: " << theirs.substr(begin, 160);
}

void compare(const Message& table, const google::protobuf::Message& message) {
  const std::string payload = message.SerializePartialAsString();
  expect_same(printed(table, payload, false), reference_json(message, {}));
  expect_same(printed(table, payload, true), reference_json(message, {.human = true}));
}

TEST(Differential, EveryEdgeValueOfEveryField) {
  std::mt19937_64 random{1}, chance{2};
  std::size_t nr_messages = 0;
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    each_edge(table.name, random, [&](const google::protobuf::Message& message) {
      ++nr_messages;
      if (chance() % one_in == 0) compare(table, message);
    });
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(nr_messages, 20000u);
}

TEST(Differential, WholeMessages) {
  std::mt19937_64 random{2};
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    for (int round = 0; round < 30; ++round) compare(table, *random_message(table.name, random));
    ASSERT_FALSE(HasFailure());
  }
}

// Whole documents, plain and indented, of every kind whose entries are nothing but messages.
TEST(Differential, Documents) {
  std::mt19937_64 random{3};
  for (const Kind& kind : all_kinds()) {
    if (kind.is_raw() || kind.has_extra()) continue;
    SCOPED_TRACE(kind.name);
    std::string image = head(kind.name);
    std::string plain = "{\"magic\": \"" + std::string{kind.magic_name} + "\", \"entries\": [";
    std::string pretty = "{\n    \"magic\": \"" + std::string{kind.magic_name} + "\",\n    \"entries\": [";
    for (int index = 0; index < 5; ++index) {
      const auto message = random_message((index == 0 ? kind.first : kind.later)->name, random);
      image += framed(*message);
      plain += (index > 0 ? ", " : "") + reference_json(*message, {});
      pretty += std::string{index > 0 ? "," : ""} + "\n        " + reference_json(*message, {true, true, 2});
    }
    expect_same(json(image), plain + "]}\n");
    expect_same(json(image, {.pretty = true}), pretty + "\n    ]\n}\n");
    expect_same(json(image, {.pretty = true}, "-", 7), pretty + "\n    ]\n}\n");
  }
}

}  // namespace
}  // namespace critpipe
