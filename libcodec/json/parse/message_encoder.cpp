#include "json/parse/message_encoder.hpp"

#include "critpipe/fields.hpp"
#include "critpipe/base.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

// The key in the text, up to its quote; escapes as they stand.
std::string_view raw_key(const char* key) {
  const char* end = key;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {key, static_cast<std::size_t>(end - key)};
}

// `key` is followed by at least 48 readable bytes; field.key holds the name and its quote from the third byte on.
inline bool key_is(const Field& field, const char* key) {
  const std::size_t size = field.name().size() + 1;
  return std::memcmp(key, field.key + 3, size) == 0;
}

const Field* find_field(const Message& message, const char* key, const Field* expected) {
  const Field* end = message.fields + message.nr_fields;
  for (const Field* field = expected; field != end; ++field)
    if (field->key[3] == key[0] && key_is(*field, key)) return field;
  for (const Field* field = message.fields; field != expected; ++field)
    if (field->key[3] == key[0] && key_is(*field, key)) return field;
  return nullptr;
}

}  // namespace

bool MessageEncoder::message(const Message& message, ondemand::object object, const char* at, int depth,
                             OtherKeys* others) {
  if (depth > max_nesting) return fault_.set(Reason::limit_nesting, at, "", max_nesting);
  const Message* around = in_;
  in_ = &message;
  Seen seen{out_.size()};
  const Message* of = &message;
  const Field* expected = of->fields;
  const Field* end = of->fields + of->nr_fields;
  for (auto item : object) {
    ondemand::field pair;
    if (const auto error = std::move(item).get(pair)) return json_error(error, at);
    const char* key = pair.key().raw();
    const Field* found = expected != end && key_is(*expected, key) ? expected : find_field(*of, key, expected);
    if (!found) [[unlikely]] {
      const Message* const draft = others ? others->draft_with(raw_key(key)) : nullptr;
      if (draft && draft != of) {
        of = in_ = draft;
        end = of->fields + of->nr_fields;
        found = find_field(*of, key, expected = of->fields);
      }
    }
    if (!found) [[unlikely]] {
      if (!other_key(*of, key, pair.value(), depth, seen, others)) return false;
      continue;
    }
    expected = found + 1;
    if (!field(*of, *found, pair.value(), depth, seen)) return false;
  }
  const bool good = finish(*of, at, seen);
  in_ = around;
  return good;
}

inline bool MessageEncoder::field(const Message& message, const Field& field, ondemand::value& value, int depth,
                                  Seen& seen) {
  const auto index = static_cast<std::size_t>(&field - message.fields);
  if (seen.has(index)) [[unlikely]] {
    remove_field(message, field, out_, seen.begin);  // the last one counts
    seen.required &= field.required ? ~(std::uint64_t{1} << field.required_bit) : ~std::uint64_t{0};
  }
  seen.add(index);
  const std::string_view token = token_of(value);
  if (token.empty()) return json_error(simdjson::TAPE_ERROR, nullptr);
  if (token[0] == 'n' && is_null(token)) return true;
  if (field.number < seen.last) [[unlikely]]
    seen.sorted = false;
  seen.last = field.number;
  if (field.repeated) return list(field, value, token.data(), depth);
  if (field.required) seen.required |= std::uint64_t{1} << field.required_bit;
  return one(field, value, token, depth);
}

bool MessageEncoder::other_key(const Message& message, const char* key, ondemand::value& value, int depth, Seen& seen,
                               OtherKeys* others) {
  std::string unescaped;
  std::size_t bad;
  if (!append_unescaped(raw_key(key), unescaped, bad))
    return fault_.set(Reason::bad_json, key, "the key has an escape that JSON does not have");
  if (const Field* found = message.find(unescaped)) return field(message, *found, value, depth, seen);
  for (const Field& candidate : message.all())
    if (is_camel_case_of(unescaped, candidate.name())) return field(message, candidate, value, depth, seen);
  if (unescaped == "_unknown") return unknown_list(message, value, depth, &seen);
  bool known = false;
  if (others && !others->take(unescaped, value, known)) return false;
  if (known) return true;
  NearNames near{unescaped};
  for (const Field& candidate : message.all()) near.offer(candidate.name());
  return fault_.set(Reason::bad_json_value, key - 1,
                    std::string{message.name} + " has no field " + quoted_for_error(unescaped) + near.sentence());
}

bool MessageEncoder::finish(const Message& message, const char* at, const Seen& seen) {
  if (!seen.sorted) [[unlikely]]
    sort_fields(message, out_, seen.begin);
  const std::uint64_t required = message.required & ~seen.required;
  if (required == 0) [[likely]]
    return true;
  if (old_pagemap(message, seen.begin)) return true;
  return missing(message, at, required);
}

// Up to CRIU 4.1, nr_pages was the name of field 2, which is compat_nr_pages today; field 5 did not exist.
bool MessageEncoder::old_pagemap(const Message& message, std::size_t begin) {
  constexpr std::uint32_t vaddr = 1, compat_nr_pages = 2, nr_pages = 5;
  if (message.name != "pagemap_entry") return false;
  bool has_vaddr = false, has_compat = false, has_count = false;
  Integer count;
  const Bytes payload = out_.from(begin);
  for (Fields fields{message, payload}; fields.next();) {
    const Value& value = fields.value();
    if (!value.field) continue;
    has_vaddr |= value.number == vaddr;
    has_compat |= value.number == compat_nr_pages;
    if (value.number == nr_pages) {
      has_count = true;
      count.magnitude = value.integer;
    }
  }
  if (!has_vaddr || has_compat || !has_count || count.magnitude >> 32 != 0) return false;
  remove_field(message, *message.find(nr_pages), out_, begin);
  out_.varint(tag_of(compat_nr_pages, Wire::varint));
  out_.varint(count.magnitude);
  sort_fields(message, out_, begin);
  return true;
}

bool MessageEncoder::missing(const Message& message, const char* at, std::uint64_t required) {
  std::string names;
  for (const Field& field : message.all()) {
    if (!field.required || !(required >> field.required_bit & 1)) continue;
    if (!names.empty()) names += ", ";
    names += field.name();
  }
  return fault_.set(Reason::bad_missing, at, names + " of " + std::string{message.name});
}

bool MessageEncoder::list(const Field& field, ondemand::value& value, const char* at, int depth) {
  if (*at != '[') return wrong(field, at, "wants a list");
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return json_error(error, at);
  return field.packed ? packed(field, array, at, depth) : elements(field, array, at, depth);
}

// All in one value.
bool MessageEncoder::packed(const Field& field, ondemand::array& array, const char* at, int depth) {
  constexpr std::size_t usual_size = 100;
  const std::size_t begin = out_.size();
  tag(field, Wire::bytes);
  const std::size_t opened = out_.open_length(usual_size);
  is_packed_ = true;
  const bool good = elements(field, array, at, depth);
  is_packed_ = false;
  if (out_.size() == opened) out_.truncate(begin);
  else out_.close_length(opened, usual_size);
  return good;
}

bool MessageEncoder::elements(const Field& field, ondemand::array& array, const char* at, int depth) {
  for (auto item : array) {
    ondemand::value element;
    if (const auto error = std::move(item).get(element)) return json_error(error, at);
    const std::string_view token = token_of(element);
    if (token.empty()) return json_error(simdjson::TAPE_ERROR, at);
    const bool good =
        field.show == Show::ip_address && token[0] == '"' ? addresses(field, token) : one(field, element, token, depth);
    if (!good) return false;
  }
  return true;
}

inline bool MessageEncoder::one(const Field& field, ondemand::value& value, std::string_view token, int depth) {
  switch (field.type) {
    case Type::message: return nested(field, value, token.data(), depth);
    case Type::string:
    case Type::bytes: return text(field, value, token);
    case Type::boolean: return boolean(field, token);
    case Type::float32:
    case Type::float64: return put_double(field, token);
    default: return number(field, token);
  }
}

bool MessageEncoder::nested(const Field& field, ondemand::value& value, const char* at, int depth) {
  constexpr std::size_t usual_size = 100;
  if (*at != '{') return wrong(field, at, "wants an object");
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return json_error(error, at);
  tag(field, Wire::bytes);
  const std::size_t opened = out_.open_length(usual_size);
  if (!message(field.message(), object, at, depth + 1)) return false;
  out_.close_length(opened, usual_size);
  return true;
}

bool MessageEncoder::wrong(const Field& field, const char* at, std::string_view what) {
  return fault_.set(Reason::bad_json_value, at,
                    '"' + std::string{field.name()} + "\" of " + std::string{in_->name} + ": " + std::string{what});
}

bool MessageEncoder::json_error(simdjson::error_code code, const char* at) {
  if (fault_.reason != Reason::none) return false;
  const char* what = simdjson::error_message(code);
  switch (code) {
    case simdjson::TAPE_ERROR: what = "a comma, colon, bracket or value is missing or too much here"; break;
    case simdjson::DEPTH_ERROR: what = "brackets nest too deeply"; break;
    default: break;
  }
  fault_.set(Reason::bad_json, at, what);
  fault_.vague = true;
  return false;
}

}  // namespace critpipe
