// How far two names are apart; the room match shows it to others. Internal.
#pragma once

#include <cstddef>
#include <string_view>

#pragma GCC visibility push(default)
namespace critpipe {

// How many letters of one name must be changed, added, left out or swapped to get the other, as far as `most`; beyond
// it, some larger number. Case counts nothing.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most);

}  // namespace critpipe
#pragma GCC visibility pop
