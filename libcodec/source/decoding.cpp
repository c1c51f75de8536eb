// Members to decoders: one decoder for each member that is open.
#include <algorithm>

#include "critpipe/source.hpp"

namespace critpipe {

struct Decoding::Open {
  std::uint64_t id;
  std::string place;
  std::unique_ptr<Sink> sink;
  Decoder decoder;

  Open(const Member& member, std::unique_ptr<Sink> with, const Limits& limits)
      : id{member.id}, place{member.place}, sink{std::move(with)}, decoder{*sink, member.name, limits} {}
};

Decoding::Decoding(const Limits& limits) : limits_{limits} {}
Decoding::~Decoding() = default;

Decoding::Open* Decoding::find(const Member& member) {
  for (const auto& open : open_)
    if (open->id == member.id) return open.get();
  return nullptr;
}

void Decoding::close(const Member& member) {
  std::erase_if(open_, [&](const auto& open) { return open->id == member.id; });
}

// After the decoder stopped: an error ends this image, a sink that wants no more ends all.
Step Decoding::settle(Open& open) {
  if (!open.decoder.error()) return Step::stop;
  Error error = open.decoder.error();
  error.image = open.place;
  report(error);
  return Step::go;
}

Step Decoding::begin(const Member& member) {
  auto sink = sink_for(member);
  if (sink) open_.push_back(std::make_unique<Open>(member, std::move(sink), limits_));
  return Step::go;
}

Step Decoding::bytes(const Member& member, Bytes bytes) {
  Open* open = find(member);
  if (!open || open->decoder.feed(bytes) == Step::go) return Step::go;
  const Step step = settle(*open);
  close(member);
  return step;
}

Step Decoding::end(const Member& member) {
  Open* open = find(member);
  if (!open) return Step::go;
  const Step step = open->decoder.finish() == Step::go ? Step::go : settle(*open);
  close(member);
  return step;
}

void Decoding::fail(const Member* member, const Error& error) {
  if (Open* open = member ? find(*member) : nullptr) {
    open->sink->fail(error);
    close(*member);
  }
  report(error);
}

}  // namespace critpipe
