// An input that was opened and looked into.
#pragma once

#include "source/byte_reader.hpp"

namespace critpipe {

struct InputForm;

struct OpenedInput {
  InputName called;
  std::string place = {};
  const InputForm* form = nullptr;  // null: a directory, or it could not be opened
  Error error = {};                 // why not
  Directory directory = {};
  // What a form reads: one of these two.
  std::unique_ptr<PeekReader> reader = {};
  InputFile file = {};                // a file that is named as a raw image
  const InputFile* packed = nullptr;  // what the reader reads, if it is a regular file
  std::uint64_t packed_begin = 0;     // from here on
  std::string name = {};              // where it is one image
  std::string path = {};              // the same
  std::uint64_t size = Member::unknown;
  std::uint64_t sequence = 0;  // its place among the inputs that its form joins
};

// Makes opened.reader one of the file.
void read_from(OpenedInput& opened, InputFile file, const SourceOptions& options);
// Unpacks opened.reader, and finds out its form; null: opened.error says why not.
void look_into(OpenedInput& opened, const SourceOptions& options);

OpenedInput open_input(InputName called, const SourceOptions& options);

}  // namespace critpipe
