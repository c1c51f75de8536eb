#include "source/set_places.hpp"

#include <charconv>

namespace critpipe {

namespace {

// "pre-checkpoint": 1, "pre-checkpoint-2": 2; 0: neither.
std::uint32_t earlier_number(std::string_view directory) {
  if (directory == earlier_directory) return 1;
  if (!directory.starts_with(earlier_directory)) return 0;
  const std::string_view digits = directory.substr(earlier_directory.size());
  if (digits.size() < 2 || digits[0] != '-' || digits[1] == '0') return 0;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data() + 1, digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return 0;
  return number >= 2 && number <= max_generation ? number : 0;
}

}  // namespace

std::uint32_t generations_up(std::string_view directory) {
  return directory == "parent" ? 1 : earlier_number(directory);
}

bool is_images_directory(std::string_view name) { return name == usual_directory || earlier_number(name) > 0; }

}  // namespace critpipe
