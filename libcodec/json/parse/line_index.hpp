// The index in a line, as crit-tojson prints it. Internal.
#pragma once

#include <cstddef>
#include <cstdint>

namespace critpipe {

// Digits without zeros before them; null: something else.
inline const char* take_line_index(const char* at, const char* end, std::uint64_t& index) {
  constexpr std::ptrdiff_t most_digits = 15;
  const char* const begin = at;
  for (index = 0; at != end && *at >= '0' && *at <= '9' && at - begin < most_digits; ++at)
    index = index * 10 + static_cast<std::uint64_t>(*at - '0');
  return at == begin || (*begin == '0' && at - begin > 1) ? nullptr : at;
}

}  // namespace critpipe
