// CRIU's image streamer: dumps and restores that are played over socket pairs.
#include "critpipe/control/image_streamer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "critpipe/image.hpp"
#include "unit/scratch_directory.hpp"
#include "unit/stream/criu_player.hpp"

namespace critpipe {
namespace {

using tests::CriuPlayer;

struct Pipe {
  Pipe() {
    Error error;
    EXPECT_TRUE(pipe_pair(read, write, error));
  }
  OwnedDescriptor read, write;
};

// A capture into one pipe.
struct Capturing {
  explicit Capturing(CaptureOptions options = {}) : capture{std::move(options)} {
    EXPECT_FALSE(capture.add_output(out.write.fd(), "out"));
    auto [player, ours] = CriuPlayer::connected();
    criu = std::make_unique<CriuPlayer>(std::move(player));
    EXPECT_FALSE(capture.connect(std::move(ours)));
  }
  // What is read of the stream, whose writer then goes.
  std::string stream() {
    out.write.reset();
    return CriuPlayer::rest_of(out.read.fd());
  }
  Pipe out;
  ImageCapture capture;
  std::unique_ptr<CriuPlayer> criu;
};

// The images of a stream.
struct Stream {
  explicit Stream(const std::string& bytes) {
    Pipe pipe;
    std::thread writer{[&] {
      for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t done = write(pipe.write.fd(), bytes.data() + at, bytes.size() - at);
        if (done <= 0) break;
        at += static_cast<std::size_t>(done);
      }
      pipe.write.reset();
    }};
    error = images.read(std::vector<int>{pipe.read.fd()});
    writer.join();
  }
  std::string operator[](const std::string& name) const {
    std::string content;
    return images.get(name, content) ? "-" : content;
  }
  HeldImages images;
  Error error;
};

TEST(ImageCapture, WritesWhatCriuSends) {
  int starts = 0;
  Capturing to{{.on_start = [&] { ++starts; }}};
  EXPECT_TRUE(to.criu->dump("cpuinfo.img", "processor"));
  EXPECT_TRUE(to.criu->dump("core-1.img", "core"));
  EXPECT_TRUE(to.criu->dump("empty.img", ""));
  EXPECT_TRUE(to.criu->dump("inventory.img", "last"));
  to.criu->go();
  EXPECT_EQ(to_string(to.capture.run()), to_string(Error{}));
  EXPECT_EQ(starts, 1);
  EXPECT_EQ(to.capture.nr_images(), 4U);
  const std::string bytes = to.stream();
  EXPECT_EQ(to.capture.totals().at(0).bytes, bytes.size());
  const Stream stream{bytes};
  EXPECT_FALSE(stream.error);
  EXPECT_EQ(stream.images.nr_images(), 4U);
  EXPECT_EQ(stream["core-1.img"], "core");
  EXPECT_EQ(stream["empty.img"], "");
  EXPECT_EQ(stream["inventory.img"], "last");
}

TEST(ImageCapture, IsDrivenByItsPollDescriptor) {
  Capturing to;
  const auto is_ready = [&] {
    pollfd wait{to.capture.poll_fd(), POLLIN, 0};
    return poll(&wait, 1, 0) == 1;
  };
  EXPECT_FALSE(is_ready());
  const OwnedDescriptor pages = to.criu->begin("pages-1.img");
  for (int i = 0; i < 3; ++i) {
    while (is_ready()) EXPECT_FALSE(to.capture.step());
    EXPECT_EQ(write(pages.fd(), "page", 4), 4);
    EXPECT_TRUE(is_ready());
  }
  EXPECT_FALSE(to.capture.is_done());
}

TEST(ImageCapture, AddsFilesBehindTheLastImage) {
  Capturing to{{.waits_for_end = true}};
  EXPECT_TRUE(to.criu->dump("inventory.img", "last"));
  to.criu->go();
  while (!to.capture.has_all_images()) ASSERT_FALSE(to.capture.step());
  EXPECT_FALSE(to.capture.is_done());
  const testing::ScratchDirectory scratch;
  const std::string path = scratch.at("stats-dump");
  OwnedDescriptor file{open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  EXPECT_EQ(write(file.fd(), "statistics", 10), 10);
  lseek(file.fd(), 0, SEEK_SET);
  EXPECT_FALSE(to.capture.add_file("stats-dump", std::move(file)));
  EXPECT_EQ(to.capture.add_file("stats-dump", OwnedDescriptor{dup(0)}).reason, Reason::bad_duplicate);
  to.capture.end();
  EXPECT_FALSE(to.capture.run());
  const Stream stream{to.stream()};
  EXPECT_EQ(stream["stats-dump"], "statistics");
}

// The end may go out while CRIU waits for an answer; what follows it is read on, and may be cut short.
TEST(ImageCapture, EndsImagesBeforeCriuHasGone) {
  Capturing to{{.waits_for_end = true}};
  EXPECT_TRUE(to.criu->dump("inventory.img", "last"));
  while (!to.capture.has_all_images()) ASSERT_FALSE(to.capture.step());
  to.capture.end_images();
  EXPECT_FALSE(to.capture.has_end());
  while (!to.capture.has_end()) ASSERT_FALSE(to.capture.step());
  char block[4096];
  const ssize_t got = read(to.out.read.fd(), block, sizeof block);
  ASSERT_GT(got, 0);
  const std::string images(block, static_cast<std::size_t>(got));
  EXPECT_EQ(Stream{images}["inventory.img"], "last");

  to.criu->go();
  OwnedDescriptor file{memfd_create("stats", MFD_CLOEXEC)};
  EXPECT_EQ(write(file.fd(), "statistics", 10), 10);
  lseek(file.fd(), 0, SEEK_SET);
  EXPECT_FALSE(to.capture.add_file("stats-dump", std::move(file)));
  EXPECT_FALSE(to.capture.has_end());
  to.capture.end();
  EXPECT_FALSE(to.capture.run());
  const std::string all = images + to.stream();
  EXPECT_EQ(Stream{all}["stats-dump"], "statistics");
  for (std::size_t size = images.size(); size <= all.size(); ++size) {
    const Stream cut{all.substr(0, size)};
    EXPECT_FALSE(cut.error);
    EXPECT_EQ(cut["inventory.img"], "last");
  }
  EXPECT_EQ(Stream{images.substr(0, images.size() - 1)}.error.reason, Reason::cut_stream);
}

TEST(ImageCapture, RefusesNames) {
  const std::string long_part(256, 'x'), long_name(5000, 'x');
  for (const std::string& name :
       {std::string{}, std::string{".."}, std::string{"../core-1.img"}, std::string{"/etc/core-1.img"},
        std::string{"a/../../b"}, std::string{"a//b"}, std::string{"core\n1.img"}, std::string{"core\x1b[31m.img"},
        std::string{"a\0b", 3}, long_part, long_name}) {
    Capturing to;
    (void)to.criu->begin(name);
    const Error error = to.capture.run();
    EXPECT_TRUE(error.reason == Reason::bad_name || error.reason == Reason::bad_request) << to_string(error);
    EXPECT_EQ(to_string(error).find('\n'), std::string::npos);
    EXPECT_TRUE(to.capture.is_done());
    EXPECT_EQ(to.stream(), "");
  }
}

TEST(ImageCapture, RefusesTwoImagesOfOneName) {
  Capturing to;
  EXPECT_TRUE(to.criu->dump("core-1.img", "one"));
  EXPECT_TRUE(to.criu->dump("core-1.img", "two"));
  EXPECT_EQ(to.capture.run().reason, Reason::bad_duplicate);
}

TEST(ImageCapture, RefusesWhatIsNoRequest) {
  const std::string request = CriuPlayer::request_of("core-1.img");
  const struct {
    std::string bytes;
    Reason reason;
  } all[] = {
      {"", Reason::incomplete_checkpoint},
      {request.substr(0, 3), Reason::bad_request},
      {request.substr(0, 9), Reason::bad_request},
      {request, Reason::bad_request},
      {request + "x", Reason::bad_request},
      {"\xff\xff\xff\xff", Reason::bad_request},
      {CriuPlayer::framed(""), Reason::bad_request},
      {CriuPlayer::framed("\x0a\x50short"), Reason::bad_request},
      {CriuPlayer::framed("\x10\x01"), Reason::bad_request},
  };
  for (const auto& [bytes, reason] : all) {
    Capturing to;
    EXPECT_TRUE(to.criu->send_bytes(bytes));
    to.criu->go();
    const Error error = to.capture.run();
    EXPECT_EQ(error.reason, reason) << to_string(error) << " for " << visible(bytes, Escape::bytes);
  }
}

TEST(ImageCapture, RefusesWhatIsNoPipe) {
  Capturing to;
  EXPECT_TRUE(to.criu->request("core-1.img"));
  const OwnedDescriptor null{open("/dev/null", O_RDONLY | O_CLOEXEC)};
  EXPECT_TRUE(to.criu->pass(null.fd()));
  EXPECT_EQ(to.capture.run().reason, Reason::bad_request);
  Capturing other;
  const Pipe pipe;
  EXPECT_TRUE(other.criu->request("core-1.img"));
  EXPECT_TRUE(other.criu->pass(pipe.write.fd()));
  EXPECT_EQ(other.capture.run().reason, Reason::bad_request);
}

TEST(ImageCapture, TakesFieldsThatItDoesNotKnow) {
  Capturing to;
  const std::string name = "inventory.img";
  EXPECT_TRUE(to.criu->send_bytes(CriuPlayer::framed("\x52\x03new\x0a\x0d" + name + "\x58\x05")));
  Pipe pipe;
  EXPECT_TRUE(to.criu->pass(pipe.read.fd()));
  pipe.read.reset();
  EXPECT_EQ(write(pipe.write.fd(), "last", 4), 4);
  pipe.write.reset();
  to.criu->go();
  EXPECT_EQ(to_string(to.capture.run()), to_string(Error{}));
  EXPECT_EQ(Stream{to.stream()}[name], "last");
}

TEST(ImageCapture, DumpThatBreaksOffHasNoEnd) {
  Capturing to;
  EXPECT_TRUE(to.criu->dump("core-1.img", "core"));
  to.criu->go();
  EXPECT_EQ(to.capture.run().reason, Reason::incomplete_checkpoint);
  EXPECT_EQ(Stream{to.stream()}.error.reason, Reason::cut_stream);
}

TEST(ImageCapture, ReaderThatGoesAwayEndsTheDump) {
  for (const bool copies : {false, true}) {
    Capturing to{{.copies = copies}};
    const OwnedDescriptor pages = to.criu->begin("pages-1.img");
    EXPECT_EQ(write(pages.fd(), "page", 4), 4);
    EXPECT_FALSE(to.capture.step());
    to.out.read.reset();
    sigset_t before, after, waiting;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    EXPECT_EQ(write(pages.fd(), "page", 4), 4);
    EXPECT_EQ(to.capture.run().reason, Reason::io_write);
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    sigpending(&waiting);
    EXPECT_EQ(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
    EXPECT_EQ(sigismember(&waiting, SIGPIPE), 0);
    // CRIU learns of it.
    pollfd gone{pages.fd(), 0, 0};
    EXPECT_EQ(poll(&gone, 1, 0), 1);
    EXPECT_TRUE(gone.revents & POLLERR);
  }
}

TEST(ImageCapture, FullDiskEndsTheDump) {
  ImageCapture capture;
  const OwnedDescriptor full{open("/dev/full", O_WRONLY | O_CLOEXEC)};
  EXPECT_FALSE(capture.add_output(full.fd(), "full"));
  auto [criu, ours] = CriuPlayer::connected();
  EXPECT_FALSE(capture.connect(std::move(ours)));
  EXPECT_TRUE(criu.dump("core-1.img", "core"));
  const Error error = capture.run();
  EXPECT_EQ(error.reason, Reason::io_write);
  EXPECT_EQ(error.image, "full");
}

TEST(ImageCapture, IsStoppedByAnotherThread) {
  Capturing to;
  std::thread other{[&] { to.capture.stop(); }};
  EXPECT_EQ(to.capture.run().reason, Reason::incomplete_checkpoint);
  other.join();
  EXPECT_TRUE(to.capture.is_done());
}

// A slow shard does not hold up the other, and the reader puts both together.
TEST(ImageCapture, SharesOutOverPipes) {
  Pipe out[2];
  ImageCapture capture;
  for (const Pipe& pipe : out) {
    EXPECT_GT(fcntl(pipe.write.fd(), F_SETPIPE_SZ, 4096), 0);
    EXPECT_FALSE(capture.add_output(pipe.write.fd(), "shard"));
  }
  auto [criu, ours] = CriuPlayer::connected();
  EXPECT_FALSE(capture.connect(std::move(ours)));
  std::string pages(3 << 20, '\0');
  for (std::size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<char>(i * i >> 7);
  std::thread dump{[&, &player = criu] {
    EXPECT_TRUE(player.dump("pages-1.img", pages));
    EXPECT_TRUE(player.dump("inventory.img", "last"));
    player.go();
  }};
  HeldImages images;
  std::thread reader{[&] { EXPECT_FALSE(images.read(std::vector<int>{out[0].read.fd(), out[1].read.fd()})); }};
  EXPECT_EQ(to_string(capture.run()), to_string(Error{}));
  for (Pipe& pipe : out) pipe.write.reset();
  dump.join();
  reader.join();
  std::string got;
  EXPECT_FALSE(images.get("pages-1.img", got));
  EXPECT_EQ(got == pages, true);
  EXPECT_GT(std::min(images.bytes_read().at(0), images.bytes_read().at(1)), pages.size() / 10);
}

class StreamerSockets : public ::testing::Test {
 protected:
  const testing::ScratchDirectory scratch_;
  const std::string path_ = scratch_.path();
};

TEST_F(StreamerSockets, AreForTheirOwnerAndGoAway) {
  const std::string name = path_ + "/streamer-capture.sock";
  {
    sockaddr_un address{AF_UNIX, {}};
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    {
      ImageCapture first;
      EXPECT_FALSE(first.listen(path_));
      struct stat status;
      ASSERT_EQ(lstat(name.c_str(), &status), 0);
      EXPECT_TRUE(S_ISSOCK(status.st_mode));
      EXPECT_EQ(status.st_mode & 0777, 0600U);
      ImageCapture second;
      EXPECT_EQ(second.listen(path_).name, "another image streamer waits there");
      EXPECT_FALSE(first.step());  // and sees nothing of it
      EXPECT_FALSE(first.is_connected());
      const OwnedDescriptor gone{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      std::filesystem::remove(name);
      ASSERT_EQ(bind(gone.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    EXPECT_TRUE(std::filesystem::exists(name));  // it was not the first one's any more
    ImageCapture again;                          // replaces what was left there
    EXPECT_FALSE(again.listen(path_));
    OwnedDescriptor peer{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::connect(peer.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_FALSE(again.is_connected());
    EXPECT_FALSE(again.step());
    EXPECT_TRUE(again.is_connected());
    EXPECT_FALSE(std::filesystem::exists(name));
  }
  ImageCapture nowhere;
  EXPECT_EQ(nowhere.listen(path_ + "/no").reason, Reason::io_open);
  // A file of that name is not ours to remove.
  EXPECT_EQ(std::system(("echo kept > " + name).c_str()), 0);
  EXPECT_EQ(nowhere.listen(path_).reason, Reason::io_open);
  EXPECT_TRUE(std::filesystem::is_regular_file(name));
}

HeldImages& with(HeldImages& images, const std::string& name, const std::string& content) {
  EXPECT_FALSE(images.put(name, content));
  return images;
}

TEST(ImageServer, GivesWhatCriuAsksFor) {
  HeldImages images;
  const std::string pages(3 << 20, 'p');
  with(with(images, "inventory.img", "first"), "pages-1.img", pages);
  ImageServer server{images};
  auto [criu, ours] = CriuPlayer::connected();
  EXPECT_FALSE(server.connect(std::move(ours)));
  std::thread restore{[&, &player = criu] {
    EXPECT_EQ(player.restore("inventory.img"), "first");
    EXPECT_EQ(player.restore("no.img"), "-");
    EXPECT_EQ(player.restore("../inventory.img"), "-");
    // One that is given up is asked for again.
    OwnedDescriptor pipe = player.ask("pages-1.img");
    char page[4096];
    EXPECT_EQ(read(pipe.fd(), page, sizeof page), 4096);
    pipe.reset();
    EXPECT_EQ(player.restore("pages-1.img") == pages, true);
    // What was asked for still comes when the connection is gone.
    pipe = player.ask("pages-1.img");
    player.go();
    EXPECT_EQ(CriuPlayer::rest_of(pipe.fd()) == pages, true);
  }};
  EXPECT_EQ(to_string(server.run()), to_string(Error{}));
  restore.join();
}

TEST(ImageServer, FreesWhatWasRead) {
  HeldImages images;
  const std::string pages(1 << 20, 'p');
  with(images, "pages-1.img", pages);
  ImageServer server{images, {.frees = true}};
  auto [criu, ours] = CriuPlayer::connected();
  EXPECT_FALSE(server.connect(std::move(ours)));
  std::thread restore{[&, &player = criu] {
    EXPECT_EQ(player.restore("pages-1.img") == pages, true);
    EXPECT_EQ(player.restore("pages-1.img"), "-");
  }};
  EXPECT_EQ(server.run().reason, Reason::no_bytes);
  restore.join();
}

TEST(HeldImages, RefusesTwoOfOneNameAndTwoSets) {
  Capturing to;
  EXPECT_TRUE(to.criu->dump("core-1.img", "one"));
  EXPECT_TRUE(to.criu->dump("a/core-1.img", "two"));
  EXPECT_TRUE(to.criu->dump("inventory.img", "last"));
  to.criu->go();
  EXPECT_FALSE(to.capture.run());
  const std::string bytes = to.stream();
  EXPECT_EQ(Stream{bytes}.error.reason, Reason::usage);
  std::string twice = bytes;
  for (std::size_t at; (at = twice.find("a/core-1.img")) != twice.npos;) twice.replace(at, 12, "core-1.img\0\0", 12);
  EXPECT_TRUE(Stream{twice}.error);
}

}  // namespace
}  // namespace critpipe
