// Internet addresses as text: words of a repeated uint32, in network byte order as they lie in memory.
//
//     char text[address_room];
//     char* end = write_ipv4(text, 0x0100007f);         // 127.0.0.1
//     std::optional<Address> address = parse_address("::1");   // four words
//
// Source of the facts: Python 3.14's ipaddress, which crit calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace critpipe {

constexpr std::size_t address_room = 48;

// Both return the end of the text, which has no zero byte.
char* write_ipv4(char* out, std::uint32_t word);
char* write_ipv6(char* out, const std::uint32_t (&words)[4]);  // v4-mapped ones as ::ffff:1.2.3.4

struct Address {
  std::size_t nr_words;  // 1 or 4
  std::uint32_t words[4];
};

// Nothing for what is no address: leading zeros, a mask, three parts. A zone (%eth0) is dropped.
std::optional<Address> parse_address(std::string_view text);

}  // namespace critpipe
