// Members to decoders: one decoder for each member that is open.
#include <algorithm>
#include <optional>

#include "critpipe/source.hpp"
#include "source/input_form.hpp"

namespace critpipe {

namespace {

struct OpenImage {
  std::uint64_t id;
  std::string name;
  std::string place;
  std::shared_ptr<const SetId> set;
  std::string member;  // its name in the set
  std::unique_ptr<Sink> sink;
  std::optional<Decoder> decoder;  // none: other data, handed on as a raw image is

  OpenImage(const Member& member, std::unique_ptr<Sink> with)
      : id{member.id},
        name{member.path},
        place{member.place},
        set{member.set},
        member{member.name},
        sink{std::move(with)} {}

  Step begin(const Member& member, const Limits& limits, KindFrom kind_from) {
    if (!member.is_image) return sink->begin({name, nullptr, Head::none});
    decoder.emplace(*sink, name, limits, member.in_set ? kind_from : KindFrom::bytes);
    decoder->expect(member.size);
    return Step::go;
  }
  Step feed(Bytes bytes) { return decoder ? decoder->feed(bytes) : sink->raw(bytes); }
  Step finish() { return decoder ? decoder->finish() : sink->end(); }
  bool is_raw() const { return !decoder || (decoder->image().kind && decoder->image().kind->is_raw()); }
};

// After the decoder stopped: an error ends this image, a sink that wants no more ends all.
Step settle(Decoding& decoding, const OpenImage& open) {
  if (!open.decoder || !open.decoder->error()) return Step::stop;
  Error error = open.decoder->error();
  error.image = open.place;
  error.set = open.set;
  error.member = open.member;
  decoding.report(error);
  return Step::go;
}

}  // namespace

struct Decoding::OpenImages {
  Limits limits;
  KindFrom kind_from;
  std::vector<std::unique_ptr<OpenImage>> images = {};

  OpenImage* find(const Member& member) {
    for (const auto& open : images)
      if (open->id == member.id) return open.get();
    return nullptr;
  }
  void close(const Member& member) {
    std::erase_if(images, [&](const auto& open) { return open->id == member.id; });
  }
};

Decoding::Decoding(const Limits& limits, KindFrom kind_from)
    : open_{std::make_unique<OpenImages>(OpenImages{limits, kind_from})} {}
Decoding::~Decoding() = default;

Step Decoding::begin(const Member& member) {
  auto sink = sink_for(member);
  if (!sink) return Step::go;
  open_->images.push_back(std::make_unique<OpenImage>(member, std::move(sink)));
  return open_->images.back()->begin(member, open_->limits, open_->kind_from);
}

namespace {

// Stops behind the head.
struct HeadOnly final : Sink {
  Step begin(const Image&) override { return Step::stop; }
  Step entry(const Entry&) override { return Step::stop; }
};

}  // namespace

std::optional<ImagePlace> Decoding::entries_of(const Member& member, Bytes begin) const {
  if (!member.is_image) return std::nullopt;
  HeadOnly sink;
  Decoder decoder{sink, member.path, open_->limits, member.in_set ? open_->kind_from : KindFrom::bytes};
  (void)decoder.feed(begin);
  const Image& image = decoder.image();
  if (decoder.error() || image.is_raw() || image.kind->has_extra()) return std::nullopt;
  return ImagePlace{image.kind, image.head, 0, image.head_bytes()};
}

Step Decoding::resume(const Member& member, const ImagePlace& from) {
  (void)begin(member);
  OpenImage* const open = open_->find(member);
  return open && open->decoder ? open->decoder->resume(from) : Step::go;
}

void Decoding::pass_to(const Member& member, const ImagePlace& place, std::uint64_t nr_selected) {
  OpenImage* open = open_->find(member);
  if (open && open->decoder) open->decoder->pass_to(place);
  add_selected(nr_selected);
}

bool Decoding::needs_bytes(const Member& member) {
  OpenImage* open = open_->find(member);
  if (!open) return false;
  if (reads_raw() || !open->is_raw()) return true;
  return open->sink->pass_over(member.size) == Step::stop;
}

Step Decoding::bytes(const Member& member, Bytes bytes) {
  OpenImage* open = open_->find(member);
  if (!open) return Step::go;
  if (open->feed(bytes) == Step::stop) {
    const Step step = settle(*this, *open);
    open_->close(member);
    return step;
  }
  const std::uint64_t held = open->decoder ? open->decoder->held() : 0;
  if (held > free_held_bytes && member.packed != Member::unknown && held / max_held_ratio > member.packed) {
    Error error{Reason::limit_ratio, open->place, open->decoder->offset(), Error::nowhere, member.packed, held};
    fail(&member, error);
  }
  return Step::go;
}

Step Decoding::end(const Member& member) {
  OpenImage* open = open_->find(member);
  if (!open) return Step::go;
  const Step step = open->finish() == Step::go ? Step::go : settle(*this, *open);
  open_->close(member);
  return step;
}

void Decoding::fail(const Member* member, const Error& error) {
  if (OpenImage* open = member ? open_->find(*member) : nullptr) {
    open->sink->fail(error);
    open_->close(*member);
  }
  if (!member) return report(error);
  Error placed = error;
  if (!placed.set) placed.set = member->set;
  placed.member = member->name;
  report(placed);
}

bool Decoding::has_enough(const Member& member) {
  const OpenImage* const open = open_->find(member);
  return !open || open->sink->has_enough();
}

}  // namespace critpipe
