// An input that was opened and looked into.
#pragma once

#include "source/byte_reader.hpp"
#include "source/input_name.hpp"

namespace critpipe {

struct OpenedInput {
  enum class Form : std::uint8_t { failed, directory, raw, image, tar, stream };

  InputName called;
  Form form = Form::failed;
  std::string place = {};
  std::string name = {};  // of the image, if it is one
  std::string path = {};  // the same
  Error error = {};
  Directory directory = {};
  InputFile file = {};                      // raw
  std::unique_ptr<PeekReader> reader = {};  // image, tar, stream
  std::uint64_t sequence = 0;               // of a stream's first marker
  std::uint64_t size = Member::unknown;
};

OpenedInput open_input(InputName called, const SourceOptions& options);

}  // namespace critpipe
