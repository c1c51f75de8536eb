// Single images: from a file into a sink, and whole ones in memory.
#include "critpipe/stored_image.hpp"

#include "critpipe/source.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe {

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
  print_message(output, *message, bytes());
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

std::int64_t StoredEntry::integer(std::string_view path) const {
  const auto [value, field] = value_at(*message, bytes(), path);
  return value && field->is_integer() ? as_integer(field->type, value->integer) : 0;
}

std::string_view StoredEntry::text(std::string_view path) const {
  const auto [value, field] = value_at(*message, bytes(), path);
  if (!value || (field->type != Type::string && field->type != Type::bytes)) return {};
  return {reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size()};
}

Error StoredEntry::set_json(std::string_view json) {
  std::string changed;
  const Error error = encode_message(*message, json, changed);
  if (!error && changed != canonical(*message, bytes())) payload = std::move(changed);
  return error;
}

}  // namespace critpipe
