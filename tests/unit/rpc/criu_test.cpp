// Conversations with a service that a test plays, honest or not; and with the machine's CRIU, where it has one.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "critpipe/control/criu.hpp"
#include "rpc.pb.h"
#include "unit/rpc/fake_service.hpp"

namespace critpipe {
namespace {

namespace pb = ::critpipe::oracle;
using tests::answer_of;
using tests::event_of;
using tests::FakeService;

std::size_t open_descriptors() {
  std::size_t nr = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) ++nr;
  return nr;
}

TEST(Criu, AskedFeaturesAreTheAnswersAndNotTheRequests) {
  FakeService service{[](const pb::criu_req& request, const FakeService::Send& send) {
    EXPECT_EQ(request.type(), pb::FEATURE_CHECK);
    EXPECT_TRUE(request.features().mem_track());
    pb::criu_resp answer;
    answer.set_type(pb::FEATURE_CHECK);
    answer.set_success(true);
    answer.mutable_features()->set_mem_track(false);
    answer.mutable_features()->set_lazy_pages(true);
    send(answer.SerializeAsString(), -1);
    return true;
  }};
  Criu criu;
  criu.set_service(service.path());
  std::vector<CriuFeature> features;
  ASSERT_FALSE(criu.features(features));
  ASSERT_GE(features.size(), 3u);
  EXPECT_FALSE(features[0].available);
  EXPECT_TRUE(features[1].available);
  features = {{"no_such"}};
  EXPECT_EQ(criu.features(features).reason, Reason::usage);
}

TEST(Criu, ADumpWithNotificationsAndADescriptor) {
  int replies = 0;
  const std::size_t before = open_descriptors();
  auto service = std::make_unique<FakeService>([&](const pb::criu_req& request, const FakeService::Send& send) {
    constexpr const char* scripts[] = {"pre-dump", "orphan-pts-master", "from-the-future", "query-ext-files",
                                       "post-dump"};
    if (request.type() == pb::DUMP) {
      EXPECT_TRUE(request.opts().notify_scripts());
      EXPECT_EQ(request.opts().pid(), 12);
    } else {
      EXPECT_EQ(request.type(), pb::NOTIFY);
      EXPECT_TRUE(request.notify_success());
      if (replies == 4) {
        EXPECT_EQ(request.opts().external(0), "mnt[/x]:y");
      }
    }
    if (replies == 5) {
      send(answer_of(pb::DUMP, true), -1);
      return true;
    }
    send(event_of(scripts[replies]), replies == 1 ? STDIN_FILENO : -1);
    ++replies;
    return true;
  });
  std::vector<CriuEvent> seen;
  CriuOptions options;
  ASSERT_FALSE(options.set("pid", 12));
  {
    Criu criu;
    criu.set_service(service->path());
    const CriuAnswer answer = criu.call(CriuRequest::dump, &options, [&](CriuNotification& one) {
      seen.push_back(one.event);
      EXPECT_EQ(one.pid, 7);
      EXPECT_EQ(static_cast<bool>(one.descriptor), one.event == CriuEvent::orphan_pts_master);
      CriuReply reply;
      if (one.event == CriuEvent::query_ext_files) reply.external = {"mnt[/x]:y"};
      return reply;
    });
    EXPECT_FALSE(answer.error) << to_string(answer.error);
  }
  service.reset();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(seen, (std::vector{CriuEvent::pre_dump, CriuEvent::orphan_pts_master, CriuEvent::unknown,
                               CriuEvent::query_ext_files, CriuEvent::post_dump}));
}

TEST(Criu, AnswersThatAreNone) {
  struct Case {
    std::string bytes;
    Reason reason;
  };
  pb::criu_resp failed;
  failed.set_type(pb::VERSION);
  failed.set_success(false);
  failed.set_cr_errno(56);
  failed.set_cr_errmsg("bad\x1b[31m things\n");
  const Case cases[] = {
      {"\xff\xff\xff", Reason::bad_answer},                // no message
      {"\x08\x0a", Reason::bad_answer},                    // without success
      {answer_of(pb::DUMP, true), Reason::bad_answer},     // to another request
      {answer_of(pb::EMPTY, false), Reason::criu_failed},  // it does not know the request
      {failed.SerializeAsString(), Reason::criu_failed},   //
      {"", Reason::no_criu},                               // it hangs up
  };
  for (const Case& one : cases) {
    FakeService service{[&](const pb::criu_req&, const FakeService::Send& send) {
      if (!one.bytes.empty()) send(one.bytes, -1);
      return !one.bytes.empty();
    }};
    Criu criu;
    criu.set_service(service.path());
    const CriuAnswer answer = criu.call(CriuRequest::version, nullptr);
    EXPECT_EQ(answer.error.reason, one.reason) << to_string(answer.error);
    EXPECT_EQ(to_string(answer.error).find('\x1b'), std::string::npos);
  }
}

// Success, and nothing of what was asked for.
TEST(Criu, AnswersThatSayNothing) {
  pb::criu_resp negative;
  negative.set_type(pb::VERSION);
  negative.set_success(true);
  negative.mutable_version()->set_major_number(-1);
  negative.mutable_version()->set_minor_number(2);
  pb::criu_resp huge = negative;
  huge.mutable_version()->set_major_number(4);
  huge.mutable_version()->set_sublevel(INT32_MAX);
  pb::criu_resp no_pid;
  no_pid.set_type(pb::PAGE_SERVER);
  no_pid.set_success(true);
  no_pid.mutable_ps()->set_pid(-1);
  no_pid.mutable_ps()->set_port(4711);
  pb::criu_resp no_port = no_pid;
  no_port.mutable_ps()->set_pid(99);
  no_port.mutable_ps()->clear_port();
  const std::pair<CriuRequest, std::string> cases[] = {
      {CriuRequest::version, answer_of(pb::VERSION, true)},
      {CriuRequest::version, negative.SerializeAsString()},
      {CriuRequest::version, huge.SerializeAsString()},
      {CriuRequest::feature_check, answer_of(pb::FEATURE_CHECK, true)},
      {CriuRequest::page_server_child, answer_of(pb::PAGE_SERVER, true)},
      {CriuRequest::page_server_child, no_pid.SerializeAsString()},
      {CriuRequest::page_server_child, no_port.SerializeAsString()},
      {CriuRequest::check, answer_of(pb::RESTORE, true)},
  };
  for (const auto& [request, bytes] : cases) {
    const std::string& answer = bytes;  // clang 14 captures no binding
    FakeService service{[&](const pb::criu_req&, const FakeService::Send& send) { return send(answer, -1), true; }};
    Criu criu;
    criu.set_service(service.path());
    std::vector<CriuFeature> features{{"mem_track"}};
    const Error error =
        request == CriuRequest::feature_check ? criu.features(features) : criu.call(request, nullptr).error;
    EXPECT_EQ(error.reason, Reason::bad_answer) << static_cast<int>(request) << " " << to_string(error);
  }
}

TEST(Criu, AnswersMayBeLong) {
  const std::string name(150000, 'n');
  FakeService service{[&](const pb::criu_req&, const FakeService::Send& send) {
    pb::criu_resp answer;
    answer.set_type(pb::VERSION);
    answer.set_success(true);
    answer.mutable_version()->set_major_number(4);
    answer.mutable_version()->set_minor_number(2);
    answer.mutable_version()->set_sublevel(1);
    answer.mutable_version()->set_name(name);
    answer.set_cr_errmsg("a warning that comes with success");
    send(answer.SerializeAsString(), -1);
    return true;
  }};
  Criu criu;
  criu.set_service(service.path());
  CriuVersion version;
  ASSERT_FALSE(criu.version(version));
  EXPECT_EQ(version.name, name);
  EXPECT_EQ(version.number(), 40201);
  version.git_id = "abc";
  EXPECT_EQ(version.number(), 40300);
}

TEST(Criu, APageServerOfAChildIsAnsweredAsAPageServer) {
  FakeService service{[](const pb::criu_req& request, const FakeService::Send& send) {
    EXPECT_EQ(request.type(), pb::PAGE_SERVER_CHLD);
    pb::criu_resp answer;
    answer.set_type(pb::PAGE_SERVER);
    answer.set_success(true);
    answer.mutable_ps()->set_pid(99);
    answer.mutable_ps()->set_port(4711);
    send(answer.SerializeAsString(), -1);
    return true;
  }};
  Criu criu;
  criu.set_service(service.path());
  const CriuOptions options;
  const CriuAnswer answer = criu.call(CriuRequest::page_server_child, &options);
  EXPECT_FALSE(answer.error) << to_string(answer.error);
  EXPECT_EQ(answer.pid, 99);
  EXPECT_EQ(answer.port, 4711);
}

TEST(Criu, AWorkerThatDoesNotStartOrSaysNothing) {
  CriuVersion version;
  EXPECT_EQ(Criu{"/no/such/criu"}.version(version).reason, Reason::no_criu);
  const Error error = Criu{"false"}.version(version);
  EXPECT_EQ(error.reason, Reason::no_criu);
  EXPECT_NE(error.name.find("exit status 1"), std::string::npos) << error.name;
}

TEST(CriuLog, TheFirstErrorWithTheLinesBeforeIt) {
  Error error;
  const PrivateDirectory directory{error};
  const std::string path = directory.path() + "/log";
  std::ofstream{path} << "(00.000001) one\n(00.000002) two\n"
                      << std::string(100000, 'x')
                      << "\n(00.000003) Error (criu/x.c:1): it broke\n(00.000004) Error (criu/y.c:2): more\n";
  const OwnedDescriptor log{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  const CriuLogError found = first_error_of(log.fd());
  EXPECT_EQ(found.first, "Error (criu/x.c:1): it broke");
  ASSERT_EQ(found.before.size(), 3u);
  EXPECT_EQ(found.before[0], "one");
  EXPECT_LE(found.before[2].size(), 2000u);
}

TEST(CriuLog, ErrorsThatCriuHasGotOver) {
  Error error;
  const PrivateDirectory directory{error};
  const std::string path = directory.path() + "/log";
  std::ofstream{path} << "(00.046645) \tRPC\n(00.048539) Error (criu/util.c:657): exited, status=1\n"
                      << "(00.091290) Restore finished successfully. Tasks resumed.\n";
  const OwnedDescriptor log{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(first_error_of(log.fd()).first, "");
  std::ofstream{path, std::ios::app} << "(00.091430) Error (criu/stats.c:1): no room\n";
  EXPECT_EQ(first_error_of(log.fd()).first, "Error (criu/stats.c:1): no room");
}

TEST(CriuLog, WhatCriuGoesOnAfterIsNoReason) {
  Error error;
  const PrivateDirectory directory{error};
  const std::string path = directory.path() + "/log";
  std::ofstream{path} << "(00.000001) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self\n";
  const OwnedDescriptor log{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(first_error_of(log.fd()).first, "");
}

}  // namespace
}  // namespace critpipe
