// A folder that gets all files of a set or none.
//
//     FolderWriter folder{"restored", false};
//     Output* file = folder.create("core-1.img", error);
//     file->write(...);
//     folder.close(file, true);
//     folder.commit();                     // without it, what was begun is removed
//
// Files are written in a hidden folder inside and take their names when all are complete. Names lead into the folder
// and never out of it; no link is followed. An image set that lacks images looks like one that never had them, so half
// a set is worse than none.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class FolderWriter {
 public:
  // The folder is made unless it is there; then it must be empty, or `replace` allows to overwrite files in it.
  FolderWriter(const std::string& path, bool replace);
  ~FolderWriter();
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  const Error& error() const { return error_; }  // why it cannot be used
  // The hidden folder, for who must remove it when the program is ended; and is the folder itself new?
  std::string hidden_path() const { return path_ + "/" + hidden_; }
  bool is_new() const { return made_; }
  // A new file of mode 0600. Null: error says why. Reasons: bad_name, bad_duplicate, io_write.
  Output* create(const std::string& name, Error& error);
  // The same file as that of an open descriptor, as another link to it. False: it cannot be, and nothing was made.
  bool link(const std::string& name, int fd);
  // Not whole: it is removed. Says why it could not be written, also then.
  Error close(Output* file, bool whole);
  Error commit();

 private:
  struct CRITPIPE_INNER Open;

  Error make(const std::string& path, bool replace);
  Error fault(const std::string& name) const;
  Error put_in_place(const std::string& name);
  void discard();

  std::string path_;
  std::string hidden_;  // name of the hidden folder
  int fd_ = -1;
  int hidden_fd_ = -1;
  bool replace_;
  bool made_ = false;
  bool done_ = false;
  std::vector<std::string> names_;    // complete
  std::vector<std::string> folders_;  // made in the hidden one, outer ones first
  std::list<Open> open_;
  Error error_;
};

// A file that is replaced as a whole, or made, with mode 0600: when `write` has failed, what was there before stays.
Error replace_file(const std::string& path, const std::function<Error(Output&)>& write);

}  // namespace critpipe
#pragma GCC visibility pop
