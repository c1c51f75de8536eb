// The model of a checkpoint: images in any order, damaged and missing ones, several readers at once.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "codec/testing.hpp"
#include "core.pb.h"
#include "critpipe/checkpoint.hpp"
#include "critpipe/explore.hpp"
#include "critpipe/stats.hpp"
#include "fdinfo.pb.h"
#include "fs.pb.h"
#include "mm.pb.h"
#include "pagemap.pb.h"
#include "pstree.pb.h"
#include "stats.pb.h"

namespace critpipe {
namespace {

using namespace testing;
using Images = std::vector<std::pair<std::string, std::string>>;     // names and bytes

constexpr Explorer explorers[] = {Explorer::ps, Explorer::fds, Explorer::mems, Explorer::rss, Explorer::sk};
constexpr Needs everything{.ids = true, .threads = true, .descriptors = true, .mappings = true, .pagemaps = true,
                           .queues = true};

std::string task_entry(std::uint32_t pid, std::uint32_t parent) {
  oracle::pstree_entry entry;
  entry.set_pid(pid);
  entry.set_ppid(parent);
  entry.set_pgid(pid);
  entry.set_sid(1);
  return framed(entry);
}

std::string core(const std::string& comm, std::uint32_t state = 1) {
  oracle::core_entry entry;
  entry.set_mtype(oracle::core_entry::X86_64);
  oracle::task_core_entry& task = *entry.mutable_tc();
  task.set_task_state(state);
  task.set_exit_code(0);
  task.set_personality(0);
  task.set_flags(0);
  task.set_blk_sigset(0);
  task.set_comm(comm);
  return head("CORE") + framed(entry);
}

std::string ids(std::uint32_t files) {
  oracle::task_kobj_ids_entry entry;
  entry.set_vm_id(1);
  entry.set_files_id(files);
  entry.set_fs_id(1);
  entry.set_sighand_id(1);
  return head("IDS") + framed(entry);
}

std::string regular_file(std::uint32_t id, const std::string& name) {
  oracle::file_entry entry;
  entry.set_type(oracle::REG);
  entry.set_id(id);
  oracle::reg_file_entry& file = *entry.mutable_reg();
  file.set_id(id);
  file.set_flags(0);
  file.set_pos(0);
  file.mutable_fown()->set_uid(0);
  file.mutable_fown()->set_euid(0);
  file.mutable_fown()->set_signum(0);
  file.mutable_fown()->set_pid_type(0);
  file.mutable_fown()->set_pid(0);
  file.set_name(name);
  return framed(entry);
}

std::string descriptor(std::uint32_t fd, std::uint32_t id) {
  oracle::fdinfo_entry entry;
  entry.set_id(id);
  entry.set_flags(0);
  entry.set_type(oracle::REG);
  entry.set_fd(fd);
  return framed(entry);
}

std::string address_space(std::uint32_t exe, std::uint64_t page_size) {
  oracle::mm_entry entry;
  for (const auto* field : {"mm_start_code", "mm_end_code", "mm_start_data", "mm_end_data", "mm_start_stack", "mm_start_brk",
                            "mm_brk", "mm_arg_start", "mm_arg_end", "mm_env_start", "mm_env_end"})
    entry.GetReflection()->SetUInt64(&entry, entry.GetDescriptor()->FindFieldByName(field), 0x1000);
  entry.set_exe_file_id(exe);
  entry.add_mm_saved_auxv(6);
  entry.add_mm_saved_auxv(page_size);
  oracle::vma_entry& mapping = *entry.add_vmas();
  mapping.set_start(0x10000);
  mapping.set_end(0x30000);
  mapping.set_pgoff(0);
  mapping.set_shmid(exe);
  mapping.set_prot(5);
  mapping.set_flags(2);
  mapping.set_status(1 | 1 << 6);
  mapping.set_fd(-1);
  return head("MM") + framed(entry);
}

std::string pagemap(std::uint64_t vaddr, std::uint64_t pages) {
  oracle::pagemap_head begin;
  begin.set_pages_id(1);
  oracle::pagemap_entry entry;
  entry.set_vaddr(vaddr);
  entry.set_compat_nr_pages(0);
  entry.set_nr_pages(pages);
  entry.set_flags(4);
  return head("PAGEMAP") + framed(begin) + framed(entry);
}

std::string directories() {
  oracle::fs_entry entry;
  entry.set_cwd_id(1);
  entry.set_root_id(2);
  return head("FS") + framed(entry);
}

// Two tasks that share their descriptors.
Images small_set() {
  return {{"pstree.img", head("PSTREE") + task_entry(1, 0) + task_entry(2, 1)},
          {"core-1.img", core("init")},
          {"core-2.img", core("child", 3)},
          {"ids-1.img", ids(7)},
          {"ids-2.img", ids(7)},
          {"fdinfo-7.img", head("FDINFO") + descriptor(0, 1) + descriptor(5, 2)},
          {"fs-1.img", directories()},
          {"fs-2.img", directories()},
          {"files.img", head("FILES") + regular_file(1, "/dev/null") + regular_file(2, "/bin/init")},
          {"mm-1.img", address_space(2, 65536)},
          {"mm-2.img", address_space(2, 65536)},
          {"pagemap-1.img", pagemap(0x10000, 2)},
          {"pagemap-2.img", pagemap(0x20000, 1)}};
}

// As a source would hand them over, in pieces.
void read(const Images& images, CheckpointReader& reader, std::size_t piece = 0) {
  std::uint64_t id = 0;
  for (const auto& [name, bytes] : images) {
    if (!reader.wants(name)) continue;
    Member member;
    member.name = name;
    member.place = "set/" + name;
    member.id = ++id;
    member.in_set = true;
    ASSERT_EQ(reader.begin(member), Step::go);
    const std::size_t step = piece ? piece : bytes.size();
    for (std::size_t at = 0; at < bytes.size(); at += step)
      ASSERT_EQ(reader.bytes(member, view(std::string_view{bytes}.substr(at, step))), Step::go);
    ASSERT_EQ(reader.end(member), Step::go);
  }
}

Checkpoint checkpoint_of(const Images& images, const Needs& needs = everything, std::size_t piece = 0) {
  CheckpointReader reader{needs};
  read(images, reader, piece);
  auto& found = reader.finish("set");
  EXPECT_EQ(found.size(), 1u);
  return std::move(found.front().checkpoint);
}

std::string answer(const Checkpoint& checkpoint, Explorer explorer, const ExploreOptions& options) {
  StringOutput output;
  (void)explore(checkpoint, explorer, output, options);
  return output.take();
}

std::string all_answers(const Checkpoint& checkpoint) {
  std::string all;
  for (const Explorer explorer : explorers)
    for (const auto form : {ExploreOptions::Form::text, ExploreOptions::Form::json, ExploreOptions::Form::lines})
      for (const bool detail : {false, true})
        all += answer(checkpoint, explorer, {.form = form, .detail = detail, .threads = detail});
  return all;
}

std::string errors_of(const Checkpoint& checkpoint) {
  std::string text;
  for (const Error& error : checkpoint.errors()) text += to_string(error) + "\n";
  return text;
}

TEST(Checkpoint, JoinsWhatImagesSay) {
  const Checkpoint checkpoint = checkpoint_of(small_set());
  EXPECT_EQ(errors_of(checkpoint), "");
  ASSERT_EQ(checkpoint.tasks().size(), 2u);
  const Task& child = *checkpoint.find_task(2);
  EXPECT_EQ(child.comm, "child");
  EXPECT_EQ(child.state, TaskState::stopped);
  EXPECT_TRUE(child.is_running());
  EXPECT_EQ(child.ppid, 1u);
  EXPECT_EQ(child.machine, "X86_64");
  EXPECT_EQ(checkpoint.find_task(3), nullptr);
  EXPECT_EQ(checkpoint.page_size(), 65536u);
  ASSERT_EQ(child.memory.mappings.size(), 1u);
  const Mapping& mapping = child.memory.mappings[0];
  EXPECT_EQ(checkpoint.name_of(mapping), "/bin/init");
  EXPECT_EQ(mapping.kind(), Mapping::Kind::file);
  EXPECT_EQ(protection_of(mapping), "r-x");
  ASSERT_EQ(child.pagemap.size(), 1u);
  EXPECT_EQ(child.pagemap[0].vaddr, 0x20000u);
  EXPECT_EQ(checkpoint.path_of(*checkpoint.directory(child.cwd_id)), "/dev/null");
}

TEST(Checkpoint, SharedTablesAreOne) {
  const Checkpoint checkpoint = checkpoint_of(small_set());
  const auto first = checkpoint.descriptors(*checkpoint.find_task(1));
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first.data(), checkpoint.descriptors(*checkpoint.find_task(2)).data());
  EXPECT_EQ(first[1].fd, 5u);
  const File* file = checkpoint.find_file(first[1].type, first[1].file_id);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(checkpoint.path_of(*file), "/bin/init");
  EXPECT_EQ(type_name(first[1].type), "REG");
  EXPECT_EQ(checkpoint.socket_of(*file), std::nullopt);
}

TEST(Checkpoint, ReadsOnlyWhatIsNeeded) {
  const Checkpoint tasks{Needs{}};
  EXPECT_TRUE(tasks.wants("pstree.img"));
  EXPECT_TRUE(tasks.wants("core-1.img"));
  for (const char* name : {"mm-1.img", "pagemap-1.img", "files.img", "fdinfo-2.img", "ids-1.img", "pages-1.img", "x.log"})
    EXPECT_FALSE(tasks.wants(name)) << name;
  const Checkpoint mappings{Needs{.mappings = true}};
  EXPECT_TRUE(mappings.wants("mm-1.img"));
  EXPECT_TRUE(mappings.wants("reg-files.img"));
  EXPECT_FALSE(mappings.wants("unixsk.img"));
  EXPECT_FALSE(mappings.wants("pagemap-1.img"));
}

TEST(Checkpoint, TheOrderOfImagesAndTheirPiecesDoNotMatter) {
  Images images = small_set();
  const std::string wanted = all_answers(checkpoint_of(images));
  EXPECT_NE(wanted.find("/bin/init"), std::string::npos);
  std::mt19937 random{1};
  for (int i = 0; i < 50; ++i) {
    std::ranges::shuffle(images, random);
    EXPECT_EQ(all_answers(checkpoint_of(images, everything, 1 + random() % 40)), wanted);
  }
}

// What came before the cut stays, and what came of other images.
TEST(Checkpoint, EveryPrefixOfEveryImage) {
  const Images whole = small_set();
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (std::size_t size = 0; size < whole[i].second.size(); ++size) {
      Images images = whole;
      images[i].second.resize(size);
      const Checkpoint checkpoint = checkpoint_of(images);
      EXPECT_NE(all_answers(checkpoint), "");
      if (size < 8) {
        EXPECT_NE(errors_of(checkpoint).find("set/" + whole[i].first), std::string::npos) << whole[i].first << " " << size;
      }
    }
}

TEST(Checkpoint, EveryImageMissing) {
  const Images whole = small_set();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Images images = whole;
    images.erase(images.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(errors_of(checkpoint_of(images)), "set/" + whole[i].first + ": this image is missing\n");
  }
}

TEST(Checkpoint, AnImageOfAnotherKindUnderAName) {
  Images images = small_set();
  std::swap(images[1].second, images[9].second);      // core-1 and mm-1
  const Checkpoint checkpoint = checkpoint_of(images);
  EXPECT_EQ(checkpoint.find_task(1)->comm, "init");
  EXPECT_TRUE(checkpoint.find_task(1)->has_memory);
}

TEST(Checkpoint, TreesHaveEveryTaskOnce) {
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    std::string tasks = head("PSTREE");
    const std::uint32_t count = 1 + random() % 12;
    for (std::uint32_t pid = 1; pid <= count; ++pid) tasks += task_entry(1 + random() % count, random() % (count + 2));
    const Checkpoint checkpoint = checkpoint_of({{"pstree.img", tasks}}, Needs{});
    const auto tree = checkpoint.tree();
    ASSERT_EQ(tree.size(), count);
    std::map<const Task*, int> seen;
    for (std::size_t i = 0; i < tree.size(); ++i) {
      EXPECT_EQ(++seen[tree[i].task], 1);
      EXPECT_LE(tree[i].depth, i == 0 ? 0 : tree[i - 1].depth + 1);
    }
  }
}

TEST(Checkpoint, AChainOfTasksNeedsNoStack) {
  std::string tasks = head("PSTREE");
  constexpr std::uint32_t count = 20000;
  for (std::uint32_t pid = 1; pid <= count; ++pid) tasks += task_entry(pid, pid - 1);
  const Checkpoint checkpoint = checkpoint_of({{"pstree.img", tasks}}, Needs{});
  EXPECT_EQ(checkpoint.tree().back().depth, count - 1);
  EXPECT_GT(answer(checkpoint, Explorer::ps, {.form = ExploreOptions::Form::json}).size(), count * 100u);
}

TEST(Checkpoint, SeveralFoldersAreSeveralCheckpoints) {
  CheckpointReader reader{Needs{}};
  Images images;
  for (const auto& [name, bytes] : small_set()) images.push_back({"a/" + name, bytes});
  images.push_back({"b/pstree.img", head("PSTREE") + task_entry(9, 0)});
  read(images, reader);
  auto& found = reader.finish("set");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].folder, "set/a/");
  EXPECT_EQ(found[0].checkpoint.tasks().size(), 2u);
  EXPECT_EQ(found[1].folder, "set/b/");
  EXPECT_EQ(errors_of(found[1].checkpoint), "set/b/core-9.img: this image is missing\n");
}

TEST(Checkpoint, DistinctObjectsInDistinctThreadsAndOneInMany) {
  const Images images = small_set();
  const Checkpoint shared = checkpoint_of(images);
  const std::string wanted = all_answers(shared);
  std::vector<std::thread> threads;
  std::vector<std::string> own(8), others(8);
  for (std::size_t i = 0; i < own.size(); ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        own[i] = all_answers(checkpoint_of(images));
        others[i] = all_answers(shared);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(own[i], wanted);
    EXPECT_EQ(others[i], wanted);
  }
}

TEST(Checkpoint, OfAnInputThatIsNotThere) {
  const Checkpoint checkpoint = read_checkpoint("/nonexistent/set", everything);
  EXPECT_TRUE(checkpoint.tasks().empty());
  EXPECT_EQ(errors_of(checkpoint), "/nonexistent/set: cannot open: No such file or directory\n");
}

TEST(Explore, WordsOfBothTools) {
  EXPECT_EQ(explorer_named("fd"), Explorer::fds);
  EXPECT_EQ(explorer_named("mems"), Explorer::mems);
  EXPECT_EQ(explorer_named("psx"), std::nullopt);
}

TEST(Statistics, AbsentIsNotZero) {
  oracle::stats_entry entry;
  oracle::dump_stats_entry& dump = *entry.mutable_dump();
  dump.set_freezing_time(1);
  dump.set_frozen_time(4294967295);
  dump.set_memdump_time(0);
  dump.set_memwrite_time(0);
  dump.set_pages_scanned(10);
  dump.set_pages_skipped_parent(0);
  dump.set_pages_written(0);
  const std::string image = head("STATS") + framed(entry);
  StatisticsReader reader;
  Member member;
  member.name = member.place = "stats-dump";
  ASSERT_EQ(reader.begin(member), Step::go);
  ASSERT_EQ(reader.bytes(member, view(image)), Step::go);
  ASSERT_EQ(reader.end(member), Step::go);
  reader.finish("stats-dump");
  ASSERT_EQ(reader.statistics().size(), 1u);
  const Statistics& one = reader.statistics()[0];
  EXPECT_EQ(one.value("frozen_time"), 4294967295u);
  EXPECT_EQ(one.value("memdump_time"), 0u);
  EXPECT_EQ(one.value("pages_lazy"), std::nullopt);
  EXPECT_EQ(one.value("no_such_field"), std::nullopt);
  EXPECT_EQ(one.share_written(), std::nullopt);
  EXPECT_TRUE(reader.errors().empty());
}

TEST(Statistics, EveryFieldOfTheMessagesHasARow) {
  for (const auto of : {Statistics::Of::dump, Statistics::Of::restore}) {
    const Message& message = *find_message(of == Statistics::Of::dump ? "dump_stats_entry" : "restore_stats_entry");
    EXPECT_EQ(fields_of(of).size(), message.nr_fields);
    for (const StatisticsField& field : fields_of(of)) EXPECT_NE(message.find(field.name), nullptr) << field.name;
  }
}

}  // namespace
}  // namespace critpipe
