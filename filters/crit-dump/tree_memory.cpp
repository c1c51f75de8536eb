#include "crit-dump/tree_memory.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace critpipe::filters {

namespace {

// The sum of the lines "KEY:  12 kB" of a file in /proc, in bytes.
std::uint64_t sum_of(const std::string& path, std::initializer_list<std::string_view> keys) {
  std::ifstream file{path};
  std::uint64_t sum = 0, number = 0;
  for (std::string key, rest; file >> key && std::getline(file, rest);)
    if (std::ranges::find(keys, key) != keys.end() && sscanf(rest.c_str(), "%" SCNu64, &number) == 1)
      sum += number << 10;
  return sum;
}

std::vector<pid_t> children_of(const std::string& process) {
  std::vector<pid_t> children;
  std::error_code failed;
  for (std::filesystem::directory_iterator at{process + "/task", failed}, end; !failed && at != end;
       at.increment(failed)) {
    std::ifstream file{at->path() / "children"};
    for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  }
  return children;
}

}  // namespace

std::uint64_t tree_memory(pid_t root) {
  constexpr std::size_t most_tasks = 1 << 16;
  std::vector<pid_t> tasks{root};
  std::uint64_t bytes = 0;
  for (std::size_t at = 0; at < tasks.size() && at < most_tasks; ++at) {
    const std::string process = "/proc/" + std::to_string(tasks[at]);
    // Shared pages are shared out here, and dumped once.
    bytes += sum_of(process + "/smaps_rollup", {"Pss_Anon:", "Pss_Shmem:"});
    const std::vector<pid_t> children = children_of(process);
    tasks.insert(tasks.end(), children.begin(), children.end());
  }
  return std::min(bytes, sum_of("/proc/meminfo", {"MemAvailable:"}) / 2);
}

}  // namespace critpipe::filters
