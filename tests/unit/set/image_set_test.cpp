// Sets of images: in a directory, an archive, an image stream, and those that they build on.
#include "critpipe/set.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "critpipe/image_writer.hpp"
#include "critpipe/output.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

constexpr std::string_view image{"\x19\x43\x56\x54\x12\x39\x40\x51", 8};
using Names = std::vector<std::string>;

class ImageSets : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name) {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream{path_ / name} << image;
  }
  void link(const std::string& to, const std::string& name) {
    std::filesystem::create_directory_symlink(to, path_ / name);
  }
  void tar(const std::string& archive, const std::string& members) {
    ASSERT_EQ(std::system(("tar -C " + path_.string() + " -cf " + at(archive) + " " + members).c_str()), 0);
  }
  std::unique_ptr<ImageSet> open(const std::string& input, const SourceOptions& options = {}) {
    error_ = {};
    return ImageSet::open_input(at(input), error_, options);
  }

  const testing::ScratchDirectory scratch_;
  const std::filesystem::path& path_ = scratch_.path();
  Error error_;
};

class Paths final : public Receiver {
 public:
  Names paths;
  Step begin(const Member& member) override {
    paths.push_back(member.path);
    return Step::go;
  }
  Step bytes(const Member&, Bytes) override { return Step::go; }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error&) override {}
};

Names read_paths(const ImageSet& set) {
  Paths paths;
  (void)set.read(paths);
  return paths.paths;
}

TEST_F(ImageSets, Directory) {
  for (const char* name : {"d/core-10.img", "d/core-2.img", "d/note", "d/stats-dump"}) write(name);
  const auto set = open("d/");
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->is_directory());
  EXPECT_EQ(set->id(), (SetId{at("d"), ""}));
  EXPECT_EQ(set->members(), (Names{"core-2.img", "core-10.img", "stats-dump"}));
  EXPECT_EQ(read_paths(*set), set->members());
  EXPECT_TRUE(set->has("note"));
  EXPECT_FALSE(set->has("core-1.img"));
  EXPECT_EQ(set->open("core-2.img", error_).size(), image.size());
  EXPECT_FALSE(set->open("core-1.img", error_).is_open());
  EXPECT_EQ(error_.reason, Reason::io_open);
}

TEST_F(ImageSets, DirectoryOfAContainer) {
  for (const char* name : {"c/checkpoint/core-1.img", "c/checkpoint/fs-1.img", "c/config.dump"}) write(name);
  const auto set = open("c");
  ASSERT_TRUE(set);
  EXPECT_EQ(set->id(), (SetId{at("c"), ""}));
  EXPECT_EQ(set->place(), at("c/checkpoint"));
  EXPECT_EQ(set->members(), (Names{"core-1.img", "fs-1.img"}));
  EXPECT_TRUE(set->open("fs-1.img", error_).is_open());
}

TEST_F(ImageSets, Archive) {
  for (const char* name : {"app/checkpoint/fs-2.img", "app/checkpoint/fs-1.img", "side/fs-3.img"}) write(name);
  tar("one.tar", "app/checkpoint/fs-2.img app/checkpoint/fs-1.img");
  tar("two.tar", "app side");
  const auto one = open("one.tar");
  ASSERT_TRUE(one);
  EXPECT_FALSE(one->is_directory());
  EXPECT_EQ(one->id(), (SetId{at("one.tar"), "app"}));
  EXPECT_EQ(one->members(), (Names{"fs-2.img", "fs-1.img"}));
  EXPECT_EQ(read_paths(*one), one->members());
  EXPECT_TRUE(one->has("fs-1.img"));
  EXPECT_FALSE(one->has("fs-3.img"));
  EXPECT_FALSE(one->open("fs-1.img", error_).is_open());
  EXPECT_EQ(error_.reason, Reason::usage);
  error_ = {};
  EXPECT_FALSE(one->parent(error_));
  EXPECT_EQ(error_.reason, Reason::usage);

  EXPECT_FALSE(open("two.tar"));
  EXPECT_EQ(error_.reason, Reason::usage);
  const auto side = open("two.tar", {.set = "side"});
  ASSERT_TRUE(side);
  EXPECT_EQ(side->members(), Names{"fs-3.img"});
  EXPECT_EQ(read_paths(*side), side->members());
  EXPECT_FALSE(open("two.tar", {.set = "other"}));
  EXPECT_EQ(error_.reason, Reason::no_set);
}

TEST_F(ImageSets, ImageStream) {
  StringOutput text;
  StreamWriter stream{text};
  for (const char* name : {"fs-2.img", "fs-1.img"}) {
    (void)stream.data(name, bytes_of(image));
    (void)stream.end(name);
  }
  (void)stream.finish();
  std::ofstream{at("stream")} << text.take();
  const auto set = open("stream");
  ASSERT_TRUE(set) << to_string(error_);
  EXPECT_EQ(set->id(), (SetId{at("stream"), ""}));
  EXPECT_EQ(set->members(), (Names{"fs-2.img", "fs-1.img"}));
  EXPECT_EQ(read_paths(*set), set->members());
}

TEST_F(ImageSets, WhatIsNone) {
  std::filesystem::create_directory(at("empty"));
  mkfifo(at("fifo").c_str(), 0600);
  EXPECT_FALSE(open("missing"));
  EXPECT_EQ(error_.reason, Reason::io_open);
  EXPECT_FALSE(open("empty"));
  EXPECT_EQ(error_.reason, Reason::no_images);
  EXPECT_FALSE(open("fifo"));
  EXPECT_EQ(error_.reason, Reason::usage);
  error_ = {};
  EXPECT_FALSE(ImageSet::open_input("-", error_));
  EXPECT_EQ(error_.reason, Reason::usage);
}

TEST_F(ImageSets, Parents) {
  for (const char* name : {"1/fs-1.img", "2/fs-2.img", "3/fs-3.img"}) write(name);
  link("../2", "3/parent");
  link("../1", "2/parent");
  const auto third = open("3");
  const auto second = third->parent(error_);
  ASSERT_TRUE(second) << to_string(error_);
  EXPECT_EQ(second->members(), Names{"fs-2.img"});
  const auto first = second->parent(error_);
  ASSERT_TRUE(first) << to_string(error_);
  EXPECT_EQ(first->members(), Names{"fs-1.img"});
  EXPECT_FALSE(first->parent(error_));
  EXPECT_FALSE(error_);
}

TEST_F(ImageSets, AMissingParentIsAnError) {
  write("2/fs-2.img");
  link("../1", "2/parent");
  EXPECT_FALSE(open("2")->parent(error_));
  EXPECT_EQ(error_.reason, Reason::no_parent);
}

TEST_F(ImageSets, ParentsInACircleEnd) {
  for (const char* name : {"1/fs-1.img", "2/fs-2.img", "3/fs-3.img"}) write(name);
  link("../2", "3/parent");
  link("../1", "2/parent");
  link("../2", "1/parent");
  link(".", "self");
  auto set = open("3");
  int nr_parents = 0;
  for (; set && nr_parents < 10; ++nr_parents) set = set->parent(error_);
  EXPECT_EQ(nr_parents, 3);
  EXPECT_EQ(error_.reason, Reason::bad_parents);

  write("own/fs-1.img");
  link(".", "own/parent");
  error_ = {};
  EXPECT_FALSE(open("own")->parent(error_));
  EXPECT_EQ(error_.reason, Reason::bad_parents);
}

// Each of them costs a descriptor, and a name of its length.
TEST_F(ImageSets, AChainOfParentsHasAnEnd) {
  for (int i = 0; i < 305; ++i) {
    const std::string name = std::to_string(i);
    write(name + "/fs-1.img");
    if (i > 0) link("../" + std::to_string(i - 1), name + "/parent");
  }
  auto set = open("300");
  int nr_parents = 0;
  while ((set = set->parent(error_))) ++nr_parents;
  EXPECT_EQ(nr_parents, 300);
  EXPECT_FALSE(error_) << to_string(error_);
  set = open("304");
  for (nr_parents = 0; (set = set->parent(error_)); ++nr_parents) {
  }
  EXPECT_EQ(nr_parents, 300);
  EXPECT_EQ(error_.reason, Reason::limit_parents);
  EXPECT_EQ(to_string(error_),
            at("4/parent") + ": more than 300 parents, one above the other: this one and those above are left out");
}

// A container image in a directory is read as an archive is.
TEST_F(ImageSets, LayersOfAContainerImage) {
  write("checkpoint/fs-1.img");
  write("checkpoint/pages-1.img");
  std::filesystem::create_directories(path_ / "oci/blobs/sha256");
  tar("oci/blobs/sha256/0123456789ab", "checkpoint/fs-1.img checkpoint/pages-1.img");
  EXPECT_TRUE(is_container_image(at("oci")));
  EXPECT_FALSE(is_container_image(at("checkpoint")));
  const auto set = open("oci");
  ASSERT_TRUE(set) << to_string(error_);
  EXPECT_FALSE(set->is_directory());
  EXPECT_EQ(set->id().set, "0123456789ab");
  EXPECT_EQ(set->members(), (Names{"fs-1.img", "pages-1.img"}));
  EXPECT_EQ(read_paths(*set), (Names{"fs-1.img", "pages-1.img"}));
}

}  // namespace
}  // namespace critpipe
