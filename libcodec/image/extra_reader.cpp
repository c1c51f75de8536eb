// The raw bytes after a message: one function a shape. Lengths come from fields of the entry that kinds.inc names.
#include "critpipe/fields.hpp"
#include "critpipe/image.hpp"

namespace critpipe {

namespace {

std::uint64_t length_in(const Message& message, Bytes payload, std::string_view field_name) {
  const Field* field = message.find(field_name);
  return field ? integer_or(*field, message, payload, 0) : 0;
}

// A product or sum that overflows is no length; neither is the largest number, which stands for the rest of a file.
std::uint64_t times(std::uint64_t count, std::uint64_t unit) {
  std::uint64_t size;
  return __builtin_mul_overflow(count, unit, &size) ? Part::unknown : size;
}

std::uint64_t plus(std::uint64_t first, std::uint64_t second) {
  std::uint64_t size;
  return __builtin_add_overflow(first, second, &size) ? Part::unknown : size;
}

// Zeros that fill `size` up to a multiple of `multiple`.
std::uint64_t padding_of(std::uint64_t size, std::uint64_t multiple) { return (multiple - size % multiple) % multiple; }

}  // namespace

// Requires: the kind has an extra. Fails where lengths overflow.
bool Decoder::start_extra(const Entry& entry) {
  const Extra& extra = image_.kind->extra;
  const auto length = [&](std::string_view field) { return length_in(*entry.message, entry.payload, field); };
  const bool unless = !extra.unless.empty() && length(extra.unless) != 0;
  std::uint64_t size = 0;
  switch (extra.shape) {
    case Extra::Shape::nothing: return deliver(sink_.close());
    case Extra::Shape::bytes:
      size = length(extra.first);
      if (!extra.second_name.empty()) {
        second_left_ = length(extra.second);
        second_pending_ = true;
      } else if (!extra.second.empty()) {
        size = plus(size, length(extra.second));
      }
      return start_part({extra.first_name, extra.shape, size}, 0);
    case Extra::Shape::units:
      size = times(length(extra.first), extra.unit);
      return start_part({{}, extra.shape, size}, padding_of(size, extra.padding));
    case Extra::Shape::padded:
      size = unless ? 0 : length(extra.first);
      return start_part({{}, Extra::Shape::bytes, size}, padding_of(size, extra.padding));
    case Extra::Shape::nested: nested_left_ = length(extra.first); return next_part();
    case Extra::Shape::ghost:
      if (entry.index == 0) {
        chunked_ = unless;
        return chunked_ ? deliver(sink_.close()) : start_rest();
      }
      return start_part({{}, Extra::Shape::bytes, length(extra.first)}, 0);
  }
  return true;
}

bool Decoder::start_rest() {
  state_ = State::part;
  need_ = 1;
  left_ = Part::unknown;
  return deliver(sink_.part({{}, Extra::Shape::bytes, Part::unknown}));
}

bool Decoder::start_part(const Part& part, std::uint64_t padding) {
  state_ = State::part;
  need_ = 1;
  if (part.size == Part::unknown) {
    fail(Reason::bad_extra_length, offset_, 0, 0, std::string{image_.kind->extra.first});
    return false;
  }
  left_ = part.size;
  padding_ = padding;
  if (!deliver(sink_.part(part))) return false;
  return left_ != 0 || next_part();
}

bool Decoder::next_part() {
  if (padding_ != 0) {
    state_ = State::padding;
    need_ = static_cast<std::size_t>(padding_);
    return true;
  }
  if (second_pending_) {
    second_pending_ = false;
    return start_part({image_.kind->extra.second_name, Extra::Shape::bytes, second_left_}, 0);
  }
  need_ = 4;
  if (nested_left_ != 0) {
    state_ = State::nested;
    return true;
  }
  state_ = State::entries;
  return deliver(sink_.close());
}

std::size_t Decoder::take_nested(Bytes block) {
  const Extra& extra = image_.kind->extra;
  const std::size_t size = load_u32(block.data());
  if (size > limits_.entry_bytes) {
    fail(Reason::limit_payload, offset_, limits_.entry_bytes, size);
    return 0;
  }
  if (block.size() - 4 < size) {
    need_ = 4 + size;
    return 0;
  }
  const Message& message = *find_message(extra.nested_message);
  const Bytes payload = block.subspan(4, size);
  Checked checked;
  if (!check(message, payload, checked)) {
    fail(checked.reason, offset_ + 4 + checked.offset, checked.want, checked.have,
         checked.field ? std::string{checked.field->name()} : "");
    return 0;
  }
  --nested_left_;
  offset_ += 4 + size;
  const std::uint64_t data = length_in(message, payload, extra.second);
  start_part({{}, Extra::Shape::nested, data, &message, payload, checked.canonical}, padding_of(data, extra.padding));
  return 4 + size;
}

}  // namespace critpipe
