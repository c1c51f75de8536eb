// The "extra" of an entry -> the raw bytes after its message, in the shapes of kind.hpp. It may stand before the fields
// that say its length, so it is decoded when it comes, held, and written when the message is complete.
#include "critpipe/fields.hpp"
#include "json/parse/entry_encoder.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

std::uint64_t padding_of(std::uint64_t size, std::uint64_t multiple) { return (multiple - size % multiple) % multiple; }

// Requires: a token of a document, so that the next one follows it.
bool is_empty(std::string_view token) {
  const char next = token.data()[token.size()];
  return trim_json(token) == "\"\"" || (token[0] == '[' && next == ']') || (token[0] == '{' && next == '}');
}

// "... <64KB>" of crit, "64.0 KB" of go-criu: what stands where extras are left out.
bool is_size_only(std::string_view text) {
  if (text.starts_with("... <")) return true;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view unit = text.substr(digits);
  return digits != 0 && unit.starts_with(' ') && unit.ends_with('B') && unit.size() <= 3;
}

}  // namespace

bool EntryEncoder::take_extra(ondemand::value& value) {
  const std::string_view token = token_of(value), text = trim_json(token);
  if (!continued_) {
    held_.truncate(0);
    parts_[0] = parts_[1] = {};
    nr_nested_ = 0;
  }
  extra_at_ = token.data();
  has_extra_ = !is_null(token);
  if (!has_extra_ || is_empty(token)) return true;
  const auto wants = [&](char first, std::string_view what) {
    return text[0] == first || fault_.set(Reason::bad_json_value, extra_at_,
                                          "the extra of " + std::string{kind_->name} + " wants " + std::string{what});
  };
  switch (kind_->extra.shape) {
    case Extra::Shape::nothing:
      return fault_.set(Reason::bad_json_value, extra_at_,
                        "images of kind " + std::string{kind_->name} + " have no extra");
    case Extra::Shape::bytes:
      if (nr_parts() == 2 && text[0] != '"')
        return wants('{', "an object of two base64 texts") && take_parts(value, extra_at_);
      return wants('"', "base64 text") && held_bytes(token, 0);
    case Extra::Shape::padded:
    case Extra::Shape::ghost: return wants('"', "base64 text") && held_bytes(token, 0);
    case Extra::Shape::units: return take_units(value, token);
    case Extra::Shape::nested:
      return wants('[', "a list of messages and base64 texts") && take_nested(value, extra_at_);
  }
  return true;
}

bool EntryEncoder::held_bytes(std::string_view token, int part) {
  const std::string_view text = trim_json(token);
  if (text.size() >= 2 && text[0] == '"' && is_size_only(text.substr(1, text.size() - 2)))
    return left_out(token.data(), {0, 0, false});
  parts_[part].begin = held_.size();
  if (!fields_.base64(token, held_)) return false;
  parts_[part].size = held_.size() - parts_[part].begin;
  return true;
}

bool EntryEncoder::take_parts(ondemand::value& value, const char* at) {
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return fields_.json_error(error, at);
  for (auto item : object) {
    ondemand::field pair;
    if (const auto error = std::move(item).get(pair)) return fields_.json_error(error, at);
    const std::string_view token = token_of(pair.value());
    const std::string_view key{pair.key().raw(), std::string_view{pair.key().raw(), 16}.substr(0, 16).find('"')};
    const int part = key == part_name(0) ? 0 : key == part_name(1) ? 1 : no_part;
    if (part == no_part)
      return fault_.set(Reason::bad_json_value, token.data(),
                        "the extra of " + std::string{kind_->name} + " has the keys " + quoted_for_error(part_name(0)) +
                            " and " + quoted_for_error(part_name(1)));
    if (is_null(token)) continue;
    if (part < next_part_ && continued_)
      return fault_.set(Reason::bad_json_value, token.data(),
                        quoted_for_error(key) + " stands twice, and is too large for that");
    if (!held_bytes(token, part)) return false;
  }
  return true;
}

bool EntryEncoder::put_unit(const Integer& number, const char* at) {
  if (number.negative || number.magnitude > 0xffff)
    return fault_.set(Reason::bad_json_value, at, "a semaphore has a value from 0 to 65535");
  held_.word(static_cast<std::uint16_t>(number.magnitude));
  parts_[0].size = held_.size();
  return true;
}

bool EntryEncoder::take_units(ondemand::value& value, std::string_view token) {
  if (token[0] == '"') return take_units_text(token);
  if (token[0] != '[') return fault_.set(Reason::bad_json_value, token.data(), "the extra wants a list of integers");
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return fields_.json_error(error, token.data());
  for (auto item : array) {
    ondemand::value element;
    if (const auto error = std::move(item).get(element)) return fields_.json_error(error, token.data());
    Integer number;
    const std::string_view text = token_of(element);
    if (!fields_.integer(text, number)) {
      const std::string shown = quoted_for_error(trim_json(text));
      return fault_.set(Reason::bad_json_value, text.data(), "wants an integer, not " + shown);
    }
    if (!put_unit(number, text.data())) return false;
  }
  return true;
}

// go-criu writes the list as text: "[1,2]".
bool EntryEncoder::take_units_text(std::string_view token) {
  std::string_view text = trim_json(token);
  text = trim_json(text.substr(1, text.size() - 2));
  if (is_size_only(text)) return left_out(token.data(), {0, 0, false});
  if (!text.starts_with('[') || !text.ends_with(']'))
    return fault_.set(Reason::bad_json_value, token.data(), "the extra wants a list of integers");
  text = trim_json(text.substr(1, text.size() - 2));
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    Integer number;
    if (parse_literal(text.substr(0, comma), number) != NumberFault::none)
      return fault_.set(Reason::bad_json_value, token.data(), "the extra wants a list of integers");
    if (!put_unit(number, token.data())) return false;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

// [message, base64, message, base64, ...]
bool EntryEncoder::take_nested(ondemand::value& value, const char* at) {
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return fields_.json_error(error, at);
  Length data;
  bool wants_data = false;
  const auto no_data = [&](const char* where) {
    return !wants_data || (data.size == 0 && fill_part(0, data, held_, where, "")) || left_out(where, data);
  };
  for (auto item : array) {
    ondemand::value element;
    if (const auto error = std::move(item).get(element)) return fields_.json_error(error, at);
    const std::string_view token = token_of(element);
    if (token.empty()) return fields_.json_error(simdjson::TAPE_ERROR, at);
    if (token[0] == '{') {
      if (!no_data(token.data()) || !take_nested_message(element, token.data(), data)) return false;
      wants_data = true;
      continue;
    }
    if (!wants_data)
      return fault_.set(Reason::bad_json_value, token.data(), "the extra wants a message before each base64 text");
    wants_data = false;
    parts_[0] = {};
    if (!is_null(token) && !held_bytes(token, 0)) return false;
    if (!fill_part(parts_[0].size, data, held_, token.data(), "")) return false;
  }
  return no_data(at);
}

bool EntryEncoder::take_nested_message(ondemand::value& value, const char* at, Length& data) {
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return fields_.json_error(error, at);
  nested_keys_.wired.there = false;
  nested_.begin_entry();
  held_.word(std::uint32_t{0});
  const std::size_t begin = held_.size();
  if (!nested_.message(*nested_message_, object, at, 0, &nested_keys_)) return false;
  if (nested_.has_unknown() && !check_unknown(*nested_message_, held_.from(begin), at)) return false;
  if (nested_keys_.wired.there) prefer_wire(*nested_message_, nested_keys_.wired, held_, begin);
  const auto size = static_cast<std::uint32_t>(held_.size() - begin);
  std::memcpy(held_.data() + begin - sizeof size, &size, sizeof size);
  ++nr_nested_;
  data.size = length_in(*nested_message_, held_.from(begin), kind_->extra.second);
  data.padding = padding_of(data.size, kind_->extra.padding);
  return true;
}

}  // namespace critpipe
