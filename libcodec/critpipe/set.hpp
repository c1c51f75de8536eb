// set: One set of images: its id, its members by name or in order, the set that it builds on.
//
//     Error error;
//     const auto set = ImageSet::open_input("dump/3", error);
//     if (!set) return fputs(to_string(error).c_str(), stderr);
//     for (const std::string& name : set->members()) puts(name.c_str());
//     if (InputFile pages = set->open("pages-1.img", error); !error) printf("%lu bytes\n", pages.size());
//     for (auto parent = set->parent(error); parent; parent = parent->parent(error)) puts(parent->place().c_str());
//
// A directory does all of this. Of an archive or an image stream in a file, id(), members() and read() work: it is read
// from its begin each time, and open() and parent() fail with the reason `usage`. What can be read once only, a pipe,
// is no ImageSet; see Pieces (source.hpp).
//
// An ImageSet does not change once it is open: any number of threads may call open().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class ImageSet {
 public:
  // Null: error says why. Of an input with several sets options.set names one; without that it must hold only one.
  // Reasons: io_open, io_read, no_images, no_set, usage (several sets, or a pipe), and those of a damaged archive.
  static std::unique_ptr<ImageSet> open_input(const std::string& input, Error& error,
                                              const SourceOptions& options = {});
  ImageSet(const ImageSet&) = delete;
  ImageSet& operator=(const ImageSet&) = delete;
  ~ImageSet();

  const SetId& id() const { return id_; }
  const std::string& place() const { return place_; }  // for messages
  bool is_directory() const { return directory_.is_open(); }

  // Names within the set: of a directory in natural order, else as they come.
  const std::vector<std::string>& members() const { return members_; }
  // Is it there, whatever it is? Of a directory that is what holds now, else when the set was opened.
  bool has(std::string_view name) const;
  // A regular file of a directory; links are refused. Reasons: io_open, bad_member, bad_name, usage.
  [[nodiscard]] InputFile open(std::string_view name, Error& error) const;
  // All members in order. Paths have no set before them.
  Step read(Receiver& receiver) const;

  // Where the link `parent` leads: the images of the round of dumps before this one. Null without an error: there is no
  // link. Reasons: no_parent, bad_parents (it leads to a set that this one is a parent of), usage.
  std::unique_ptr<ImageSet> parent(Error& error) const;

 private:
  struct CRITPIPE_INNER Chain;
  ImageSet() = default;
  Error list(const SourceOptions& options);
  Error scan(const SourceOptions& options);

  SetId id_;
  std::string place_;
  std::string input_;
  SourceOptions options_;
  Directory directory_;
  std::vector<std::string> members_;
  std::shared_ptr<Chain> chain_;  // this directory and those that it is a parent of
};

}  // namespace critpipe
#pragma GCC visibility pop
