// Single images: from a file into a sink, and whole ones in memory.
#include "critpipe/image_file.hpp"

#include "critpipe/source.hpp"
#include "critpipe/writer.hpp"

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

Error image_to_json(const std::string& path, Output& json, const JsonOptions& options, const Limits& limits) {
  JsonSink sink{json, options};
  const Error error = decode_image(path, sink, limits);
  return json.flush() == Step::stop && !error ? json.error() : error;
}

Error image_to_json(Bytes image, std::string_view name, Output& json, const JsonOptions& options,
                    const Limits& limits) {
  JsonSink sink{json, options};
  const Error error = decode_image(image, name, sink, limits);
  return json.flush() == Step::stop && !error ? json.error() : error;
}

namespace {

// Extras are put together by an ImageSink, as the image has them.
class Loader final : public ImageSink {
 public:
  explicit Loader(StoredImage& image) : ImageSink{&extra_}, image_{image} {}
  Step begin(const Image& image) override {
    image_.head = image.head;
    image_.kind = image.kind;
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    (void)ImageSink::entry(entry);
    (void)extra_.take();
    entry_ = {entry.message, {reinterpret_cast<const char*>(entry.payload.data()), entry.payload.size()}, {}};
    return Step::go;
  }
  Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }  // each is kept by itself
  Step close() override {
    (void)ImageSink::close();
    entry_.extra = extra_.take();
    image_.entries.push_back(std::move(entry_));
    return Step::go;
  }
  Step raw(Bytes) override { return Step::go; }
  void fail(const Error&) override {}

 private:
  StoredImage& image_;
  StringOutput extra_;
  StoredEntry entry_;
};

}  // namespace

Error StoredImage::load(const std::string& path, const Limits& limits) {
  *this = {};
  Loader loader{*this};
  return decode_image(path, loader, limits);
}

Error StoredImage::load(Bytes image, std::string_view name, const Limits& limits) {
  *this = {};
  Loader loader{*this};
  return decode_image(image, name, loader, limits);
}

Error StoredImage::save(const std::string& path) const {
  if (!kind || head == Head::none) return {.reason = Reason::raw_image, .image = path, .name = "it is not held"};
  return replace_file(path, [&](Output& file) { return write(file) == Step::stop ? file.error() : Error{}; });
}

std::string StoredEntry::json() const {
  StringOutput output;
  print_message(output, *message, bytes(), true, false);
  return output.take();
}

Step StoredImage::write(Output& output) const {
  ImageSink sink{&output};
  (void)sink.begin({"", kind, head});
  std::uint64_t index = 0;
  for (const StoredEntry& entry : entries) {
    (void)sink.entry({index++, 0, entry.message, entry.bytes(), false, kind});
    if (sink.bytes(std::as_bytes(std::span{entry.extra})) == Step::stop || sink.close() == Step::stop)
      return Step::stop;
  }
  return output.flush();
}

}  // namespace critpipe
