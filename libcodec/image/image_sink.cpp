// Images out, as they came in.
#include "critpipe/image_writer.hpp"

namespace critpipe {

void ImageSink::write_word(std::uint32_t word) {
  char* at = output_->reserve(sizeof word);
  std::memcpy(at, &word, sizeof word);
  output_->commit(at + sizeof word);
}

Step ImageSink::begin(const Image& image) {
  kind_ = image.kind;
  if (!output_) return Step::go;
  if (image.head == Head::common) write_word(common_magic);
  if (image.head == Head::service) write_word(service_magic);
  if (!image.is_raw()) write_word(image.kind->magic);
  return step();
}

Step ImageSink::entry(const Entry& entry) {
  const bool is_head = entry.index == 0 && entry.kind->first != entry.kind->later;
  kept_ = output_ && (is_head || (entry.index >= slice_.begin && entry.index < slice_.end));
  if (!kept_) return Step::go;
  output_->mark();
  write_word(static_cast<std::uint32_t>(entry.payload.size()));
  write(entry.payload);
  return step();
}

Sink::Taken ImageSink::many(Bytes unchecked, std::uint64_t index, std::uint64_t) {
  if (!output_ || index < slice_.begin || slice_.end != Slice::open) return {};
  Taken taken = take_canonical(*kind_->later, unchecked);
  output_->pass(unchecked.first(taken.bytes));
  taken.step = step();
  return taken;
}

Step ImageSink::part(const ExtraPart& part) {
  if (!kept_ || !part.message) return Step::go;
  write_word(static_cast<std::uint32_t>(part.payload.size()));
  write(part.payload);
  return step();
}

Step ImageSink::bytes(Bytes bytes) {
  if (kept_) write(bytes);
  return step();
}

Step ImageSink::padding(Bytes bytes) { return ImageSink::bytes(bytes); }

Step ImageSink::close() {
  if (kept_) output_->release();
  return step();
}

Step ImageSink::raw(Bytes bytes) {
  if (output_) output_->pass(bytes);
  return step();
}

void ImageSink::fail(const Error&) {
  if (kept_) (void)output_->rollback();
}

}  // namespace critpipe
