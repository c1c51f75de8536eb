// The "extra" of an entry -> the raw bytes after its message, as the plan of its kind says. It may stand
// before the fields that say its size, so it is decoded when it comes, held, and written when the message is complete.
#include <algorithm>

#include "json/parse/entry_encoder.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

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

// "a", "b" and "c"
std::string keys_of(const Extra& extra) {
  std::string keys;
  for (std::size_t i = 0; i < extra.nr_parts(); ++i)
    keys += (i == 0 ? "" : i + 1 == extra.nr_parts() ? " and " : ", ") + quoted_for_error(extra.parts[i].name);
  return keys;
}

}  // namespace

bool EntryEncoder::take_extra(ondemand::value& value) {
  const std::string_view token = token_of(value), text = trim_json(token);
  if (!continued_) {
    held_.truncate(0);
    in_lines_ = false;
    std::ranges::fill(parts_, Held{});
    nr_nested_ = 0;
  }
  extra_at_ = token.data();
  has_extra_ = !is_null(token);
  if (!has_extra_ || is_empty(token)) return true;
  const auto wants = [&](char first, std::string_view what) {
    return text[0] == first || fault_.set(Reason::bad_json_value, extra_at_,
                                          "the extra of " + std::string{kind_->name} + " wants " + std::string{what});
  };
  const Extra& extra = kind_->extra;
  if (!kind_->has_extra())
    return fault_.set(Reason::bad_json_value, extra_at_,
                      "images of kind " + std::string{kind_->name} + " have no extra");
  if (extra.nested) return wants('[', "a list of messages and base64 texts") && take_nested(value, extra_at_);
  if (extra.is_object() && text[0] != '"')
    return wants('{', "an object with the keys " + keys_of(extra)) && take_parts(value, extra_at_);
  if (extra.parts[0].form == Extra::Form::text && !wants('"', "base64 text")) return false;
  return held_part(value, token, 0);
}

bool EntryEncoder::held_part(ondemand::value& value, std::string_view token, int part) {
  return plan(part).form == Extra::Form::numbers ? take_numbers(value, token, part) : held_bytes(token, part);
}

bool EntryEncoder::held_bytes(std::string_view token, int part) {
  const std::string_view text = trim_json(token);
  if (text.size() >= 2 && text[0] == '"' && is_size_only(text.substr(1, text.size() - 2)))
    return left_out(token.data());
  parts_[part].begin = held_.size();
  part_text(text);
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
    const std::string_view from_key{pair.key().raw(), Field::key_room};  // names are shorter
    const std::string_view key = from_key.substr(0, from_key.find('"'));
    int part = 0;
    while (part < nr_parts() && plan(part).name != key) ++part;
    if (part == nr_parts())
      return fault_.set(Reason::bad_json_value, token.data(),
                        "the extra of " + std::string{kind_->name} + " has the keys " + keys_of(kind_->extra));
    if (is_null(token)) continue;
    if (part < next_part_ && continued_)
      return fault_.set(Reason::bad_json_value, token.data(),
                        quoted_for_error(key) + " stands twice, and is too large for that");
    if (!held_part(pair.value(), token, part)) return false;
  }
  return true;
}

bool EntryEncoder::put_number(const Integer& number, int part, const char* at) {
  const unsigned bytes = plan(part).unit;
  const std::uint64_t largest = ~std::uint64_t{0} >> (64 - 8 * bytes);
  if (number.negative || number.magnitude > largest)
    return fault_.set(Reason::bad_json_value, at,
                      "the numbers of " + part_for_error(part) + " go from 0 to " + std::to_string(largest));
  for (unsigned i = 0; i < bytes; ++i) held_.word(static_cast<std::uint8_t>(number.magnitude >> 8 * i));
  parts_[part].size += bytes;
  return true;
}

bool EntryEncoder::wants_numbers(int part, const char* at) {
  return fault_.set(Reason::bad_json_value, at, part_for_error(part) + " wants a list of integers");
}

bool EntryEncoder::take_numbers(ondemand::value& value, std::string_view token, int part) {
  parts_[part] = {held_.size(), 0};
  if (token[0] == '"') return take_numbers_text(token, part);
  if (token[0] != '[') return wants_numbers(part, token.data());
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
    if (!put_number(number, part, text.data())) return false;
  }
  return true;
}

// go-criu writes the list as text: "[1,2]".
bool EntryEncoder::take_numbers_text(std::string_view token, int part) {
  std::string_view text = trim_json(token);
  text = trim_json(text.substr(1, text.size() - 2));
  if (is_size_only(text)) return left_out(token.data());
  if (!text.starts_with('[') || !text.ends_with(']')) return wants_numbers(part, token.data());
  text = trim_json(text.substr(1, text.size() - 2));
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    Integer number;
    if (parse_literal(text.substr(0, comma), number) != NumberFault::none) return wants_numbers(part, token.data());
    if (!put_number(number, part, token.data())) return false;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

// [message, base64, message, base64, ...]
bool EntryEncoder::take_nested(ondemand::value& value, const char* at) {
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return fields_.json_error(error, at);
  ExtraSizes::Size data;
  bool wants_data = false;
  const auto no_data = [&](const char* where) {
    return !wants_data || (data.bytes == 0 && fill_part(0, data, held_, where, 0)) || left_out(where, data.bytes);
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
    if (!fill_part(parts_[0].size, data, held_, token.data(), 0)) return false;
  }
  return no_data(at);
}

bool EntryEncoder::take_nested_message(ondemand::value& value, const char* at, ExtraSizes::Size& data) {
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return fields_.json_error(error, at);
  nested_keys_.wired.there = false;
  nested_.begin_entry();
  held_.word(std::uint32_t{0});
  const std::size_t begin = held_.size();
  if (!nested_.message(*kind_->extra.nested, object, at, 0, &nested_keys_)) return false;
  if (nested_.has_unknown() && !check_unknown(*kind_->extra.nested, held_.from(begin), at)) return false;
  if (nested_keys_.wired.there) prefer_wire(*kind_->extra.nested, nested_keys_.wired, held_, begin);
  const auto size = static_cast<std::uint32_t>(held_.size() - begin);
  std::memcpy(held_.data() + begin - sizeof size, &size, sizeof size);
  ++nr_nested_;
  const ExtraSizes sizes = nested_sizes(kind_->extra, held_.from(begin));
  if (!sizes.bad_field.empty()) return fault_.set(Reason::bad_extra_length, at, std::string{sizes.bad_field});
  data = sizes.parts[0];
  return true;
}

}  // namespace critpipe
