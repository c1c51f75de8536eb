// The short ways of small messages, to JSON and back, against the long ones: where they give an answer it is the same.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include "unit/messages.hpp"
#include "unit/reference_printer.hpp"
#include "unit/testing.hpp"
#include "json/parse/encode_fast_path.hpp"
#include "json/print/print_fast_path.hpp"

namespace critpipe {
namespace {

using namespace testing;

// Null where the short way gives none.
std::unique_ptr<std::string> small_json(const Message& table, std::string_view payload) {
  std::string room(fast_path_room, '?');
  const char* const end = print_fast(room.data(), table, view(payload));
  if (!end) return nullptr;
  room.resize(static_cast<std::size_t>(end - room.data()));
  return std::make_unique<std::string>(room);
}

std::unique_ptr<std::string> small_payload(const Message& table, const std::string& text) {
  if (!text.starts_with('{')) return nullptr;
  const std::string readable = text + std::string(64, '}');
  WireBuffer out;
  const char* const end = encode_fast(table, readable.data(), readable.data() + text.size(), out);
  if (!end) {
    EXPECT_EQ(out.size(), 0u);
    return nullptr;
  }
  EXPECT_LE(end, readable.data() + text.size());
  // What follows the object is for others to look at.
  if (end != readable.data() + text.size()) return nullptr;
  return std::make_unique<std::string>(reinterpret_cast<const char*>(out.data()), out.size());
}

std::string long_json(const Message& table, std::string_view payload) {
  Checked checked;
  if (!check(table, view(payload), checked)) return "wrong";
  if (!checked.canonical) return "not canonical";
  StringOutput output;
  print_message(output, table, view(payload), {.canonical = true});
  return output.take();
}

std::string long_payload(const Message& table, const std::string& text) {
  std::string payload;
  return encode_message(table, text, payload) ? "wrong" : payload;
}

// Calls use for many messages of every type.
void each_message(const std::function<void(const Message&, const google::protobuf::Message&)>& use) {
  std::mt19937_64 random{4};
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    each_edge(table.name, random, [&](const google::protobuf::Message& message) { use(table, message); });
    for (int round = 0; round < 20; ++round) use(table, *random_message(table.name, random));
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

TEST(Small, PrintsWhatTheReferencePrints) {
  std::size_t nr_short = 0, nr_all = 0;
  each_message([&](const Message& table, const google::protobuf::Message& message) {
    ++nr_all;
    const auto printed = small_json(table, message.SerializePartialAsString());
    if (!printed) return;
    ++nr_short;
    EXPECT_EQ(*printed, reference_json(message, {}));
  });
  EXPECT_GT(nr_short, nr_all / 2);
}

TEST(Small, ReadsWhatTheReferencePrints) {
  std::size_t nr_short = 0, nr_all = 0;
  each_message([&](const Message& table, const google::protobuf::Message& message) {
    ++nr_all;
    const auto payload = small_payload(table, reference_json(message, {}));
    if (!payload) return;
    ++nr_short;
    EXPECT_EQ(*payload, message.SerializePartialAsString());
  });
  EXPECT_GT(nr_short, nr_all / 3);  // edge values are long numbers and odd texts
}

// Bytes changed, left out and put in anywhere.
std::string changed(std::string text, std::string_view letters, std::mt19937_64& random) {
  for (auto times = 1 + random() % 2; times > 0 && !text.empty(); --times) {
    const std::size_t at = random() % text.size();
    const char letter = letters.empty() ? static_cast<char>(random()) : letters[random() % letters.size()];
    switch (random() % 3) {
      case 0: text[at] = letter; break;
      case 1: text.erase(at, 1 + random() % 3); break;
      default: text.insert(at, 1, letter); break;
    }
  }
  return text;
}

TEST(Small, PrintsNothingThatIsWrong) {
  std::mt19937_64 random{5};
  std::size_t nr_short = 0, nr_left = 0;
  each_message([&](const Message& table, const google::protobuf::Message& message) {
    const std::string payload = changed(message.SerializePartialAsString(), "", random);
    const auto printed = small_json(table, payload);
    ++(printed ? nr_short : nr_left);
    if (!printed) return;
    EXPECT_EQ(*printed, long_json(table, payload));
  });
  EXPECT_GT(nr_short, 1000u);
  EXPECT_GT(nr_left, 1000u);
}

TEST(Small, ReadsNothingThatIsWrong) {
  std::mt19937_64 random{6};
  std::size_t nr_short = 0, nr_left = 0;
  each_message([&](const Message& table, const google::protobuf::Message& message) {
    constexpr std::string_view letters = "0123456789-,:\"{}[] \\truefalsn\x7f\x80\x1f";
    const std::string text = changed(reference_json(message, {}), letters, random);
    const auto payload = small_payload(table, text);
    ++(payload ? nr_short : nr_left);
    if (!payload) return;
    EXPECT_EQ(*payload, long_payload(table, text)) << text;
  });
  EXPECT_GT(nr_short, 1000u);
  EXPECT_GT(nr_left, 1000u);
}

// Numbers at the edges of what a type holds and of what JSON calls a number.
TEST(Small, NumbersAtTheEdges) {
  const char* const numbers[] = {"0",
                                 "-0",
                                 "00",
                                 "01",
                                 "1",
                                 "-1",
                                 "9",
                                 "10",
                                 "127",
                                 "128",
                                 "12345678",
                                 "123456789",
                                 "99999999",
                                 "100000000",
                                 "2147483647",
                                 "2147483648",
                                 "-2147483648",
                                 "-2147483649",
                                 "4294967295",
                                 "4294967296",
                                 "999999999999999",
                                 "1234567890123456",
                                 "9007199254740993",
                                 "9223372036854775807",
                                 "-9223372036854775808",
                                 "18446744073709551615",
                                 "18446744073709551616",
                                 "1e3",
                                 "1.0",
                                 "+1",
                                 "",
                                 "-",
                                 "null",
                                 "true",
                                 "\"5\"",
                                 "\"REG\"",
                                 "[1]"};
  std::size_t nr_short = 0;
  struct Around {
    const char *message, *before, *after;
  };
  constexpr Around all[] = {
      {"pagemap_entry", "{\"vaddr\": ", ", \"compat_nr_pages\": 1}"},
      {"pagemap_entry", "{\"vaddr\": 4096, \"compat_nr_pages\": ", "}"},
      {"fdinfo_entry", "{\"id\": 1, \"flags\": 0, \"type\": ", ", \"fd\": 2}"},
      {"pstree_entry", "{\"pid\": 1, \"ppid\": 0, \"pgid\": 1, \"sid\": 1, \"threads\": [1, ", "]}"},
      {"vma_entry",
       "{\"start\": 0, \"end\": 1, \"pgoff\": 2, \"shmid\": 3, \"prot\": 4, \"flags\": 5, \"status\": 6, \"fd\": ",
       "}"},
  };
  for (const auto& [message, before, after] : all)
    for (const char* number : numbers) {
      const Message& table = *find_message(message);
      const std::string text = before + std::string{number} + after;
      const auto payload = small_payload(table, text);
      if (!payload) continue;
      ++nr_short;
      EXPECT_EQ(*payload, long_payload(table, text)) << text;
    }
  EXPECT_GT(nr_short, 50u);
}

// Between entries that are not as usual, and cut anywhere: what an encoder is fed in pieces gives the same image.
TEST(Small, AmongOthers) {
  const std::string usual = "{\"cwd_id\": 1, \"root_id\": 2}";
  const std::string unusual[] = {"{\"cwd_id\":1, \"root_id\":2}", "{\"root_id\": 2, \"cwd_id\": 1}",
                                 "{\"cwd_id\": 1, \"root_id\": 2 }"};
  struct Joined final : EncodeSink {
    std::string image;
    Step begin(const Begin&) override { return Step::go; }
    Step bytes(Bytes bytes) override {
      image.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return Step::go;
    }
    Step end() override { return Step::go; }
    Step missing_raw(std::string_view, std::uint64_t) override { return Step::go; }
  };
  std::mt19937_64 random{7};
  for (int round = 0; round < 200; ++round) {
    std::string text = "{\"magic\": \"FS\", \"entries\": [";
    std::string image = head("FS");
    for (auto left = random() % 12; left > 0; --left) {
      const bool odd = random() % 3 == 0;
      text += (odd ? unusual[random() % 3] : usual) + (left > 1 ? random() % 5 == 0 ? "\n,\n" : ", " : "");
      image += framed(hex("08 01 10 02"));
    }
    text += "]}";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, 1 + random() % 60, text.size()}) {
      Joined joined;
      JsonEncoder encoder{joined, "-"};
      for (std::size_t at = 0; at < text.size(); at += piece)
        (void)encoder.feed(view(std::string_view{text}.substr(at, piece)));
      EXPECT_EQ(encoder.finish(), Step::go) << to_string(encoder.error());
      EXPECT_EQ(joined.image, image) << text;
    }
  }
}

}  // namespace
}  // namespace critpipe
