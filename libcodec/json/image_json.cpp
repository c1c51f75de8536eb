// One image from its JSON, and one entry.
#include "critpipe/fields.hpp"
#include "critpipe/json.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

namespace {

class OneImage final : public EncodeSink {
 public:
  explicit OneImage(Output& output) : output_{output} {}
  const Error& error() const { return error_; }

  Step begin(const Begin& image) override {
    if (std::exchange(paused_, false)) {
      if (image.name == name_) return Step::go;
    } else if (!any_) {
      any_ = true;
      name_ = image.name;
      return Step::go;
    }
    return fail(Reason::usage, image.name, "a second image: there is room for one");
  }
  Step bytes(Bytes bytes) override {
    output_.pass(bytes);
    return output_.step();
  }
  Step pause() override {
    paused_ = true;
    return Step::go;
  }
  Step end() override { return output_.step(); }
  Step missing_raw(std::string_view name, std::uint64_t) override {
    return fail(Reason::raw_image, name, "its bytes are not in the JSON");
  }

 private:
  Step fail(Reason reason, std::string_view image, const char* what) {
    error_ = {.reason = reason, .image = std::string{image}, .name = what};
    return Step::stop;
  }

  Output& output_;
  Error error_;
  std::string name_;
  bool any_ = false;
  bool paused_ = false;  // others may come now, but here there are none
};

Error result_of(const JsonEncoder& encoder, const OneImage& one, Output& image) {
  if (one.error()) return one.error();
  if (encoder.error()) return encoder.error();
  return image.flush() == Step::stop ? image.error() : Error{};
}

}  // namespace

Error json_to_image(const std::string& path, Output& image, const Limits& limits) {
  const auto reader = open_bytes(path);
  OneImage one{image};
  JsonEncoder encoder{one, path, limits};
  Step step = Step::go;
  for (Bytes text; step == Step::go && !(text = reader->read()).empty();) step = encoder.feed(text);
  if (reader->error()) return reader->error();
  if (step == Step::go) (void)encoder.finish();
  return result_of(encoder, one, image);
}

Error json_to_image(Bytes json, Output& image, const Limits& limits) {
  OneImage one{image};
  JsonEncoder encoder{one, "JSON", limits};
  if (encoder.feed(json) == Step::go) (void)encoder.finish();
  return result_of(encoder, one, image);
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

}  // namespace critpipe
