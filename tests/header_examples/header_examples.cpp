// The examples at the heads of the public headers, each with the names that it assumes. extract-examples makes a file
// of each and says which is not included here. They run in a directory with a real checkpoint: the directory dump and
// the archive c1.tar.zst.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cassert>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "unit/testing.hpp"
#include "critpipe/check.hpp"
#include "critpipe/checkpoint.hpp"
#include "critpipe/container.hpp"
#include "critpipe/image_writer.hpp"
#include "critpipe/input_file.hpp"
#include "critpipe/inspect.hpp"
#include "critpipe/json.hpp"
#include "critpipe/json_value.hpp"
#include "critpipe/match.hpp"
#include "critpipe/memory.hpp"
#include "critpipe/output.hpp"
#include "critpipe/pages_writer.hpp"
#include "critpipe/report.hpp"
#include "critpipe/search.hpp"
#include "critpipe/set.hpp"
#include "critpipe/source.hpp"
#include "critpipe/stored_image.hpp"
#include "critpipe/survey.hpp"

#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

std::string bytes_in(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Examples print; what they print is kept from the report of the tests.
class HeaderExamples : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directory_ / "checkpoint");
    fs::copy(TEST_CHECKPOINTS "/demo/checkpoint", directory_ / "dump");
    fs::copy(TEST_CHECKPOINTS "/demo/checkpoint", directory_ / "checkpoint/3");
    fs::copy(directory_ / "dump/utsns-10.img", directory_ / "dump/utsns-11.img");
    fs::copy(TEST_SOURCES "/data/checkpoints/demo.tar.zst", directory_ / "c1.tar.zst");
    fs::current_path(directory_);
    std::fflush(stdout);
    screen_ = dup(STDOUT_FILENO);
    const int file = open("printed", O_CREAT | O_WRONLY, 0600);
    dup2(file, STDOUT_FILENO);
    close(file);
  }
  void TearDown() override {
    (void)printed();
    dup2(screen_, STDOUT_FILENO);
    close(screen_);
    fs::current_path("/");
    fs::remove_all(directory_);
  }
  static std::string printed() {
    std::fflush(stdout);
    return bytes_in("printed");
  }

 private:
  fs::path directory_ = fs::path{::testing::TempDir()} / ("header_examples." + std::to_string(getpid()));
  int screen_ = -1;
};

// An entry of a pagemap.
struct PagemapEntry {
  std::string payload;
  Entry entry;

  PagemapEntry() {
    EXPECT_FALSE(encode_message(*find_message("pagemap_entry"),
                                R"({"vaddr": "0x1000", "compat_nr_pages": 0, "flags": 4, "nr_pages": 3})", payload));
    entry = {1, 0, find_message("pagemap_entry"), bytes_of(payload), true, find_kind("PAGEMAP")};
  }
};

TEST_F(HeaderExamples, Base) {
#include "base.1.inc"
  EXPECT_EQ(word, 0x64636261u);
}

TEST_F(HeaderExamples, Error) {
#include "error.1.inc"
  EXPECT_EQ(line, "fs-12.img: offset 0: magic cut short: need 4 bytes, have 2");
}

TEST_F(HeaderExamples, Schema) {
#include "schema.1.inc"
  EXPECT_EQ(field->name(), "vaddr");
  EXPECT_EQ(kind->name, "PAGEMAP");
  EXPECT_TRUE(file->is_raw());
}

TEST_F(HeaderExamples, Fields) {
  const PagemapEntry made;
  const Entry& entry = made.entry;
#include "fields.1.inc"
  EXPECT_EQ(vaddr, 0x1000u);
  EXPECT_EQ(nr_pages, 3u);
}

TEST_F(HeaderExamples, Output) {
  const auto example = [&]() -> Error {
#include "output.1.inc"
    return error;
  };
  EXPECT_FALSE(example());
  EXPECT_EQ(printed(), "{}\n");
  EXPECT_EQ(bytes_in("restored/core-1.img"), "...");
}

TEST_F(HeaderExamples, Image) {
  const std::string image = bytes_in("dump/pstree.img");
  const Bytes bytes = bytes_of(image);
#include "image.1.inc"
  EXPECT_EQ(count.entries, 6u);
  EXPECT_EQ(printed(), "");
}

TEST_F(HeaderExamples, ImageWriter) {
  StringOutput output;
  const Bytes bytes = bytes_of("abcd");
  const auto example = [&]() -> Error {
#include "image_writer.1.inc"
    return {};
  };
  EXPECT_FALSE(example());
  EXPECT_NE(output.take().find("abcd"), std::string::npos);
}

TEST_F(HeaderExamples, Json) {
  const auto example = [&]() -> Error {
#include "json.1.inc"
    return error;
  };
  fs::copy("dump/fs-1001.img", "dump/fs-12.img");
  EXPECT_FALSE(example());
  EXPECT_EQ(bytes_in("fs-12.img"), bytes_in("dump/fs-12.img"));
}

TEST_F(HeaderExamples, JsonValue) {
  std::string all;
  const auto example = [&]() -> Error {
#include "json_value.1.inc"
    all = types;
    return {};
  };
  EXPECT_FALSE(example());
  EXPECT_EQ(all, "7 bind proc");
}

TEST_F(HeaderExamples, FilesWithoutName) {
  const std::vector<std::byte> bytes(5000, std::byte{7});
  const auto example = [&]() -> Error {
#include "output.2.inc"
    EXPECT_EQ(end, bytes.size());
    close(file);
    return {};
  };
  EXPECT_FALSE(example());
}

TEST_F(HeaderExamples, StoredImage) {
  const auto change = [&]() -> Error {
#include "stored_image.1.inc"
    return file.flush() == Step::go ? Error{} : file.error();
  };
  EXPECT_FALSE(change());
  EXPECT_NE(printed().find("plum"), std::string::npos);
  const std::string before = bytes_in("dump/utsns-11.img");
  const auto rewrite = [&]() -> Error {
#include "stored_image.2.inc"
    return {};
  };
  EXPECT_FALSE(rewrite());
  EXPECT_EQ(bytes_in("dump/utsns-11.img"), before);
}

TEST_F(HeaderExamples, Source) {
#include "source.1.inc"
  EXPECT_NE(printed().find("pstree.img"), std::string::npos);
}

TEST_F(HeaderExamples, InputFile) {
#include "input_file.1.inc"
  EXPECT_FALSE(error) << to_string(error);
  EXPECT_EQ(printed(), "the fourth page\n");
}

TEST_F(HeaderExamples, Set) {
  fs::copy("checkpoint/3", "dump/3");
  const auto example = [&]() -> int {
#include "set.1.inc"
    return 0;
  };
  EXPECT_EQ(example(), 0);
  EXPECT_NE(printed().find("pstree.img"), std::string::npos);
}

TEST_F(HeaderExamples, Match) {
  std::unique_ptr<Sink> sink = std::make_unique<testing::Recorder>();
  const std::string image = bytes_in("dump/pagemap-1001.img");
  const auto example = [&]() -> Error {
#include "match.1.inc"
    EXPECT_EQ(decoder.feed(bytes_of(image)), Step::go);
    EXPECT_EQ(decoder.finish(), Step::go);
    EXPECT_EQ(nr_selected, 9u);
    return expression.unanswered();
  };
  EXPECT_FALSE(example());
}

TEST_F(HeaderExamples, Pages) {
#include "pages.1.inc"
  Lazy lazy;
  const PageRun run{};
  EXPECT_EQ(lazy.runs({&run, 1}), Step::go);
  EXPECT_EQ(lazy.pages, 0u);
}

TEST_F(HeaderExamples, PagesWriter) {
  StringOutput pages, pagemap;
  const std::vector<std::byte> bytes(8192, std::byte{'L'});
  const auto example = [&]() -> Error {
#include "pages_writer.1.inc"
    return {};
  };
  EXPECT_FALSE(example());
  EXPECT_GT(pagemap.take().size(), 20u);
  EXPECT_LT(pages.take().size(), 4096u);
}

TEST_F(HeaderExamples, Task) {
  const Checkpoint checkpoint = read_checkpoint("dump", {.mappings = true});
  const Task& task = checkpoint.tasks().front();
#include "task.1.inc"
  EXPECT_GT(heap_bytes, 0u);
}

TEST_F(HeaderExamples, Checkpoint) {
#include "checkpoint.1.inc"
  EXPECT_NE(printed().find("[heap]"), std::string::npos);
}

TEST_F(HeaderExamples, Memory) {
#include "memory.1.inc"
  EXPECT_FALSE(memory.processes().empty());
}

TEST_F(HeaderExamples, Survey){
#include "survey.1.inc"
}

TEST_F(HeaderExamples, Search) {
  const Bytes bytes = bytes_of("..passw0rd=secret");
  std::ofstream{"dump/pages-1.img", std::ios::binary | std::ios::in | std::ios::out} << "passwOrd passw0rd=found";
  const auto example = [&]() -> Error {
#include "search.1.inc"
    return {};
  };
  EXPECT_FALSE(example());
  const std::string lines = printed();
  EXPECT_TRUE(lines.starts_with("7f0000001002: 15 bytes\n")) << lines;
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2) << lines;
}

TEST_F(HeaderExamples, Report) {
  StringOutput output;
  const auto example = [&] {
#include "report.1.inc"
    EXPECT_EQ(reader.statistics().size(), 2u);
  };
  example();
  EXPECT_NE(output.take().find("\"kind\": \"heap\""), std::string::npos);
  EXPECT_NE(printed().find(" us\n"), std::string::npos);
}

TEST_F(HeaderExamples, Container) {
  const SetId id{"c1.tar", ""};
  const std::string_view text = R"({"id": "12", "name": "web", "rootfsImageName": "nginx"})";
  Error error;
#include "container.1.inc"
  EXPECT_EQ(printed(), "web runs nginx\n");
}

TEST_F(HeaderExamples, Inspect) {
  StringOutput output;
#include "inspect.1.inc"
  EXPECT_NE(printed().find("processes"), std::string::npos);
  EXPECT_NE(output.take().find("dumped by CRIU"), std::string::npos);
}

TEST_F(HeaderExamples, Check) {
#include "check.1.inc"
  EXPECT_EQ(printed(), "");
  CheckReader again{{}};
  (void)read_input("dump", again);
  EXPECT_FALSE(again.finish().front().findings.empty());  // there are warnings and notes
}

}  // namespace
}  // namespace critpipe
