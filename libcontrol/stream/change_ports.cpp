// Other ports for listening TCP sockets, in images that are held.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>

#include "critpipe/image_writer.hpp"
#include "stream/held_images.hpp"

namespace critpipe {

namespace {

using PortChange = HeldImages::PortChange;

// Writes to an image.
class ImageOutput final : public Output {
 public:
  ImageOutput(std::function<Error(Bytes)> append) : append_{std::move(append)} {}

 private:
  bool drain(const char* bytes, std::size_t size) override {
    error_ = append_(bytes_of({bytes, size}));
    return !error_;
  }
  std::function<Error(Bytes)> append_;
};

// Passes an image on; sockets that listen on one of the ports get another.
class PortChanger final : public Stage {
 public:
  PortChanger(Sink& next, const std::vector<PortChange>& changes, std::vector<bool>& done)
      : Stage{&next}, changes_{changes}, done_{done} {}

  Step entry(const Entry& entry) override {
    const std::string prefix = entry.message->find("isk") ? "isk." : "";
    const auto number = [&](const char* name) -> std::uint64_t {
      const FoundValue found = value_at(*entry.message, entry.payload, prefix + name);
      return found.value ? found.value->integer : 0;
    };
    if (number("state") != TCP_LISTEN || number("proto") != IPPROTO_TCP) return Stage::entry(entry);
    const std::uint64_t port = number("src_port");
    const auto change = std::ranges::find_if(changes_, [&](const PortChange& each) { return each.from == port; });
    if (change == changes_.end()) return Stage::entry(entry);
    done_[static_cast<std::size_t>(change - changes_.begin())] = true;
    std::string payload{reinterpret_cast<const char*>(entry.payload.data()), entry.payload.size()};
    if (Error error = set_field(*entry.message, payload, prefix + "src_port", change->to)) return Step::stop;
    Entry changed = entry;
    changed.payload = bytes_of(payload);
    return Stage::entry(changed);
  }
  Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }  // each is looked at

 private:
  const std::vector<PortChange>& changes_;
  std::vector<bool>& done_;
};

}  // namespace

Error HeldImages::change_listening_ports(const std::vector<PortChange>& changes) {
  std::vector<bool> done(changes.size());
  for (const char* name : {"files.img", "inetsk.img"}) {  // now, and before CRIU 3.3
    const auto found = store_->images.find(std::string_view{name});
    if (found == store_->images.end()) continue;
    HeldImage changed;
    ImageOutput output{[&](Bytes bytes) { return store_->append(changed, bytes, name); }};
    ImageSink writer{&output};
    PortChanger changer{writer, changes, done};
    Decoder decoder{changer, name};
    std::vector<std::byte> block(block_bytes);
    Error error;
    Step step = Step::go;
    for (std::uint64_t at = 0; step == Step::go && !error;) {
      const std::size_t got = store_->read(found->second, at, block, error);
      if (got == 0) break;
      at += got;
      step = decoder.feed(Bytes{block}.first(got));
    }
    if (step == Step::go && !error) step = decoder.finish();
    if (decoder.error()) error = decoder.error();
    if (!error && output.flush() == Step::stop) error = output.error();
    if (error) {
      if (error.image.empty()) error.image = name;
      return error;
    }
    std::swap(found->second, changed);
    for (const Extent& old : changed.extents) store_->free(old);
  }
  const auto missed = std::ranges::find(done, false);
  if (missed == done.end()) return {};
  Error error{Reason::usage};
  error.name =
      "no TCP socket listens on port " + std::to_string(changes[static_cast<std::size_t>(missed - done.begin())].from);
  return error;
}

}  // namespace critpipe
