// Archives, written.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "critpipe/image_writer.hpp"
#include "critpipe/output.hpp"
#include "critpipe/source.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

// The members of an archive as the library reads them.
struct Members final : Receiver {
  std::map<std::string, std::string> bytes_of;
  std::vector<std::string> errors;

  Step begin(const Member& member) override {
    bytes_of[member.path];
    return Step::go;
  }
  Step bytes(const Member& member, Bytes bytes) override {
    bytes_of[member.path].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error& error) override { errors.push_back(to_string(error)); }
};

class TarWriters : public ::testing::Test {
 protected:
  Members read(const std::string& archive) {
    std::ofstream{name_, std::ios::binary} << archive;
    Members members;
    (void)read_input(name_, members, {.all_members = true});
    return members;
  }
  std::string take() {
    EXPECT_EQ(tar_.finish(), Step::go);
    return out_.take();
  }
  void add(std::string_view name, std::string_view bytes) {
    EXPECT_EQ(tar_.begin(name, bytes.size()), Step::go);
    EXPECT_EQ(tar_.data(bytes_of(bytes)), Step::go);
    EXPECT_EQ(tar_.left(), 0U);
  }

  const testing::ScratchDirectory scratch_;
  const std::string name_ = scratch_.at("archive.tar");
  StringOutput out_;
  TarWriter tar_{out_};
};

TEST_F(TarWriters, MembersOfAnySizeAndNameAreRead) {
  const std::string long_name = std::string(255, 'a') + "/" + std::string(251, 'b') + ".img";
  std::map<std::string, std::string> wanted;
  for (const std::size_t size : {0, 1, 511, 512, 513, 10239, 10240, 10241})
    wanted["d/pages-" + std::to_string(size) + ".img"] = std::string(size, 'x');
  wanted[std::string(96, 'n') + ".img"] = "100 bytes of name";
  wanted[std::string(97, 'n') + ".img"] = "101";
  wanted[long_name] = "directories of any length";
  wanted["\xff\xfe.img"] = "a name that is no UTF-8";
  for (const auto& [name, bytes] : wanted) add(name, bytes);
  const Members members = read(take());
  EXPECT_EQ(members.bytes_of, wanted);
  EXPECT_TRUE(members.errors.empty()) << members.errors.front();
}

TEST_F(TarWriters, DirectoriesComeOnceAndLinksAreLinks) {
  add("checkpoint/core-1.img", "");
  add("checkpoint/core-2.img", "");
  EXPECT_EQ(tar_.link("checkpoint/parent", "../pre-checkpoint"), Step::go);
  const std::string archive = take();
  EXPECT_EQ(archive.size() % 10240, 0U);
  EXPECT_EQ(archive.find("checkpoint/"), 0U);
  EXPECT_EQ(archive[156], '5');
  EXPECT_EQ(archive.find("checkpoint/core-1.img"), 512U);
  EXPECT_EQ(archive.find("checkpoint/core-2.img"), 1024U);
  EXPECT_EQ(read(archive).bytes_of.at("parent"), "../pre-checkpoint");
}

// From 8 GiB on the size has no room in octal digits.
TEST_F(TarWriters, LargeSizesAreBinary) {
  constexpr std::uint64_t most_octal = (std::uint64_t{1} << 33) - 1;
  (void)tar_.begin("a.img", most_octal);
  EXPECT_EQ(tar_.left(), most_octal);
  (void)tar_.begin("b.img", most_octal + 1);
  const std::string headers = (void(out_.flush()), out_.take());
  EXPECT_EQ(headers.substr(124, 11), "77777777777");
  EXPECT_EQ(headers.substr(512 + 124, 12), std::string("\x80\0\0\0\0\0\0\2\0\0\0\0", 12));
}

TEST_F(TarWriters, WithoutItsEndAnArchiveIsCut) {
  (void)tar_.begin("fs-1.img", 1000);
  (void)tar_.data(bytes_of("less"));
  EXPECT_EQ(read((void(out_.flush()), out_.take())).errors.size(), 1U);
}

TEST_F(TarWriters, NamesThatLeadOutAreRefused) {
  for (const char* name : {"../core-1.img", "/core-1.img", "a//b", "a\nb", ""})
    EXPECT_EQ(TarWriter::check_name(name).reason, Reason::bad_name) << name;
  EXPECT_FALSE(TarWriter::check_name("a/b.img"));
}

}  // namespace
}  // namespace critpipe
