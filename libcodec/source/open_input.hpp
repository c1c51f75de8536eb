// An input that was opened and looked into.
#pragma once

#include "source/byte_reader.hpp"

namespace critpipe {

struct Opened {
  enum class Form : std::uint8_t { failed, directory, raw, image, tar, stream };

  Form form = Form::failed;
  std::string place;
  std::string name;        // of the image, if it is one
  std::string short_name;  // of the set, if it is one
  Error error = {};
  OpenFile file = OpenFile{};               // directory, raw
  std::unique_ptr<PeekReader> reader = {};  // image, tar, stream
  std::uint64_t sequence = 0;               // of a stream's first marker
  std::uint64_t size = Member::unknown;
};

Opened open_input(const std::string& input, const std::string& short_name, const SourceOptions& options);

}  // namespace critpipe
