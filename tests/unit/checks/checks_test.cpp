// What is said of processes that CRIU would refuse, and that nothing is said of one that it takes.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "critpipe/control/checks.hpp"

namespace critpipe {
namespace {

// A process, leader of a session of its own or its child, that has done `prepare` and sleeps.
class Sleeper {
 public:
  explicit Sleeper(const std::function<void()>& prepare, bool leads = true) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    leader_ = fork();
    if (leader_ == 0) {
      const int null = open("/dev/null", O_RDWR);
      for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
      for (int fd = 3; fd < 1000; ++fd)
        if (fd != ready[1]) close(fd);
      setsid();
      if (leads || fork() == 0) {
        if (!leads) prctl(PR_SET_PDEATHSIG, SIGKILL);
        prepare();
        const pid_t self = getpid();
        (void)!write(ready[1], &self, sizeof self);
      }
      close(ready[1]);
      while (true) pause();
    }
    close(ready[1]);
    EXPECT_EQ(read(ready[0], &pid_, sizeof pid_), static_cast<ssize_t>(sizeof pid_));
    close(ready[0]);
  }
  ~Sleeper() {
    kill(leader_, SIGKILL);
    waitpid(leader_, nullptr, 0);
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
      advice_ = finding.advice;
    }
    return all;
  }
  // Of the last finding.
  const std::string& advice() const { return advice_; }

 private:
  mutable std::string advice_;
  pid_t leader_;
  pid_t pid_ = -1;
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

// A child that ends with its parent, after `prepare` and before this returns.
pid_t with_child(const std::function<void()>& prepare) {
  int ready[2];
  (void)!pipe(ready);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare();
    close(ready[0]);
    close(ready[1]);
    while (true) pause();
  }
  close(ready[1]);
  char byte;
  (void)!read(ready[0], &byte, 1);
  close(ready[0]);
  return child;
}

bool may_unshare() {
  const pid_t child = fork();
  if (child == 0) _exit(unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0 ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

TEST(DumpChecks, NamespacesWithinTheTree) {
  if (!may_unshare()) GTEST_SKIP() << "we may not make namespaces";
  for (const int space : {CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWCGROUP}) {
    const Sleeper nested{[&] { with_child([&] { unshare(space); }); }};
    EXPECT_EQ(nested.look(), "error nested-namespaces") << space;
    EXPECT_EQ(Sleeper{[&] { unshare(space); }}.look(), "") << space;
  }
}

// What --shell-job does not help: the number of a session that is none in the process's own pid namespace.
TEST(DumpChecks, ASessionOutsideOfThePidNamespace) {
  if (!may_unshare()) GTEST_SKIP() << "we may not make namespaces";
  const Sleeper one{[] {
    unshare(CLONE_NEWPID);
    with_child([] {});
  }};
  EXPECT_EQ(one.look({"shell_job=true"}), "error session, error nested-namespaces");
}

TEST(DumpChecks, AFileOfAnotherMountNamespace) {
  if (!may_unshare()) GTEST_SKIP() << "we may not make namespaces";
  const Sleeper one{[] {
    const int ours = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    unshare(CLONE_NEWNS);
    (void)!open("/", O_RDONLY | O_DIRECTORY);
    setns(ours, CLONE_NEWNS);
    close(ours);
  }};
  EXPECT_EQ(one.look(), "error file-mounts");
  const std::size_t begin = one.advice().find("file["), end = one.advice().find(']');
  ASSERT_LT(begin, end) << one.advice();
  EXPECT_EQ(one.look({"external=" + one.advice().substr(begin, end + 1 - begin)}), "");
}

TEST(DumpChecks, Pidfds) {
  EXPECT_EQ(Sleeper{[] { syscall(SYS_pidfd_open, getpid(), 0); }}.look(), "");
  EXPECT_EQ(Sleeper{[] { syscall(SYS_pidfd_open, getppid(), 0); }}.look(), "error pidfds");
}

TEST(DumpChecks, AnAnswerThatIsNotRead) {
  EXPECT_EQ(Sleeper{[] { (void)!socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }}.look(), "");
  const Sleeper one{[] {
    const int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct {
      nlmsghdr head;
      ifinfomsg body;
    } question = {};
    question.head.nlmsg_len = sizeof question;
    question.head.nlmsg_type = RTM_GETLINK;
    question.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    (void)!send(fd, &question, sizeof question, 0);
  }};
  EXPECT_EQ(one.look(), "error netlink");
}

TEST(DumpChecks, AConnectionThatNobodyTakes) {
  const Sleeper one{[] {
    const int listener = socket(AF_INET, SOCK_STREAM, 0), caller = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener, 1);
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    connect(caller, reinterpret_cast<sockaddr*>(&address), size);
  }};
  EXPECT_EQ(one.look({"tcp_established=true", "network_lock=2"}), "error tcp");
  EXPECT_EQ(one.look({"tcp_established=true", "network_lock=2", "tcp_skip_in_flight=true"}), "");
}

TEST(DumpChecks, Devices) {
  EXPECT_EQ(Sleeper{[] { (void)!open("/dev/full", O_WRONLY); }}.look(), "");
  if (access("/dev/kmsg", W_OK) == 0) {
    EXPECT_EQ(Sleeper{[] { (void)!open("/dev/kmsg", O_WRONLY); }}.look(), "");
  }
  if (access("/dev/net/tun", R_OK) == 0) {
    EXPECT_EQ(Sleeper{[] { (void)!open("/dev/net/tun", O_RDONLY); }}.look(), "error devices");
  }
}

TEST(DumpChecks, SecretMemory) {
  bool has_any = false;
#ifdef SYS_memfd_secret
  const int fd = static_cast<int>(syscall(SYS_memfd_secret, 0));
  has_any = fd >= 0;
  close(fd);
  if (has_any) {
    EXPECT_EQ(Sleeper{[] { syscall(SYS_memfd_secret, 0); }}.look(), "error secret-memory");
  }
#endif
  if (!has_any) GTEST_SKIP() << "the kernel has none";
}

// Its number stays in use, and a restore cannot give it.
TEST(DumpChecks, AProcessOutsideInASessionOfTheTree) {
  static int said[2];
  ASSERT_EQ(pipe(said), 0);
  ASSERT_EQ(fcntl(said[1], F_DUPFD, 2000), 2000);
  pid_t follower = 0;
  {
    const Sleeper one{[] {
      const pid_t child = fork();
      if (child > 0) waitpid(child, nullptr, 0);
      if (child != 0) return;
      const pid_t orphan = fork();
      if (orphan != 0) {
        (void)!write(2000, &orphan, sizeof orphan);
        _exit(0);
      }
      for (int fd = 0; fd < 2001; ++fd) close(fd);
      while (true) pause();
    }};
    ASSERT_EQ(read(said[0], &follower, sizeof follower), static_cast<ssize_t>(sizeof follower));
    EXPECT_EQ(one.look(), "warning session-outside");
    kill(follower, SIGKILL);
  }
  for (const int fd : {said[0], said[1], 2000}) close(fd);
}

TEST(DumpChecks, AFirstThreadThatHasEnded) {
  const Sleeper one{[] {
    std::thread{[] {
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
      const pid_t self = getpid();
      for (int fd = 3; fd < 1000; ++fd) (void)!write(fd, &self, sizeof self);
      while (true) pause();
    }}.detach();
    syscall(SYS_exit, 0);
  }};
  EXPECT_EQ(one.look(), "error thread-states");
}

TEST(DumpChecks, ATracedProcess) {
  const Sleeper one{[] {}};
  ASSERT_EQ(ptrace(PTRACE_SEIZE, one.pid(), nullptr, nullptr), 0);
  EXPECT_EQ(one.look(), "error traced");
  ASSERT_EQ(ptrace(PTRACE_DETACH, one.pid(), nullptr, nullptr), -1);  // it runs: it goes with our end
}

// A list of a cgroup's processes that is written while it is read.
TEST(DumpChecks, ProcessesOfAFrozenCgroup) {
  Error error;
  const PrivateDirectory group{error};
  ASSERT_FALSE(error);
  const std::string list = group.path() + "/cgroup.procs";
  static int born[2];
  ASSERT_EQ(pipe(born), 0);
  // It starts a child when it is told to, which says its pid.
  ASSERT_EQ(fcntl(born[1], F_DUPFD, 2000), 2000);
  const Sleeper one{[] {
    signal(SIGUSR1, [](int) {
      if (fork() != 0) return;
      const pid_t pid = getpid();
      (void)!write(2000, &pid, sizeof pid);
      close(2000);
      while (true) pause();
    });
  }};
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, nullptr, 0);
  ASSERT_EQ(mkfifo(list.c_str(), 0600), 0);
  pid_t child = 0;
  std::thread writer{[&] {
    std::ofstream procs{list};  // waits until the tree has been read, and the list is
    kill(one.pid(), SIGUSR1);
    (void)!read(born[0], &child, sizeof child);
    procs << one.pid() << '\n' << child << '\n' << gone << '\n';
  }};
  EXPECT_EQ(one.look({"freeze_cgroup=" + group.path()}), "");
  writer.join();
  ASSERT_GT(child, 0);
  kill(child, SIGKILL);
  for (const int fd : {born[0], born[1], 2000}) close(fd);
  std::filesystem::remove(list);
  std::ofstream{list} << one.pid() << '\n' << getpid() << '\n';
  EXPECT_EQ(one.look({"freeze_cgroup=" + group.path()}), "loss freezer");
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
