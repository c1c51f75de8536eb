#include "cli/progress.hpp"

#include <cstdio>
#include <unistd.h>

namespace critpipe::filters {

Progress::Progress(const Program& program)
    : on_{!program.has("no-progress") && isatty(STDERR_FILENO) != 0}, start_{Clock::now()}, last_{start_} {}

void Progress::show(std::uint64_t done_bytes, std::uint64_t all_bytes) {
  if (!on_) return;
  const auto now = Clock::now();
  if (now - last_ < std::chrono::milliseconds{200}) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done_bytes) / seconds;
  std::string line = "\r\033[K" + size_text(done_bytes);
  if (all_bytes > 0) line += " of " + size_text(all_bytes);
  line += ", " + size_text(static_cast<std::uint64_t>(rate)) + "/s";
  if (all_bytes > done_bytes && rate > 0)
    line += ", " + std::to_string(static_cast<std::uint64_t>(static_cast<double>(all_bytes - done_bytes) / rate) + 1) +
            " s left";
  shown_ = true;
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) on_ = false;
}

void Progress::clear() {
  constexpr std::string_view erase = "\r\033[K";
  if (shown_ && ::write(STDERR_FILENO, erase.data(), erase.size()) < 0) on_ = false;
  shown_ = false;
}

}  // namespace critpipe::filters
