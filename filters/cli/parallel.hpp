// Reads the pieces of all inputs on several threads. What they write comes out in the order of the pieces, the same
// bytes as with one thread: the piece whose turn it is writes through, the others wait with a bounded amount of text.
#pragma once

#include <functional>
#include <memory>

#include "cli/inputs.hpp"

namespace critpipe::filters {

using Report = std::function<void(const Error&)>;
// A receiver that writes into the output and reports errors; one for each piece.
using MakeReceiver = std::function<std::unique_ptr<Receiver>(Output&, const Report&)>;

inline constexpr Option parallel_options[] = {
    {'j', "jobs", "N", "Read the images of directories, or several inputs, on N threads (all processors)."},
};

void read_inputs(Program& program, Output& output, const MakeReceiver& make);

}  // namespace critpipe::filters
