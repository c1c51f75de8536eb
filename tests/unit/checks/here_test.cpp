// What is said of a checkpoint on this machine: a real one, with the machine or the images made to differ in one thing.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "critpipe/control/checks.hpp"
#include "critpipe/json.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

class HereChecks : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root());
    fs::copy(TEST_CHECKPOINTS "/demo/checkpoint", images());
    // Stand-ins for the files of the images, of the right sizes and modes, without builds.
    make("srv/live/bin/shop", 17560, 0755);
    make("usr/lib/x86_64-linux-gnu/libc.so.6", 2014248, 0755);
    make("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", 230200, 0755);
    make("srv/live/demo/stdout", 0, 0644);
    make("srv/live/demo/stderr", 0, 0644);
    make("srv/live/demo/shop.log", 565, 0640);
    // The machine's own ports and pids are none of these: no kernel has pids above 2^22.
    edit("files.img", "\"src_port\": 8080", "\"src_port\": 0");
    edit("pstree.img", " 10", " 500010");
    edit("pstree.img", "[10", "[500010");
    for (const fs::path& image : images_of_tasks())
      fs::rename(image, images() / std::regex_replace(image.filename().string(), std::regex{"-10"}, "-500010"));
    edit("files.img", "\"name\": \"/dev/null\"", "\"name\": \"pipe:/dev/null\"");
  }

  fs::path root() const { return directory_ / "root"; }
  fs::path images() const { return directory_ / "images"; }

  std::vector<fs::path> images_of_tasks() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator{images()})
      if (std::regex_match(entry.path().filename().string(), std::regex{"[a-z]+-10[01][0-9]\\.img"}))
        all.push_back(entry.path());
    return all;
  }

  void make(const std::string& name, std::uintmax_t size, mode_t mode) {
    fs::create_directories((root() / name).parent_path());
    std::ofstream{root() / name};
    fs::resize_file(root() / name, size);
    chmod((root() / name).c_str(), mode);
  }

  void edit(const std::string& image, const std::string& from, const std::string& to) {
    StringOutput json;
    ASSERT_FALSE(image_to_json((images() / image).string(), json));
    std::string text = json.take();
    ASSERT_NE(text.find(from), std::string::npos) << text;
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
    write(image, text);
  }
  void write(const std::string& image, const std::string& json) {
    ASSERT_FALSE(replace_file((images() / image).string(),
                              [&](Output& output) { return json_to_image(bytes_of(json), output); }));
  }

  // What is worse than a note, but for what is the same on all machines that run tests without privileges.
  std::string look(const std::vector<std::string>& assignments = {}) const {
    const Checkpoint checkpoint = read_checkpoint(images().string(), here_needs());
    CriuOptions options;
    EXPECT_FALSE(options.assign("root=" + root().string()));
    for (const std::string& assignment : assignments) EXPECT_FALSE(options.assign(assignment));
    std::string all;
    for (const MachineFinding& finding : check_here(checkpoint, options)) {
      if (finding.severity == Severity::note || finding.check == "privileges" || finding.check == "capabilities")
        continue;
      all += all.empty() ? "" : ", ";
      all.append(name_of(finding.severity)).append(" ").append(finding.check);
    }
    return all;
  }

 private:
  const testing::ScratchDirectory scratch_;
  const fs::path& directory_ = scratch_.path();
};

TEST_F(HereChecks, NothingWhereAllIsAsItWas) { EXPECT_EQ(look(), ""); }

TEST_F(HereChecks, FilesOfTheImages) {
  fs::remove(root() / "srv/live/demo/shop.log");
  EXPECT_EQ(look(), "error file-missing");
  make("srv/live/demo/shop.log", 566, 0640);
  EXPECT_EQ(look(), "error file-size");
  make("srv/live/demo/shop.log", 565, 0644);
  EXPECT_EQ(look(), "error file-mode");
  EXPECT_EQ(look({"skip_file_rwx_check=true"}), "");
}

TEST_F(HereChecks, NoLinkLeadsOutOfTheRoot) {
  fs::remove(root() / "srv/live/demo/shop.log");
  std::ofstream{root().parent_path() / "outside"};
  fs::create_symlink(root().parent_path() / "outside", root() / "srv/live/demo/shop.log");
  EXPECT_EQ(look(), "error file-missing");
}

// Opened with O_PATH and O_NOFOLLOW, it is itself what was open, wherever it leads.
TEST_F(HereChecks, ALinkThatWasOpenItself) {
  fs::remove(root() / "srv/live/demo/shop.log");
  fs::create_symlink("nowhere", root() / "srv/live/demo/shop.log");
  edit("files.img", "\"flags\": 33794,", "\"flags\": " + std::to_string(O_PATH | O_NOFOLLOW) + ",");
  edit("files.img", "\"size\": 565, \"mode\": 33184", "\"mode\": 41471");
  EXPECT_EQ(look(), "");
}

// The content of a ghost is in the images; what has another name needs that.
TEST_F(HereChecks, FilesThatWereUnlinked) {
  fs::remove(root() / "srv/live/bin/shop");
  const auto stands_in = [&](const std::string& type, const std::string& id) {
    write("remap-fpath.img", R"({"magic": "REMAP_FPATH", "entries": [{"orig_id": 1, "remap_id": )" + id + type + "}]}");
    return look();
  };
  fs::remove(root() / "srv/live/demo/shop.log");
  EXPECT_EQ(stands_in(R"(, "remap_type": "GHOST")", "1"), "error file-missing");  // the log alone
  make("srv/live/demo/shop.log", 565, 0640);
  EXPECT_EQ(stands_in(R"(, "remap_type": "GHOST")", "1"), "");
  EXPECT_EQ(stands_in("", "2147483649"), "");
  const std::string owner = R"("fown": {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0})";
  edit("files.img", R"("entries": [)",
       R"("entries": [{"type": "REG", "id": 99, "reg": {"id": 99, "flags": 0, "pos": 0, )" + owner +
           R"(, "name": "/srv/live/bin/link_remap.1"}}, )");
  for (const char* type : {"", R"(, "remap_type": "LINKED")"}) {
    fs::remove(root() / "srv/live/bin/link_remap.1");
    EXPECT_EQ(stands_in(type, "99"), "error file-missing");
    make("srv/live/bin/link_remap.1", 1, 0600);
    EXPECT_EQ(stands_in(type, "99"), "");
  }
}

TEST_F(HereChecks, AnotherBuildOfAProgram) {
  fs::copy_file("/proc/self/exe", root() / "srv/live/bin/other");
  const std::string size = std::to_string(fs::file_size(root() / "srv/live/bin/other"));
  edit("files.img", "\"name\": \"/srv/live/bin/shop\", \"size\": 17560",
       "\"name\": \"/srv/live/bin/other\", \"size\": " + size);
  chmod((root() / "srv/live/bin/other").c_str(), 0755);
  EXPECT_EQ(look(), "error file-build");
}

TEST_F(HereChecks, ATidThatIsTaken) {
  edit("pstree.img", "\"threads\": [50001001,", "\"threads\": [50001001, " + std::to_string(getpid()) + ",");
  // Our pid is often our group's number, too.
  EXPECT_TRUE(look().starts_with("error pid-taken")) << look();
}

// The session of a process keeps its number after its leader has ended.
TEST_F(HereChecks, APidThatIsASession) {
  int said[2];
  ASSERT_EQ(pipe(said), 0);
  const pid_t leader = fork();
  if (leader == 0) {
    setsid();
    const pid_t follower = fork();
    if (follower == 0) {
      close(said[0]);
      close(said[1]);
      while (true) pause();
    }
    (void)!::write(said[1], &follower, sizeof follower);
    _exit(0);
  }
  pid_t follower = 0;
  ASSERT_EQ(::read(said[0], &follower, sizeof follower), static_cast<ssize_t>(sizeof follower));
  waitpid(leader, nullptr, 0);
  edit("pstree.img", "\"threads\": [50001001,", "\"threads\": [50001001, " + std::to_string(leader) + ",");
  EXPECT_EQ(look(), "error pid-in-use");
  kill(follower, SIGKILL);
  close(said[0]);
  close(said[1]);
}

TEST_F(HereChecks, PortsAndAddresses) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  edit("files.img", "\"src_port\": 0", "\"src_port\": " + std::to_string(ntohs(address.sin_port)));
  EXPECT_EQ(look(), "error port");
  close(listener);
  EXPECT_EQ(look(), "");
  edit("files.img", "16777343", "159449291");  // 203.0.113.9, of nobody
  EXPECT_EQ(look(), "error address");
}

TEST_F(HereChecks, AProcessorWithMoreInstructions) {
#if defined(__x86_64__)
  write("cpuinfo.img",
        R"({"magic": "CPUINFO", "entries": [{"x86_entry": [{"vendor_id": "INTEL", "cpu_family": 6, "model": 1,
    "stepping": 1, "capability_ver": 2, "capability": [0, 0, 0, 0, 0, 0, 2164736]}]}]})");  // xop, fma4, tbm: of no
                                                                                            // processor now
  EXPECT_EQ(look(), "warning processor");
  EXPECT_EQ(look({"cpu_cap=4"}), "error processor");
#endif
}

TEST_F(HereChecks, ARootThatIsNotThere) { EXPECT_EQ(look({"root=/nowhere/at/all"}), "error root"); }

TEST_F(HereChecks, NotesTellWhatTheRestoreDoes) {
  const Checkpoint checkpoint = read_checkpoint(images().string(), here_needs());
  std::string all;
  for (const MachineFinding& finding : check_here(checkpoint, {}))
    if (finding.severity == Severity::note) all += finding.text + "\n";
  EXPECT_NE(all.find("run as user 0 and group 0"), std::string::npos) << all;
  EXPECT_NE(all.find("run /srv/live/bin/shop\n"), std::string::npos) << all;
  EXPECT_NE(all.find("has /srv/live/demo/shop.log open for writing\n"), std::string::npos) << all;
}

TEST(HereCheckRows, AllAreTold) {
  ASSERT_GE(here_checks().size(), 18u);
  for (const CheckRow& row : here_checks()) {
    EXPECT_FALSE(row.about.empty());
    EXPECT_FALSE(row.criu.empty());
  }
}

}  // namespace
}  // namespace critpipe
