// What a CRIU has said once of what does not change: kept in the runtime directory, for this file as it is.
#pragma once

#include <cstdint>
#include <string>

namespace critpipe {

// $XDG_RUNTIME_DIR or /run
std::string runtime_directory();

class RememberedAnswer {
 public:
  // `question` is a part of the file's name. Of a program alone nothing is kept that is no binary, but a script: it may
  // run any other program.
  enum class Of : std::uint8_t { program, program_on_kernel };
  RememberedAnswer(const std::string& program, const std::string& question, Of of);

  bool read(std::string& answer) const;  // false: there is none
  void write(const std::string& answer) const;

 private:
  std::string path_, key_;
};

}  // namespace critpipe
