// The fast path of printing: small messages as CRIU writes them, checked and printed in one pass. Internal.
//
// Most entries are a few numbers and names, for which checking first costs as much as printing. This does both at once,
// into room of a fixed size. It reports no errors: what is unusual, wrong or too long for the room is left to check()
// and the Printer.
#pragma once

#include <cstddef>

#include "critpipe/image.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

constexpr std::size_t fast_path_room = 8192;

// Prints the object {...} of a message and returns its end. Null: the message is left to the Printer, and what stands
// at `at` means nothing. Requires: fast_path_room bytes at `at`; the payload may be anything.
char* print_fast(char* at, const Message& message, Bytes payload);

}  // namespace critpipe
