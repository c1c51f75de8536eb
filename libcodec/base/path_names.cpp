#include "base/path_names.hpp"

#include <algorithm>

#include "critpipe/base.hpp"

namespace critpipe {

const char* fault_of_path(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > max_name_bytes) return "it is too long";
  if (name[0] == '/') return "it is absolute";
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part == "..") return "it leads out of its directory";
    if (part.empty() || part == ".") return "it has an empty part";
    if (part.size() > max_name_part_bytes) return "it is too long";
    at = end + 1;
  }
  return nullptr;
}

const char* fault_of_name(std::string_view name) {
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "it has control characters";
  return fault_of_path(name);
}

bool natural_less(const std::string& left, const std::string& right) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number_at = [&](const std::string& text, std::size_t& at) {
    while (at + 1 < text.size() && text[at] == '0' && is_digit(text[at + 1])) ++at;
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return std::string_view{text}.substr(begin, at - begin);
  };
  std::size_t i = 0, j = 0;
  while (i < left.size() && j < right.size()) {
    if (is_digit(left[i]) && is_digit(right[j])) {
      const std::string_view a = number_at(left, i), b = number_at(right, j);
      if (a != b) return a.size() != b.size() ? a.size() < b.size() : a < b;
    } else if (left[i] != right[j]) {
      return static_cast<unsigned char>(left[i]) < static_cast<unsigned char>(right[j]);
    } else {
      ++i;
      ++j;
    }
  }
  // Numbers that differ in leading zeros only decide where nothing else does.
  if (i < left.size() || j < right.size()) return j < right.size();
  return left < right;
}

std::string_view last_part(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

}  // namespace critpipe
