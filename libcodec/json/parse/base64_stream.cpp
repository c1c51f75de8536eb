// Base64 that is decoded as it arrives: raw images, and extras too large to be held.
#include <algorithm>

#include "json/parse/json_parser.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

constexpr std::size_t piece_characters = 64 << 10;
constexpr std::size_t kept_bytes = 8;  // what the end of an extra may take back

std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_json_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

// An element in which a text does not end: is it an extra whose bytes can be written as they come?
bool JsonEncoder::Parser::find_open_part(char* begin, char* end, char*& quote, int& part) {
  const Extra& extra = entry_.kind().extra;
  if (extra.nested || cutter_.depth() != (extra.is_object() ? 2 : 1)) return false;
  for (char* at = begin; (quote = std::find(at, end, '"')) != end;) {
    const char* after = find_string_end(quote + 1, end);
    if (!after) break;
    at = begin + (after - begin);
  }
  std::string_view before = trim_end({begin, static_cast<std::size_t>(quote - begin)});
  if (quote == end || !before.ends_with(':')) return false;
  before = trim_end(before.substr(0, before.size() - 1));
  const auto key_is = [&](std::string_view name) { return before.ends_with('"' + std::string{name} + '"'); };
  const auto nr_parts = static_cast<int>(extra.nr_parts());
  const auto plan = [&](int of) { return extra.parts[static_cast<std::size_t>(of)]; };
  for (part = 0; part < nr_parts; ++part)
    if (key_is(extra.is_object() ? plan(part).name : "extra")) return plan(part).form == Extra::Form::text;
  return false;
}

// Reads what stands before the text as an entry of its own, with null in place of the text.
bool JsonEncoder::Parser::start_extra_text() {
  char* begin = window_.at(at_);
  char* quote;
  int part;
  if (!find_open_part(begin, window_.end(), quote, part)) return false;
  const std::string_view filler = entry_.kind().extra.is_object() ? "null}}]" : "null}]";
  char saved[8];
  const char before = begin[-1];
  std::copy_n(quote, filler.size(), saved);
  std::copy_n(filler.data(), filler.size(), quote);
  begin[-1] = '[';
  const auto size = static_cast<std::size_t>(quote - begin) + filler.size() + 1;
  const simdjson::padded_string_view text{begin - 1, size, size + simdjson::SIMDJSON_PADDING};
  ondemand::document document;
  ondemand::value value;
  ondemand::object object;
  auto error = simdjson_.iterate(text).get(document);
  if (!error) error = document.at(0).get(value);
  if (!error) error = value.get_object().get(object);
  const std::size_t good_size = out_.size();
  const bool good = error ? entry_.json_error(error, begin) : entry_.entry(object, {begin, continued_, part});
  begin[-1] = before;
  std::copy_n(saved, filler.size(), quote);
  if (!good) {
    out_.truncate(good_size);
    return fail_entry();
  }
  if (entry_.is_incomplete())
    return fail(Reason::bad_json_value, begin,
                "\"error\" stands before an extra over 4 MiB, where it cannot be obeyed");
  at_ = window_.offset_of(quote) + 1;
  open_part_ = part;
  base64_ = Base64Decoder{Base64Decoder::Text::json};
  state_ = State::extra_text;
  return true;
}

bool JsonEncoder::Parser::take_base64() {
  const char* at = window_.at(at_);
  const char* end = window_.end();
  const char* after = find_string_end(at, end);
  const char* stop = after ? after - 1 : end;
  if (!after) {
    // A backslash at the end belongs to what follows.
    while (stop != at && stop[-1] == '\\') --stop;
    if ((end - stop) % 2 == 0) stop = end;
    else stop = end - 1;
  }
  const std::uint64_t begin_offset = at_ - base64_.characters();
  while (at != stop) {
    const std::string_view piece{at, std::min(piece_characters, static_cast<std::size_t>(stop - at))};
    std::byte* out = out_.reserve(Base64Decoder::room(piece.size()));
    const std::byte* done = base64_.feed(piece, out);
    out_.commit(done);
    entry_.part_text(piece);
    at += piece.size();
    at_ += piece.size();
    if (base64_.fault() != Base64Decoder::Fault::none) break;
    if (state_ == State::extra_text && !entry_.part_bytes(static_cast<std::uint64_t>(done - out), at))
      return fail_entry();
    if (!flush(block_bytes, kept_bytes)) return false;
  }
  if (after && base64_.fault() == Base64Decoder::Fault::none) {
    std::byte* out = out_.reserve(Base64Decoder::room(0));
    const std::byte* done = base64_.finish(out);
    out_.commit(done);
    if (state_ == State::extra_text && !entry_.part_bytes(static_cast<std::uint64_t>(done - out), at))
      return fail_entry();
  }
  if (base64_.fault() != Base64Decoder::Fault::none)
    return fail(Reason::bad_json_value,
                window_.at(std::max(begin_offset + base64_.characters(), at_ - piece_characters)), base64_.sentence());
  if (!after) return false;
  ++at_;
  if (state_ == State::extra_text) return end_extra_text();
  state_ = State::after_value;
  return true;
}

// What follows the text is read as an entry that goes on: {"extra": null and the rest.
bool JsonEncoder::Parser::end_extra_text() {
  const Extra& extra = entry_.kind().extra;
  std::string front = "{\"extra\":";
  if (extra.is_object()) front += "{\"" + std::string{extra.parts[static_cast<std::size_t>(open_part_)].name} + "\":";
  front += "null";
  scan_ = at_;
  cutter_.leave_string();
  at_ -= front.size();
  std::copy(front.begin(), front.end(), window_.at(at_));
  continued_ = true;
  next_try_ = held_extra_bytes;
  state_ = State::element;
  return true;
}

}  // namespace critpipe
