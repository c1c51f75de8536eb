// May we restore these images?
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "cli/filter.hpp"

namespace critpipe::filters {

// Restoring runs the image's code with the credentials that it asks for. The inputs must be of whom we may trust: root,
// or who called us; and nobody else may write to them.
class Trust {
 public:
  explicit Trust(Program& program);
  void check(const std::string& input);  // reports what is wrong

 private:
  void judge(const std::string& name, const struct stat& status);

  Program& program_;
  bool checks_;
  std::vector<uid_t> owners_;
};

}  // namespace critpipe::filters
