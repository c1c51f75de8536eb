// Zstd that is read by frames: whatever its table claims, what is read is what the file holds, or an error.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>

#include "critpipe/output.hpp"
#include "critpipe/source.hpp"
#include "output/seek_table.hpp"
#include "unit/scratch_directory.hpp"
#include "source/zstd_frames.hpp"

namespace critpipe {
namespace {

constexpr std::size_t large = 1 << 20;

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random{seed};
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() % 64 + 32);
  return text;
}

// Each part begins a frame if it is large.
std::string packed(const std::vector<std::string>& parts, int threads = 1) {
  StringOutput below;
  ZstdOutput output{below, 1, threads};
  for (const std::string& part : parts) {
    output.part_begins(part.size());
    output.write(part);
  }
  EXPECT_EQ(output.finish(), Step::go);
  return below.take();
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

class ZstdByFrames : public ::testing::Test {
 protected:
  std::string write(std::string_view bytes) {
    const std::string path = scratch_.at("input");
    std::ofstream{path, std::ios::binary} << bytes;
    return path;
  }

  // Reads and passes over pieces of random sizes. What comes must be what is there; returns the error at its end.
  Error read_at_random(const std::string& path, std::string_view content, unsigned seed, unsigned threads = 1) {
    std::mt19937 random{seed};
    SourceOptions options;
    options.threads = threads;
    const auto reader = open_bytes(path, options);
    std::uint64_t at = 0;
    for (;;) {
      if (seed > 0 && random() % 3 == 0) at += reader->skip(random() % (2 * large));
      const Bytes bytes = reader->read();
      if (bytes.empty()) break;
      const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
      if (at > content.size() || content.substr(at, text.size()) != text) {
        ADD_FAILURE() << "other bytes at " << at;
        return {};
      }
      at += bytes.size();
    }
    EXPECT_TRUE(reader->error() || at == content.size()) << at;
    return reader->error();
  }

  // From begin to end on one thread and on several, and with jumps.
  Error read_everyhow(std::string_view bytes, std::string_view content) {
    const std::string path = write(bytes);
    const Error error = read_at_random(path, content, 0);
    EXPECT_EQ(to_string(read_at_random(path, content, 0, 3)), to_string(error)) << "on three threads";
    for (unsigned seed = 1; seed < 4; ++seed) (void)read_at_random(path, content, seed, seed);
    return error;
  }

  const testing::ScratchDirectory scratch_;
};

const std::vector<std::string> some_parts = {noise(1000, 1),      noise(2 * large, 2), noise(300, 3),
                                             noise(5 * large, 4), noise(9 * large, 5), noise(20, 6)};

// What the table at the end says.
struct Table {
  explicit Table(const std::string& bytes) {
    const Bytes all = bytes_of(bytes);
    footer = seek_footer(all.last(seek_footer_bytes)).value();
    at = bytes.size() - footer.table_bytes();
    EXPECT_TRUE(is_seek_head(all.subspan(at), footer));
    for (std::size_t i = 0; i < footer.nr_frames; ++i)
      entries.push_back(seek_entry(all.subspan(at + seek_head_bytes + i * footer.entry_bytes()), footer));
  }
  SeekFooter footer;
  std::size_t at;
  std::vector<SeekEntry> entries;
};

TEST_F(ZstdByFrames, LargePartsHaveFramesOfTheirOwn) {
  const Table table{packed(some_parts)};
  std::vector<std::uint32_t> sizes;
  for (const SeekEntry& entry : table.entries) sizes.push_back(entry.unpacked);
  const std::vector<std::uint32_t> wanted = {1000, 2 * large, 300, 4 * large, large, 4 * large, 4 * large, large, 20};
  EXPECT_EQ(sizes, wanted);
  EXPECT_EQ(Table{packed({noise(1000, 1), noise(1000, 2)})}.entries.size(), 1u);
  EXPECT_EQ(Table{packed({})}.entries.size(), 1u);
}

TEST_F(ZstdByFrames, AnyNumberOfThreadsWritesTheSame) {
  const std::string one = packed(some_parts);
  for (const int threads : {2, 3, 8}) EXPECT_TRUE(packed(some_parts, threads) == one) << threads;
}

TEST_F(ZstdByFrames, ReadsWhatWasWritten) {
  EXPECT_FALSE(read_everyhow(packed(some_parts), joined(some_parts)));
  EXPECT_FALSE(read_everyhow(packed({"a"}), "a"));
  EXPECT_FALSE(read_everyhow(packed({}), ""));
}

TEST_F(ZstdByFrames, WhatIsPassedOverIsNotUnpacked) {
  std::string bytes = packed(some_parts);
  const Table table{bytes};
  std::size_t at = 0;
  for (std::size_t i = 0; i < 3; ++i) at += table.entries[i].packed;
  bytes[at + table.entries[3].packed / 2] ^= 1;
  const std::string content = joined(some_parts);
  const auto reader = open_bytes(write(bytes), {});
  const std::size_t behind = 1000 + 7 * large + 300;
  EXPECT_EQ(reader->skip(behind), behind);
  const Bytes found = reader->read();
  EXPECT_FALSE(found.empty());
  EXPECT_EQ(content.compare(behind, found.size(), reinterpret_cast<const char*>(found.data()), found.size()), 0);
  // The checksum of a frame comes behind what it holds.
  for (const unsigned threads : {1, 3}) {
    SourceOptions options;
    options.threads = threads;
    const auto all = open_bytes(scratch_.path() / "input", options);
    while (!all->read().empty()) {
    }
    EXPECT_EQ(all->error().reason, Reason::bad_compression) << threads;
  }
}

// A table that does not fit the file is none: the file is read as any other.
TEST_F(ZstdByFrames, TablesThatDoNotFitAreIgnored) {
  const std::string bytes = packed(some_parts);
  const std::string content = joined(some_parts);
  const Table table{bytes};
  const auto with = [&](std::size_t at, char change) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ change);
    return changed;
  };
  const std::size_t end = bytes.size();
  EXPECT_FALSE(read_everyhow(with(end - 1, 1), content)) << "magic of the footer";
  EXPECT_FALSE(read_everyhow(with(end - 5, 4), content)) << "reserved flags";
  EXPECT_FALSE(read_everyhow(with(end - 5, static_cast<char>(0x80)), content)) << "entries have no checksums";
  EXPECT_FALSE(read_everyhow(with(end - 9, 1), content)) << "number of frames";
  EXPECT_FALSE(read_everyhow(with(end - 6, 0x40), content)) << "a billion frames";
  EXPECT_FALSE(read_everyhow(with(table.at + seek_head_bytes, 1), content)) << "packed size";
  EXPECT_FALSE(read_everyhow(bytes + bytes, content + content)) << "two in a row";
  // Another magic than that of tables is still one of a frame to skip.
  EXPECT_FALSE(read_everyhow(with(table.at, 1), content)) << "magic of the table";
  EXPECT_TRUE(read_everyhow(with(table.at + 4, 1), content)) << "its size";
  EXPECT_EQ(read_everyhow(bytes.substr(0, end - 1), content).reason, Reason::cut_compression);
  EXPECT_FALSE(read_everyhow(bytes.substr(0, table.at), content)) << "none";
}

TEST_F(ZstdByFrames, TablesThatLieAreErrors) {
  const std::string bytes = packed(some_parts);
  const std::string content = joined(some_parts);
  const Table table{bytes};
  const auto refused = [&](const std::vector<SeekEntry>& entries) {
    const Error error = read_everyhow(bytes.substr(0, table.at) + seek_table(entries), content);
    return error.reason == Reason::bad_compression;
  };
  auto entries = table.entries;
  EXPECT_FALSE(refused(entries));
  --entries[2].unpacked;
  EXPECT_TRUE(refused(entries)) << "less unpacked";
  entries[2].unpacked += 2;
  EXPECT_TRUE(refused(entries)) << "more unpacked";
  entries[2].unpacked = ~std::uint32_t{0};
  EXPECT_TRUE(refused(entries)) << "4 GiB unpacked";
  entries = table.entries;
  *entries[7].checksum ^= 1;
  EXPECT_TRUE(refused(entries)) << "another checksum";
  entries = table.entries;
  std::swap(entries[1], entries[3]);
  EXPECT_TRUE(refused(entries)) << "another order";
  entries = table.entries;
  ++entries[1].packed;
  --entries[2].packed;
  EXPECT_TRUE(refused(entries)) << "another border";
  entries = table.entries;
  entries[3].packed += entries[4].packed;
  entries[3].unpacked += entries[4].unpacked;
  entries.erase(entries.begin() + 4);
  EXPECT_TRUE(refused(entries)) << "two frames as one";
  entries = table.entries;
  entries.insert(entries.begin() + 3, SeekEntry{0, 5, 0});
  EXPECT_TRUE(refused(entries)) << "a frame of no bytes";
}

// Of a long run of frames that are passed over only the ends are looked at, and nevertheless what comes behind a size
// that is wrong is not read from another place.
TEST_F(ZstdByFrames, LongRunsArePassedOver) {
  std::vector<std::string> parts = {noise(1000, 1)};
  for (unsigned i = 0; i < 7; ++i) parts.push_back(noise(large, 2 + i));
  parts.push_back(noise(500, 9));
  const std::string bytes = packed(parts);
  const std::string content = joined(parts);
  const Table table{bytes};
  const auto read_behind = [&](const std::string& all) {
    const auto reader = open_bytes(write(all), {});
    std::size_t at = reader->skip(content.size() - 500);
    for (Bytes found = reader->read(); !found.empty(); found = reader->read()) {
      EXPECT_EQ(content.compare(at, found.size(), reinterpret_cast<const char*>(found.data()), found.size()), 0);
      at += found.size();
    }
    return reader->error();
  };
  EXPECT_FALSE(read_behind(bytes));
  std::string damaged = bytes;
  std::size_t fourth = 0;
  for (std::size_t i = 0; i < 4; ++i) fourth += table.entries[i].packed;
  damaged[fourth] ^= 1;
  EXPECT_FALSE(read_behind(damaged)) << "the head of one in the middle";
  for (std::size_t i = 1; i < 8; ++i)
    for (const bool fits : {false, true}) {
      auto entries = table.entries;
      ++entries[i].unpacked;
      if (fits) --entries[i + 1].unpacked;
      const std::string changed = bytes.substr(0, table.at) + seek_table(entries);
      EXPECT_EQ(read_behind(changed).reason, Reason::bad_compression) << i << fits;
      EXPECT_EQ(read_everyhow(changed, content).reason, Reason::bad_compression) << i << fits;
    }
}

// A frame in the middle is of another size than the table says of all of them: whoever reads any of it sees an error.
// Made on purpose, that is; critpipe-images(5) tells what who passes over it cannot know.
TEST_F(ZstdByFrames, AnotherSizeInALongRun) {
  for (const std::size_t size : {large - 512, large + 512}) {
    std::vector<std::string> parts(7, noise(large, 2));
    parts[3] = noise(size, 3);
    parts.push_back(noise(500, 4));
    const std::string bytes = packed(parts);
    const std::string content = joined(parts);
    const Table table{bytes};
    auto entries = table.entries;
    ASSERT_EQ(entries[3].unpacked, size);
    entries[3].unpacked = large;
    const std::string path = write(bytes.substr(0, table.at) + seek_table(entries));
    for (const unsigned threads : {1, 3})
      EXPECT_EQ(read_at_random(path, content, 0, threads).reason, Reason::bad_compression) << size << ' ' << threads;
    for (const std::size_t to : {1 * large, 3 * large, 3 * large + 1, 4 * large - 1}) {
      const auto reader = open_bytes(path, {});
      std::size_t at = reader->skip(to);
      for (Bytes found = reader->read(); !found.empty(); found = reader->read()) {
        const std::string_view text{reinterpret_cast<const char*>(found.data()), found.size()};
        EXPECT_TRUE(at < content.size() && content.substr(at, text.size()) == text) << size << ' ' << to << ' ' << at;
        at += found.size();
      }
      EXPECT_EQ(reader->error().reason, Reason::bad_compression) << size << ' ' << to;
    }
  }
}

// Whatever byte of the table is another one, nothing comes that is not there.
TEST_F(ZstdByFrames, NoByteOfTheTableMakesOtherBytes) {
  const std::vector<std::string> parts = {noise(100, 1), std::string(large, 'a'), noise(40, 2),
                                          std::string(large, 'b')};
  const std::string bytes = packed(parts);
  const std::string content = joined(parts);
  for (std::size_t at = Table{bytes}.at; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    const std::string path = write(changed);
    for (unsigned seed = 0; seed < 3; ++seed) (void)read_at_random(path, content, seed);
    if (HasFailure()) FAIL() << "byte " << at;
  }
}

// Frames without a table, and cut anywhere: as zstd reads them, even where they are passed over.
TEST_F(ZstdByFrames, FramesWithoutTable) {
  const std::vector<std::string> parts = {noise(100, 1), std::string(large, 'a'), noise(40, 2),
                                          std::string(large, 'b')};
  const std::string all = packed(parts);
  const std::string bytes = all.substr(0, Table{all}.at);
  const std::string content = joined(parts);
  EXPECT_FALSE(read_everyhow(bytes, content));
  Error error;
  const std::string path = write(bytes);
  const InputFile file = Directory{scratch_.path(), error}.open("input", error);
  EXPECT_NE(find_zstd_frames(file, 0), nullptr);
  for (std::size_t size = 5; size < bytes.size(); ++size) {
    const std::string cut = write(bytes.substr(0, size));
    const Table whole{all};
    std::size_t border = 0;
    bool is_border = false;
    for (const SeekEntry& entry : whole.entries) is_border |= (border += entry.packed) == size;
    // What ends at a border is a shorter file.
    if (is_border) continue;
    EXPECT_EQ(read_at_random(cut, content, 0).reason, Reason::cut_compression) << size;
    (void)read_at_random(cut, content, 1);
  }
}

TEST(ZstdHead, SaysWhatTheFrameHolds) {
  const auto head = [](std::string_view text) { return zstd_head(bytes_of(text)); };
  const auto single = head({"\x28\xb5\x2f\xfd\x24\x05", 6});
  ASSERT_TRUE(single);
  EXPECT_EQ(single->unpacked, 5u);
  EXPECT_EQ(single->bytes, 6u);
  EXPECT_TRUE(single->has_checksum);
  const auto two_bytes = head({"\x28\xb5\x2f\xfd\x40\x58\x01\x00", 8});
  ASSERT_TRUE(two_bytes);
  EXPECT_EQ(two_bytes->unpacked, 257u);
  EXPECT_FALSE(two_bytes->has_checksum);
  const auto unknown = head({"\x28\xb5\x2f\xfd\x00\x58", 6});
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(unknown->unpacked);
  EXPECT_FALSE(head({"\x28\xb5\x2f\xfd\xc0\x58\x01\x02\x03\x04\x05\x06\x07", 13})) << "cut";
  EXPECT_FALSE(head("abcdefgh"));
}

}  // namespace
}  // namespace critpipe
