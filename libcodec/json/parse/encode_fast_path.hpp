// The fast path of encoding: small entries as crit-tojson prints them, encoded in one pass. Internal.
//
// Nearly all JSON that is encoded was printed by a decoder: known fields in ascending order, one blank after commas and
// colons, texts without escapes. Such an entry needs no parser: its keys stand in the field table, letter for letter.
// Everything else is left to simdjson and the MessageEncoder, which also report faults.
#pragma once

#include <cstddef>

#include "critpipe/schema.hpp"
#include "wire/wire_buffer.hpp"

namespace critpipe {

constexpr std::size_t readable_behind_json = 64;

// What the numbers of a message have been, by the number of their field: it saves reading them out of the payload
// again. Not those of messages inside it.
struct NotedNumbers {
  static constexpr std::uint32_t room = 8;                    // fields with larger numbers are not noted
  static constexpr std::uint64_t absent = ~std::uint64_t{0};  // the fast path refuses numbers as long
  std::uint64_t of_field[room];
};

// Appends the payload of the object that begins at `at` and returns its end. Null: refused, and nothing is appended;
// what `noted` has then means nothing. Fields that the object lacks leave `noted` as it is.
// Requires: *at is {; readable_behind_json readable bytes behind `end`, with any content.
const char* encode_fast(const Message& message, const char* at, const char* end, WireBuffer& out);
const char* encode_fast(const Message& message, const char* at, const char* end, WireBuffer& out, NotedNumbers& noted);

}  // namespace critpipe
