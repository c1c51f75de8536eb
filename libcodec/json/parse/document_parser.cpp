// The keys of a document. Those that are not ours are passed over.
#include <algorithm>

#include "json/parse/json_parser.hpp"
#include "json/parse/json_text.hpp"
#include "base/base64.hpp"

namespace critpipe {

namespace {

constexpr std::size_t scalar_bytes = 64 << 10;  // a name or number in a document is shorter

bool is_scalar_end(char c) { return c == ',' || c == '}' || c == ']' || is_json_blank(c); }

// {"base64": "..."} -> what stands between the quotes.
bool inside_base64_object(std::string_view token, std::string_view& inside) {
  token = trim_json(token.substr(1, token.size() - 2));
  for (const std::string_view word : {"\"base64\"", ":", "\""}) {
    if (!token.starts_with(word)) return false;
    token.remove_prefix(word.size());
    if (word != "\"") token = trim_json(token);
  }
  if (!token.ends_with('"') || token.find('"') != token.size() - 1) return false;
  token.remove_suffix(1);
  inside = token;
  return true;
}

}  // namespace

bool JsonEncoder::Parser::take_between() {
  if (!skip_blanks()) return false;
  const auto first = static_cast<unsigned char>(peek());
  if (first < 0x20 || (first != '{' && reader_.is_bad())) return fail(Reason::bad_encoding, window_.at(at_), "");
  if (first != '{')
    return bad(window_.at(at_), nr_documents_ > 0 ? "text follows the document that is no other one"
                                                  : "a document begins with {\"magic\": ..., \"entries\": [...");
  if (line_.known && take_small_lines()) return flush(block_bytes);
  ++nr_documents_;
  document_ = {};
  line_.known = false;
  line_.begin = line_.index = line_.entry = line_.entry_end = at_;
  ++at_;
  state_ = State::first_key;
  return true;
}

bool JsonEncoder::Parser::take_key() {
  if (!skip_blanks()) return false;
  if (peek() == '}' && state_ == State::first_key) return end_document();
  const char* at = window_.at(at_);
  if (*at != '"') return bad(at, peek() == '}' ? "a comma is too much before }" : "a key in quotes is missing here");
  const char* end = find_string_end(at + 1, window_.end());
  if (!end) {
    if (window_.end() - at <= static_cast<std::ptrdiff_t>(scalar_bytes)) return false;
    return fail(Reason::limit_json, at, "a key", scalar_bytes);
  }
  constexpr std::pair<std::string_view, Key> keys[] = {
      {"image", Key::image},     {"magic", Key::magic},        {"head", Key::head}, {"index", Key::index},
      {"entries", Key::entries}, {"entry", Key::entry},        {"raw", Key::raw},   {"size", Key::size},
      {"error", Key::error},     {"continued", Key::continued}};
  const std::string_view inside{at + 1, static_cast<std::size_t>(end - at - 2)};
  key_ = Key::other;
  for (const auto& [name, key] : keys)
    if (name == inside) key_ = key;
  at_ = window_.offset_of(end);
  state_ = State::colon;
  return true;
}

bool JsonEncoder::Parser::take_colon() {
  if (!skip_blanks()) return false;
  if (peek() != ':') return bad(window_.at(at_), "a colon is missing after the key");
  ++at_;
  state_ = State::value;
  return true;
}

bool JsonEncoder::Parser::take_value() {
  if (!skip_blanks()) return false;
  const char first = peek();
  const bool wanted = key_ == Key::entries || key_ == Key::entry || key_ == Key::raw;
  if (wanted && first != 'n') return start_value(first);
  if (key_ == Key::other) {
    cutter_.restart();
    scan_ = at_;
    state_ = first == '"' ? State::skip_string : State::skip_brackets;
    if (first == '"') ++at_;
    if (first == '"' || first == '{' || first == '[') return true;
    state_ = State::value;
  }
  std::string_view token;
  if (!scalar(token)) return false;
  if (!take_known(token)) return false;
  at_ += token.size();
  state_ = State::after_value;
  return true;
}

// The whole of a text, number or word, or of the object that an image's name is if it is no UTF-8. False: it goes on
// in the text to come, or is none.
bool JsonEncoder::Parser::scalar(std::string_view& token) {
  const char* begin = window_.at(at_);
  const char* end = window_.end();
  const bool is_object = key_ == Key::image && *begin == '{';
  const char* at = *begin == '"' ? find_string_end(begin + 1, end) : std::find_if(begin, end, is_scalar_end);
  if (is_object) at = std::find(begin, end, '}');
  if (is_object && at != end) return token = {begin, at + 1}, true;
  if (!at || at == end) {
    if (at && *begin == '"') return token = {begin, at}, true;
    if (end - begin > static_cast<std::ptrdiff_t>(scalar_bytes))
      fail(Reason::limit_json, begin, "a value", scalar_bytes);
    return false;
  }
  token = {begin, at};
  return !token.empty() || bad(begin, "a value is missing here");
}

bool JsonEncoder::Parser::string_of(std::string_view token, std::string& out) {
  out.clear();
  std::size_t wrong;
  if (append_unescaped(token.substr(1, token.size() - 2), out, wrong)) return true;
  return bad(token.data() + 1 + wrong, "an escape or a control character that JSON does not have in texts");
}

bool JsonEncoder::Parser::name_of_bytes(std::string_view token, std::string& out) {
  std::string_view inside;
  if (!inside_base64_object(token, inside))
    return fail(Reason::bad_json_value, token.data(), "\"image\" wants a text, or {\"base64\": ...}");
  std::string text;
  std::size_t wrong;
  out.clear();
  if (append_unescaped(inside, text, wrong) && append_decoded_base64(text, out) == Base64Decoder::Fault::none)
    return true;
  return fail(Reason::bad_json_value, inside.data(), "\"image\" is no base64");
}

bool JsonEncoder::Parser::take_known(std::string_view token) {
  if (token == "null") {
    if (key_ != Key::entries) return true;
    if (!document_.kind) return document_.held_key = Key::entries, document_.held_begin = at_, true;
    document_.has_entries = true;
    return start_image(false, true);
  }
  const bool is_text = token[0] == '"';
  if (key_ == Key::index || key_ == Key::size) return take_number(token);
  if (key_ == Key::other || key_ == Key::error || key_ == Key::continued) {
    Integer ignored;
    const NumberFault fault = is_text ? NumberFault::none : parse_json_integer(token, ignored);
    if (fault == NumberFault::not_a_number && token != "true" && token != "false")
      return bad(token.data(), quoted_for_error(token) + " is no value of JSON");
    if (key_ == Key::continued) document_.continued = token == "true";
    if (key_ != Key::error) return true;
    std::string text{token};
    if (is_text && !string_of(token, text)) return false;
    document_.error = text;
    return true;
  }
  std::string text;
  if (key_ == Key::image && token[0] == '{') {
    if (!name_of_bytes(token, text)) return false;
  } else {
    if (!is_text) return fail(Reason::bad_json_value, token.data(), "\"magic\", \"image\" and \"head\" want texts");
    if (!string_of(token, text)) return false;
  }
  if (key_ == Key::magic) return take_magic(text, token.data());
  if (key_ == Key::head) return take_head(text, token.data());
  if (document_.has_entries || document_.has_raw)
    return fail(Reason::bad_json_value, token.data(), "\"image\" must stand before \"entries\"");
  document_.has_image = true;
  document_.image = text == "-" ? "" : text;
  return true;
}

bool JsonEncoder::Parser::take_number(std::string_view token) {
  Integer value;
  std::string text;
  NumberFault fault;
  if (token[0] == '"') fault = string_of(token, text) ? parse_literal(text, value) : NumberFault::not_a_number;
  else fault = parse_json_integer(token, value);
  if (stopped_) return false;
  if (fault != NumberFault::none || value.negative)
    return fail(Reason::bad_json_value, token.data(),
                "\"index\" and \"size\" want numbers, not " + quoted_for_error(token));
  (key_ == Key::index ? document_.index : document_.size) = value.magnitude;
  if (key_ == Key::index) {
    line_.index = at_;
    line_.index_end = at_ + token.size();
  }
  return true;
}

bool JsonEncoder::Parser::take_magic(const std::string& name, const char* at) {
  const Kind* kind = find_kind(name);
  if (kind && !kind->is_raw()) {
    if (document_.kind && kind != document_.kind) return fail(Reason::bad_json_value, at, "\"magic\" stands twice");
    document_.kind = kind;
    return true;
  }
  NearNames near{name};
  for (const Kind& candidate : all_kinds())
    if (!candidate.is_raw()) near.offer(candidate.name);
  const char* why = kind ? " is a raw image, which has no entries" : " is no kind of image";
  return fail(Reason::bad_json_value, at, quoted_for_error(name) + why + near.sentence());
}

bool JsonEncoder::Parser::take_head(const std::string& name, const char* at) {
  if (document_.has_entries) return fail(Reason::bad_json_value, at, "\"head\" must stand before \"entries\"");
  if (name == "bare") document_.head = Head::bare;
  else if (name == "common") document_.head = Head::common;
  else if (name == "service") document_.head = Head::service;
  else
    return fail(Reason::bad_json_value, at,
                "\"head\" is \"bare\", \"common\" or \"service\", not " + quoted_for_error(name));
  return true;
}

bool JsonEncoder::Parser::skip_string() {
  const char* at = window_.at(at_);
  const char* end = window_.end();
  if (const char* found = find_string_end(at, end)) {
    at_ = window_.offset_of(found);
    state_ = State::after_value;
    return true;
  }
  // A backslash at the end belongs to what follows.
  const char* last = end;
  while (last != at && last[-1] == '\\') --last;
  at_ = window_.offset_of(end) - static_cast<std::uint64_t>((end - last) % 2);
  return false;
}

bool JsonEncoder::Parser::skip_brackets() {
  const ValueScanner::Cut cut = cutter_.scan(window_.at(scan_), window_.end(), ValueScanner::Until::first);
  scan_ = window_.offset_of(cut.at);
  if (!cut.value_end) {
    const std::uint64_t size = scan_ - document_.held_begin;
    if (state_ == State::skip_brackets) at_ = scan_;
    else if (size > limits_.waiting_json_bytes)
      return fail(Reason::limit_json, window_.at(at_), "what waits for its \"magic\"", limits_.waiting_json_bytes);
    return false;
  }
  at_ = scan_;
  state_ = State::after_value;
  return true;
}

bool JsonEncoder::Parser::take_after_value() {
  if (document_.resume_at != 0) {
    at_ = document_.resume_at;
    document_.resume_at = 0;
    document_.held_key = Key::other;
    return end_document();
  }
  if (!skip_blanks()) return false;
  if (peek() == '}') return end_document();
  if (peek() != ',') return bad(window_.at(at_), "a comma or } is missing here");
  ++at_;
  state_ = State::key;
  return true;
}

// at_ is at the }.
bool JsonEncoder::Parser::end_document() {
  if (document_.held_key != Key::other && document_.kind) {
    document_.resume_at = at_;
    at_ = document_.held_begin;
    key_ = document_.held_key;
    state_ = State::value;
    return true;
  }
  const char* at = window_.at(at_);
  if (document_.error) note_incomplete(*document_.error);
  if (document_.continued) {
    if (!image_.open || image_.name != document_.image)
      return fail(Reason::bad_json_value, at, "\"continued\" stands in a document of an image that has not begun");
    if (!pause_image()) return false;
  } else if (document_.has_entries || document_.has_raw) {
    if (!image_.lines ? !end_image() : !check_index(entry_.nr_entries() - 1)) return false;
  } else if (document_.size && !document_.kind) {
    if (!end_image() || !deliver(sink_.missing_raw(document_.image, *document_.size))) return false;
  } else if (!document_.error) {
    if (document_.held_key != Key::other || !document_.kind)
      return fail(Reason::bad_json_value, at,
                  "\"magic\" is missing: the kind of the image, as \"CORE\" or \"PAGEMAP\"");
    return fail(Reason::bad_json_value, at, "\"entries\" is missing");
  }
  learn_line();
  ++at_;
  document_ = {};
  state_ = State::between;
  return true;
}

}  // namespace critpipe
