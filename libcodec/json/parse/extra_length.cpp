// Extras against what their messages say about them.
#include "critpipe/fields.hpp"
#include "json/parse/entry_encoder.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

std::uint64_t padding_of(std::uint64_t size, std::uint64_t multiple) { return (multiple - size % multiple) % multiple; }

}  // namespace

std::uint64_t EntryEncoder::length_in(const Message& message, Bytes payload, std::string_view field_name) const {
  const Field* field = message.find(field_name);
  return field ? integer_or(*field, message, payload, 0) : 0;
}

bool EntryEncoder::find_lengths(const Message& message, Bytes payload, const char* at) {
  const Extra& extra = kind_->extra;
  const auto length = [&](std::string_view field) { return length_in(message, payload, field); };
  const bool unless = !extra.unless.empty() && length(extra.unless) != 0;
  bool overflow = false;
  Length& first = lengths_[0];
  first = lengths_[1] = {};
  switch (extra.shape) {
    case Extra::Shape::nothing: break;
    case Extra::Shape::bytes:
      first.size = length(extra.first);
      if (nr_parts() == 2) lengths_[1].size = length(extra.second);
      else if (!extra.second.empty()) overflow = __builtin_add_overflow(first.size, length(extra.second), &first.size);
      break;
    case Extra::Shape::units:
      overflow = __builtin_mul_overflow(length(extra.first), std::uint64_t{extra.unit}, &first.size);
      first.padding = padding_of(first.size, extra.padding);
      break;
    case Extra::Shape::padded:
      first.size = unless ? 0 : length(extra.first);
      first.padding = padding_of(first.size, extra.padding);
      break;
    case Extra::Shape::nested: first.size = length(extra.first); break;
    case Extra::Shape::ghost:
      if (nr_entries_ == 0) {
        chunked_ = unless;
        go_ghost_ = !chunked_ && fields_.is_go();
        first.known = chunked_;
      } else {
        first.size = length(extra.first);
        if (!chunked_)
          return fault_.set(Reason::bad_json_value, at, "a ghost file that is not in chunks has one entry");
      }
      break;
  }
  if (overflow || first.size + first.padding < first.size)
    return fault_.set(Reason::bad_extra_length, at, std::string{extra.first});
  return true;
}

// Writes the parts that are held, up to `end`.
bool EntryEncoder::put_parts(int end, const char* at) {
  for (; next_part_ < end; ++next_part_) {
    const auto& part = parts_[next_part_];
    const Length& length = lengths_[next_part_];
    if (part.size == 0 && (length.known ? length.size != 0 : !has_extra_)) return left_out(at, length);
    out_.append(held_.data() + part.begin, part.size);
    if (!fill_part(part.size, length, out_, at, part_name(next_part_))) return false;
  }
  return true;
}

bool EntryEncoder::put_nested(const char* at) {
  const std::uint64_t wanted = lengths_[0].size;
  if (nr_nested_ == 0 && wanted != 0) return left_out(at, {wanted, 0, false});
  if (nr_nested_ != wanted)
    return fault_.set(Reason::bad_json_value, extra_at_ ? extra_at_ : at,
                      '"' + std::string{kind_->extra.first} + "\" is " + std::to_string(wanted) +
                          ", and the extra has " + std::to_string(nr_nested_) + " messages");
  out_.append(held_.data(), held_.size());
  return true;
}

// So many bytes are there: are they as many as wanted? Further ones are the padding; zeros fill what lacks of it.
bool EntryEncoder::fill_part(std::uint64_t have, const Length& length, WireBuffer& out, const char* at,
                             std::string_view name) {
  if (!length.known) {
    if (go_ghost_) drop_go_zeros(have, out);
    return true;
  }
  const std::uint64_t room = length.size + length.padding;
  if (have >= length.size && have <= room) {
    out.zeros(static_cast<std::size_t>(room - have));
    return true;
  }
  const std::string which = name.empty() ? "the extra" : quoted_for_error(name) + " of the extra";
  return fault_.set(
      Reason::bad_json_value, at,
      which + " has " + std::to_string(have) + " bytes, and the message says " + std::to_string(length.size));
}

// go-criu reads a ghost file past its end, by the eight bytes of the head.
void EntryEncoder::drop_go_zeros(std::uint64_t have, WireBuffer& out) {
  if (have >= sizeof(std::uint64_t) && load_u64(out.data() + out.size() - sizeof(std::uint64_t)) == 0)
    out.truncate(out.size() - sizeof(std::uint64_t));
}

bool EntryEncoder::left_out(const char* at, const Length& length) {
  const std::string size = length.known ? " of " + std::to_string(length.size) + " bytes" : "";
  return fault_.set(Reason::bad_json_value, at,
                    "the extra" + size + " was left out (--no-payload): no image can be made without it");
}

bool EntryEncoder::part_bytes(std::uint64_t size, const char* at) {
  streamed_ += size;
  const Length& length = lengths_[next_part_];
  if (!length.known || streamed_ <= length.size + length.padding) return true;
  return fill_part(streamed_, length, out_, at, part_name(next_part_));
}

bool EntryEncoder::close_part(const char* at) {
  const bool good = fill_part(streamed_, lengths_[next_part_], out_, at, part_name(next_part_));
  ++next_part_;
  streamed_ = 0;
  return good;
}

}  // namespace critpipe
