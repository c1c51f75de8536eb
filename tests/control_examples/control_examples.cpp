// The examples at the heads of libcontrol's public headers, each with the names that it assumes. No CRIU is found while
// they run, since some of them dump the process that they are in: what they show is what is said then. A real one is
// for tests/live.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "critpipe/control/checks.hpp"
#include "critpipe/control/containers.hpp"
#include "critpipe/control/criu.hpp"
#include "critpipe/control/criu_options.hpp"
#include "critpipe/control/direct_restore.hpp"
#include "critpipe/control/image_streamer.hpp"
#include "critpipe/control/jobs.hpp"
#include "critpipe/control/process.hpp"
#include "critpipe/control/socket_changes.hpp"

#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

// Each in a directory of its own, with a checkpoint in dump and in the archive c1.tar.zst.
class ControlExamples : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directory_);
    fs::copy(TEST_CHECKPOINTS "/demo/checkpoint", directory_ / "dump");
    fs::copy(TEST_SOURCES "/data/checkpoints/demo.tar.zst", directory_ / "c1.tar.zst");
    fs::current_path(directory_);
    path_ = getenv("PATH");
    std::fflush(stdout);
    screen_ = dup(STDOUT_FILENO);
    const int file = open("printed", O_CREAT | O_WRONLY, 0600);
    dup2(file, STDOUT_FILENO);
    close(file);
  }
  void TearDown() override {
    std::fflush(stdout);
    dup2(screen_, STDOUT_FILENO);
    close(screen_);
    setenv("PATH", path_.c_str(), 1);
    fs::current_path("/");
    fs::remove_all(directory_);
  }
  static void hide_criu() { setenv("PATH", "/nowhere", 1); }

 private:
  fs::path directory_ = fs::path{::testing::TempDir()} / ("control_examples." + std::to_string(getpid()));
  std::string path_;
  int screen_ = -1;
};

// Connects to a socket as soon as it is there, and goes away again.
std::thread visit(const char* name) {
  return std::thread{[name] {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    const OwnedDescriptor fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    for (int i = 0; i < 1000; ++i) {
      if (connect(fd.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
      usleep(10000);
    }
  }};
}

TEST_F(ControlExamples, Process) {
#include "process.1.inc"
  EXPECT_FALSE(error);
  EXPECT_TRUE(is_alive);
}

TEST_F(ControlExamples, CriuOptions){
#include "criu_options.1.inc"
}

TEST_F(ControlExamples, Criu) {
  hide_criu();
#include "criu.1.inc"
  EXPECT_EQ(error.reason, Reason::no_criu);
}

TEST_F(ControlExamples, Capture) {
  std::thread criu = visit("dump/streamer-capture.sock");
  fflush(stdout);
#include "image_streamer.1.inc"
  criu.join();
  EXPECT_EQ(error.reason, Reason::incomplete_checkpoint);
}

TEST_F(ControlExamples, Serve) {
  std::thread criu = visit("dump/streamer-serve.sock");
#include "image_streamer.2.inc"
  criu.join();
  EXPECT_EQ(error.reason, Reason::bad_request);
}

TEST_F(ControlExamples, SocketChanges) {
  Error missed;
  const auto use = [&] {
#include "socket_changes.1.inc"
    missed = error;
    return 0;
  };
  EXPECT_EQ(use(), 0);
  EXPECT_EQ(missed.reason, Reason::usage);
}

TEST_F(ControlExamples, Jobs) {
  hide_criu();
#include "jobs.1.inc"
  EXPECT_EQ(end.error.reason, Reason::no_criu);
}

TEST_F(ControlExamples, Checks) {
#include "checks.1.inc"
  EXPECT_FALSE(error);
}

TEST_F(ControlExamples, Containers) {
  hide_criu();  // and engines' programs
  setenv("DOCKER_HOST", "unix:///nowhere", 1);
  setenv("CONTAINER_HOST", "unix:///nowhere", 1);
#include "containers.1.inc"
  EXPECT_EQ(error.reason, Reason::usage);
}

TEST_F(ControlExamples, DirectRestore) {
#include "direct_restore.1.inc"
  EXPECT_EQ(error.reason, Reason::bad_json);
}

}  // namespace
}  // namespace critpipe
