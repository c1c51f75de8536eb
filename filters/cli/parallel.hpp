// Reads the inputs on several threads and writes what one thread would write, byte for byte.
//
// A piece is an input or an image of a directory (critpipe/source.hpp). Pieces are taken from the source and get their
// place in the queue of turns under one lock, so the queue has them in the order of the inputs. Each thread then reads
// its piece into a PieceOutput:
//
//   - The piece at the front of the queue has the turn. Its text goes straight to the output, and no lock is held while
//     it is written: nobody but the front writes.
//   - The text of any other piece is held, up to held_piece_bytes; a thread that has more waits for its turn.
//   - The front ends: it leaves the queue and writes what the pieces right behind it have ready. The first that is not
//     done has the turn, and all who wait are woken.
//   - The queue has room for pieces_per_thread pieces for each thread; whoever finds it full waits, so memory is
//   bounded.
//   - An error is a mark in the text of its piece: it is reported when all before it has been written.
//   - Once the output fails or a piece says Step::stop, nothing more is written and all threads come back.
//
// Small pieces are read in batches that count as one piece here, as the turns would cost more than the reading.
#pragma once

#include <functional>
#include <memory>

#include "cli/inputs.hpp"

namespace critpipe::filters {

using ReportError = std::function<void(const Error&)>;
// Makes the receiver of one piece, which writes into the output and reports errors. Called on any thread.
using MakeReceiver = std::function<std::unique_ptr<Receiver>(Output&, const ReportError&)>;

inline constexpr Option parallel_options[] = {
    {'j', "jobs", "N", "Read directories and several inputs on N threads (default: one per processor)."},
};

// Calls work() on as many threads as --jobs says, `most` at the most, and returns when all have come back. What it
// throws is thrown on.
void on_threads(Program& program, std::size_t most, const std::function<void()>& work);

void read_inputs(Program& program, Output& output, const MakeReceiver& make, const SourceOptions& options);

}  // namespace critpipe::filters
