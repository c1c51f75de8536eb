// set: One set of images: its id (SetId, in error.hpp), its members by name or in order, and its parent.
//
//     Error error;
//     const auto set = ImageSet::open_input("dump/3", error);
//     if (!set) return fputs(to_string(error).c_str(), stderr);
//     for (const std::string& name : set->members()) puts(name.c_str());
//     const InputFile pages = set->open("pages-1.img", error);
//     if (!error) printf("%lu bytes\n", pages.size());
//     for (auto parent = set->parent(error); parent; parent = parent->parent(error)) puts(parent->place().c_str());
//
// A directory can do all of this. A container image, an archive or an image stream in a file has id(), members() and
// read(), which reads it from its beginning; open() and parent() fail with the reason `usage`. Pipes, which can be read
// only once, can't be opened as an ImageSet; see Pieces in source.hpp.
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

// A set of images that can be read more than once.
class ImageSet {
 public:
  // Opens an input; null: error says why. If the input has several sets, options.set must name one. Reasons: io_open,
  // io_read, no_images, no_set, usage (several sets, or a pipe), and those of a damaged archive.
  static std::unique_ptr<ImageSet> open_input(const std::string& input, Error& error,
                                              const SourceOptions& options = {});
  ImageSet(const ImageSet&) = delete;
  ImageSet& operator=(const ImageSet&) = delete;
  ~ImageSet();

  const SetId& id() const;           // lives as long as *this, as do the views below
  const std::string& place() const;  // for messages
  bool is_directory() const;
  // The same for two sets that are the same directory. Requires: is_directory().
  Directory::Identity identity() const;

  // The names of the images: of a directory in natural order, otherwise in the order of the input.
  const std::vector<std::string>& members() const;
  // Does the set have anything of that name? A directory is asked now, an archive was when it was opened.
  bool has(std::string_view name) const;
  // Opens a file of a directory, which must be regular and no link. Reasons: io_open, bad_member, bad_name, usage.
  [[nodiscard]] InputFile open(std::string_view name, Error& error) const;
  // Reads all members in order; their paths are without the set. Step::stop: the receiver returned it.
  Step read(Receiver& receiver) const;

  // Opens the images of the previous dump, to which the link `parent` leads. Null without an error: there is no link.
  // Reasons: no_parent, bad_parents (it leads to *this or a set that *this is a parent of), limit_parents (300), usage.
  std::unique_ptr<ImageSet> parent(Error& error) const;

 private:
  struct CRITPIPE_INNER Work;
  explicit ImageSet(std::unique_ptr<Work> work);
  std::unique_ptr<Work> work_;
};

// For SourceOptions::parent_sets: the sets that links make parents of options.set, in any of the archives and streams.
// Reads them; none of what cannot be read again.
std::vector<std::string> linked_sets(const std::vector<std::string>& inputs, const SourceOptions& options);

}  // namespace critpipe
#pragma GCC visibility pop
