#include "base/size_text.hpp"

#include "critpipe/base.hpp"

namespace critpipe {

namespace {

// Divides while 1024 or more is left, by at most so many units. Returns how often.
std::size_t scale(double& size, std::size_t most) {
  std::size_t unit = 0;
  for (; size >= 1024 && unit < most; ++unit) size /= 1024;
  return unit;
}

}  // namespace

std::string size_text(double bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB"};
  const std::size_t unit = scale(bytes, std::size(units) - 1);
  return format("%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
}

std::string crit_size_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto size = static_cast<double>(bytes);
  const std::size_t unit = scale(size, std::size(units) - 1);
  const bool whole = size == static_cast<double>(static_cast<std::uint64_t>(size));
  return format("%.*f%s", whole ? 0 : 1, size, units[unit]);
}

std::string gocrit_size_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto size = static_cast<double>(bytes);
  const std::size_t unit = scale(size, std::size(units) - 1);
  return format("%.*f %s", unit == 0 ? 0 : 1, size, units[unit]);
}

}  // namespace critpipe
