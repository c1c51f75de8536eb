#include "unit/messages.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/unknown_field_set.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace pb = google::protobuf;

namespace critpipe::testing {

namespace {

constexpr int deepest = 6;

template <typename Number>
std::vector<Number> edge_numbers() {
  using Limits = std::numeric_limits<Number>;
  std::vector<Number> numbers{0,
                              1,
                              127,
                              128,
                              16383,
                              16384,
                              Limits::max(),
                              Limits::min(),
                              static_cast<Number>(~Number{0}),
                              static_cast<Number>(Limits::max() - 1),
                              static_cast<Number>(Limits::max() / 2 + 1)};
  for (int bit = 1; bit < Limits::digits; ++bit) numbers.push_back(static_cast<Number>(Number{1} << bit));
  return numbers;
}

std::string every_byte(std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < 256 * times; ++i) text += static_cast<char>(i);
  return text;
}

const std::vector<std::string>& edge_texts() {
  static const std::vector<std::string> texts{"",
                                              "x",
                                              "/dev/null",
                                              std::string(300, 'y'),
                                              std::string(40000, 'z'),
                                              std::string("a\0b", 3),
                                              std::string(1, '\0'),
                                              "quote\" back\\ slash/ <&>'",
                                              "\n\r\t\b\f\x01\x1f\x7f",
                                              "é€",
                                              "😀 and \xf4\x8f\xbf\xbf",
                                              "\xff",
                                              "a\xfe"
                                              "b",
                                              "\xed\xa0\x80",
                                              "\xc0\x80",
                                              "\xe2\x82",
                                              "\xf5\x80\x80\x80",
                                              "\xf4\x90\x80\x80",
                                              every_byte(1),
                                              every_byte(300),
                                              std::string(56, 'b'),
                                              std::string(57, 'b'),
                                              std::string(58, 'b'),
                                              std::string("\0abstract", 9),
                                              ".",
                                              "tail ",
                                              "=3D",
                                              "a\r\nb",
                                              "a\r\nb\nc",
                                              "a\nb\r\nc",
                                              "lone\rcr",
                                              std::string(200, '='),
                                              std::string(76, 'q'),
                                              std::string(77, 'q')};
  return texts;
}

template <typename Type>
const Type& any_of(const std::vector<Type>& values, std::mt19937_64& random) {
  return values[random() % values.size()];
}

// Sets or adds a value through reflection.
class Setter {
 public:
  Setter(pb::Message& message, const pb::FieldDescriptor& field) : message_{message}, field_{field} {}

  void number(std::int32_t value) { put(value, &pb::Reflection::SetInt32, &pb::Reflection::AddInt32); }
  void number(std::int64_t value) { put(value, &pb::Reflection::SetInt64, &pb::Reflection::AddInt64); }
  void number(std::uint32_t value) { put(value, &pb::Reflection::SetUInt32, &pb::Reflection::AddUInt32); }
  void number(std::uint64_t value) { put(value, &pb::Reflection::SetUInt64, &pb::Reflection::AddUInt64); }
  void number(bool value) { put(value, &pb::Reflection::SetBool, &pb::Reflection::AddBool); }
  void text(std::string value) { put(std::move(value), &pb::Reflection::SetString, &pb::Reflection::AddString); }
  // A number that the enum lacks is an unknown field to libprotobuf.
  void enumerator(int value) {
    if (field_.enum_type()->FindValueByNumber(value))
      return put(value, &pb::Reflection::SetEnumValue, &pb::Reflection::AddEnumValue);
    message_.GetReflection()->MutableUnknownFields(&message_)->AddVarint(
        field_.number(), static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
  }
  pb::Message* message() {
    const pb::Reflection* reflection = message_.GetReflection();
    return field_.is_repeated() ? reflection->AddMessage(&message_, &field_)
                                : reflection->MutableMessage(&message_, &field_);
  }

 private:
  template <typename Value, typename Set, typename Add>
  void put(Value&& value, Set set, Add add) {
    const pb::Reflection* reflection = message_.GetReflection();
    if (field_.is_repeated()) (reflection->*add)(&message_, &field_, std::forward<Value>(value));
    else (reflection->*set)(&message_, &field_, std::forward<Value>(value));
  }
  pb::Message& message_;
  const pb::FieldDescriptor& field_;
};

void fill(pb::Message& message, std::mt19937_64& random, int depth);

// Calls use(set) for each edge value of the field, set(message) puts it there.
void each_value(const pb::FieldDescriptor& field, std::mt19937_64& random, int depth,
                const std::function<void(const std::function<void(pb::Message&)>&)>& use) {
  const auto numbers = [&](const auto& values) {
    for (const auto value : values) use([&](pb::Message& message) { Setter{message, field}.number(value); });
  };
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32: return numbers(edge_numbers<std::int32_t>());
    case pb::FieldDescriptor::CPPTYPE_INT64: return numbers(edge_numbers<std::int64_t>());
    case pb::FieldDescriptor::CPPTYPE_UINT32: return numbers(edge_numbers<std::uint32_t>());
    case pb::FieldDescriptor::CPPTYPE_UINT64: return numbers(edge_numbers<std::uint64_t>());
    case pb::FieldDescriptor::CPPTYPE_BOOL: return numbers(std::initializer_list<bool>{false, true});
    case pb::FieldDescriptor::CPPTYPE_STRING:
      for (const std::string& text : edge_texts())
        use([&](pb::Message& message) { Setter{message, field}.text(text); });
      return;
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      for (int i = 0; i < field.enum_type()->value_count(); ++i)
        use([&](pb::Message& message) { Setter{message, field}.enumerator(field.enum_type()->value(i)->number()); });
      for (const int unknown : {12345, -1, std::numeric_limits<int>::min()})
        use([&](pb::Message& message) { Setter{message, field}.enumerator(unknown); });
      return;
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      for (int round = 0; round < 3; ++round)
        use([&](pb::Message& message) { fill(*Setter{message, field}.message(), random, depth + 1); });
      return;
    default: throw std::logic_error("no values for " + field.full_name());
  }
}

void fill_field(pb::Message& message, const pb::FieldDescriptor& field, std::mt19937_64& random, int depth) {
  Setter setter{message, field};
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32: return setter.number(any_of(edge_numbers<std::int32_t>(), random));
    case pb::FieldDescriptor::CPPTYPE_INT64: return setter.number(any_of(edge_numbers<std::int64_t>(), random));
    case pb::FieldDescriptor::CPPTYPE_UINT32: return setter.number(any_of(edge_numbers<std::uint32_t>(), random));
    case pb::FieldDescriptor::CPPTYPE_UINT64: return setter.number(any_of(edge_numbers<std::uint64_t>(), random));
    case pb::FieldDescriptor::CPPTYPE_BOOL: return setter.number(random() % 2 == 0);
    case pb::FieldDescriptor::CPPTYPE_STRING: {
      const std::string& text = any_of(edge_texts(), random);
      return setter.text(text.substr(0, 400));
    }
    case pb::FieldDescriptor::CPPTYPE_ENUM: {
      const int index = static_cast<int>(random() % static_cast<unsigned>(field.enum_type()->value_count()));
      return setter.enumerator(field.enum_type()->value(index)->number());
    }
    case pb::FieldDescriptor::CPPTYPE_MESSAGE: return fill(*setter.message(), random, depth + 1);
    default: throw std::logic_error("no values for " + field.full_name());
  }
}

void fill(pb::Message& message, std::mt19937_64& random, int depth) {
  const pb::Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const pb::FieldDescriptor& field = *type->field(i);
    const bool leaf = depth >= deepest && field.message_type() && !field.is_required();
    if (leaf || field.real_containing_oneof() || (!field.is_required() && random() % 3 == 0)) continue;
    const unsigned count = field.is_repeated() ? static_cast<unsigned>(random() % 4) : 1;
    for (unsigned n = 0; n < count; ++n) fill_field(message, field, random, depth);
  }
}

void fill_required(pb::Message& message, std::mt19937_64& random) {
  const pb::Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i)
    if (type->field(i)->is_required()) fill_field(message, *type->field(i), random, deepest);
}

}  // namespace

std::unique_ptr<pb::Message> new_message(std::string_view name) {
  pb::SetLogHandler(nullptr);  // texts that are no UTF-8 are meant so
  const auto* type =
      pb::DescriptorPool::generated_pool()->FindMessageTypeByName("critpipe.oracle." + std::string{name});
  if (!type) throw std::runtime_error("no message " + std::string{name});
  return std::unique_ptr<pb::Message>{pb::MessageFactory::generated_factory()->GetPrototype(type)->New()};
}

std::unique_ptr<pb::Message> random_message(std::string_view name, std::mt19937_64& random) {
  auto message = new_message(name);
  fill(*message, random, 0);
  return message;
}

void each_edge(std::string_view name, std::mt19937_64& random, const std::function<void(const pb::Message&)>& use) {
  const auto plain = new_message(name);
  fill_required(*plain, random);
  use(*plain);
  for (int i = 0; i < plain->GetDescriptor()->field_count(); ++i) {
    const pb::FieldDescriptor& field = *plain->GetDescriptor()->field(i);
    const auto changed = std::unique_ptr<pb::Message>{plain->New()};
    each_value(field, random, 0, [&](const std::function<void(pb::Message&)>& set) {
      changed->CopyFrom(*plain);
      if (!field.is_repeated()) changed->GetReflection()->ClearField(changed.get(), &field);
      set(*changed);
      use(*changed);
    });
    if (!field.is_repeated()) continue;
    changed->CopyFrom(*plain);
    for (int n = 0; n < 300; ++n) fill_field(*changed, field, random, deepest);
    use(*changed);
  }
}

std::unique_ptr<pb::Message> list_message(std::string_view name, std::uint32_t number, std::size_t count,
                                          std::mt19937_64& random) {
  auto message = new_message(name);
  fill_required(*message, random);
  const pb::FieldDescriptor& field = *message->GetDescriptor()->FindFieldByNumber(static_cast<int>(number));
  const pb::Reflection& reflection = *message->GetReflection();
  while (count-- > 0) {
    const bool is_plain = random() % 4 != 0;
    if (is_plain && field.cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT32) {
      reflection.AddUInt32(message.get(), &field, static_cast<std::uint32_t>(random() % 128));
    } else if (is_plain && field.cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT64) {
      reflection.AddUInt64(message.get(), &field, random() % 128);
    } else if (const int size = reflection.FieldSize(*message, &field); is_plain && field.message_type() && size > 0) {
      pb::Message* const again = reflection.AddMessage(message.get(), &field);
      again->CopyFrom(reflection.GetRepeatedMessage(*message, &field, size - 1));
    } else {
      fill_field(*message, field, random, deepest);
    }
  }
  return message;
}

}  // namespace critpipe::testing
