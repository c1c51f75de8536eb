// What the kernel told a program at its start, as an mm image keeps it. Internal.
#pragma once

#include "critpipe/fields.hpp"

namespace critpipe {

// The page size; 0: it does not say, or says what no machine has.
std::uint64_t page_size_in(const Message& message, Bytes payload);

}  // namespace critpipe
