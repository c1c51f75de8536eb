// Small entries as crit-tojson prints them, read in one walk. Internal.
//
// Nearly all JSON that comes here is what a decoder printed: known fields in ascending order, one blank after commas
// and colons, plain texts. Such an entry needs no parser: its keys stand in the field table, letter for letter. What
// looks otherwise in any way is left to simdjson and the MessageEncoder, which also know what to say about faults.
#pragma once

#include <cstddef>

#include "critpipe/schema.hpp"
#include "wire/wire_buffer.hpp"

namespace critpipe {

// Appends the payload of the object that begins at `at`. Returns where it ends, or null: not here, nothing is appended.
// Requires: *at is {; 64 readable bytes behind `end`, whatever they say.
const char* encode_small(const Message& message, const char* at, const char* end, WireBuffer& out);

}  // namespace critpipe
