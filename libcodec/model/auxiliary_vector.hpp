// What the kernel told a program at its start, as an mm image keeps it. Internal.
#pragma once

#include <vector>

#include "critpipe/fields.hpp"

namespace critpipe {

// Keys and values in turn. CRIU keeps the bytes of the vector in words of 64 bits: each is one number of a 64-bit
// program, or a key and its value of a 32-bit one.
std::vector<std::uint64_t> auxiliary_vector_in(const Message& message, Bytes payload);
// The page size; 0: it does not say, or says what no machine has.
std::uint64_t page_size_in(const std::vector<std::uint64_t>& vector);

}  // namespace critpipe
