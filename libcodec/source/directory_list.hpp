// A checkpoint directory: its members, in the order of their names, numbers by value.
#pragma once

#include "source/input_form.hpp"

namespace critpipe {

// What is in it. An unpacked container checkpoint has its images in a directory `checkpoint`, beside other files; an
// unpacked pre-dump of one, in `pre-checkpoint`.
struct DirectoryList {
  struct Entry {
    std::string name;
    bool below;  // in the directory with the images
    bool is_image;
    bool is_parent_link = false;
    MemberBound bound = {};
    bool passes_bound = false;  // then it is the last
  };
  Directory directory;
  std::vector<Entry> entries = {};
  std::vector<std::string> layers = {};  // files that may be the layers of a container image; then there are no images
  Error layers_fault = {};               // there may be more of them
  std::string prefix = {};               // before the paths of members, with its slash
  std::string below = {};                // the set: the directory that SourceOptions::set named and that `directory`
                                         // became, or `pre-checkpoint`
  std::string images = {};               // the directory with the images, where it is not `directory` itself
  std::shared_ptr<const SetId> set = {};

  // Fills the entries. Requires: nobody has listed the directory, or may while this does.
  Error read(const SourceOptions& options);
  // What is known of one before it is opened.
  Member member(const Entry& entry) const;
  std::string path_of(const Entry& entry) const { return entry.below ? images + "/" + entry.name : entry.name; }

 private:
  bool enter(const SourceOptions& options);
  bool has_images() const;
  Error list_images(const SourceOptions& options);
  void bound(std::uint64_t max_bytes);
};

// The names in a directory, in natural order: regular files, and directories.
struct DirectoryNames {
  std::vector<std::string> files, directories;
  // Adds them; false: errno says why not. Requires: nobody else lists the directory.
  bool read(const Directory& directory);
};

// Is it a container image in a directory? Its files that may be layers. `error`: not all directories can be listed.
std::vector<std::string> layers_in(const Directory& directory, Error& error);

// Is it a regular file? The type is what its directory says of it: some file systems say DT_UNKNOWN.
bool is_regular(int directory, const char* name, unsigned char type);

// Opens and reads one of its members, if the receiver wants it.
Step read_entry(const DirectoryList& list, const DirectoryList::Entry& entry, std::uint64_t id, Receiver& receiver);

}  // namespace critpipe
