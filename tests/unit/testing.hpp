// Images by hand for unit tests, and what a decoder does with them as text.
#pragma once

#include <google/protobuf/message.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "critpipe/fields.hpp"
#include "critpipe/image.hpp"
#include "critpipe/json.hpp"

namespace critpipe::testing {

// Of combinations that are alike, one in so many runs: all, but under the sanitizers without CRITPIPE_TEST_LONG.
constexpr std::size_t one_in = TEST_ONE_IN;

inline Bytes view(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }

inline std::string word(std::uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

// "08 ff01" -> bytes
inline std::string hex(std::string_view digits) {
  std::string bytes;
  std::string pair;
  for (const char c : digits) {
    if (c == ' ') continue;
    pair += c;
    if (pair.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
    pair.clear();
  }
  return bytes;
}

inline std::string framed(std::string_view payload) {
  return word(static_cast<std::uint32_t>(payload.size())) + std::string{payload};
}

// An entry of a message, from JSON with ' for ".
inline std::string entry(std::string_view message, std::string json) {
  std::ranges::replace(json, '\'', '"');
  std::string payload;
  const Error error = encode_message(*find_message(message), json, payload);
  EXPECT_FALSE(error) << to_string(error);
  return framed(payload);
}

inline std::string framed(const google::protobuf::Message& message) {
  return framed(message.SerializePartialAsString());
}

inline std::string head(std::string_view kind) {
  const Kind& row = *find_kind(kind);
  const std::string first = row.head == Head::common    ? word(common_magic)
                            : row.head == Head::service ? word(service_magic)
                                                        : "";
  return first + word(row.magic);
}

// All calls that a sink gets, one a line; bytes that come in pieces are joined.
class Recorder final : public Sink {
 public:
  Step begin(const Image& image) override {
    line("begin " + std::string{image.kind ? image.kind->name : "?"} + " head " + std::to_string(int(image.head)));
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    StringOutput json;
    print_message(json, *entry.message, entry.payload, {.canonical = entry.canonical});
    line("entry " + std::to_string(entry.index) + " at " + std::to_string(entry.offset) + " " + json.take());
    return Step::go;
  }
  Step part(const ExtraPart& part) override {
    std::string text = "part " + std::string{part.name};
    text += part.size == ExtraPart::unknown ? " rest" : " " + std::to_string(part.size);
    if (part.message) {
      StringOutput json;
      print_message(json, *part.message, part.payload, {.canonical = part.canonical});
      text += " " + json.take();
    }
    line(text);
    return Step::go;
  }
  Step bytes(Bytes bytes) override { return more("bytes ", bytes); }
  Step padding(Bytes bytes) override { return more("padding ", bytes); }
  Step close() override {
    line("close");
    return Step::go;
  }
  Step raw(Bytes bytes) override { return more("raw ", bytes); }
  Step end() override {
    line("end");
    return Step::go;
  }
  void fail(const Error& error) override { line("fail " + to_string(error)); }

  std::string take() { return std::exchange(text_, ""); }

 private:
  void line(const std::string& text) {
    text_ += text + "\n";
    open_.clear();
  }
  Step more(std::string_view what, Bytes bytes) {
    if (bytes.empty()) ADD_FAILURE() << "empty " << what;
    if (open_ == what) text_.pop_back();
    else text_ += what;
    for (const std::byte byte : bytes) text_ += byte == std::byte{0} ? '0' : static_cast<char>(byte);
    text_ += "\n";
    open_ = what;
    return Step::go;
  }
  std::string text_;
  std::string open_;
};

// Decodes in pieces of a size; 0: at once.
inline Error decode(std::string_view image, Sink& sink, std::string_view name = "-", std::size_t piece = 0,
                    const Limits& limits = {}) {
  Decoder decoder{sink, name, limits};
  Step step = Step::go;
  for (std::size_t at = 0; at < image.size() && step == Step::go; at += piece) {
    if (piece == 0) piece = image.size();
    step = decoder.feed(view(image.substr(at, piece)));
  }
  if (step == Step::go) (void)decoder.finish();
  return decoder.error();
}

// What a sink is told, which must be the same for pieces of any size.
inline std::string calls(std::string_view image, std::string_view name = "-", const Limits& limits = {}) {
  Recorder recorder;
  decode(image, recorder, name, 0, limits);
  std::string whole = recorder.take();
  for (const std::size_t piece : {1, 2, 3, 5, 7, 64}) {
    decode(image, recorder, name, piece, limits);
    EXPECT_EQ(recorder.take(), whole) << "in pieces of " << piece;
  }
  return whole;
}

inline std::string json(std::string_view image, const JsonOptions& options = {}, std::string_view name = "-",
                        std::size_t piece = 0) {
  StringOutput output;
  JsonSink sink{output, options};
  decode(image, sink, name, piece);
  return output.take();
}

struct TestImage {
  std::string path;
  std::string name;
  std::string bytes;
};

// Every image that the build made out of tests/ and its checkpoints, up to a size, each content once.
inline std::vector<TestImage> test_images(std::uintmax_t largest) {
  std::vector<TestImage> images;
  for (const char* top : {TEST_IMAGES, TEST_CHECKPOINTS}) {
    if (!std::filesystem::exists(top)) continue;
    for (const auto& file : std::filesystem::recursive_directory_iterator(top)) {
      if (!file.is_regular_file() || file.is_symlink() || file.file_size() > largest) continue;
      const std::string name = file.path().filename();
      if (!name.ends_with(".img") && !name.starts_with("stats-") && name != "irmap-cache") continue;
      std::ifstream stream{file.path(), std::ios::binary};
      images.push_back({file.path(), name, {std::istreambuf_iterator<char>{stream}, {}}});
    }
  }
  std::ranges::sort(images, {}, &TestImage::bytes);
  const auto same = [](const TestImage& a, const TestImage& b) { return a.bytes == b.bytes; };
  images.erase(std::unique(images.begin(), images.end(), same), images.end());
  return images;
}

}  // namespace critpipe::testing
