// Messages rewritten as CRIU would have written them.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "unit/messages.hpp"
#include "unit/testing.hpp"

// Memory in use, counted for the tests that bound it.
static std::atomic<std::size_t> held_bytes, peak_bytes;

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(size);
  if (!memory) return nullptr;
  const std::size_t held = held_bytes += malloc_usable_size(memory);
  std::size_t peak = peak_bytes;
  while (held > peak && !peak_bytes.compare_exchange_weak(peak, held)) {
  }
  return memory;
}
void* operator new(std::size_t size) {
  if (void* const memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept {
  held_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }

namespace critpipe {
namespace {

using namespace testing;

std::string rewritten(std::string_view message, const std::string& payload) {
  const Message& table = *find_message(message);
  EXPECT_EQ(check(table, view(payload)).reason, Reason::none);
  return canonical(table, view(payload));
}

TEST(Canonical, OneFormForAll) {
  const std::string fs = hex("08 01 10 02");
  for (const char* other : {"08 01 10 02", "10 02 08 01", "08 07 10 02 08 01", "08 8100 10 02", "8800 01 10 02",
                            "08 8180808010 10 02", "08 81808080 80808080 8002 10 02"})
    EXPECT_EQ(rewritten("fs_entry", hex(other)), fs) << other;
}

TEST(Canonical, ListsKeepTheirOrder) {
  EXPECT_EQ(rewritten("pstree_entry", hex("28 07 08 01 10 00 2a 03 03 8001 18 01 28 02 20 01")),
            hex("08 01 10 00 18 01 20 01 28 07 28 03 28 8001 28 02"));
}

TEST(Canonical, MessagesThatStandTwiceAreMerged) {
  EXPECT_EQ(rewritten("core_entry", hex("22 04 18 03 20 04 08 01 22 04 10 02 08 01")),
            hex("08 01 22 08 08 01 10 02 18 03 20 04"));
}

TEST(Canonical, UnknownFieldsKeepTheirPlaceByNumber) {
  EXPECT_EQ(rewritten("fs_entry", hex("fa01 02 6869 08 01 f801 05 10 02")), hex("08 01 10 02 fa01 02 6869 f801 05"));
  // A known number with another wire type follows the known ones.
  EXPECT_EQ(rewritten("fs_entry", hex("0d 01000000 08 01 10 02")), hex("08 01 0d 01000000 10 02"));
}

TEST(Canonical, GroupsStayWhole) {
  const std::string group = hex("fb01 08 01 fb01 fc01 0a 02 fc01 fc01");
  EXPECT_EQ(rewritten("fs_entry", group + hex("08 01 10 02")), hex("08 01 10 02") + group);
}

TEST(Canonical, NarrowTypesKeepTheirLowBits) {
  EXPECT_EQ(rewritten("fs_entry", hex("08 8180808010 10 02")), hex("08 01 10 02"));             // uint32
  EXPECT_EQ(rewritten("pagemap_entry", hex("08 01 10 01 18 8002")), hex("08 01 10 01 18 01"));  // bool
}

// Two serialised messages one after the other are the merged message; fields in any order are the same message.
TEST(Canonical, EqualsWhatProtobufWrites) {
  std::mt19937_64 random{20260101};
  std::size_t nr_messages = 0;
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    for (int round = 0; round < 8; ++round) {
      const auto first = random_message(table.name, random);
      const auto second = random_message(table.name, random);
      if (!first) continue;
      ++nr_messages;
      const std::string one = first->SerializePartialAsString(), two = second->SerializePartialAsString();
      EXPECT_EQ(canonical(table, view(one)), one);
      first->MergeFrom(*second);
      std::string wanted = first->SerializePartialAsString();
      EXPECT_EQ(canonical(table, view(one + two)), wanted);
    }
  }
  EXPECT_GT(nr_messages, 1000u);
}

// As the header says; the levels of nesting are allowed for.
void expect_bounded(std::string_view what, std::string_view message, const std::string& payload) {
  const Message& table = *find_message(message);
  ASSERT_EQ(check(table, view(payload)).reason, Reason::none) << what;
  const std::size_t before = held_bytes;
  peak_bytes = before;
  const std::string written = canonical(table, view(payload));
  const std::size_t used = peak_bytes - before;
  EXPECT_LT(used, 4 * std::max(payload.size(), written.size()) + (512 << 10)) << what;
  EXPECT_EQ(check(table, view(written)).canonical, true) << what;
  EXPECT_EQ(canonical(table, view(written)), written) << what;
}

std::string times(std::size_t count, std::string_view text) {
  std::string all;
  all.reserve(count * text.size());
  while (count-- > 0) all += text;
  return all;
}

std::string sub(std::string_view tag, std::string_view inside) {
  std::string out{tag};
  append_varint(out, inside.size());
  return out.append(inside);
}

TEST(Canonical, MemoryIsBoundedBySizes) {
  constexpr std::size_t many = 1 << 20;
  const std::string fs = hex("10 02 08 01"), pstree = hex("08 01 10 00 18 01 20 01");
  expect_bounded("one field again and again", "fs_entry", times(many, hex("10 02 08 01")));
  expect_bounded("a list", "pstree_entry", times(many, hex("28 07")) + pstree);
  expect_bounded("a packed list", "pstree_entry", sub(hex("2a"), times(many, hex("07"))) + pstree);
  std::string numbers;
  for (std::size_t i = 0; i < many; ++i) {
    append_varint(numbers, (many + 16 - i) << 3);
    numbers += '\0';
  }
  expect_bounded("unknown numbers, descending", "fs_entry", numbers + fs);
  expect_bounded("two unknown numbers, in turn", "fs_entry", times(many, hex("38 01 30 01")) + fs);
  const std::string space = hex("0a 8100 78");  // aa_namespace: name "x", with a length of two bytes
  expect_bounded("small messages in a list", "apparmor_entry", times(many / 4, sub(hex("0a"), space)));
  std::string nested = times(many / 4, sub(hex("1a"), space)) + space;
  for (int level = 2; level < max_nesting; ++level) nested = sub(hex("1a"), nested) + space;
  expect_bounded("at the deepest level", "apparmor_entry", sub(hex("0a"), nested));
  nested = space;
  for (int level = 2; level < max_nesting; ++level)
    nested = sub(hex("1a"), nested) + times(many / 256, sub(hex("1a"), space)) + space;
  expect_bounded("at every level", "apparmor_entry", sub(hex("0a"), nested));
  const std::string thread = sub(hex("22"), times(many / 8, hex("20 04 18 03"))),
                    core = thread + hex("22 04 08 01 10 02");
  expect_bounded("messages that stand twice", "core_entry", core + hex("08 01"));
}

TEST(Canonical, UnknownNumbersAreSortedAndKeepTheirOrder) {
  std::mt19937_64 random{7};
  std::vector<std::pair<std::uint32_t, std::uint64_t>> fields;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const auto bits = random() % 25 + 4;
    fields.push_back({static_cast<std::uint32_t>(random() % (1u << bits)) + 100, i});
  }
  const auto written = [&] {
    std::string text;
    for (const auto& [number, value] : fields) {
      append_varint(text, std::uint64_t{number} << 3);
      append_varint(text, value);
    }
    return text;
  };
  const std::string payload = written();
  std::ranges::stable_sort(fields, {}, &std::pair<std::uint32_t, std::uint64_t>::first);
  EXPECT_TRUE(rewritten("fs_entry", payload + hex("10 02 08 01")) == hex("08 01 10 02") + written());
}

}  // namespace
}  // namespace critpipe
