// The fields of one message, by name. Internal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "critpipe/fields.hpp"

namespace critpipe {

// A view of a checked payload. An empty one has no fields.
class Record {
 public:
  Record() = default;
  Record(const Message& message, Bytes payload) : message_{&message}, payload_{payload} {}

  explicit operator bool() const { return message_ != nullptr; }
  bool has(std::string_view field) const { return find(field).has_value(); }
  // Sign-extended where the type has a sign; booleans are 0 or 1.
  std::uint64_t number(std::string_view field, std::uint64_t otherwise = 0) const {
    const auto value = find(field);
    return value ? static_cast<std::uint64_t>(as_integer(value->field->type, value->integer)) : otherwise;
  }
  std::uint32_t id(std::string_view field) const { return static_cast<std::uint32_t>(number(field)); }
  // Has the value of an enumeration a name in the schema? So has one that is not there.
  bool has_name(std::string_view field) const {
    const auto value = find(field);
    return !value || std::ranges::find(value->field->enum_values(), number(field), &Name::value) !=
                         value->field->enum_values().end();
  }
  std::string_view text(std::string_view field) const {
    const auto value = find(field);
    if (!value) return {};
    return {reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size()};
  }
  Record inner(std::string_view field) const {
    const auto value = find(field);
    return value ? Record{value->field->message(), value->bytes} : Record{};
  }
  // Each message of a repeated field, in order.
  template <typename Use>
  void each(std::string_view field, Use use) const {
    if (!message_) return;
    const Field* const wanted = message_->find(field);
    for (Fields fields{*message_, payload_}; wanted && fields.next();)
      if (fields.value().field == wanted) use(Record{wanted->message(), fields.value().bytes});
  }
  // Each text of a repeated field.
  template <typename Use>
  void each_text(std::string_view field, Use use) const {
    if (!message_) return;
    const Field* const wanted = message_->find(field);
    for (Fields fields{*message_, payload_}; wanted && fields.next();) {
      const Bytes bytes = fields.value().bytes;
      if (fields.value().field == wanted) use({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  }
  // Each number of a repeated field, packed or not.
  template <typename Use>
  void each_number(std::string_view field, Use use) const {
    if (!message_) return;
    const Field* const wanted = message_->find(field);
    for (Fields fields{*message_, payload_}; wanted && fields.next();) {
      const Value& value = fields.value();
      if (value.field != wanted) continue;
      if (value.wire != Wire::bytes) {
        use(static_cast<std::uint64_t>(as_integer(wanted->type, value.integer)));
        continue;
      }
      const std::byte* at = value.bytes.data();
      for (const std::byte* const end = at + value.bytes.size(); at != end;)
        use(static_cast<std::uint64_t>(as_integer(wanted->type, trusted_varint(at))));
    }
  }

 private:
  std::optional<Value> find(std::string_view field) const {
    const Field* const wanted = message_ ? message_->find(field) : nullptr;
    return wanted ? find_value(*wanted, *message_, payload_) : std::nullopt;
  }

  const Message* message_ = nullptr;
  Bytes payload_ = {};
};

}  // namespace critpipe
