// Pages images that come in the order of an archive only, unpacked into a file in which they have a position.
#include <algorithm>

#include "critpipe/output.hpp"
#include "memory/checkpoint_memory.hpp"

namespace critpipe {

namespace {

using Piece = MemoryWork::Piece;

class UnpackInput final : public Decoding {
 public:
  UnpackInput(MemoryWork& work, const MemoryWork::Source& source, const std::set<const MemorySet*>& wanted)
      : Decoding{work.options.limits}, work_{work}, source_{source}, wanted_{wanted} {}

  bool wants(const Member& member) override {
    return pages_id_of_name(member.name) && (!work_.options.wanted || work_.options.wanted(member.path));
  }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override {
    if (work_.note(error)) work_.report(error);
  }
  const Error& error() const { return error_; }

 private:
  class OneImage;
  Step append(Bytes bytes);

  MemoryWork& work_;
  const MemoryWork::Source& source_;
  const std::set<const MemorySet*>& wanted_;
  bool is_busy_ = false;  // with an image
  Error error_;
};

// As it is stored. What there is of an image that is cut has its place, too: who wants the rest is told.
class UnpackInput::OneImage final : public Sink {
 public:
  OneImage(UnpackInput& all, MemorySet::Streamed& image)
      : all_{all}, image_{image}, part_{all.work_.options.spool, all.work_.spooled_bytes} {
    all_.is_busy_ = true;
  }
  ~OneImage() override { all_.is_busy_ = false; }
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override {
    part_.size += bytes.size();
    return all_.append(bytes);
  }
  Step end() override {
    image_.part = part_;
    return Step::go;
  }
  void fail(const Error&) override { (void)end(); }

 private:
  UnpackInput& all_;
  MemorySet::Streamed& image_;
  PagesImage::Part part_;
};

// Of images that come in turns, only one at a time gets a position.
std::unique_ptr<Sink> UnpackInput::sink_for(const Member& member) {
  const auto pages_id = member.is_image ? pages_id_of_name(member.name) : std::nullopt;
  MemorySet* const set = source_.sets.find(*member.set);
  if (!pages_id || !set || is_busy_ || !wanted_.contains(set) || set->has_part(*pages_id)) return nullptr;
  return std::make_unique<OneImage>(*this, set->images[*pages_id]);
}

Step UnpackInput::append(Bytes bytes) {
  const InputFile& spool = *work_.options.spool;
  error_ = write_at(spool.fd(), work_.spooled_bytes, bytes, spool.place());
  return error_ ? Step::stop : Step::go;
}

// Do they come in the order in which they are wanted?
bool are_in_order(const std::vector<Piece>& pieces) {
  std::pair<std::uint64_t, std::uint64_t> last;
  for (const Piece& piece : pieces) {
    if (!piece.is_streamed()) continue;
    const auto image = piece.stream->images.find(piece.stretch.pages_id);
    if (image == piece.stream->images.end()) continue;  // missing
    const std::pair next{image->second.order, piece.stretch.page};
    if (std::exchange(last, next) > next) return false;
  }
  return true;
}

}  // namespace

Error MemoryWork::unpack(std::vector<Piece>& pieces) {
  std::set<const MemorySet*> wanted;
  std::uint64_t size = 0;
  for (const Piece& piece : pieces)
    if (piece.is_streamed()) {
      wanted.insert(piece.stream);
      size += piece.size;
    }
  if (!options.spool || from_pipe || wanted.empty()) return {};
  const bool comes_once = !std::exchange(was_streamed, true);
  if (comes_once && (size <= options.held_bytes || are_in_order(pieces))) return {};
  for (const Source& source : sources) {
    const auto is_wanted = [&](const auto& set) { return wanted.contains(set.get()); };
    if (std::ranges::none_of(source.sets.all(), is_wanted)) continue;
    UnpackInput unpacking{*this, source, wanted};
    (void)read_inputs(source.inputs, unpacking, options_of(source));
    if (unpacking.error()) return unpacking.error();
  }
  for (Piece& piece : pieces)
    if (piece.is_streamed() && piece.stream->has_part(piece.stretch.pages_id))
      piece.archive = std::exchange(piece.stream, nullptr);
  return {};
}

}  // namespace critpipe
