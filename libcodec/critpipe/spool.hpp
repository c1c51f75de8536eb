// output: Files for what need not outlive a program, and writing into them.
//
//     const int file = open_without_name("/var/tmp");
//     std::uint64_t end = 0;
//     if (Error error = write_at(file, end, bytes, "/var/tmp")) return error;  // end: behind the bytes now
//
// Any thread may call them; several may write to one file if their ranges do not overlap.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "critpipe/base.hpp"
#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A new file in the directory, of which nobody else knows, and which is gone when it is closed; -1: errno says why.
int open_without_name(const std::string& directory);
// Writes all of the bytes from an offset on. The offset then is that behind them, or behind what was written. Reasons:
// io_write, with the place.
[[nodiscard]] Error write_at(int fd, std::uint64_t& offset, Bytes bytes, std::string_view place);

}  // namespace critpipe
#pragma GCC visibility pop
