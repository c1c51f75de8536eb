// What is not complete goes when a signal ends the program.
//
//     Leftover leftover{".incomplete-1f/"};
//     ... a signal from here on removes the folder, then ends the program as it would have
//     leftover.keep([&] { rename(...); });     // a signal waits for it; then nothing is removed
#pragma once

#include <functional>
#include <string>

namespace critpipe::filters {

class Leftover {
 public:
  // A file, or a folder with all that is in it; with `parent`, the folder around it too, if it is empty then. An empty
  // path is none.
  explicit Leftover(std::string path, bool parent = false);
  ~Leftover();
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;

  void keep(const std::function<void()>& finish);

 private:
  std::string path_;
};

}  // namespace critpipe::filters
