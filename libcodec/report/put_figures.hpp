// The figures of CRIU's statistics as members of an object: the same in crit-stats and crit-inspect. Internal.
#pragma once

#include "critpipe/json.hpp"
#include "critpipe/report.hpp"

namespace critpipe {

void put_figures(JsonWriter& json, const Statistics& statistics);

}  // namespace critpipe
