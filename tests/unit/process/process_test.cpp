// Children, held processes, private directories, texts of /proc.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "critpipe/control/process.hpp"
#include "process/process_tree.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

std::string output_of(const std::vector<std::string>& command, ChildOptions options, int& status) {
  Error error;
  OwnedDescriptor read_end, write_end;
  EXPECT_TRUE(pipe_pair(read_end, write_end, error));
  options.output = write_end.fd();
  Child child;
  error = child.start(command, options);
  EXPECT_FALSE(error) << to_string(error);
  write_end.reset();
  std::string text;
  char block[256];
  for (ssize_t got; (got = read(read_end.fd(), block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(got));
  status = child.wait();
  return text;
}

TEST(Child, RunsAndTellsItsStatus) {
  int status = -1;
  EXPECT_EQ(output_of({"sh", "-c", "echo $A; exit 3"}, {.environment = {"A=one"}}, status), "one\n");
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

TEST(Child, AProgramThatIsNotThereIsAnError) {
  Child child;
  const Error error = child.start({"/no/such/program"});
  EXPECT_EQ(error.reason, Reason::io_open);
  EXPECT_FALSE(child.is_running());
}

TEST(Child, InheritsWhatIsKeptAndNothingElse) {
  Error error;
  OwnedDescriptor read_end, write_end;
  ASSERT_TRUE(pipe_pair(read_end, write_end, error));
  const OwnedDescriptor kept{fcntl(write_end.fd(), F_DUPFD_CLOEXEC, 9)};
  int status = -1;
  const std::string number = std::to_string(kept.fd());
  const std::string open =
      output_of({"bash", "-c", "echo to >&" + number + "; exec ls /proc/self/fd"}, {.keep = {kept.fd()}}, status);
  EXPECT_NE(open.find("\n" + number + "\n"), std::string::npos) << open;
  EXPECT_EQ(open.find("\n" + std::to_string(write_end.fd()) + "\n"), std::string::npos) << open;
  char text[8] = {};
  EXPECT_EQ(read(read_end.fd(), text, sizeof text), 3);
  EXPECT_STREQ(text, "to\n");
}

TEST(Child, IsKilledWithItsObject) {
  pid_t pid;
  {
    Child child;
    ASSERT_FALSE(child.start({"sleep", "1000"}));
    pid = child.pid();
    int status;
    EXPECT_FALSE(child.wait_for(10, status));
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

// What a program that was killed has left: it holds the pipe open as long as it runs.
TEST(Child, TakesItsGroupAlongWhereThatIsAskedFor) {
  for (const bool ends_group : {false, true}) {
    Error error;
    OwnedDescriptor read_end, write_end;
    ASSERT_TRUE(pipe_pair(read_end, write_end, error));
    Child child;
    ASSERT_FALSE(child.start({"sh", "-c", "sleep 1000 & echo $!; kill -KILL $$"},
                             {.output = write_end.fd(), .new_session = true, .ends_group = ends_group}));
    write_end.reset();
    EXPECT_EQ(child.wait(), SIGKILL);
    char number[16] = {};
    EXPECT_GT(read(read_end.fd(), number, sizeof number - 1), 0);
    pollfd end = {read_end.fd(), POLLIN, 0};
    EXPECT_EQ(poll(&end, 1, ends_group ? 5000 : 50), ends_group ? 1 : 0);
    if (!ends_group) kill(std::stoi(number), SIGKILL);
  }
}

TEST(HeldProcess, IsAliveUntilItEnds) {
  Error error;
  Child child;
  ASSERT_FALSE(child.start({"sleep", "1000"}));
  const HeldProcess held = HeldProcess::open(child.pid(), error);
  ASSERT_FALSE(error);
  EXPECT_GT(held.start_time(), 0u);
  EXPECT_TRUE(held.is_alive());
  child.signal(SIGKILL);
  child.wait();
  EXPECT_FALSE(held.is_alive());
  (void)HeldProcess::open(child.pid(), error);
  EXPECT_EQ(error.reason, Reason::io_open);
}

TEST(HeldProcess, OfAZombieItIsSaid) {
  Error error;
  Child child;
  ASSERT_FALSE(child.start({"true"}));
  siginfo_t ended = {};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child.pid()), &ended, WEXITED | WNOWAIT), 0);
  (void)HeldProcess::open(child.pid(), error);
  EXPECT_TRUE(error.name.starts_with("it has ended")) << error.name;
  child.wait();
}

TEST(HeldProcess, AThreadHasANumberAndIsNoProcess) {
  pid_t number = 0;
  std::mutex mutex;
  std::unique_lock lock{mutex};
  std::thread thread{[&] {
    __atomic_store_n(&number, gettid(), __ATOMIC_SEQ_CST);
    const std::lock_guard until_the_end{mutex};
  }};
  while (__atomic_load_n(&number, __ATOMIC_SEQ_CST) == 0) usleep(1000);
  Error error;
  (void)HeldProcess::open(number, error);
  EXPECT_EQ(error.name, "it is a thread of process " + std::to_string(getpid()));
  lock.unlock();
  thread.join();
}

// The grandchild has a session of its own, and one that starts others without end.
TEST(ProcessTree, AllOfItIsKilledAndNothingElse) {
  const testing::ScratchDirectory scratch;
  const std::string ready = scratch.at("ready");
  const std::string forks = "while :; do sleep 0.01 & done";
  Child child, other;
  ASSERT_FALSE(other.start({"sleep", "1000"}));
  ASSERT_FALSE(
      child.start({"sh", "-c", "setsid sh -c '" + forks + "' & setsid sleep 1000 & echo $! >" + ready + "; wait"}));
  pid_t last = 0;
  for (int left = 200; left > 0 && !(std::ifstream{ready} >> last); --left) usleep(10000);
  Error error;
  const HeldProcess below = HeldProcess::open(last, error);
  ASSERT_FALSE(error) << to_string(error);
  EXPECT_EQ(kill_trees([&](pid_t pid, const ProcStat&) { return pid == child.pid(); }, 5000), 0);
  EXPECT_FALSE(below.is_alive());
  int status = 0;
  EXPECT_TRUE(child.wait_for(0, status));
  EXPECT_FALSE(other.wait_for(0, status));
  EXPECT_EQ(kill_trees([](pid_t, const ProcStat&) { return false; }, 0), 0);
}

TEST(PrivateDirectory, IsForUsAloneAndGoesWithAllThatIsInIt) {
  namespace fs = std::filesystem;
  const testing::ScratchDirectory scratch;
  const fs::path outside = scratch.at("kept");
  std::ofstream{outside} << "kept";
  std::string path;
  {
    Error error;
    const PrivateDirectory directory{error};
    ASSERT_FALSE(error);
    path = directory.path();
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700u);
    fs::create_directories(path + "/a/b");
    std::ofstream{path + "/a/b/file"} << "x";
    fs::create_symlink(outside, path + "/link");
    fs::create_directory_symlink(scratch.path(), path + "/a/link");
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists(outside));
}

TEST(ProcText, NamesMayHoldParenthesesAndBlanks) {
  const auto stat = parse_stat("12 (a) S 1 (b c) R 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 4711 22");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->name, "a) S 1 (b c");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->parent, 3);
  EXPECT_EQ(stat->session, 5);
  EXPECT_EQ(stat->start_time, 4711u);
  EXPECT_FALSE(parse_stat("12 (a"));
  EXPECT_FALSE(parse_stat("12 (a) S 1 2"));
  EXPECT_FALSE(parse_stat(""));
}

TEST(ProcText, ValuesOfLines) {
  constexpr std::string_view text = "Name:\tcat\nPPid:\t 7 \nEmpty:\n";
  EXPECT_EQ(line_value(text, "PPid:"), "7");
  EXPECT_EQ(line_value(text, "Empty:"), "");
  EXPECT_FALSE(line_value(text, "Pid:"));
  EXPECT_EQ(leading_number("42 kB"), 42u);
  EXPECT_FALSE(leading_number("99999999999999999999"));
}

}  // namespace
}  // namespace critpipe
