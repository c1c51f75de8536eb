#include "process/program_path.hpp"

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace critpipe {

std::vector<std::string> candidates_of(const std::string& program) {
  if (program.find('/') != std::string::npos) return {program};
  const char* path = getenv("PATH");
  std::string directories = path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::vector<std::string> found;
  for (std::size_t at = 0; at <= directories.size();) {
    std::size_t end = directories.find(':', at);
    if (end == std::string::npos) end = directories.size();
    if (end > at) found.push_back(directories.substr(at, end - at) + '/' + program);
    at = end + 1;
  }
  return found;
}

std::string path_of_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  for (std::string& candidate : candidates_of(program))
    if (access(candidate.c_str(), X_OK) == 0) return std::move(candidate);
  return {};
}

}  // namespace critpipe
