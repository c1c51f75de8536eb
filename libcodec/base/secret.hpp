// What a process keys its hashes with, so that nobody can make inputs whose hashes meet.
#pragma once

#include <array>

namespace critpipe {

using HashSecret = std::array<unsigned char, 192>;
const HashSecret& hash_secret();  // drawn at the first call

}  // namespace critpipe
