// Small messages as CRIU writes them, checked and printed in one walk. Internal.
//
// Most entries are a few numbers and names, and to check them first and print them then costs twice what printing
// does. One walk does both here, into room that was made before. It makes no errors: what is not usual, not right or
// too long for the room it leaves to check() and the Printer, which know what to say.
#pragma once

#include <cstddef>

#include "critpipe/image.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

// Room for an entry; the largest that are printed here become a little less text than that.
constexpr std::size_t small_room = 8192;

// Prints the object {...} of a message. Null: not here, and what was written is worth nothing.
// Requires: small_room bytes at `at`. Nothing is known of the payload.
char* put_small(char* at, const Message& message, Bytes payload);

}  // namespace critpipe
