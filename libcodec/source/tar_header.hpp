// The first bytes of a tar archive, before libarchive has seen them.
#pragma once

#include "critpipe/base.hpp"

namespace critpipe {

constexpr std::size_t tar_header_bytes = 512;

// Every header since Version 7 Unix has the sum of its bytes, its own place taken as spaces, in octal. False: it has
// not, or is cut.
bool has_tar_checksum(Bytes header);
// Has it the word that POSIX puts into one? A damaged header is known by it.
bool has_tar_word(Bytes header);

}  // namespace critpipe
