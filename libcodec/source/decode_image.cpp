// One image, from a file or from memory, into a sink.
#include "critpipe/source.hpp"

#include "base/path_names.hpp"
#include "source/byte_reader.hpp"

namespace critpipe {

namespace {

Error decode(ByteReader& reader, const std::string& place, Sink& sink, const Limits& limits, KindFrom kind_from,
             std::uint64_t size = Member::unknown) {
  Decoder decoder{sink, last_part(place), limits, kind_from};
  decoder.expect(size);
  for (Bytes bytes = reader.read(); !bytes.empty(); bytes = reader.read())
    if (decoder.feed(bytes) == Step::stop) break;
  Error error = reader.error();
  if (!error && !decoder.error()) (void)decoder.finish();
  if (!error) error = decoder.error();
  if (error) error.image = place;
  return error;
}

}  // namespace

Error decode_image(const std::string& path, Sink& sink, const Limits& limits) {
  return decode(*open_bytes(path), path, sink, limits, KindFrom::bytes);
}

Error decode_image(InputFile file, Sink& sink, const Limits& limits) {
  const std::string place = file.place();
  const std::uint64_t size = file.size();
  FileReader reader{std::move(file)};
  return decode(reader, place, sink, limits, KindFrom::both, size);
}

Error decode_image(Bytes image, std::string_view name, Sink& sink, const Limits& limits) {
  Decoder decoder{sink, name, limits};
  decoder.expect(image.size());
  if (decoder.feed(image) == Step::go) (void)decoder.finish();
  return decoder.error();
}

}  // namespace critpipe
