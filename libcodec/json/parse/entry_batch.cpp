// The list of entries, or the one entry of a line: cut where entries end, and read in batches.
#include <algorithm>

#include "json/parse/json_parser.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

constexpr std::size_t batch_bytes = block_bytes;
constexpr std::uint64_t json_per_byte = 4;  // text of an entry to its bytes, at most

// The first control character in a string.
const char* find_control(const char* begin, const char* end) {
  for (const char* at = begin; (at = std::find(at, end, '"')) != end;) {
    const char* after = find_string_end(at + 1, end);
    const char* stop = after ? after : end;
    const char* found = std::find_if(at, stop, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (found != stop || !after) return found;
    at = after;
  }
  return begin;
}

// Requires: an object begins at `at`, and ends in the text.
char* after_value(char* at, char* end) {
  ValueScanner cutter;
  const ValueScanner::Cut cut = cutter.scan(at, end, ValueScanner::Until::first);
  return cut.value_end ? at + (cut.value_end - at) : end;
}

}  // namespace

// The first character of "entries", "entry" or "raw".
bool JsonEncoder::Parser::start_value(char first) {
  const char* at = window_.at(at_);
  if (key_ == Key::raw) {
    if (first != '"') return fail(Reason::bad_json_value, at, "\"raw\" wants base64 in a text");
    if (document_.has_entries || document_.has_raw)
      return fail(Reason::bad_json_value, at, "the image has its bytes already");
    document_.has_raw = true;
    ++at_;
    base64_ = Base64Decoder{Base64Decoder::Text::json};
    state_ = State::raw_text;
    return start_raw();
  }
  const bool one = key_ == Key::entry;
  if (first != (one ? '{' : '['))
    return fail(Reason::bad_json_value, at, one ? "\"entry\" wants an object" : "\"entries\" wants a list");
  cutter_.restart();
  scan_ = at_;
  if (!document_.kind) {
    if (document_.held_key != Key::other) return fail(Reason::bad_json_value, at, "\"entries\" stands twice");
    document_.held_key = key_;
    document_.held_begin = at_;
    state_ = State::hold;
    return true;
  }
  if (document_.has_entries || document_.has_raw) return fail(Reason::bad_json_value, at, "\"entries\" stands twice");
  document_.has_entries = true;
  state_ = one ? State::element_start : State::first_element;
  if (one) line_.entry = at_;
  else ++at_;
  return !one || start_image(true, false);
}

bool JsonEncoder::Parser::take_first_element() {
  if (!skip_blanks()) return false;
  const bool empty = peek() == ']';
  state_ = empty ? State::after_value : State::element_start;
  if (empty) ++at_;
  return start_image(false, empty);
}

bool JsonEncoder::Parser::take_element_start() {
  if (!skip_blanks()) return false;
  const char* at = window_.at(at_);
  if (*at == ']') return bad(at, "a comma is too much before ]");
  if (*at != '{') return fail(Reason::bad_json_value, at, "an entry is an object: {...}");
  if (take_small_elements()) return flush(block_bytes);
  if (scan_ <= at_) {
    scan_ = at_;
    cutter_.restart();
  }
  next_try_ = held_extra_bytes;
  continued_ = false;
  state_ = State::element;
  return true;
}

// Elements as they usually look. False: the next one does not; if others before it did, it is read by itself, so that
// those behind it have their chance.
bool JsonEncoder::Parser::take_small_elements() {
  const auto stand = key_ == Key::entry ? EntryEncoder::Stand::alone : EntryEncoder::Stand::in_list;
  const char* const after = entry_.small_entries(window_.at(at_), window_.end(), stand);
  if (!entry_.doubts().found().empty()) [[unlikely]]
    tell_doubts();
  alone_ = after_small_ && !after;
  after_small_ = after != nullptr;
  if (!after) return false;
  at_ = scan_ = window_.offset_of(after);
  cutter_.restart();
  state_ = key_ == Key::entry ? State::after_value : State::separator;
  if (key_ == Key::entry) line_.entry_end = at_;
  return true;
}

bool JsonEncoder::Parser::take_element() {
  char* end = window_.end();
  char* from = window_.at(scan_);
  if (end - from > static_cast<std::ptrdiff_t>(batch_bytes)) end = from + batch_bytes;
  const bool one = key_ == Key::entry || continued_ || alone_;
  const ValueScanner::Cut cut = cutter_.scan(from, end, one ? ValueScanner::Until::first : ValueScanner::Until::last);
  scan_ = window_.offset_of(cut.at);
  if (!cut.value_end) return scan_ != window_.end_offset() || wait_for_element();
  char* begin = window_.at(at_);
  at_ = window_.offset_of(cut.value_end);
  if (!take_batch(begin, window_.at(at_))) return false;
  state_ = key_ == Key::entry ? State::after_value : State::separator;
  return true;
}

bool JsonEncoder::Parser::take_separator() {
  if (!skip_blanks()) return false;
  const char* at = window_.at(at_);
  if (*at != ',' && *at != ']') return bad(at, "a comma or ] is missing between entries");
  ++at_;
  state_ = *at == ',' ? State::element_start : State::after_value;
  return true;
}

// The element goes on beyond the text that is here.
bool JsonEncoder::Parser::wait_for_element() {
  const std::uint64_t size = window_.end_offset() - at_;
  if (size >= next_try_ && cutter_.in_string()) {
    next_try_ = size + size / 2;
    return start_extra_text();
  }
  const std::uint64_t limit = std::min(limits_.entry_bytes, ~std::uint64_t{0} / json_per_byte) * json_per_byte;
  return size > limit && fail(Reason::limit_json, window_.at(at_), "the text of an entry", limit);
}

// Whole entries with commas between them, which simdjson reads as a list. Both characters around them are ours to
// overwrite: what stands before has been read, what stands behind is put back.
bool JsonEncoder::Parser::take_batch(char* begin, char* end) {
  const char before = begin[-1], after = *end;
  begin[-1] = '[';
  *end = ']';
  const bool good = read_batch(begin, end, false);
  begin[-1] = before;
  *end = after;
  return good && flush(block_bytes);
}

bool JsonEncoder::Parser::read_batch(char* begin, char* end, bool single) {
  const auto size = static_cast<std::size_t>(end - begin) + 2;
  const simdjson::padded_string_view text{begin - 1, size, size + simdjson::SIMDJSON_PADDING};
  ondemand::document document;
  ondemand::array array;
  auto error = simdjson_.iterate(text).get(document);
  if (!error) error = document.get_array().get(array);
  if (error) return single ? fail_batch(error, begin, end) : read_one_by_one(begin, end, false);
  const char* last = nullptr;  // the last entry that was good
  for (auto item : array) {
    ondemand::value value;
    const std::size_t good_size = out_.size();
    error = std::move(item).get(value);
    if (!error && read_entry(value)) {
      last = token_of(value).data();
      if (out_.size() >= block_bytes && !flush(0)) return false;
      continue;
    }
    out_.truncate(std::min(out_.size(), good_size));
    JsonFault& fault = entry_.fault();
    if (!single && (error || fault.vague)) {
      fault = {};
      const char* from = error ? last : token_of(value).data();
      char* at = from ? begin + (from - begin) : begin;
      return error && last ? read_one_by_one(after_value(at, end), end, true) : read_one_by_one(at, end, false);
    }
    if (error) entry_.json_error(error, begin);
    const char* at = nullptr;
    if (fault.vague && document.current_location().get(at) == simdjson::SUCCESS) fault.at = at;
    return fail_entry();
  }
  return true;
}

bool JsonEncoder::Parser::fail_batch(simdjson::error_code error, const char* begin, const char* end) {
  if (error == simdjson::UNESCAPED_CHARS)
    return bad(find_control(begin, end), "a control character in a text; JSON wants it as \\n, \\t or \\u00XX");
  entry_.json_error(error, begin);
  return fail_entry();
}

// The batch has a fault that concerns more than an entry, or whose place depends on what stands around it.
bool JsonEncoder::Parser::read_one_by_one(char* at, char* end, bool wants_comma) {
  const auto skip = [&] {
    while (at != end && is_json_blank(*at)) ++at;
  };
  for (;; wants_comma = true) {
    skip();
    if (at == end) return true;
    if (wants_comma) {
      if (*at != ',') return bad(at, "a comma or ] is missing between entries");
      ++at;
      skip();
    }
    if (at == end || *at != '{') return fail(Reason::bad_json_value, at, "an entry is an object: {...}");
    char* const entry_end = after_value(at, end);
    const char before = at[-1], after = *entry_end;
    at[-1] = '[';
    *entry_end = ']';
    const bool good = read_batch(at, entry_end, true);
    at[-1] = before;
    *entry_end = after;
    if (!good) return false;
    at = entry_end;
  }
}

bool JsonEncoder::Parser::read_entry(ondemand::value& value) {
  const std::string_view token = token_of(value);
  ondemand::object object;
  if (token.empty() || token[0] != '{')
    return entry_.fault().set(Reason::bad_json_value, token.data(), "an entry is an object: {...}");
  if (const auto error = value.get_object().get(object)) return entry_.json_error(error, token.data());
  if (!entry_.entry(object, {token.data(), continued_, EntryEncoder::no_part})) return false;
  if (!entry_.doubts().found().empty()) [[unlikely]]
    tell_doubts();
  if (entry_.is_incomplete()) [[unlikely]]
    note_incomplete(entry_.error_text());
  return true;
}

}  // namespace critpipe
