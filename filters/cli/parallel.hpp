// Reads the inputs on several threads and writes what one thread would write, byte for byte.
//
// There is one queue of work. A piece is an input or an image of a directory (critpipe/source.hpp); small ones are read
// in batches that count as one piece here, as the turns would cost more than the reading. A large image is shared: its
// chunks are work like pieces, and come first (cli/shared_image.hpp). Whoever has nothing to do takes the first chunk
// that is there, or else the next pieces; their texts are put in order again by cli/turns.hpp. Threads are started as
// there is work for them.
#pragma once

#include <functional>
#include <memory>

#include "cli/inputs.hpp"

namespace critpipe::filters {

using ReportError = std::function<void(const Error&)>;
// Makes the receiver of one piece, or of a chunk of an image, which writes into the output and reports errors. Called
// on any thread.
using MakeReceiver = std::function<std::unique_ptr<Decoding>(Output&, const ReportError&)>;

inline constexpr Option parallel_options[] = {
    {'j', "jobs", "N", "Read on N threads (default: one per processor)."},
};

// Calls work() on as many threads as --jobs says, `most` at the most, and returns when all have come back. What it
// throws is thrown on.
void on_threads(Program& program, std::size_t most, const std::function<void()>& work);

struct Makers {
  MakeReceiver piece;
  MakeReceiver chunk = {};  // empty: images are not shared
  std::size_t most_threads = ~0u;
  // Where receivers of pieces write elsewhere, one after the other, and put in there what chunks have written.
  std::function<Step(Decoding& piece, std::string_view text)> put_in = {};
};

void read_inputs(Program& program, Output& output, const Makers& makers, const SourceOptions& options);

}  // namespace critpipe::filters
