// One image, from a file or from memory, into a sink.
#include "critpipe/source.hpp"

namespace critpipe {

Error decode_image(const std::string& path, Sink& sink, const Limits& limits) {
  const auto reader = open_bytes(path);
  Decoder decoder{sink, path.substr(path.rfind('/') + 1), limits};
  for (Bytes bytes = reader->read(); !bytes.empty(); bytes = reader->read())
    if (decoder.feed(bytes) == Step::stop) break;
  Error error = reader->error();
  if (!error && !decoder.error()) (void)decoder.finish();
  if (!error) error = decoder.error();
  if (error) error.image = path;
  return error;
}

Error decode_image(Bytes image, std::string_view name, Sink& sink, const Limits& limits) {
  Decoder decoder{sink, name, limits};
  if (decoder.feed(image) == Step::go) (void)decoder.finish();
  return decoder.error();
}

}  // namespace critpipe
