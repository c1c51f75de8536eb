// One message by itself.
#include "critpipe/json.hpp"
#include "json/parse/message_encoder.hpp"

namespace critpipe {

// The text is read as a list of one, because simdjson minds what follows in a list.
Error encode_message(const Message& message, std::string_view json, std::string& payload) {
  const simdjson::padded_string text{'[' + std::string{json} + ']'};
  ondemand::parser parser;
  ondemand::document document;
  ondemand::array array;
  WireBuffer out;
  JsonFault fault;
  Doubts doubts;
  MessageEncoder encoder{out, fault, doubts};
  const char* begin = text.data() + 1;
  int nr_values = 0;
  auto error = parser.iterate(text).get(document);
  if (!error) error = document.get_array().get(array);
  if (error) encoder.json_error(error, begin);
  else
    for (auto item : array) {
      ondemand::object object;
      error = std::move(item).get_object().get(object);
      if (error) encoder.json_error(error, begin);
      else if (nr_values++ == 0) encoder.message(message, object, begin, 0);
      if (error || nr_values > 1 || fault.reason != Reason::none) break;
    }
  Checked checked;
  if (fault.reason == Reason::none && nr_values != 1) fault.set(Reason::bad_json, begin, "one object is wanted");
  if (fault.reason == Reason::none && encoder.has_unknown() && !check(message, out.from(0), checked))
    fault.set(Reason::bad_json_value, begin, "with its \"_unknown\" fields the message would not be readable");
  if (fault.reason != Reason::none) {
    const std::uint64_t offset = fault.at ? static_cast<std::uint64_t>(fault.at - begin) : 0;
    return {fault.reason, "", offset, Error::nowhere, fault.want, fault.have, std::move(fault.name)};
  }
  payload.assign(reinterpret_cast<const char*>(out.data()), out.size());
  return {};
}

}  // namespace critpipe
