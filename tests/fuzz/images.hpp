// JSON to images, collected.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "critpipe/json.hpp"
#include "fuzz/fuzz.hpp"

namespace critpipe {

class Images final : public EncodeSink {
 public:
  struct Named {
    std::string name;
    std::string bytes;
    bool complete = false;
    bool operator==(const Named&) const = default;
  };
  std::vector<Named> all;

  Step begin(const Begin& image) override {
    all.push_back({std::string{image.name}, "", false});
    return Step::go;
  }
  Step bytes(Bytes bytes) override {
    require(!all.empty() && !all.back().complete);
    all.back().bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  Step end() override {
    require(!all.empty() && !all.back().complete);
    all.back().complete = true;
    return Step::go;
  }
  Step missing_raw(std::string_view, std::uint64_t) override { return Step::go; }
};

struct Encoded {
  std::vector<Images::Named> images;
  std::string error;
  bool operator==(const Encoded&) const = default;
};

inline Encoded encode(Bytes text, std::uint64_t seed) {
  Images images;
  JsonEncoder encoder{images, "-", {.entry_bytes = 1 << 20, .waiting_json_bytes = 1 << 20}};
  bool going = true;
  in_pieces(text, seed, [&](Bytes piece) { return going = encoder.feed(piece) == Step::go; });
  if (going) (void)encoder.finish();
  return {std::move(images.all), encoder.error() ? to_string(encoder.error()) : ""};
}

}  // namespace critpipe
