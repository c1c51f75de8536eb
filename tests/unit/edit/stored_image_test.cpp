// Whole images: loaded, edited, written.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "unit/scratch_directory.hpp"
#include "unit/testing.hpp"
#include "critpipe/pages.hpp"
#include "critpipe/stored_image.hpp"

namespace critpipe {
namespace {

using namespace testing;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string written(const StoredImage& image) {
  StringOutput output;
  EXPECT_EQ(image.write(output), Step::go);
  return output.take();
}

// Every image of real checkpoints, those with extras too, is written as it was read.
TEST(StoredImage, WritesWhatItRead) {
  std::size_t images = 0, extras = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator{TEST_CHECKPOINTS}) {
    if (!file.is_regular_file()) continue;
    StoredImage image;
    if (const Error error = image.load(file.path().string()); error || !image.kind || image.head == Head::none)
      continue;
    EXPECT_EQ(written(image), content_of(file.path())) << file.path();
    ++images;
    for (const StoredEntry& entry : image.entries) extras += !entry.extra.empty();
  }
  EXPECT_GT(images, 500u);
  EXPECT_GT(extras, 20u);
}

TEST(StoredImage, SaysWhatIsWrongAndKeepsWhatCame) {
  StoredImage image;
  EXPECT_EQ(image.load(TEST_CHECKPOINTS "/nowhere.img").reason, Reason::io_open);
  const ScratchDirectory scratch;
  const std::string path = scratch.at("fs-1.img");
  std::ofstream{path, std::ios::binary} << head("FS") + framed(hex("0801 1002")) + word(9) + "x";
  const Error error = image.load(path);
  EXPECT_EQ(error.reason, Reason::cut_payload);
  EXPECT_EQ(error.image, path);
  ASSERT_EQ(image.entries.size(), 1u);
  EXPECT_EQ(image.entries[0].integer("root_id"), 2);
}

StoredEntry entry_of(std::string_view message, std::string_view json) {
  StoredEntry entry{find_message(message), {}, {}};
  EXPECT_FALSE(encode_message(*entry.message, json, entry.payload));
  return entry;
}

TEST(SetField, KeepsTheOthersAndTheOrder) {
  StoredEntry fs = entry_of("fs_entry", R"({"cwd_id": 1, "root_id": 2, "umask": 18})");
  const std::string before = fs.payload;
  EXPECT_FALSE(fs.set("root_id", 300));
  EXPECT_EQ(fs.payload, hex("0801 10ac02 1812"));
  EXPECT_FALSE(fs.set("root_id", 2u));
  EXPECT_EQ(fs.payload, before);
  fs.payload += hex("d00f 05 1007");  // an unknown field, then root_id once more
  EXPECT_EQ(fs.integer("root_id"), 7);
  EXPECT_FALSE(fs.set("root_id", 2));
  EXPECT_EQ(fs.payload, before + hex("d00f 05"));
}

TEST(SetField, TakesTruthValues) {
  StoredEntry map{find_message("bpfmap_file_entry"), {}, {}};
  EXPECT_FALSE(map.set("frozen", true));
  EXPECT_EQ(value_at(*map.message, map.bytes(), "frozen").value->integer, 1u);
  EXPECT_FALSE(map.set("frozen", false));
  EXPECT_EQ(value_at(*map.message, map.bytes(), "frozen").value->integer, 0u);
}

TEST(SetField, ReachesIntoMessages) {
  StoredEntry file = entry_of("file_entry", R"({"type": 1, "id": 4})");
  EXPECT_FALSE(file.set("reg.name", "/etc/passwd"));
  EXPECT_FALSE(file.set("reg.pos", std::uint64_t{1} << 63));
  EXPECT_FALSE(file.set("reg.id", 4));
  EXPECT_FALSE(file.set("reg.name", std::string{"/etc/passwd"}));
  EXPECT_EQ(file.text("reg.name"), "/etc/passwd");
  EXPECT_EQ(static_cast<std::uint64_t>(file.integer("reg.pos")), std::uint64_t{1} << 63);
  EXPECT_EQ(file.integer("reg.id"), 4);
  EXPECT_EQ(file.integer("id"), 4);
  EXPECT_EQ(file.text("pipe.name"), "");
}

TEST(SetField, RefusesWhatAFieldCannotHold) {
  StoredEntry fs = entry_of("fs_entry", R"({"cwd_id": 1, "root_id": 2})");
  const std::string before = fs.payload;
  EXPECT_EQ(to_string(fs.set("cwd_id", -1)), "field cwd_id cannot hold this value");
  EXPECT_EQ(to_string(fs.set("cwd_id", std::uint64_t{1} << 32)), "field cwd_id cannot hold this value");
  EXPECT_EQ(to_string(fs.set("cwd_id", "seven")), "field cwd_id cannot hold this value");
  EXPECT_EQ(to_string(fs.set("cwd_id.x", 1)), "field cwd_id has no fields of its own");
  EXPECT_EQ(to_string(fs.set("place", 1)), "field place is not in fs_entry");
  StoredEntry tree = entry_of("pstree_entry", R"({"pid": 1, "ppid": 0, "pgid": 1, "sid": 1, "threads": [1]})");
  EXPECT_EQ(to_string(tree.set("threads", 1)), "field threads is repeated");
  EXPECT_EQ(fs.payload, before);
}

// Of an enum its number; and no number that is no integer, which would become something else.
TEST(SetField, TakesEnumsAndNoFractions) {
  static_assert(std::is_convertible_v<bool, FieldValue> && !std::is_convertible_v<double, FieldValue> &&
                !std::is_convertible_v<void*, FieldValue>);
  StoredEntry run = entry_of("pagemap_entry", R"({"vaddr": 4096, "compat_nr_pages": 1})");
  EXPECT_FALSE(run.set("flags", PageRun::present));
  EXPECT_EQ(run.integer("flags"), 4);
  EXPECT_FALSE(run.set("flags", Show::hex));
  EXPECT_EQ(run.integer("flags"), static_cast<std::int64_t>(Show::hex));
}

// Signed fields, too, of every message: the encoder of JSON writes the same bytes.
TEST(SetField, AgreesWithTheEncoder) {
  std::size_t compared = 0;
  for (const Message& message : all_messages)
    for (const Field& field : message.all()) {
      if (field.repeated || message.required || !field.is_integer() || field.show != Show::plain) continue;
      if (field.type == Type::boolean || field.type == Type::enumeration) continue;
      for (const std::int64_t value : {0l, 1l, -1l, 127l, -128l, 2147483647l, -2147483648l}) {
        std::string by_json, by_set;
        const std::string json = "{\"" + std::string{field.name()} + "\": " + std::to_string(value) + "}";
        const Error refused = encode_message(message, json, by_json);
        const Error error = set_field(message, by_set, field.name(), value);
        if (error && refused) continue;
        EXPECT_FALSE(error) << json << to_string(error);
        EXPECT_EQ(by_set, by_json) << json;
        ++compared;
      }
    }
  EXPECT_GE(compared, 50u);
}

// Every image of real checkpoints goes through JSON, from its file and from memory, and each message through its own.
TEST(ImageJson, GivesTheSameImage) {
  std::size_t images = 0, raw = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator{TEST_CHECKPOINTS}) {
    const std::string path = file.path().string(), name = file.path().filename().string();
    if (!file.is_regular_file() || file.file_size() > 1 << 20) continue;
    StoredImage image;
    if (image.load(path) || !image.kind) continue;
    StringOutput from_file, from_memory, back;
    const std::string content = content_of(path);
    ASSERT_FALSE(image_to_json(path, from_file, {.raw = true}));
    ASSERT_FALSE(image_to_json(bytes_of(content), name, from_memory, {.raw = true}));
    const std::string json = from_file.take();
    EXPECT_EQ(from_memory.take(), json);
    const Error error = json_to_image(bytes_of(json), back);
    EXPECT_FALSE(error) << path << to_string(error);
    EXPECT_TRUE(back.take() == content) << path;
    for (StoredEntry& entry : image.entries) EXPECT_FALSE(entry.set_json(entry.json()));
    const bool is_raw = image.head == Head::none;
    EXPECT_TRUE(is_raw || written(image) == content) << path;
    ++(is_raw ? raw : images);
  }
  EXPECT_GT(images, 500u);
  EXPECT_GT(raw, 10u);
}

TEST(ImageJson, SaysWhatIsWrong) {
  const auto error_of = [](std::string_view json) {
    StringOutput image;
    return to_string(json_to_image(bytes_of(json), image));
  };
  EXPECT_EQ(error_of(""), "JSON: offset 0: JSON ends early: there is no document");
  EXPECT_EQ(error_of(R"({"magic": "FS", "entries": [{"cwd_id": 1}]})"),
            "JSON: offset 28: entry 0: required field root_id of fs_entry is missing");
  EXPECT_EQ(error_of(R"({"magic": "FS", "entries": []} {"magic": "FS", "entries": []})"),
            "a second image: there is room for one");
  EXPECT_EQ(error_of(R"({"image": "pages-1.img", "size": 4096})"),
            "pages-1.img: a raw image: its bytes are not in the JSON");
  StringOutput image;
  EXPECT_EQ(json_to_image(TEST_CHECKPOINTS "/nowhere.json", image).reason, Reason::io_open);
  EXPECT_EQ(image_to_json(TEST_CHECKPOINTS "/nowhere.img", image).reason, Reason::io_open);
  const int full = open("/dev/full", O_WRONLY);
  FileOutput nothing_fits{full, "full"}, nor_here{full, "full"};
  EXPECT_EQ(image_to_json(bytes_of(head("FS") + framed(hex("0801 1002"))), "", nothing_fits).reason, Reason::io_write);
  EXPECT_EQ(json_to_image(bytes_of(R"({"magic": "FS", "entries": []})"), nor_here).reason, Reason::io_write);
  close(full);
  // What an image lacked is not made up on the way back.
  StringOutput json, back;
  EXPECT_EQ(image_to_json(bytes_of(head("FS") + word(9) + "x"), "fs-1.img", json).reason, Reason::cut_payload);
  EXPECT_EQ(json_to_image(bytes_of(json.take()), back).reason, Reason::incomplete_json);
}

TEST(StoredImage, IsSavedInPlaceOrNotAtAll) {
  const ScratchDirectory scratch;
  const std::string path = scratch.at("fs-1.img"), before = head("FS") + framed(hex("0801 1002"));
  std::ofstream{path, std::ios::binary} << before;
  StoredImage image;
  ASSERT_FALSE(image.load(bytes_of(before), "fs-1.img"));
  ASSERT_FALSE(image.entries.at(0).set_json(R"({"cwd_id": 1, "root_id": 3})"));
  EXPECT_EQ(image.entries[0].json(), R"({"cwd_id": 1, "root_id": 3})");
  EXPECT_EQ(image.entries[0].set_json("{}").reason, Reason::bad_missing);
  ASSERT_FALSE(image.save(path));
  EXPECT_EQ(content_of(path), head("FS") + framed(hex("0801 1003")));
  const Error error = replace_file(path, [](Output& file) {
    file.write("half");
    return Error{.reason = Reason::io_write, .image = "test"};
  });
  EXPECT_EQ(error.image, "test");
  EXPECT_EQ(content_of(path), head("FS") + framed(hex("0801 1003")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{scratch.path()}, {}), 1);
  EXPECT_EQ(StoredImage{}.save(path).reason, Reason::raw_image);
  EXPECT_EQ(image.save(scratch.at("nowhere/fs-1.img")).reason, Reason::io_write);
  EXPECT_FALSE(std::filesystem::exists(scratch.at("nowhere")));
}

// JSON has every field once, however the payload orders them, and leaves the payload as it is.
TEST(StoredEntry, JsonOfPayloadsInAnyOrder) {
  for (const auto& [payload, wanted] : {std::pair{"1002 0801 1812", R"({"cwd_id":1,"root_id":2,"umask":18})"},
                                        std::pair{"0801 1002 1812 1003", R"({"cwd_id":1,"root_id":3,"umask":18})"},
                                        std::pair{"1812 0805 1002 0801", R"({"cwd_id":1,"root_id":2,"umask":18})"}}) {
    StoredEntry entry{find_message("fs_entry"), hex(payload), {}};
    std::string json = entry.json();
    std::erase(json, ' ');
    EXPECT_EQ(json, wanted);
    EXPECT_FALSE(entry.set_json(json));
    EXPECT_EQ(entry.payload, hex(payload));
  }
}

}  // namespace
}  // namespace critpipe
