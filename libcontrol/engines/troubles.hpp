// What stands in the way of containers: one table for messages and for critpipe-troubleshooting(7).
#pragma once

#include <string>
#include <string_view>

#include "critpipe/control/checks.hpp"

namespace critpipe {

// The row of that name as a finding, an error; `name` fills it in. Requires: there is such a row.
MachineFinding trouble(std::string_view row, std::string_view name = {});
// Adds what to do to an error in which an engine or CRIU says what is known.
Error with_advice(Error error);

}  // namespace critpipe
