// Extras are written, if they are as large as their messages say.
#include "json/parse/entry_encoder.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

std::string EntryEncoder::part_for_error(int part) const {
  const std::string_view name = plan(part).name;
  return name.empty() ? "the extra" : quoted_for_error(name) + " of the extra";
}

bool EntryEncoder::find_sizes(const Message& message, Bytes payload, const char* at) {
  if (has_rest_)
    return fault_.set(Reason::bad_json_value, at, "no entry may follow one whose extra is the rest of the image");
  sizes_ = extra_sizes(kind_->extra, message, payload, nr_entries_);
  has_rest_ = sizes_.follows == ExtraSizes::Follows::rest_of_image;
  go_zeros_ = has_rest_ && fields_.is_go();
  return sizes_.bad_field.empty() || fault_.set(Reason::bad_extra_length, at, std::string{sizes_.bad_field});
}

// Writes the parts that are held, up to `end`.
bool EntryEncoder::put_parts(int end, const char* at) {
  for (; next_part_ < end; ++next_part_) {
    const auto& part = parts_[next_part_];
    const ExtraSizes::Size& size = size_of(next_part_);
    const bool is_missing = size.bytes == ExtraSizes::unknown ? !has_extra_ : size.bytes != 0;
    if (part.size == 0 && is_missing) return left_out(at, size.bytes);
    out_.append(held_.data() + part.begin, part.size);
    if (!fill_part(part.size, size, out_, at, next_part_)) return false;
  }
  return true;
}

bool EntryEncoder::put_nested(const char* at) {
  const std::uint64_t wanted = sizes_.nr_messages;
  if (nr_nested_ == 0 && wanted != 0) return left_out(at);
  if (nr_nested_ != wanted)
    return fault_.set(Reason::bad_json_value, extra_at_ ? extra_at_ : at,
                      '"' + std::string{kind_->extra.nr_nested} + "\" is " + std::to_string(wanted) +
                          ", and the extra has " + std::to_string(nr_nested_) + " messages");
  out_.append(held_.data(), held_.size());
  return true;
}

// So many bytes are there: are they as many as wanted? Further ones are the padding; zeros fill what lacks of it.
bool EntryEncoder::fill_part(std::uint64_t have, const ExtraSizes::Size& size, WireBuffer& out, const char* at,
                             int part) {
  if (size.bytes == ExtraSizes::unknown) {
    if (go_zeros_ && !in_lines_) drop_go_zeros(have, out);
    return true;
  }
  const std::uint64_t padded = size.bytes + size.padding;
  if (have >= size.bytes && have <= padded) {
    out.zeros(static_cast<std::size_t>(padded - have));
    return true;
  }
  return fault_.set(Reason::bad_json_value, at,
                    part_for_error(part) + " has " + std::to_string(have) + " bytes, and the message says " +
                        std::to_string(size.bytes));
}

// go-criu reads the rest of an image past its end, by the eight bytes of the head.
void EntryEncoder::drop_go_zeros(std::uint64_t have, WireBuffer& out) {
  if (have >= sizeof(std::uint64_t) && load_u64(out.data() + out.size() - sizeof(std::uint64_t)) == 0)
    out.truncate(out.size() - sizeof(std::uint64_t));
}

bool EntryEncoder::left_out(const char* at, std::uint64_t size) {
  const std::string of_size = size == ExtraSizes::unknown ? "" : " of " + std::to_string(size) + " bytes";
  return fault_.set(Reason::bad_json_value, at,
                    "the extra" + of_size + " was left out (--no-payload): no image can be made without it");
}

bool EntryEncoder::part_bytes(std::uint64_t size, const char* at) {
  streamed_ += size;
  const ExtraSizes::Size& wanted = size_of(next_part_);
  if (wanted.bytes == ExtraSizes::unknown || streamed_ <= wanted.bytes + wanted.padding) return true;
  return fault_.set(
      Reason::bad_json_value, at,
      part_for_error(next_part_) + " has more bytes than the message says: " + std::to_string(wanted.bytes));
}

bool EntryEncoder::close_part(const char* at) {
  const bool good = fill_part(streamed_, size_of(next_part_), out_, at, next_part_);
  ++next_part_;
  streamed_ = 0;
  return good;
}

}  // namespace critpipe
