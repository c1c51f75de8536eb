// May we restore these images?
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "cli/filter.hpp"

namespace critpipe::filters {

// Restoring runs the image's code with the credentials that it asks for. So, as root, the inputs, all that is in them
// and the parents that they lead to must be of whom we may trust: root, or who called us; and nobody else may write to
// them. Directories are looked at through their descriptors: what is judged is what is restored.
class Trust {
 public:
  explicit Trust(Program& program);
  // Both report what is wrong.
  void check(const std::string& input);
  // The same of one that is open.
  void check_open(int fd, const std::string& name);
  void check(int directory, const std::string& name);

 private:
  void check_directory(int directory, const std::string& name, unsigned depth);
  void check_entry(int directory, const char* entry, const std::string& name, unsigned depth);
  void judge(const std::string& name, const struct stat& status);
  void refuse(const std::string& name, const std::string& why);

  Program& program_;
  bool checks_;
  std::vector<uid_t> owners_;
};

}  // namespace critpipe::filters
