// Fields that the schema lacks: [{"field": 99, "varint": 7}, {"field": 100, "bytes": "AAEC\n"}, ...].
#include "critpipe/base.hpp"
#include "json/parse/message_encoder.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t max_field_number = (1u << 29) - 1;

struct Form {
  std::string_view key;
  Wire wire;
};
constexpr Form forms[] = {{"varint", Wire::varint},
                          {"fixed32", Wire::fixed32},
                          {"fixed64", Wire::fixed64},
                          {"bytes", Wire::bytes},
                          {"group", Wire::group}};

const Form* find_form(std::string_view key) {
  for (const Form& form : forms)
    if (form.key == key) return &form;
  return nullptr;
}

constexpr std::string_view shape =
    "an unknown field wants the keys \"field\", and one of \"varint\", \"fixed32\", \"fixed64\", \"bytes\", \"group\"";

}  // namespace

bool MessageEncoder::unknown_list(const Message& message, ondemand::value& value, int depth, Seen* seen) {
  has_unknown_ = true;
  const std::string_view token = token_of(value);
  if (depth > max_nesting) return fault_.set(Reason::limit_nesting, token.data(), "", max_nesting);
  if (token.empty() || token[0] != '[') {
    return is_null(token) || fault_.set(Reason::bad_json_value, token.data(), "\"_unknown\" wants a list");
  }
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return json_error(error, token.data());
  for (auto item : array) {
    ondemand::value element;
    if (const auto error = std::move(item).get(element)) return json_error(error, token.data());
    const char* at = token_of(element).data();
    ondemand::object object;
    if (*at != '{' || element.get_object().get(object) != simdjson::SUCCESS)
      return fault_.set(Reason::bad_json_value, at, std::string{shape});
    std::uint32_t number = 0;
    if (!unknown_field(message, object, at, depth, number)) return false;
    if (!seen) continue;
    if (number < seen->last) seen->sorted = false;
    else seen->last = number;
  }
  return true;
}

// The number may stand before its value, or after it where the value is no group.
bool MessageEncoder::unknown_field(const Message& message, ondemand::object object, const char* at, int depth,
                                   std::uint32_t& number) {
  const Form* form = nullptr;
  std::string_view held;
  for (auto item : object) {
    ondemand::field pair;
    if (const auto error = std::move(item).get(pair)) return json_error(error, at);
    const std::string_view token = token_of(pair.value());
    std::string key;
    std::size_t bad;
    const char* raw = pair.key().raw();
    const std::string_view inside{raw, std::string_view{raw, 16}.find('"')};
    if (inside.size() > 15 || !append_unescaped(inside, key, bad))
      return fault_.set(Reason::bad_json_value, at, std::string{shape});
    Integer integer_value;
    if (key == "field") {
      if (number != 0 || !integer(token, integer_value) || integer_value.negative || integer_value.magnitude == 0 ||
          integer_value.magnitude > max_field_number)
        return fault_.set(Reason::bad_json_value, token.data(), "\"field\" wants a number from 1 to 536870911");
      number = static_cast<std::uint32_t>(integer_value.magnitude);
      continue;
    }
    if (form || !(form = find_form(key))) return fault_.set(Reason::bad_json_value, at, std::string{shape});
    held = token;
    if (form->wire != Wire::group) continue;
    if (number == 0) return fault_.set(Reason::bad_json_value, at, "\"field\" must stand before \"group\"");
    out_.varint(tag_of(number, Wire::group));
    if (token[0] == '"') {
      if (!base64(token, out_)) return false;
    } else if (!unknown_list(message, pair.value(), depth + 1, nullptr)) {
      return false;
    }
    out_.varint(tag_of(number, Wire::group_end));
  }
  if (!form || number == 0) return fault_.set(Reason::bad_json_value, at, std::string{shape});
  return form->wire == Wire::group || unknown_value(number, form->wire, held);
}

bool MessageEncoder::unknown_value(std::uint32_t number, Wire wire, std::string_view token) {
  out_.varint(tag_of(number, wire));
  if (wire == Wire::bytes) {
    const std::size_t estimate = token.size() / 4 * 3;
    const std::size_t opened = out_.open_length(estimate);
    if (!base64(token, out_)) return false;
    out_.close_length(opened, estimate);
    return true;
  }
  Integer value;
  if (!integer(token, value))
    return fault_.set(Reason::bad_json_value, token.data(),
                      "wants an integer, not " + quoted_for_error(trim_json(token)));
  const std::uint64_t bits = value.negative ? std::uint64_t{0} - value.magnitude : value.magnitude;
  if (wire == Wire::fixed32 && !value.negative && bits >> 32 != 0)
    return fault_.set(Reason::bad_json_value, token.data(), "a fixed32 has 32 bits");
  if (wire == Wire::varint) out_.varint(bits);
  else if (wire == Wire::fixed32) out_.word(static_cast<std::uint32_t>(bits));
  else out_.word(bits);
  return true;
}

}  // namespace critpipe
