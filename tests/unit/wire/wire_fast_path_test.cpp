// Many entries at once: as many are taken as if each came alone, whatever shapes there are.
#include <gtest/gtest.h>

#include "unit/messages.hpp"
#include "unit/testing.hpp"
#include "wire/wire_fast_path.hpp"

namespace critpipe {
namespace {

using namespace testing;

// Entry by entry, so that none is compared with one before it.
std::size_t taken_alone(const Message& table, std::string_view entries) {
  std::size_t at = 0, count = 0;
  while (entries.size() - at >= 4) {
    const std::size_t size = 4 + std::size_t{load_u32(view(entries).data() + at)};
    if (size > entries.size() - at || take_canonical(table, view(entries.substr(at, size))).entries == 0) break;
    at += size;
    ++count;
  }
  return count;
}

std::size_t taken_together(const Message& table, const std::string& entries) {
  // A copy of the exact size, so that a sanitizer sees any byte read beyond it.
  const std::vector<char> exact{entries.begin(), entries.end()};
  return static_cast<std::size_t>(take_canonical(table, view({exact.data(), exact.size()})).entries);
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  while (count-- > 0) out += text;
  return out;
}

// Among entries that are alike each byte of one gets other values.
TEST(Canonical, ChangedBytesAreSeen) {
  constexpr std::size_t short_bytes = 32;
  std::mt19937_64 random{5};
  std::size_t nr_refused = 0, nr_taken = 0;
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    const auto use = [&](const google::protobuf::Message& message) {
      const std::string entry = framed(message);
      if (entry.size() > short_bytes) return;
      for (std::size_t at = random() % one_in; at < entry.size(); at += one_in) {
        for (const int byte : {0x00, 0x01, 0x02, 0x07, 0x08, 0x0f, 0x10, 0x7f, 0x80, 0x81, 0xff}) {
          std::string other = entry;
          other[at] = static_cast<char>(byte);
          const std::size_t before = 1 + random() % 4;
          const std::string all = repeated(entry, before) + other + repeated(entry, 2 * short_bytes / entry.size() + 1);
          const std::size_t alone = taken_alone(table, all);
          ASSERT_EQ(taken_together(table, all), alone) << "byte " << at << " is " << byte;
          ++(alone <= before ? nr_refused : nr_taken);
        }
      }
    };
    each_edge(table.name, random, use);
    for (int round = 0; round < 10; ++round) use(*random_message(table.name, random));
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
  EXPECT_GT(nr_refused, 10000u);
  EXPECT_GT(nr_taken, 10000u);
}

// Lists are passed over in groups: longer ones than a random message has, whole and with a byte changed.
TEST(Canonical, LongListsAreWhatTheySeem) {
  std::mt19937_64 random{7};
  std::size_t nr_canonical = 0, nr_other = 0;
  const auto try_it = [&](const Message& table, const std::string& payload, bool is_whole) {
    const std::vector<char> exact{payload.begin(), payload.end()};
    const Bytes bytes = view({exact.data(), exact.size()});
    const bool is_taken = is_canonical(table, bytes);
    EXPECT_TRUE(is_taken || !is_whole);
    ++(is_taken ? nr_canonical : nr_other);
    if (!is_taken) return;
    ASSERT_TRUE(new_message(table.name)->ParsePartialFromString(payload));
    ASSERT_EQ(canonical(table, bytes), payload);
  };
  for (const Message& table : all_messages) {
    for (const Field& field : table.all()) {
      if (!field.repeated) continue;
      SCOPED_TRACE(std::string{table.name} + "." + std::string{field.name()});
      for (int round = 0; round < 20; ++round) {
        const auto message = list_message(table.name, field.number, random() % 30, random);
        const std::string payload = message->SerializePartialAsString();
        // A list in one value goes the slow way.
        try_it(table, payload, !field.packed && message->GetReflection()->GetUnknownFields(*message).empty());
        for (int change = 0; change < 30 && !payload.empty(); ++change) {
          std::string other = payload;
          other[random() % other.size()] = static_cast<char>(random() % 3 ? random() % 256 : random() % 2 * 128);
          try_it(table, other, false);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(nr_canonical, 10000u);
  EXPECT_GT(nr_other, 10000u);
}

TEST(Canonical, ManyShapes) {
  std::mt19937_64 random{6};
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    std::vector<std::string> entries;
    for (int i = 0; i < 12; ++i) entries.push_back(framed(*random_message(table.name, random)));
    for (std::size_t nr_shapes = 1; nr_shapes <= entries.size(); ++nr_shapes) {
      std::string all;
      for (int i = 0; i < 300; ++i) all += entries[random() % nr_shapes];
      EXPECT_EQ(taken_together(table, all), taken_alone(table, all));
    }
  }
}

}  // namespace
}  // namespace critpipe
