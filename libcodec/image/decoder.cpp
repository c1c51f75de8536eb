// Magic, framing, extras: blocks in, entries out.
#include <algorithm>

#include "critpipe/fields.hpp"
#include "critpipe/image.hpp"

namespace critpipe {

Decoder::Decoder(Sink& sink, std::string_view name, const Limits& limits, KindFrom kind_from)
    : sink_{sink}, limits_{limits}, kind_from_{kind_from}, name_{name.empty() ? "-" : name} {
  const Kind* by_name = kind_of_name(name_);
  image_.name = name_;
  image_.kind = by_name;
  if (!by_name || !by_name->is_raw()) return;
  state_ = State::raw;
  need_ = 1;
  deliver(sink_.begin(image_));
}

Step Decoder::resume(const ImagePlace& from) {
  image_.kind = from.kind;
  image_.head = from.head;
  state_ = State::entries;
  pass_to(from);
  return deliver(sink_.resume(image_, nr_entries_)) ? Step::go : Step::stop;
}

void Decoder::pass_to(const ImagePlace& place) {
  nr_entries_ = place.nr_entries;
  offset_ = place.offset;
  need_ = 4;
}

Step Decoder::feed(Bytes block) {
  while (!stopped_ && !block.empty()) {
    if (carry_.empty()) {
      const std::size_t used = consume(block);
      block = block.subspan(used);
      if (stopped_ || block.empty() || block.size() >= need_) continue;
    }
    const std::size_t take = std::min(block.size(), need_ - carry_.size());
    if (carry_.size() + take > carry_.capacity())
      carry_.reserve(std::min(need_, std::max<std::size_t>(2 * (carry_.size() + take), 256)));
    carry_.insert(carry_.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(take));
    block = block.subspan(take);
    if (carry_.size() == need_ && consume(carry_) != 0) carry_.clear();
  }
  return stopped_ ? Step::stop : Step::go;
}

// Takes what is complete, at least one thing if there is one; sets need_ to the bytes that the next thing takes.
std::size_t Decoder::consume(Bytes block) {
  std::size_t used = 0;
  while (!stopped_ && block.size() - used >= need_) {
    const Bytes rest = block.subspan(used);
    std::size_t step = 0;
    switch (state_) {
      case State::magic:
      case State::kind_magic: step = take_magic(rest); break;
      case State::entries: step = take_entries(rest); break;
      case State::part: step = take_part_bytes(rest); break;
      case State::padding: step = take_padding(rest); break;
      case State::nested: step = take_nested(rest); break;
      case State::raw:
        deliver(sink_.raw(rest));
        step = rest.size();
        offset_ += step;
        break;
    }
    used += step;
    if (step == 0) break;
  }
  return used;
}

std::size_t Decoder::take_magic(Bytes block) {
  const std::uint32_t word = load_u32(block.data());
  if (state_ == State::magic && (word == common_magic || word == service_magic)) {
    image_.head = word == common_magic ? Head::common : Head::service;
    state_ = State::kind_magic;
  } else {
    start_entries(word, state_ == State::magic ? Head::bare : image_.head);
  }
  offset_ += stopped_ ? 0 : 4;
  return 4;
}

bool Decoder::start_entries(std::uint32_t magic, Head head) {
  const Kind* by_name = image_.kind;
  const Kind* kind = by_name && by_name->magic == magic ? by_name : find_kind(magic);
  if (!kind && state_ == State::magic && is_big_endian_head(magic)) {
    image_.head = Head::none;
    fail(Reason::limit_big_endian, offset_);
    return false;
  }
  if (!kind) {
    image_.head = Head::none;
    fail(Reason::bad_magic, offset_, 0, magic,
         by_name ? "" : "; a raw image (pages, tar, iptables, ...) is known by its file name only");
    return false;
  }
  if (by_name && by_name->magic != magic && kind_from_ == KindFrom::both) {
    fail(Reason::bad_kind, Error::nowhere, 0, 0, std::string{kind->name});
    return false;
  }
  image_.kind = kind;
  image_.head = head;
  state_ = State::entries;
  need_ = 4;
  return deliver(sink_.begin(image_));
}

std::size_t Decoder::take_entries(Bytes block) {
  std::size_t at = 0;
  const bool bare = !image_.kind->has_extra();
  bool many = bare && block.size() <= limits_.entry_bytes;  // until the sink takes none
  while (state_ == State::entries && !stopped_ && block.size() - at >= 4) {
    if (many && nr_entries_ > 0) {
      const Sink::Taken taken = sink_.many(block.subspan(at), nr_entries_, offset_);
      many = taken.entries > 0;
      at += taken.bytes;
      offset_ += taken.bytes;
      nr_entries_ += taken.entries;
      if (!deliver(taken.step) || block.size() - at < 4) break;
    }
    const std::size_t size = load_u32(block.data() + at);
    if (size > limits_.entry_bytes) {
      fail_at_length(size);
      break;
    }
    if (block.size() - at - 4 < size) {
      need_ = 4 + size;
      return at;
    }
    const Message* message = &message_of_next();
    const Bytes payload = block.subspan(at + 4, size);
    Checked checked;
    (void)check(*message, payload, checked);
    if (image_.kind->draft && nr_entries_ > 0 && (checked.has_unknown || checked.reason != Reason::none) &&
        is_draft(*image_.kind->draft, *message, payload, checked)) [[unlikely]]
      message = image_.kind->draft;
    if (checked.reason != Reason::none) [[unlikely]] {
      fail(checked.reason, offset_ + 4 + checked.offset, checked.want, checked.have,
           checked.field ? std::string{checked.field->name()} : "");
      break;
    }
    const Entry entry{nr_entries_, offset_, message, payload, checked.canonical, image_.kind};
    ++nr_entries_;
    at += 4 + size;
    offset_ += 4 + size;
    if (!deliver(sink_.entry(entry))) break;
    if (bare) [[likely]]
      deliver(sink_.close());
    else start_extra(entry);
  }
  if (state_ == State::entries) need_ = 4;
  return at;
}

std::size_t Decoder::take_part_bytes(Bytes block) {
  const Bytes taken = block.first(static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), left_)));
  offset_ += taken.size();
  if (left_ != ExtraPart::unknown) left_ -= taken.size();
  if (deliver(sink_.bytes(taken)) && left_ == 0) next_part();
  return taken.size();
}

std::size_t Decoder::take_padding(Bytes block) {
  const Bytes taken = block.first(static_cast<std::size_t>(padding_));
  offset_ += taken.size();
  padding_ = 0;
  if (deliver(sink_.padding(taken))) next_part();
  return taken.size();
}

// Of a message that is over the limit: at an offset, in front of it.
void Decoder::fail_at_length(std::uint64_t length) {
  const std::uint64_t begin = offset_ + 4, left = size_bytes_ - std::min(size_bytes_, begin);
  if (length > left) fail(Reason::cut_payload, begin, length, left);
  else fail(Reason::limit_payload, offset_, limits_.entry_bytes, length);
}

bool Decoder::deliver(Step step) {
  if (step == Step::stop) stopped_ = true;
  return !stopped_;
}

void Decoder::fail(Reason reason, std::uint64_t offset, std::uint64_t want, std::uint64_t have, std::string name) {
  const bool in_magic = state_ == State::magic || state_ == State::kind_magic || state_ == State::raw;
  const bool in_extra = state_ == State::part || state_ == State::padding || state_ == State::nested;
  error_ = {reason, name_, offset,         in_magic ? Error::nowhere : nr_entries_ - (in_extra ? 1 : 0),
            want,   have,  std::move(name)};
  stopped_ = true;
  sink_.fail(error_);
}

Step Decoder::finish() {
  if (stopped_) return Step::stop;
  const std::uint64_t have = carry_.size();
  switch (state_) {
    case State::magic:
    case State::kind_magic: fail(Reason::cut_magic, offset_, 4, have); break;
    case State::entries:
      if (have >= 4) fail(Reason::cut_payload, offset_ + 4, need_ - 4, have - 4);
      else if (have > 0) fail(Reason::cut_size, offset_, 4, have);
      break;
    case State::part:
      if (left_ != ExtraPart::unknown) fail(Reason::cut_extra, offset_, left_, have);
      else deliver(sink_.close());
      break;
    case State::padding: fail(Reason::cut_extra, offset_, padding_, have); break;
    case State::nested:
      if (have >= 4) fail(Reason::cut_payload, offset_ + 4, need_ - 4, have - 4);
      else fail(Reason::cut_size, offset_, 4, have);
      break;
    case State::raw: break;
  }
  if (!stopped_) deliver(sink_.end());
  return stopped_ ? Step::stop : Step::go;
}

}  // namespace critpipe
