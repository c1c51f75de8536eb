// Fields of a message into members of a struct, bound by name. Internal.
//
//     static const MessageReader<Mapping> reader{"vma_entry",
//                                                {{"start", put<&Mapping::start>}, {"end", put<&Mapping::end>}}};
//     reader.read(entry.payload, mapping);
#pragma once

#include <initializer_list>
#include <type_traits>
#include <vector>

#include "critpipe/fields.hpp"

namespace critpipe {

inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

inline std::uint64_t integer_of(const Value& value) {
  return static_cast<std::uint64_t>(as_integer(value.field->type, value.integer));
}

template <typename Record, typename Type>
Record record_of(Type Record::*);

// Bytes are views of the payload.
template <auto member>
void put(decltype(record_of(member))& record, const Value& value) {
  using Type = std::remove_reference_t<decltype(record.*member)>;
  if constexpr (std::is_same_v<Type, bool>) record.*member = integer_of(value) != 0;
  else if constexpr (std::is_integral_v<Type>) record.*member = static_cast<Type>(integer_of(value));
  else if constexpr (std::is_same_v<Type, Bytes>) record.*member = value.bytes;
  else record.*member = as_text(value.bytes);
}

template <typename Record>
class MessageReader {
 public:
  using Put = void (*)(Record&, const Value&);
  struct Binding {
    std::string_view field;
    Put put;
  };

  // Requires: the message and its fields exist.
  MessageReader(std::string_view message, std::initializer_list<Binding> bindings)
      : message_{*find_message(message)}, by_number_(message_.nr_numbers) {
    for (const Binding& binding : bindings) by_number_[message_.find(binding.field)->number] = binding.put;
  }

  const Message& message() const { return message_; }

  // Calls other(value) for fields that are not bound. Requires: payload was checked.
  template <typename Other>
  void read(Bytes payload, Record& record, Other other) const {
    for (Fields fields{message_, payload}; fields.next();) {
      const Value& value = fields.value();
      if (!value.field) continue;
      if (const Put put = by_number_[value.number]) put(record, value);
      else other(value);
    }
  }
  void read(Bytes payload, Record& record) const {
    read(payload, record, [](const Value&) {});
  }

 private:
  const Message& message_;
  std::vector<Put> by_number_;
};

// The values of a repeated field, packed or not. Requires: value.field is a repeated varint field.
template <typename Use>
void each_integer(const Value& value, Use use) {
  if (value.wire != Wire::bytes) return use(integer_of(value));
  const std::byte* at = value.bytes.data();
  for (const std::byte* end = at + value.bytes.size(); at != end;)
    use(static_cast<std::uint64_t>(as_integer(value.field->type, trusted_varint(at))));
}

}  // namespace critpipe
