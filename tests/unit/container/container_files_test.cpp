// Configuration of engines, as it should be and as an attacker may write it.
#include "critpipe/container.hpp"

#include <gtest/gtest.h>

namespace critpipe {
namespace {

const SetId top{"c.tar", ""};

Container read(std::string_view name, std::string_view text, Reason wanted = Reason::none) {
  ContainerFiles files;
  const Error error = files.add(top, name, text);
  EXPECT_EQ(error.reason, wanted) << name << ": " << text.substr(0, 80) << ": " << error.name;
  return files.of(top);
}

constexpr const char* all_names[] = {"spec.dump",       "status.dump", "config.dump",    "config.v2.json",
                                     "hostconfig.json", "config.json", "network.status", "index.json"};

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ContainerFiles, KnowWhichNamesSaySomething) {
  for (const char* name : all_names) EXPECT_TRUE(is_container_file(name)) << name;
  EXPECT_FALSE(is_container_file("checkpoint/config.dump"));
  EXPECT_FALSE(is_container_file("config.dump.gz"));
  EXPECT_TRUE(is_container_blob(std::string(64, 'a')));
  EXPECT_FALSE(is_container_blob(std::string(63, 'a')));
  EXPECT_FALSE(is_container_blob(std::string(63, 'a') + "G"));
}

TEST(ContainerFiles, ReadWhatAnEngineWrote) {
  ContainerFiles files;
  ASSERT_FALSE(
      files.add(top, "config.dump", R"({"id": "12", "name": "web", "rootfsImageName": "img", "ociRuntime": "crun",
    "createdTime": "2026-11-20T10:00:00Z", "checkpointedTime": "0001-01-01T00:00:00Z"})"));
  ASSERT_FALSE(files.add(top, "spec.dump", R"({"annotations": {"io.container.manager": "libpod"},
    "process": {"args": ["nginx"], "user": {"uid": 5, "gid": 6}, "env": ["A=1"]}, "hostname": "h"})"));
  const Container container = files.of(top);
  EXPECT_EQ(container.name, "web");
  EXPECT_EQ(container.engine, "podman");
  EXPECT_EQ(container.runtime, "crun");
  EXPECT_EQ(container.user, "5:6");
  EXPECT_EQ(container.dumped, "");  // year 1: it never happened
  EXPECT_EQ(container.arguments, std::vector<std::string>{"nginx"});
}

// A value that is not of the expected type counts as absent; the others are there.
TEST(ContainerFiles, PassOverValuesOfOtherTypes) {
  for (const char* value : {"1", "-1", "1.5e300", "null", "true", "[]", "{}", "[[\"x\"]]", R"({"name": "x"})"}) {
    const std::string text = std::string{R"({"id": "12", "pod": )"} + value + R"(, "labels": )" + value + "}";
    const Container container = read("config.dump", text);
    EXPECT_EQ(container.pod_id, "") << value;
    EXPECT_EQ(container.id, "12");
  }
  for (const char* value : {"1", "\"x\"", "null", "[]", "{}", "[1, {}, null]"}) {
    const std::string text = std::string{R"({"annotations": )"} + value + R"(, "mounts": )" + value +
                             R"(, "process": )" + value + R"(, "hostname": "h"})";
    EXPECT_EQ(read("spec.dump", text).hostname, "h") << value;
    EXPECT_EQ(read("network.status", text).networks.size(), 0u) << value;
  }
}

// Engines do, so that nothing of it counts.
TEST(ContainerFiles, RefuseNamesThatAreNoTexts) {
  for (const char* key : {"id", "name", "rootfsImageName", "runtime", "createdTime"}) {
    for (const char* value : {"1", "true", "[]", "{}"})
      (void)read("config.dump", std::string{"{\""} + key + "\": " + value + "}", Reason::bad_json);
    (void)read("config.dump", std::string{"{\""} + key + "\": null}");
  }
}

TEST(ContainerFiles, TakeNumbersOfAnySize) {
  for (const char* number : {"9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e999", "-0",
                             "0.0000000000000000001", "123456789012345678"}) {
    const std::string text = std::string{R"({"id": "1", "started_at": )"} + number + "}";
    EXPECT_EQ(read("status.dump", text).id, "1") << number;
    const std::string spec = std::string{R"({"process": {"user": {"uid": )"} + number + R"(, "gid": 0}}})";
    (void)read("spec.dump", spec);
  }
  EXPECT_EQ(read("status.dump", R"({"started_at": 1764151200123456789})").started, "2025-11-26T10:00:00.123456789Z");
  EXPECT_EQ(read("status.dump", R"({"started_at": 9223372036854775807})").started, "2262-04-11T23:47:16.854775807Z");
}

// The number is the digits alone, and what is none stays as it is.
TEST(ContainerFiles, ReadVersionsThatAreNone) {
  const auto version_of = [](const std::string& text) {
    return read("spec.dump", R"({"annotations": {"org.criu.checkpoint.criu.version": ")" + text + "\"}}").criu_version;
  };
  EXPECT_EQ(version_of("40201"), "4.2.1");
  EXPECT_EQ(version_of("41000"), "4.10");
  EXPECT_EQ(version_of("4.2"), "4.2");
  EXPECT_EQ(version_of("99999999999999999999"), "99999999999999999999");
  EXPECT_EQ(version_of("-40201"), "-40201");
  EXPECT_EQ(version_of(""), "");
}

TEST(ContainerFiles, RefuseDeepNesting) {
  for (const std::size_t depth : {500u, 2000u, 1000000u}) {
    const Reason wanted = depth < 1000 ? Reason::none : Reason::bad_json;
    for (const char* name : all_names) {
      const auto nested = repeated("{\"a\":", depth) + "1" + std::string(depth, '}');
      (void)read(name, nested, wanted);
      (void)read(name, "{\"b\": " + std::string(depth, '[') + std::string(depth, ']') + "}", wanted);
      (void)read(name, "{\"b\": " + std::string(depth, '['), Reason::bad_json);
    }
  }
}

TEST(ContainerFiles, BelieveTheFirstOfEqualKeys) {
  EXPECT_EQ(read("config.dump", R"({"name": "first", "name": "second"})").name, "first");
  const Container container = read("spec.dump", R"({"annotations": {"k": "1", "k": "2"}, "annotations": {"l": "3"}})");
  EXPECT_EQ(container.annotations, (std::map<std::string, std::string>{{"k", "1"}}));
}

TEST(ContainerFiles, KeepBytesAsTheyAre) {
  EXPECT_EQ(read("config.dump", R"({"name": "a\u0000b\u001b[2J"})").name, (std::string{"a\0b\x1b[2J", 7}));
  EXPECT_EQ(read("spec.dump", R"({"annotations": {"\u0000": "\u0000"}})").annotations.size(), 1u);
  // Bytes that stand in the text itself, and halves of characters, are no JSON.
  (void)read("config.dump", std::string_view{"{\"name\": \"a\0b\"}", 15}, Reason::bad_json);
  (void)read("config.dump", std::string_view{"{\"name\": \"a\"}\0", 14}, Reason::bad_json);
  (void)read("config.dump", R"({"name": "\ud800"})", Reason::bad_json);
  (void)read("config.dump", "{\"name\": \"\xff\"}", Reason::bad_json);
}

TEST(ContainerFiles, RefuseWhatIsNoJson) {
  for (const char* text : {"", " ", "nil", "{", "}", "{\"id\"}", "{\"id\": \"1\"", "{\"id\": \"1\"} {}", "{'id': 1}"})
    for (const char* name : all_names) {
      if (std::string_view{name} == "index.json" && *text != '{') continue;  // a blob may be anything
      (void)read(name, text, Reason::bad_json);
    }
  for (const char* text : {"1", "\"config\"", "[]", "null", "{}", "[{\"id\": \"1\"}]"})
    for (const std::string_view name : all_names) {
      const bool is_wanted =
          name == "config.dump" || name == "spec.dump" || name == "status.dump" || name == "config.json";
      const Reason reason = is_wanted && *text != '{' ? Reason::bad_json : Reason::none;
      EXPECT_FALSE(read(name, text, reason).is_known() && name != "config.v2.json");
    }
}

// Of a blob that is no text of JSON nothing is known; a spec stands between other bytes.
TEST(ContainerFiles, FindASpecInAnAny) {
  const std::string blob(64, 'a');
  const std::string spec = R"({"hostname": "h"})";
  const std::string any =
      "\n3types.containerd.io/opencontainers/runtime-spec/1/Spec\x12\x11" + spec + std::string{"\0\0", 2};
  ContainerFiles files;
  EXPECT_FALSE(files.add(top, blob, any));
  EXPECT_EQ(files.of(top).hostname, "h");
  for (const std::string& text : {std::string{"\x7f"
                                              "ELF"},
                                  std::string(100, '\0'), std::string{"opencontainers/runtime-spec"},
                                  std::string{"opencontainers/runtime-spec}{"}})
    EXPECT_FALSE(files.add(top, blob, text)) << text;
  EXPECT_EQ(files.add(top, blob, "opencontainers/runtime-spec{]}").reason, Reason::bad_json);
}

TEST(ContainerFiles, TakeTheEnginesWordOverCountlessOthers) {
  std::string text = R"({"annotations": {)";
  for (int i = 0; i < 50000; ++i) text += "\"k" + std::to_string(i) + "\": \"v\", ";
  text += R"("io.kubernetes.cri-o.Metadata": "{\"name\": [}", "io.kubernetes.cri-o.ContainerName": "c"}})";
  const Container container = read("spec.dump", text);
  EXPECT_EQ(container.annotations.size(), 50002u);
  EXPECT_EQ(container.name, "c");  // the text in Metadata is none
}

TEST(ContainerFiles, ReadALogOfAnything) {
  for (const std::string& text :
       {std::string{}, std::string(1000, '\0'), std::string{") Version: "}, std::string{") Running on "}})
    EXPECT_EQ(read("dump.log", text).kernel, "");
  const Container container =
      read("dump.log", "(00.000001) Version: 4.2.1 (gitid 0)\n(00.0) Running on box Linux 6.12.1 #1 SMP\n");
  EXPECT_EQ(container.criu_version, "4.2.1");
  EXPECT_EQ(container.host, "box");
  EXPECT_EQ(container.kernel, "6.12.1");
}

TEST(ContainerFiles, AreThoseOfTheirSet) {
  ContainerFiles files;
  (void)files.add({"pod.tar", "a"}, "config.dump", R"({"name": "a"})");
  (void)files.add({"pod.tar", "b"}, "config.dump", R"({"name": "b"})");
  (void)files.add({"pod.tar", ""}, "config.json", R"({"hostname": "bundle"})");
  EXPECT_EQ(files.of({"pod.tar", "a"}).name, "a");
  EXPECT_EQ(files.of({"pod.tar", "b/pre-checkpoint"}).name, "b");
  EXPECT_EQ(files.of({"pod.tar", "a"}).hostname, "bundle");
  EXPECT_EQ(files.of({"other.tar", "a"}).name, "");
}

}  // namespace
}  // namespace critpipe
