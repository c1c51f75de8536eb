// The index in a line, as crit-tojson prints it. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace critpipe {

// Digits without zeros before them; null: something else.
inline const char* take_line_index(const char* at, const char* end, std::uint64_t& index) {
  constexpr std::ptrdiff_t most_digits = 15;
  const char* const begin = at;
  for (index = 0; at != end && *at >= '0' && *at <= '9' && at - begin < most_digits; ++at)
    index = index * 10 + static_cast<std::uint64_t>(*at - '0');
  return at == begin || (*begin == '0' && at - begin > 1) ? nullptr : at;
}

// What every line of an image begins with, and has between its index and its entry.
struct LineWords {
  std::string before, between;
  bool operator==(const LineWords&) const = default;
  // The entry of the line that begins there; null: another line.
  const char* pass(const char* at, const char* end, std::uint64_t& index) const {
    at = pass_word(at, end, before);
    if (at) at = take_line_index(at, end, index);
    return at ? pass_word(at, end, between) : nullptr;
  }

 private:
  static const char* pass_word(const char* at, const char* end, const std::string& word) {
    const bool is_there =
        static_cast<std::size_t>(end - at) >= word.size() && std::memcmp(at, word.data(), word.size()) == 0;
    return is_there ? at + word.size() : nullptr;
  }
};

}  // namespace critpipe
