// Errors that are collected to be reported together: a hostile input has as many as it has members.
#pragma once

#include <cstddef>
#include <vector>

#include "critpipe/error.hpp"

namespace critpipe {

// Adds the error while there is room, of which it takes one. After that the last of `errors` only counts.
void keep_error(std::vector<Error>& errors, Error error, std::size_t& room);

}  // namespace critpipe
