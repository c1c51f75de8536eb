// The raw bytes after a message, as the plan of the kind says.
#include "critpipe/fields.hpp"
#include "critpipe/image.hpp"

namespace critpipe {

// Requires: the kind has an extra. Fails where its sizes overflow.
bool Decoder::start_extra(const Entry& entry) {
  const Extra& extra = image_.kind->extra;
  sizes_ = extra_sizes(extra, *entry.message, entry.payload, entry.index);
  part_ = 0;
  nr_parts_ = 0;
  messages_left_ = sizes_.nr_messages;
  switch (sizes_.follows) {
    case ExtraSizes::Follows::nothing: return deliver(sink_.close());
    case ExtraSizes::Follows::messages: return next_part();
    case ExtraSizes::Follows::parts:
    case ExtraSizes::Follows::rest_of_image: break;
  }
  nr_parts_ = extra.nr_parts();
  state_ = State::part;
  if (sizes_.bad_field.empty()) return next_part();
  fail(Reason::bad_extra_length, offset_, 0, 0, std::string{sizes_.bad_field});
  return false;
}

bool Decoder::start_part(const ExtraPart& part) {
  state_ = State::part;
  need_ = 1;
  left_ = part.size;
  padding_ = sizes_.parts[part_].padding;
  ++part_;
  if (!deliver(sink_.part(part))) return false;
  return left_ != 0 || next_part();
}

bool Decoder::next_part() {
  if (padding_ != 0) {
    state_ = State::padding;
    need_ = static_cast<std::size_t>(padding_);
    return true;
  }
  if (part_ < nr_parts_) {
    const Extra::PartPlan& plan = image_.kind->extra.parts[part_];
    return start_part({plan.name, plan.form, sizes_.parts[part_].bytes, nullptr, {}, true, plan.unit});
  }
  need_ = 4;
  if (messages_left_ != 0) {
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
    fail_at_length(size);
    return 0;
  }
  if (block.size() - 4 < size) {
    need_ = 4 + size;
    return 0;
  }
  const Message& message = *extra.nested;
  const Bytes payload = block.subspan(4, size);
  Checked checked;
  if (!check(message, payload, checked)) {
    fail(checked.reason, offset_ + 4 + checked.offset, checked.want, checked.have,
         checked.field ? std::string{checked.field->name()} : "");
    return 0;
  }
  --messages_left_;
  offset_ += 4 + size;
  sizes_ = nested_sizes(extra, payload);
  part_ = 0;
  if (sizes_.bad_field.empty())
    start_part({{}, extra.parts[0].form, sizes_.parts[0].bytes, &message, payload, checked.canonical});
  else fail(Reason::bad_extra_length, offset_, 0, 0, std::string{sizes_.bad_field});
  return 4 + size;
}

}  // namespace critpipe
