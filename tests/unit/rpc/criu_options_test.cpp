// Options as people write them, and as CRIU's command line has them.
#include <gtest/gtest.h>

#include "critpipe/control/criu.hpp"

namespace critpipe {
namespace {

std::vector<std::string> words_of(const CriuOptions& options) {
  std::vector<std::string> words;
  const Error error = options.command_line(CriuUse::dump_stream, words);
  EXPECT_FALSE(error) << error.name;
  return words;
}

TEST(CriuOptions, ValuesOfEveryTypeByName) {
  CriuOptions options;
  for (const char* assignment :
       {"pid=12", "leave_running=yes", "ghost_limit=32M", "manage_cgroups_mode=soft", "external=mnt[/a]:b",
        "external=dev[1/2]:c", "ps.port=90", "ps.address=::1", "inherit_fd={\"key\": \"pipe:[1]\", \"fd\": 3}"})
    EXPECT_FALSE(options.assign(assignment)) << assignment;
  EXPECT_EQ(criu_request_json(CriuRequest::dump, options),
            R"({"type": "DUMP", "opts": {"images_dir_fd": -1, "pid": 12, "leave_running": true, )"
            R"("ps": {"address": "::1", "port": 90}, "inherit_fd": [{"key": "pipe:[1]", "fd": 3}], )"
            R"("manage_cgroups_mode": "SOFT", "ghost_limit": 33554432, )"
            R"("external": ["mnt[/a]:b", "dev[1/2]:c"]}})");
}

TEST(CriuOptions, TheLastValueCounts) {
  CriuOptions options;
  EXPECT_FALSE(options.assign("pid=12"));
  EXPECT_FALSE(options.assign("pid=13"));
  EXPECT_EQ(options.number("pid", 0), 13u);
  EXPECT_FALSE(options.assign("leave_running=false"));
  EXPECT_TRUE(options.has("leave_running"));
  EXPECT_FALSE(options.is_on("leave_running"));
}

TEST(CriuOptions, WhatIsNoValueIsRefusedAndChangesNothing) {
  CriuOptions options;
  const std::string before = criu_request_json(CriuRequest::dump, options);
  for (const char* assignment : {"pid", "nothing=1", "pid=x", "pid=99999999999", "pid=1T", "leave_running=maybe",
                                 "ghost_limit=-1", "ghost_limit=4G", "network_lock=nothing", "ps.nothing=1",
                                 "pid.port=1", "inherit_fd={\"fd\": 3}", "inherit_fd=3", "veths={}"}) {
    const Error error = options.assign(assignment);
    EXPECT_EQ(error.reason, Reason::usage) << assignment;
    EXPECT_EQ(criu_request_json(CriuRequest::dump, options), before) << assignment;
  }
}

TEST(CriuOptions, AsWordsOfACommandLine) {
  CriuOptions options;
  for (const char* assignment :
       {"pid=12", "tcp_established=true", "shell_job=false", "tcp_skip_in_flight=1", "ghost_limit=1M",
        "manage_cgroups_mode=FULL", "cg_root={\"ctrl\": \"cpu\", \"path\": \"/a\"}", "external=--evil",
        "join_ns={\"ns\": \"net\", \"ns_file\": \"/n\"}", "network_lock=nftables", "log_level=4",
        "empty_ns=0x40000000"})
    ASSERT_FALSE(options.assign(assignment)) << assignment;
  const std::vector<std::string> expected{"--tree=12",
                                          "--tcp-established",
                                          "--verbosity=4",
                                          "--cgroup-root=cpu:/a",
                                          "--manage-cgroups=full",
                                          "--ghost-limit=1048576",
                                          "--external=--evil",
                                          "--empty-ns=net",
                                          "--join-ns=net:/n",
                                          "--skip-in-flight",
                                          "--network-lock=nftables"};
  std::vector<std::string> words = words_of(options);
  std::sort(words.begin(), words.end());
  std::vector<std::string> sorted = expected;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(words, sorted);
}

TEST(CriuOptions, WhatNoStreamCanHaveIsRefusedWithTheReason) {
  for (const char* assignment : {"track_mem=true", "parent_img=../1", "lazy_pages=true", "ps.port=1", "auto_dedup=1",
                                 "orphan_pts_master=true"}) {
    CriuOptions options;
    ASSERT_FALSE(options.assign(assignment));
    std::vector<std::string> words;
    const Error error = options.command_line(CriuUse::dump_stream, words);
    EXPECT_EQ(error.reason, Reason::usage) << assignment;
    EXPECT_NE(error.name.find("does not go with a stream: "), std::string::npos) << error.name;
  }
}

TEST(CriuOptions, EveryFieldHasARow) {
  const Message& message = *find_message("criu_opts");
  ASSERT_EQ(criu_option_rows().size(), message.all().size());
  for (const CriuOptionRow& row : criu_option_rows()) {
    EXPECT_TRUE(message.find(row.field)) << row.field;
    EXPECT_NE(row.flag.empty(), row.refused.empty()) << row.field;
  }
}

}  // namespace
}  // namespace critpipe
