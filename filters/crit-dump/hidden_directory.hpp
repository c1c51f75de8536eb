// A directory under construction.
#pragma once

#include <memory>
#include <string>

#include "cli/cleanup.hpp"
#include "critpipe/control/process.hpp"
#include "critpipe/error.hpp"

namespace critpipe::filters {

// Could a directory be made beside `path`, and take its name? What is there must be an empty directory; or with
// `replace` a directory. Reasons: io_write.
[[nodiscard]] Error check_place(const std::string& path, bool replace);
// The same of a file.
[[nodiscard]] Error check_file_place(const std::string& path);

class HiddenDirectory {
 public:
  // Beside `path`. A signal that ends the program removes it. Reasons: io_write.
  HiddenDirectory(const std::string& path, Error& error);
  ~HiddenDirectory();  // removes it, unless it was put in place or kept
  HiddenDirectory(const HiddenDirectory&) = delete;
  HiddenDirectory& operator=(const HiddenDirectory&) = delete;

  int fd() const { return fd_.fd(); }
  const std::string& path() const { return path_; }  // where it is now
  const std::string& beside() const { return beside_; }
  [[nodiscard]] Error write(const char* name, const std::string& text);
  // All of it is on disk. Reasons: io_write.
  [[nodiscard]] Error sync();
  // Could it take its name? Reasons: io_write.
  [[nodiscard]] Error check(bool replace) const;
  // It takes its name. What is there must be an empty directory; or with `replace` a directory, which it replaces.
  [[nodiscard]] Error put_in_place(bool replace);
  // From here on a signal does not remove it, nor does the destructor if it is not said to.
  void keep();
  void remove();  // now, even if it was kept

 private:
  void make(const std::string& path, Error& error);
  Error take_name(bool replace);

  std::unique_ptr<SignalCleanup> cleanup_;  // of what is gone before this is
  std::string target_, beside_, path_;
  OwnedDescriptor fd_;
  bool kept_ = false;
};

}  // namespace critpipe::filters
