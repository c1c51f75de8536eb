// How inputs and their members are called.
#include "critpipe/source.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "source/input_form.hpp"

namespace critpipe {
namespace {

std::vector<std::string> prefixes(const std::vector<std::string>& inputs) {
  std::vector<std::string> all;
  for (const InputName& name : name_inputs(inputs)) all.push_back(name.prefix());
  return all;
}

using Texts = std::vector<std::string>;

TEST(NameInputs, AreCalledByTheirLastPart) {
  EXPECT_EQ(prefixes({"x/a.tar", "y/b.tar"}), (Texts{"a.tar", "b.tar"}));
  EXPECT_EQ(prefixes({"x/a.tar"}), (Texts{"a.tar"}));
  EXPECT_EQ(prefixes({"dump/"}), (Texts{"dump"}));
  EXPECT_EQ(prefixes({"dump//", "other///"}), (Texts{"dump", "other"}));
}

TEST(NameInputs, HaveAsManyDirectoriesAsTellThemApart) {
  EXPECT_EQ(prefixes({"/x/a/c.tar", "/y/a/c.tar", "/z/d.tar"}), (Texts{"x/a/c.tar", "y/a/c.tar", "d.tar"}));
  EXPECT_EQ(prefixes({"/c.tar", "/a/c.tar"}), (Texts{"c.tar", "a/c.tar"}));
  EXPECT_EQ(prefixes({"/a/c", "/b/a/c", "/c"}), (Texts{"a/c", "b/a/c", "c"}));
}

TEST(NameInputs, RelativeOnesAreToldApartFromWholePaths) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(prefixes({"a/c.tar", "/x/a/c.tar"})[1], "x/a/c.tar");
  EXPECT_EQ(prefixes({".", "/x"})[0], here.substr(here.rfind('/') + 1));
  EXPECT_EQ(prefixes({"."})[0], here.substr(here.rfind('/') + 1));
  EXPECT_EQ(prefixes({"a/.."})[0], here.substr(here.rfind('/') + 1));
}

TEST(NameInputs, TheSameAgainHasANumber) {
  const auto names = name_inputs({"c.tar", "d.tar", "c.tar", "c.tar"});
  EXPECT_EQ(names[0].checkpoint(), "c.tar");
  EXPECT_EQ(names[2].checkpoint(), "c.tar#2");
  EXPECT_EQ(names[3].checkpoint(), "c.tar#3");
  EXPECT_EQ(names[3].prefix(), "c.tar#3");
  EXPECT_EQ(name_inputs({"dump", "dump/"})[1].checkpoint(), "dump#2");
  EXPECT_EQ(prefixes({"-", "-"}), (Texts{"-", "-#2"}));
  EXPECT_EQ(name_inputs({"c.tar", "c.tar#2", "c.tar"})[2].checkpoint(), "c.tar#3");
}

// Inputs whose last part is like no other's stand between those that must be told apart, and those that come again.
TEST(NameInputs, OnlyThoseWithTheSameLastPartHaveDirectories) {
  const auto names =
      name_inputs({"a/checkpoint", "one", "b/checkpoint", "./a/checkpoint", "a/checkpoint/", "-", "x/-"});
  const auto text = [](const InputName& name) { return name.checkpoint() + " " + name.prefix(); };
  EXPECT_EQ(text(names[0]), "a/checkpoint a/checkpoint");
  EXPECT_EQ(text(names[1]), "one one");
  EXPECT_EQ(text(names[2]), "b/checkpoint b/checkpoint");
  EXPECT_EQ(text(names[3]), "./a/checkpoint a/checkpoint#2");
  EXPECT_EQ(text(names[4]), "a/checkpoint#2 a/checkpoint#3");
  EXPECT_EQ(text(names[5]), "- -");
  EXPECT_EQ(text(names[6]), "x/- x/-");
}

// It has one name as a checkpoint for each way that it is named in, but its members are told apart all the same.
TEST(NameInputs, TheSameUnderAnotherNameHasANumberInPaths) {
  const auto names = name_inputs({"a/c.tar", "./a/c.tar", "a/../a/c.tar"});
  EXPECT_EQ(names[1].checkpoint(), "./a/c.tar");
  EXPECT_EQ(names[0].prefix(), "c.tar");
  EXPECT_EQ(names[1].prefix(), "c.tar#2");
  EXPECT_EQ(names[2].prefix(), "c.tar#3");
}

TEST(NameInputs, AnImageByItselfIsOfItsDirectory) {
  EXPECT_EQ(InputName{"core-1.img"}.directory(), ".");
  EXPECT_EQ(InputName{"dump/core-1.img"}.directory(), "dump");
  EXPECT_EQ(InputName{"/core-1.img"}.directory(), "/");
  EXPECT_EQ(InputName{"-"}.directory(), "-");
  const auto names = name_inputs({"d/fs-1.img", "d/fs-1.img"});
  EXPECT_EQ(names[0].path(), "fs-1.img");
  EXPECT_EQ(names[1].path(), "d#2/fs-1.img");
  EXPECT_EQ(names[1].directory(), "d#2");
}

TEST(SplitName, DirectoryOfTheSetAndNameWithin) {
  const auto split = [](std::string_view inner) {
    const NameInSet name = split_name(inner);
    return std::string{name.set}.append(" | ").append(name.name);
  };
  EXPECT_EQ(split("core-1.img"), " | core-1.img");
  EXPECT_EQ(split("checkpoint/core-1.img"), " | core-1.img");
  EXPECT_EQ(split("app/core-1.img"), "app | core-1.img");
  EXPECT_EQ(split("app/checkpoint/core-1.img"), "app | core-1.img");
  EXPECT_EQ(split("pod/app/checkpoint/core-1.img"), "pod/app | core-1.img");
  EXPECT_EQ(split("checkpoint/1/core-1.img"), "checkpoint/1 | core-1.img");
  EXPECT_EQ(split("mycheckpoint/core-1.img"), "mycheckpoint | core-1.img");
  EXPECT_EQ(split("app/mycheckpoint/core-1.img"), "app/mycheckpoint | core-1.img");
  EXPECT_EQ(split("checkpoint/checkpoint/core-1.img"), "checkpoint | core-1.img");
}

}  // namespace
}  // namespace critpipe
