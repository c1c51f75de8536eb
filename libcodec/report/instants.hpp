// Times as engines write them, RFC 3339 with a zone, as instants. Internal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace critpipe {

struct Instant {
  std::int64_t seconds = 0;  // since 1970 in UTC
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Instant&) const = default;
};

// Of "2026-11-26T06:13:28.8+02:00". Nothing: the text is none.
std::optional<Instant> instant_of(std::string_view text);
// "2026-11-26T04:13:28Z"; a text that is no instant as it is.
std::string utc_text(const std::string& text);
// Instants in their order, behind texts that are none.
bool is_before(const std::string& left, const std::string& right);

}  // namespace critpipe
