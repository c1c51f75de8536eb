// Jobs that are stopped, by a service that a test plays; what CRIU's configuration files say.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "critpipe/control/jobs.hpp"
#include "unit/rpc/fake_service.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

namespace pb = ::critpipe::oracle;
using tests::FakeService;

struct Stopped {
  JobEnd end;
  std::vector<bool> replies;  // that the service got
};

// One event; while it is looked at, or before, or after the answer, somebody asks for the job to be stopped.
enum class When : std::uint8_t { in_event, after_answer };
Stopped stop_at(pb::criu_req_type type, const std::string& event, When when) {
  Error error;
  OwnedDescriptor stop, stops;
  EXPECT_TRUE(pipe_pair(stop, stops, error));
  const auto ask = [&] { EXPECT_EQ(write(stops.fd(), "!", 1), 1); };
  Stopped result;
  {
    FakeService service{[&](const pb::criu_req& request, const FakeService::Send& send) {
      if (request.type() == type) return send(tests::event_of(event), -1), true;
      result.replies.push_back(request.notify_success());
      if (when == When::after_answer) ask();
      usleep(50000);
      send(tests::answer_of(type, request.notify_success()), -1);
      return true;
    }};
    const OwnedDescriptor directory{open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const CriuSetup setup{.service = service.path(), .stop_fd = stop.fd()};
    const auto notify = [&](CriuNotification&) {
      if (when == When::in_event) ask();
      return CriuReply{};
    };
    const PrivateDirectory work{error};
    result.end = type == pb::DUMP ? dump_into(setup, {}, directory.fd(), notify)
                                  : restore_from(setup, {}, directory.fd(), work, notify);
  }
  return result;
}

TEST(Jobs, AStopWhileAnEventIsLookedAtIsObeyed) {
  for (const auto& [type, event] :
       {std::pair{pb::DUMP, "pre-dump"}, std::pair{pb::DUMP, "post-dump"}, std::pair{pb::RESTORE, "post-restore"}}) {
    const Stopped stopped = stop_at(type, event, When::in_event);
    EXPECT_TRUE(stopped.end.stopped) << event;
    EXPECT_TRUE(stopped.end.error) << event;
    for (const bool success : stopped.replies) EXPECT_FALSE(success) << event;
  }
}

TEST(Jobs, AStopBehindTheLastWordIsTooLate) {
  for (const auto& [type, event] : {std::pair{pb::DUMP, "post-dump"}, std::pair{pb::RESTORE, "post-restore"}}) {
    const Stopped stopped = stop_at(type, event, When::after_answer);
    EXPECT_FALSE(stopped.end.stopped) << event;
    EXPECT_FALSE(stopped.end.error) << event << to_string(stopped.end.error);
  }
  EXPECT_TRUE(stop_at(pb::DUMP, "pre-dump", When::after_answer).end.stopped);
}

// A CRIU that hangs when it has made a part of the tree, in another session, as restored tasks are.
// Not with sh, whose descriptors have one digit; and the message is one packet.
TEST(Jobs, ARestoreThatHangsIsEndedWithAllThatItHasMade) {
  const testing::ScratchDirectory scratch;
  const std::string program = scratch.at("criu"), made = scratch.at("made");
  std::ofstream{program} << "#!/bin/bash\nsetsid sleep 1000 & echo $! >" << made
                         << "\nprintf '\\010\\006\\020\\001\\052\\015\\012\\013pre-restore' >$0.packet\n"
                         << "cat $0.packet >&$2\nsleep 1000\n";
  ASSERT_EQ(chmod(program.c_str(), 0700), 0);
  Error error;
  OwnedDescriptor stop, stops;
  ASSERT_TRUE(pipe_pair(stop, stops, error));
  const OwnedDescriptor directory{open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const PrivateDirectory work{error};
  HeldProcess task;
  const auto notify = [&](CriuNotification& seen) {
    EXPECT_EQ(seen.event, CriuEvent::pre_restore);
    pid_t pid = 0;
    std::ifstream{made} >> pid;
    task = HeldProcess::open(pid, error);
    EXPECT_EQ(write(stops.fd(), "!", 1), 1);
    return CriuReply{};
  };
  const JobEnd end = restore_from({.program = program, .stop_fd = stop.fd()}, {}, directory.fd(), work, notify);
  EXPECT_TRUE(end.stopped);
  EXPECT_EQ(end.still_at_work, 0);
  ASSERT_TRUE(task) << to_string(error);
  EXPECT_FALSE(task.is_alive());
}

// CRIU has begun when its log has a text: it looks at all images before its first event.
TEST(Jobs, ARestoreThatDoesNotBeginIsGivenUp) {
  const testing::ScratchDirectory scratch;
  const std::string program = scratch.at("criu");
  const OwnedDescriptor directory{open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  for (const bool has_log : {false, true}) {
    Error error;
    const PrivateDirectory work{error};
    const std::string log =
        has_log ? "echo text >" + work.path() + "/" + restore_log_name + "; sleep 0.3" : "exec sleep 1000";
    std::ofstream{program} << "#!/bin/sh\n" << log << "\n";
    ASSERT_EQ(chmod(program.c_str(), 0700), 0);
    const JobEnd end = restore_from({.program = program, .patience = 100}, {}, directory.fd(), work, {});
    EXPECT_EQ(end.error.name.find("it has not begun") == 0, !has_log) << to_string(end.error);
  }
}

// A service that answers late, and nothing before; with a patience of 100 ms.
JobEnd end_of_late(CriuRequest request, pb::criu_req_type type) {
  FakeService service{[&](const pb::criu_req&, const FakeService::Send& send) {
    usleep(400000);
    send(tests::answer_of(type, true), -1);
    return true;
  }};
  const OwnedDescriptor directory{open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return dump_into({.service = service.path(), .patience = 100}, {}, directory.fd(), {}, request);
}

TEST(Jobs, ADumpWithoutAnEventIsGivenUpButNoPreDumpWhichHasNone) {
  EXPECT_TRUE(end_of_late(CriuRequest::dump, pb::DUMP).error);
  for (const auto& [request, type] :
       {std::pair{CriuRequest::pre_dump, pb::PRE_DUMP}, std::pair{CriuRequest::single_pre_dump, pb::SINGLE_PRE_DUMP}}) {
    const JobEnd end = end_of_late(request, type);
    EXPECT_FALSE(end.error) << to_string(end.error);
  }
}

class ConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    unsetenv("CRIU_CONFIG_FILE");
    ASSERT_EQ(setenv("HOME", directory_.path().c_str(), 1), 0);
  }
  bool says(const std::string& text) {
    const std::string path = directory_.path() + "/conf";
    std::ofstream{path} << text;
    CriuOptions options;
    EXPECT_FALSE(options.set("config_file", path));
    return config_lets_live({}, options);
  }
  Error error_;
  PrivateDirectory directory_{error_};
};

TEST_F(ConfigFiles, MayLetTheTreeLive) {
  EXPECT_FALSE(says(""));
  EXPECT_FALSE(says("tcp-established\n# leave-running\nghost-limit 4M\n"));
  EXPECT_TRUE(says("tcp-established\n  leave-running # yes\n"));
  EXPECT_TRUE(says("leave-stopped"));
  EXPECT_TRUE(says("leave-r\n"));
  EXPECT_TRUE(says("log-file x -R\n"));
  EXPECT_FALSE(says("leave-running-not\n"));
}

TEST_F(ConfigFiles, AreReadWhereCriuReadsThem) {
  ASSERT_EQ(mkdir((directory_.path() + "/.criu").c_str(), 0700), 0);
  std::ofstream{directory_.path() + "/.criu/default.conf"} << "leave-running\n";
  EXPECT_TRUE(config_lets_live({}, {}));
  EXPECT_FALSE(config_lets_live({.words = {"--no-default-config"}}, {}));
  EXPECT_FALSE(says("tcp-close"));  // in place of the default ones
  const std::string other = directory_.path() + "/other";
  std::ofstream{other} << "leave-running\n";
  ASSERT_EQ(setenv("CRIU_CONFIG_FILE", other.c_str(), 1), 0);
  EXPECT_TRUE(config_lets_live({.words = {"--no-default-config"}}, {}));
  unsetenv("CRIU_CONFIG_FILE");
}

}  // namespace
}  // namespace critpipe
