#include "memory/ghost_file.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "critpipe/fields.hpp"
#include "critpipe/source.hpp"
#include "memory/checkpoint_memory.hpp"

namespace critpipe {

Step GhostSink::begin(const Image& image) {
  is_ghost_ = image.kind && image.kind->name == "GHOST_FILE";
  return is_ghost_ ? Step::go : Step::stop;
}

// The first entry is the file's, with all bytes or none; each other is that of a chunk.
std::uint64_t ghost_offset(const Entry& entry) {
  return entry.index == 0 ? 0 : integer_or(*entry.message->find("off"), *entry.message, entry.payload, 0);
}

Step GhostSink::entry(const Entry& entry) {
  offset_ = ghost_offset(entry);
  return Step::go;
}

Step GhostSink::bytes(Bytes bytes) {
  const std::uint64_t offset = offset_;
  if (offset >= max_address) return Step::go;
  offset_ += std::min<std::uint64_t>(bytes.size(), max_address - offset);
  const std::uint64_t from = std::max(offset, at_), to = std::min(offset_, end_);
  if (from >= to) return Step::go;
  if (zeros_to(from) == Step::stop) return Step::stop;
  at_ = to;
  const Bytes wanted = bytes.subspan(static_cast<std::size_t>(from - offset), static_cast<std::size_t>(to - from));
  return take_(wanted) == Step::stop || is_complete() ? Step::stop : Step::go;
}

Step GhostSink::zeros_to(std::uint64_t offset) {
  static constexpr std::array<std::byte, 65536> zeros{};
  while (at_ < offset) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), offset - at_));
    at_ += size;
    if (take_(Bytes{zeros}.first(size)) == Step::stop) return Step::stop;
  }
  return Step::go;
}

namespace {

// The inputs once more, for one unlinked file.
class ReadGhost final : public Decoding {
 public:
  ReadGhost(MemoryWork& work, const MemoryWork::Piece& piece, const GhostSink::Take& take)
      : Decoding{work.options.limits}, work_{work}, piece_{piece}, take_{take} {}

  bool wants(const Member& member) override { return member.name == piece_.ghost; }
  std::unique_ptr<Sink> sink_for(const Member& member) override {
    if (member.name != piece_.ghost || *member.set != piece_.set->id) return nullptr;
    return std::make_unique<GhostSink>(piece_.ghost_offset, piece_.ghost_offset + piece_.size, take_);
  }
  void report(const Error& error) override { work_.report(error); }

 private:
  MemoryWork& work_;
  const MemoryWork::Piece& piece_;
  const GhostSink::Take& take_;
};

}  // namespace

Error MemoryWork::from_ghost(const Piece& piece, const TakePiece& take, Step& step) {
  std::uint64_t done = 0;
  const GhostSink::Take take_bytes = [&](Bytes bytes) {
    step = take(piece, std::exchange(done, done + bytes.size()), bytes);
    return step;
  };
  GhostSink sink{piece.ghost_offset, piece.ghost_offset + piece.size, take_bytes};
  Error error;
  if (piece.set->directory) {
    InputFile file = piece.set->directory->open(piece.ghost, error);
    if (!error) error = decode_image(std::move(file), sink, options.limits);
  } else if (from_pipe) {
    const auto held = piece.set->ghosts.find(piece.ghost);
    if (held != piece.set->ghosts.end() && !over_limit) sink.give(held->second);
    if (over_limit) error = {Reason::limit_held, "", Error::nowhere, Error::nowhere, options.held_bytes};
  } else {
    ReadGhost reading{*this, piece, take_bytes};
    (void)read_inputs(sources.front().inputs, reading, options.source);
  }
  if (error || step == Step::stop || done == piece.size) return error;
  return {Reason::missing_image, piece.set->place + piece.ghost};
}

void GhostSink::give(std::span<const MemorySet::HeldChunk> chunks) {
  for (const auto& chunk : chunks) {
    offset_ = chunk.offset;
    for (const std::vector<std::byte>& piece : chunk.bytes.pieces())
      if (bytes(piece) == Step::stop) return;
  }
  (void)end();
}

}  // namespace critpipe
