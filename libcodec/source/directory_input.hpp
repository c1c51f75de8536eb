// A checkpoint directory: its members, in the order of their names, numbers by value.
#pragma once

#include "source/input_form.hpp"

namespace critpipe {

// What was found in a directory, and the descriptor through which its files are opened.
struct Directory {
  OpenFile file;
  std::string place;
  std::string prefix;
  struct Entry {
    std::string name;  // within the set
    bool below;        // in the folder `checkpoint`
    bool is_image;
  };
  std::vector<Entry> entries = {};
};

// Lists it. An unpacked container checkpoint has its images in a folder `checkpoint`, beside other files.
Error list_directory(Directory& directory, const SourceOptions& options);

// Opens and reads one of its members, if the receiver wants it.
Step read_entry(const Directory& directory, const Directory::Entry& entry, std::uint64_t id, Receiver& receiver);

}  // namespace critpipe
