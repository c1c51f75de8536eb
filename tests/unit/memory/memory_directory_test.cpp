// The memory of processes as bytes: ranges, holes, parents, texts, searches.
#include <gtest/gtest.h>

#include "unit/testing.hpp"
#include "critpipe/memory_folder.hpp"
#include "critpipe/search.hpp"

namespace critpipe {
namespace {

using namespace testing;
namespace fs = std::filesystem;

void put(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary} << bytes;
}

std::string entry(std::string_view message, std::string json) {
  std::ranges::replace(json, '\'', '"');
  std::string payload;
  const Error error = encode_message(*find_message(message), json, payload);
  EXPECT_FALSE(error) << to_string(error);
  return framed(payload);
}

std::string run(std::uint64_t vaddr, int pages, int flags) {
  return entry("pagemap_entry", "{'vaddr': " + std::to_string(vaddr) + ", 'compat_nr_pages': " + std::to_string(pages) +
                                    ", 'flags': " + std::to_string(flags) + "}");
}

std::string page(std::string text) { return text + std::string(4096 - text.size(), '.'); }

std::string mapping(std::uint64_t start, std::uint64_t end) {
  return "{'start': " + std::to_string(start) + ", 'end': " + std::to_string(end) +
         ", 'pgoff': 0, 'shmid': 0, 'prot': 3, 'flags': 34, 'status': 513, 'fd': -1}";
}

// 0x10000: here, 0x11000: in the parent, 0x12000: nowhere, 0x13000: lazy; 0x14000: no mapping
class MemoryFolderTest : public ::testing::Test {
 protected:
  MemoryFolderTest() : path_{::testing::TempDir() + "critpipe-memory-folder-test"} {
    fs::remove_all(path_);
    put(path_ / "2/pstree.img",
        head("PSTREE") + entry("pstree_entry", "{'pid': 7, 'ppid': 0, 'pgid': 7, 'sid': 7, 'threads': [7]}"));
    put(path_ / "2/mm-7.img",
        head("MM") + entry("mm_entry",
                           "{'mm_start_code': 0, 'mm_end_code': 0, 'mm_start_data': 0, 'mm_end_data': 0, "
                           "'mm_start_stack': 0, 'mm_start_brk': 0, 'mm_brk': 0, 'mm_arg_start': 69626, "
                           "'mm_arg_end': 69638, 'mm_env_start': 69638, 'mm_env_end': 69641, "
                           "'exe_file_id': 0, 'vmas': [" +
                               mapping(0x10000, 0x14000) + "]}"));
    put(path_ / "2/pagemap-7.img", head("PAGEMAP") + entry("pagemap_head", "{'pages_id': 1}") + run(0x10000, 1, 4) +
                                       run(0x11000, 1, 1) + run(0x13000, 1, 2));
    put(path_ / "2/pages-1.img", std::string(4090, '.') + "sing" + std::string(1, '\0') + "s");
    put(path_ / "1/pagemap-7.img", head("PAGEMAP") + entry("pagemap_head", "{'pages_id': 3}") + run(0x10000, 2, 4));
    put(path_ / "1/pages-3.img", page("old") + page(std::string{"ong\0x", 5}));
    fs::create_directory_symlink("../1", path_ / "2/parent");
  }
  ~MemoryFolderTest() override { fs::remove_all(path_); }

  const fs::path path_;
};

TEST_F(MemoryFolderTest, ReadsThroughParentsAndZeros) {
  MemoryFolder folder{path_ / "2"};
  const Task* task = folder.checkpoint().find_task(7);
  ASSERT_TRUE(task);
  std::string bytes;
  EXPECT_FALSE(folder.read(*task, 0x10ffa, 0x11004, bytes));
  EXPECT_EQ(bytes, (std::string{"sing\0song\0", 10}));
  EXPECT_FALSE(folder.read(*task, 0x11fff, 0x12003, bytes));
  EXPECT_EQ(bytes, (std::string{".\0\0\0", 4}));
  EXPECT_FALSE(folder.read(*task, 0x11fff, 0x11fff, bytes));
  EXPECT_EQ(bytes, "");
  std::vector<std::string> texts;
  EXPECT_FALSE(folder.arguments(*task, texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"sing", "song", "x...."}));  // no NUL ends it there
  EXPECT_FALSE(folder.environment(*task, texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"..."}));
}

TEST_F(MemoryFolderTest, RefusesWhatNoImageHas) {
  MemoryFolder folder{path_ / "2"};
  const Task& task = *folder.checkpoint().find_task(7);
  std::string bytes;
  EXPECT_EQ(to_string(folder.read(task, 0x12fff, 0x13001, bytes)),
            (path_ / "2").string() + ": 0x13000-0x13001 of process 7 were left behind for a lazy restore");
  EXPECT_EQ(bytes.size(), 1u);
  EXPECT_EQ(to_string(folder.read(task, 0x20000, 0x20001, bytes)),
            (path_ / "2").string() + ": 0x20000-0x20001 of process 7 are in no mapping");
  EXPECT_FALSE(folder.read(task, 0x13000, 0x15000, bytes, MemoryFolder::Absent::zeros));
  EXPECT_EQ(bytes, std::string(0x2000, '\0'));
  fs::remove(path_ / "2/parent");
  MemoryFolder orphan{path_ / "2"};
  EXPECT_EQ(orphan.read(*orphan.checkpoint().find_task(7), 0x11000, 0x11001, bytes).reason, Reason::no_bytes);
}

// go-criu's search ends with each entry; here one match lies in two directories.
TEST_F(MemoryFolderTest, SearchSpansRunsAndParents) {
  MemoryFolder folder{path_ / "2"};
  Patterns patterns;
  ASSERT_FALSE(patterns.add({std::string{"\\.sing\\x00so"}}));
  ASSERT_FALSE(patterns.add({std::string{"old"}}));
  ASSERT_FALSE(patterns.compile());
  std::vector<std::uint64_t> found;
  Search search{patterns, 0, [&](const Found& one) {
                  found.push_back(one.address);
                  return Step::go;
                }};
  EXPECT_FALSE(search_memory(folder, *folder.checkpoint().find_task(7), search));
  EXPECT_EQ(found, std::vector<std::uint64_t>{0x10ff9});
}

}  // namespace
}  // namespace critpipe
