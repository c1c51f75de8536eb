// The model of a checkpoint: images in any order, damaged and missing ones, several readers at once.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "unit/testing.hpp"
#include "critpipe/checkpoint.hpp"
#include "critpipe/report.hpp"

namespace critpipe {
namespace {

using namespace testing;
using Images = std::vector<std::pair<std::string, std::string>>;  // names and bytes

constexpr Explorer explorers[] = {Explorer::ps, Explorer::fds, Explorer::mems, Explorer::rss, Explorer::sk};
const Needs everything{
    .ids = true, .threads = true, .descriptors = true, .mappings = true, .pagemaps = true, .queues = true};

std::string text(std::uint64_t number) { return std::to_string(number); }

std::string task_entry(std::uint64_t pid, std::uint64_t parent) {
  return entry("pstree_entry", "{'pid': " + text(pid) + ", 'ppid': " + text(parent) + ", 'pgid': 1, 'sid': 1}");
}

std::string core(const std::string& comm, std::uint64_t state = 1) {
  return head("CORE") + entry("core_entry", "{'mtype': 'X86_64', 'tc': {'task_state': " + text(state) +
                                                ", 'exit_code': 0, 'personality': 0, 'flags': 0, 'blk_sigset': 0, "
                                                "'comm': '" +
                                                comm + "'}}");
}

std::string ids(std::uint64_t files) {
  return head("IDS") +
         entry("task_kobj_ids_entry", "{'vm_id': 1, 'files_id': " + text(files) + ", 'fs_id': 1, 'sighand_id': 1}");
}

std::string regular_file(std::uint64_t id, const std::string& name) {
  return entry("file_entry", "{'type': 'REG', 'id': " + text(id) + ", 'reg': {'id': " + text(id) +
                                 ", 'flags': 0, 'pos': 0, 'fown': {'uid': 0, 'euid': 0, 'signum': 0, 'pid_type': 0, "
                                 "'pid': 0}, 'name': '" +
                                 name + "'}}");
}

std::string descriptor(std::uint64_t fd, std::uint64_t id) {
  return entry("fdinfo_entry", "{'id': " + text(id) + ", 'flags': 0, 'type': 'REG', 'fd': " + text(fd) + "}");
}

std::string address_space(std::uint64_t exe, std::uint64_t page_size) {
  return head("MM") + entry("mm_entry",
                            "{'mm_start_code': 1, 'mm_end_code': 1, 'mm_start_data': 1, 'mm_end_data': 1, "
                            "'mm_start_stack': 1, 'mm_start_brk': 1, 'mm_brk': 1, 'mm_arg_start': 1, 'mm_arg_end': 1, "
                            "'mm_env_start': 1, 'mm_env_end': 1, 'exe_file_id': " +
                                text(exe) + ", 'mm_saved_auxv': [6, " + text(page_size) +
                                "], 'vmas': [{'start': 65536, 'end': 196608, "
                                "'pgoff': 0, 'shmid': " +
                                text(exe) + ", 'prot': 5, 'flags': 2, 'status': 65, 'fd': -1}]}");
}

std::string pagemap(std::uint64_t vaddr, std::uint64_t pages) {
  return head("PAGEMAP") + entry("pagemap_head", "{'pages_id': 1}") +
         entry("pagemap_entry",
               "{'vaddr': " + text(vaddr) + ", 'compat_nr_pages': 0, 'flags': 4, 'nr_pages': " + text(pages) + "}");
}

std::string directories() { return head("FS") + entry("fs_entry", "{'cwd_id': 1, 'root_id': 2}"); }

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
    const std::size_t slash = name.rfind('/');
    Member member;
    member.name = name.substr(slash + 1);
    member.path = name;
    member.set = std::make_shared<SetId>(SetId{"set", slash == name.npos ? "" : name.substr(0, slash)});
    member.place = "set/" + name;
    member.set_place = "set/" + name.substr(0, slash + 1);
    member.id = ++id;
    member.in_set = true;
    if (!reader.wants(member)) continue;
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
  std::string all;
  for (const Error& error : checkpoint.errors()) all += to_string(error) + "\n";
  return all;
}

TEST(Task, SaysHowItEnded) {
  Task task;
  for (const auto& [code, words] : {std::pair{0u, "exited 0"},
                                    {0x300u, "exited 3"},
                                    {9u, "killed by SIGKILL"},
                                    {0x8bu, "killed by SIGSEGV, core dumped"},
                                    {31u, "killed by SIGSYS"},
                                    {34u, "killed by signal 34"}}) {
    task.exit_code = code;
    EXPECT_EQ(exit_text(task), words);
  }
  task.machine = "MIPS";
  EXPECT_EQ(signal_name(task, 16), "signal 16");
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
  for (const char* name :
       {"mm-1.img", "pagemap-1.img", "files.img", "fdinfo-2.img", "ids-1.img", "pages-1.img", "x.log"})
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
        EXPECT_NE(errors_of(checkpoint).find("set/" + whole[i].first), std::string::npos)
            << whole[i].first << " " << size;
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
  std::swap(images[1].second, images[9].second);  // core-1 and mm-1
  const Checkpoint checkpoint = checkpoint_of(images);
  EXPECT_EQ(checkpoint.find_task(1)->comm, "");  // nothing is taken from them
  EXPECT_FALSE(checkpoint.find_task(1)->has_memory);
  ASSERT_EQ(checkpoint.errors().size(), 2u);
  EXPECT_EQ(to_string(checkpoint.errors()[0]),
            "set/core-1.img: holds an image of kind MM: its name says something else");
}

TEST(Checkpoint, APidThatIsThereTwice) {
  const Checkpoint checkpoint = checkpoint_of(
      {{"pstree.img", head("PSTREE") + task_entry(1, 0) + task_entry(1, 0)}, {"core-1.img", core("init")}}, Needs{});
  ASSERT_EQ(checkpoint.errors().size(), 1u);
  EXPECT_EQ(to_string(checkpoint.errors()[0]), "set/pstree.img: offset 20: entry 1: pid 1 is here for the second time");
}

TEST(Checkpoint, MessagesOfAnyKind) {
  const auto namespace_of = [](const std::string& host) {
    return head("UTSNS") + entry("utsns_entry", "{'nodename': '" + host + "', 'domainname': 'd'}");
  };
  Images images = small_set();
  images.push_back({"utsns-12.img", namespace_of("plum")});
  images.push_back(
      {"utsns-11.img", namespace_of("pear") + entry("utsns_entry", "{'nodename': 'fig', 'domainname': ''}")});
  const Checkpoint checkpoint = checkpoint_of(images, Needs{.kinds = {"UTSNS", "CORE"}});
  const auto hosts = checkpoint.messages("UTSNS");
  ASSERT_EQ(hosts.size(), 3u);
  EXPECT_EQ(hosts[0].number, 11u);
  EXPECT_EQ(hosts[2].number, 12u);
  const Field& name = *hosts[1].message->find("nodename");
  const Bytes bytes = find_value(name, *hosts[1].message, hosts[1].payload)->bytes;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "fig");
  EXPECT_EQ(checkpoint.messages("UTSNS", 12).size(), 1u);
  EXPECT_EQ(checkpoint.messages("UTSNS", 13).size(), 0u);
  EXPECT_EQ(checkpoint.messages("CORE").size(), 2u);  // and the tasks are there as ever
  EXPECT_EQ(checkpoint.find_task(1)->comm, "init");
  EXPECT_TRUE(checkpoint.messages("MM").empty());
  EXPECT_TRUE(checkpoint.messages("no such kind").empty());
  EXPECT_TRUE(checkpoint_of(images, Needs{}).messages("UTSNS").empty());
}

TEST(Checkpoint, TreesHaveEveryTaskOnce) {
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    std::string tasks = head("PSTREE");
    const std::size_t count = 1 + random() % 12;
    for (std::size_t i = 0; i < count; ++i) tasks += task_entry(1 + random() % count, random() % (count + 2));
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
  constexpr std::size_t count = 20000;
  for (std::size_t pid = 1; pid <= count; ++pid) tasks += task_entry(pid, pid - 1);
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
  EXPECT_EQ(found[0].id, (SetId{"set", "a"}));
  EXPECT_EQ(found[0].checkpoint.tasks().size(), 2u);
  EXPECT_EQ(found[1].id, (SetId{"set", "b"}));
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
  const std::string image = head("STATS") + entry("stats_entry",
                                                  "{'dump': {'freezing_time': 1, 'frozen_time': 4294967295, "
                                                  "'memdump_time': 0, "
                                                  "'memwrite_time': 0, 'pages_scanned': 10, 'pages_skipped_parent': 0, "
                                                  "'pages_written': 0}}");
  StatisticsReader reader;
  Member member;
  member.name = member.place = "stats-dump";
  member.set = std::make_shared<const SetId>(SetId{"dump", ""});
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
