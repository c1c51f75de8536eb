// What is said of processes that CRIU would refuse, and that nothing is said of one that it takes.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "critpipe/control/checks.hpp"

namespace critpipe {
namespace {

// A process, leader of a session of its own, that has done `prepare` and sleeps.
class Sleeper {
 public:
  explicit Sleeper(const std::function<void()>& prepare, bool leads = true) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const int null = open("/dev/null", O_RDWR);
      for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
      for (int fd = 3; fd < 1000; ++fd)
        if (fd != ready[1]) close(fd);
      if (leads) setsid();
      prepare();
      (void)!write(ready[1], "x", 1);
      close(ready[1]);
      while (true) pause();
    }
    close(ready[1]);
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

  // "error file-locks, error session"
  std::string look(const std::vector<std::string>& assignments = {}) const {
    Error error;
    const HeldProcess held = HeldProcess::open(pid_, error);
    EXPECT_FALSE(error);
    CriuOptions options;
    for (const std::string& assignment : assignments) EXPECT_FALSE(options.assign(assignment));
    std::string all;
    for (const MachineFinding& finding : check_before_dump(held, options)) {
      all += all.empty() ? "" : ", ";
      all.append(name_of(finding.severity)).append(" ").append(finding.check);
    }
    return all;
  }

 private:
  pid_t pid_;
};

TEST(DumpChecks, NothingAgainstAPlainProcess) {
  EXPECT_EQ(Sleeper{[] {}}.look(), "");
}

TEST(DumpChecks, AProcessThatLeadsNoSession) {
  const Sleeper one{[] {}, false};
  EXPECT_EQ(one.look(), "error session");
  EXPECT_EQ(one.look({"shell_job=true"}), "");
}

TEST(DumpChecks, AFileLock) {
  const Sleeper one{[] {
    char name[] = "/tmp/critpipe-lock-XXXXXX";
    const int fd = mkstemp(name);
    unlink(name);
    flock(fd, LOCK_EX);
  }};
  EXPECT_EQ(one.look(), "error file-locks");
  EXPECT_EQ(one.look({"file_locks=true"}), "");
}

TEST(DumpChecks, ALargeUnlinkedFile) {
  const Sleeper one{[] {
    char name[] = "/tmp/critpipe-ghost-XXXXXX";
    const int fd = mkstemp(name);
    unlink(name);
    static char block[20480];
    (void)!write(fd, block, sizeof block);
    fsync(fd);
  }};
  EXPECT_EQ(one.look(), "");
  EXPECT_EQ(one.look({"ghost_limit=1000"}), "error unlinked-files");
}

TEST(DumpChecks, UnixSockets) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const Sleeper inside{[] {
    int both[2];
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, both);
  }};
  EXPECT_EQ(inside.look(), "");
  // One half is ours.
  const int half = pair[0];
  const int kept = fcntl(half, F_DUPFD_CLOEXEC, 2000);
  if (kept < 0) GTEST_SKIP() << "descriptors end before 2000";
  const Sleeper outside{[&] {}};
  EXPECT_EQ(outside.look(), "error unix-peers");
  close(pair[0]);
  close(pair[1]);
  close(kept);
}

TEST(DumpChecks, ATracedProcess) {
  const Sleeper one{[] {}};
  ASSERT_EQ(ptrace(PTRACE_SEIZE, one.pid(), nullptr, nullptr), 0);
  EXPECT_EQ(one.look(), "error traced");
  ASSERT_EQ(ptrace(PTRACE_DETACH, one.pid(), nullptr, nullptr), -1);  // it runs: it goes with our end
}

TEST(DumpChecks, OurOwnTree) {
  Error error;
  const HeldProcess self = HeldProcess::open(getppid(), error);
  if (error) GTEST_SKIP();
  bool found = false;
  for (const MachineFinding& finding : check_before_dump(self, {})) found = found || finding.check == "own-tree";
  EXPECT_TRUE(found);
}

TEST(DumpChecks, RowsSayWhatCriuSays) {
  ASSERT_GE(dump_checks().size(), 15u);
  for (const CheckRow& row : dump_checks()) {
    EXPECT_FALSE(row.about.empty());
    EXPECT_FALSE(row.criu.empty());
  }
}

}  // namespace
}  // namespace critpipe
