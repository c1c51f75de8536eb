// The memory of processes as bytes: ranges, holes, parents, texts, searches.
#include <gtest/gtest.h>

#include "unit/scratch_directory.hpp"
#include "unit/testing.hpp"
#include "critpipe/memory.hpp"
#include "critpipe/search.hpp"

namespace critpipe {
namespace {

using namespace testing;
namespace fs = std::filesystem;

void put(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary} << bytes;
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
class CheckpointMemoryTest : public ::testing::Test {
 protected:
  CheckpointMemoryTest() {
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

  const ScratchDirectory scratch_;
  const fs::path& path_ = scratch_.path();
};

// A plain archive is read once: after that its pages have a position in the file, which need not have its name any
// more.
TEST_F(CheckpointMemoryTest, ReadsArchivesByPosition) {
  const fs::path archive = path_ / "a.tar";
  ASSERT_EQ(std::system(("tar -C " + path_.string() + " -cf " + archive.string() + " 1").c_str()), 0);
  CheckpointMemory memory{{archive}};
  ASSERT_EQ(memory.processes().size(), 1u);
  const Process process = *memory.find_process(7);
  fs::remove(archive);
  std::string bytes;
  Error error = memory.read({process, 0x10ffe, 0x11004}, bytes);
  EXPECT_FALSE(error) << to_string(error);
  EXPECT_EQ(bytes, (std::string{"..ong\0", 6}));
}

// A pages image that is cut ends there, whatever lies behind it in the archive.
TEST_F(CheckpointMemoryTest, ReadsNothingBehindTheImage) {
  put(path_ / "1/pages-3.img", page("old") + "on");
  put(path_ / "1/zz", std::string(9000, 'z'));
  const fs::path archive = path_ / "a.tar";
  ASSERT_EQ(
      std::system(
          ("tar -C " + path_.string() + " -cf " + archive.string() + " 1/pagemap-7.img 1/pages-3.img 1/zz").c_str()),
      0);
  CheckpointMemory memory{{archive}};
  std::string bytes;
  const Error error = memory.read({*memory.find_process(7), 0x10000, 0x12000}, bytes);
  EXPECT_EQ(error.reason, Reason::cut_pages);
  EXPECT_EQ(error.image, archive.string() + ":1/pages-3.img");
  EXPECT_EQ(bytes.find('z'), bytes.npos);
}

TEST_F(CheckpointMemoryTest, ReadsThroughParentsAndZeros) {
  CheckpointMemory memory{{path_ / "2"}};
  ASSERT_EQ(memory.processes().size(), 1u);
  const Process process = *memory.find_process(7);
  std::string bytes;
  EXPECT_FALSE(memory.read({process, 0x10ffa, 0x11004}, bytes));
  EXPECT_EQ(bytes, (std::string{"sing\0song\0", 10}));
  EXPECT_FALSE(memory.read({process, 0x11fff, 0x12003}, bytes));
  EXPECT_EQ(bytes, (std::string{".\0\0\0", 4}));
  EXPECT_FALSE(memory.read({process, 0x11fff, 0x11fff}, bytes));
  EXPECT_EQ(bytes, "");
  std::vector<std::string> texts;
  EXPECT_FALSE(memory.arguments(process, texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"sing", "song", "x...."}));  // no NUL ends it there
  EXPECT_FALSE(memory.environment(process, texts));
  EXPECT_EQ(texts, (std::vector<std::string>{"..."}));
}

TEST_F(CheckpointMemoryTest, RefusesWhatNoImageHas) {
  CheckpointMemory memory{{path_ / "2"}};
  const Process process = *memory.find_process(7);
  std::string bytes;
  EXPECT_EQ(to_string(memory.read({process, 0x12fff, 0x13001}, bytes)),
            (path_ / "2").string() + ": 0x13000-0x13001 of process 7 were left behind for a lazy restore");
  EXPECT_EQ(bytes.size(), 1u);
  EXPECT_EQ(to_string(memory.read({process, 0x20000, 0x20001}, bytes)),
            (path_ / "2").string() + ": 0x20000-0x20001 of process 7 are in no mapping");
  EXPECT_EQ(memory.absences({process, 0x12000, 0x15000, Absent::refused}).size(), 3u);
  EXPECT_EQ(memory.absences({process, 0x12000, 0x15000, Absent::zero_holes}).size(), 1u);
  EXPECT_FALSE(memory.read({process, 0x13000, 0x15000, Absent::zero}, bytes));
  EXPECT_EQ(bytes, std::string(0x2000, '\0'));
  fs::remove(path_ / "2/parent");
  CheckpointMemory orphan{{path_ / "2"}};
  EXPECT_EQ(orphan.read({*orphan.find_process(7), 0x11000, 0x11001}, bytes).reason, Reason::no_bytes);
}

// An archive says the same as the directory that it was made of.
TEST_F(CheckpointMemoryTest, ReadsArchivesInTheOrderThatIsAskedFor) {
  fs::remove(path_ / "2/parent");
  const std::string archive = path_ / "2.tar";
  ASSERT_EQ(std::system(("tar -C '" + (path_ / "2").string() + "' -cf '" + archive + "' .").c_str()), 0);
  CheckpointMemory memory{{archive}};
  ASSERT_EQ(memory.processes().size(), 1u);
  const Process process = memory.processes().front();
  const CheckpointMemory::Range ranges[] = {
      {process, 0x10ffa, 0x10ffc}, {process, 0x10000, 0x10002}, {process, 0x10ff9, 0x10fff}};
  std::string bytes[3];
  EXPECT_FALSE(memory.read(ranges, [&](std::size_t range, Bytes block) {
    bytes[range].append(reinterpret_cast<const char*>(block.data()), block.size());
    return Step::go;
  }));
  EXPECT_EQ(bytes[0], "si");
  EXPECT_EQ(bytes[1], "..");
  EXPECT_EQ(bytes[2], (std::string{".sing\0", 6}));
  std::uint64_t size = 0;
  EXPECT_EQ(memory
                .read_stored(process,
                             [&](std::uint64_t, Bytes block) {
                               size += block.size();
                               return Step::go;
                             })
                .reason,
            Reason::no_bytes);  // the page in the parent
  EXPECT_EQ(size, 4096u);
}

// What is in the way of a name is not waited for.
TEST_F(CheckpointMemoryTest, RefusesPipesAndLinksInPlaceOfPages) {
  std::string bytes;
  for (const char* command : {"mkfifo", "ln -s ../1/pages-3.img"}) {
    const std::string pages = path_ / "2/pages-1.img";
    fs::remove(pages);
    ASSERT_EQ(std::system((std::string{command} + " '" + pages + "'").c_str()), 0);
    CheckpointMemory memory{{path_ / "2"}};
    EXPECT_EQ(memory.read({*memory.find_process(7), 0x10000, 0x10001}, bytes).reason, Reason::bad_member) << command;
  }
}

// go-criu's search ends with each entry; here one match lies in two directories.
TEST_F(CheckpointMemoryTest, SearchSpansRunsAndParents) {
  CheckpointMemory memory{{path_ / "2"}};
  Patterns patterns;
  ASSERT_FALSE(patterns.add({std::string{"\\.sing\\x00so"}}));
  ASSERT_FALSE(patterns.add({std::string{"old"}}));
  ASSERT_FALSE(patterns.compile());
  std::vector<std::uint64_t> found;
  Search search{patterns, 0, [&](const Match& one) {
                  found.push_back(one.address);
                  return Step::go;
                }};
  EXPECT_FALSE(search_memory(memory, *memory.find_process(7), search));
  EXPECT_EQ(found, std::vector<std::uint64_t>{0x10ff9});
}

}  // namespace
}  // namespace critpipe
