#include "base/size_text.hpp"

#include <cstdio>

#include "critpipe/base.hpp"

namespace critpipe {

namespace {

// Divides while 1024 or more is left, by at most so many units. Returns how often.
std::size_t scale(double& size, std::size_t most) {
  std::size_t unit = 0;
  for (; size >= 1024 && unit < most; ++unit) size /= 1024;
  return unit;
}

std::string with_unit(const char* format, double size, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, format, size, unit);
  return text;
}

}  // namespace

std::string size_text(double bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB"};
  const std::size_t unit = scale(bytes, std::size(units) - 1);
  return with_unit(unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

std::string crit_size_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto size = static_cast<double>(bytes);
  const std::size_t unit = scale(size, std::size(units) - 1);
  const bool whole = size == static_cast<double>(static_cast<std::uint64_t>(size));
  return with_unit(whole ? "%.0f%s" : "%.1f%s", size, units[unit]);
}

std::string gocrit_size_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto size = static_cast<double>(bytes);
  const std::size_t unit = scale(size, std::size(units) - 1);
  return with_unit(unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

}  // namespace critpipe
