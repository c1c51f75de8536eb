// fieldgen SET FOLDER: turns the schema into constant tables when the library is built.
//
// SET is what `protoc --include_imports --descriptor_set_out` makes of proto/*.proto. Written are
//     FOLDER/schema_tables.cpp   the data behind critpipe/schema.hpp
//     FOLDER/schema_index.hpp    the messages by name, for other tables whose names are checked at compile time
// Anything that the tables cannot hold is an error here rather than a surprise in a filter.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <map>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/schema.hpp"
#include "opts.pb.h"

namespace pb = google::protobuf;

namespace {

using critpipe::Name;

constexpr std::size_t max_required = 64;    // bits of Message::required
constexpr std::size_t max_fields = 255;     // places that a byte can name, but for no_field
constexpr std::uint32_t max_number = 4095;  // by_number has one byte a number
constexpr std::size_t max_index = 0xffff;

struct NameList {
  std::string_view key;
  std::string_view field;  // empty: any field with that flags option
  std::vector<Name> names;
};

struct LateField {
  std::string_view message;
  std::string_view field;
};

#define NAME(name, value) Name{name, value},
#define FLAGS(key, ...) NameList{key, "", {__VA_ARGS__}},
#define DICT(key, field, ...) NameList{key, field, {__VA_ARGS__}},
const std::vector<NameList> name_lists = {
#include "flags.inc"
};
#undef NAME
#undef FLAGS
#undef DICT

#define LATE(message, field, release) LateField{message, field},
constexpr LateField late_fields[] = {
#include "late.inc"
};
#undef LATE

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

// The name as CRIU's files spell it: full, but for a package.
template <class Descriptor>
std::string spelled(const Descriptor& descriptor) {
  const std::string& package = descriptor.file()->package();
  return package.empty() ? descriptor.full_name() : descriptor.full_name().substr(package.size() + 1);
}

template <class Descriptor>
using Sorted = std::map<std::string, const Descriptor*>;

template <class Descriptor>
void add(Sorted<Descriptor>& all, const Descriptor& descriptor) {
  if (!all.emplace(spelled(descriptor), &descriptor).second) fail(spelled(descriptor) + ": name is used twice");
}

struct Schema {
  Sorted<pb::Descriptor> messages;
  Sorted<pb::EnumDescriptor> enums;

  void take(const pb::Descriptor& message) {
    add(messages, message);
    for (int i = 0; i < message.enum_type_count(); ++i) add(enums, *message.enum_type(i));
    for (int i = 0; i < message.nested_type_count(); ++i) take(*message.nested_type(i));
  }

  void take(const pb::FileDescriptor& file) {
    for (int i = 0; i < file.enum_type_count(); ++i) add(enums, *file.enum_type(i));
    for (int i = 0; i < file.message_type_count(); ++i) take(*file.message_type(i));
  }
};

template <class Descriptor>
std::size_t index_of(const Sorted<Descriptor>& all, const Descriptor& descriptor) {
  return static_cast<std::size_t>(std::distance(all.begin(), all.find(spelled(descriptor))));
}

std::vector<const pb::FieldDescriptor*> ascending_fields(const pb::Descriptor& message) {
  std::vector<const pb::FieldDescriptor*> fields;
  for (int i = 0; i < message.field_count(); ++i) fields.push_back(message.field(i));
  std::ranges::sort(fields, {}, [](const pb::FieldDescriptor* field) { return field->number(); });
  if (fields.size() > max_fields) fail(spelled(message) + ": more than 255 fields");
  return fields;
}

bool is_required(const pb::FieldDescriptor& field) {
  const std::string message = spelled(*field.containing_type());
  return field.is_required() && !std::ranges::any_of(late_fields, [&](const LateField& late) {
           return late.message == message && late.field == field.name();
         });
}

// A row for a field that does not exist is a slip of the pen, and would hide that an old image is refused.
void check_late_fields(const Schema& schema) {
  for (const LateField& late : late_fields) {
    const auto message = schema.messages.find(std::string(late.message));
    if (message == schema.messages.end() || !message->second->FindFieldByName(std::string(late.field)))
      fail("late.inc: " + std::string(late.message) + "." + std::string(late.field) + ": no such field");
  }
}

const char* type_name(const pb::FieldDescriptor& field) {
  switch (field.type()) {
    case pb::FieldDescriptor::TYPE_INT32: return "int32";
    case pb::FieldDescriptor::TYPE_INT64: return "int64";
    case pb::FieldDescriptor::TYPE_UINT32: return "uint32";
    case pb::FieldDescriptor::TYPE_UINT64: return "uint64";
    case pb::FieldDescriptor::TYPE_SINT32: return "sint32";
    case pb::FieldDescriptor::TYPE_SINT64: return "sint64";
    case pb::FieldDescriptor::TYPE_BOOL: return "boolean";
    case pb::FieldDescriptor::TYPE_ENUM: return "enumeration";
    case pb::FieldDescriptor::TYPE_FIXED32: return "fixed32";
    case pb::FieldDescriptor::TYPE_SFIXED32: return "sfixed32";
    case pb::FieldDescriptor::TYPE_FLOAT: return "float32";
    case pb::FieldDescriptor::TYPE_FIXED64: return "fixed64";
    case pb::FieldDescriptor::TYPE_SFIXED64: return "sfixed64";
    case pb::FieldDescriptor::TYPE_DOUBLE: return "float64";
    case pb::FieldDescriptor::TYPE_STRING: return "string";
    case pb::FieldDescriptor::TYPE_BYTES: return "bytes";
    case pb::FieldDescriptor::TYPE_MESSAGE: return "message";
    case pb::FieldDescriptor::TYPE_GROUP: break;
  }
  fail(field.full_name() + ": groups are not supported");
}

struct Look {
  const char* show = "plain";
  std::size_t names = 0;
};

// A list that proto/flags.inc does not have leaves the fallback: the value stays readable as a number.
Look look_up(std::string_view key, std::string_view field, const char* show, const char* fallback) {
  const auto row =
      std::ranges::find_if(name_lists, [&](const NameList& list) { return list.key == key && list.field == field; });
  if (row == name_lists.end()) return {fallback, 0};
  return {show, static_cast<std::size_t>(row - name_lists.begin())};
}

// In the order in which crit asks for the options.
Look look_of(const pb::FieldDescriptor& field) {
  const CRIU_Opts& options = field.options().GetExtension(criu);
  if (options.ipadd()) return {"ip_address"};
  if (options.conv() == "unix_name") return {"unix_name"};
  if (options.hex()) return {"hex"};
  if (options.dev()) return {options.odev() ? "old_dev" : "dev"};
  if (options.has_flags()) return look_up(options.flags(), "", "flags", "hex");
  if (options.has_dict()) return look_up(options.dict(), field.name(), "dict", "plain");
  return {};
}

// Of a value by itself.
critpipe::Wire wire_of(const pb::FieldDescriptor& field) {
  using critpipe::Wire;
  switch (field.type()) {
    case pb::FieldDescriptor::TYPE_FIXED64:
    case pb::FieldDescriptor::TYPE_SFIXED64:
    case pb::FieldDescriptor::TYPE_DOUBLE: return Wire::fixed64;
    case pb::FieldDescriptor::TYPE_STRING:
    case pb::FieldDescriptor::TYPE_BYTES:
    case pb::FieldDescriptor::TYPE_MESSAGE: return Wire::bytes;
    case pb::FieldDescriptor::TYPE_FIXED32:
    case pb::FieldDescriptor::TYPE_SFIXED32:
    case pb::FieldDescriptor::TYPE_FLOAT: return Wire::fixed32;
    default: return Wire::varint;
  }
}

const char* wire_name(critpipe::Wire wire) {
  constexpr const char* names[] = {"varint", "fixed64", "bytes", "group", "group_end", "fixed32"};
  return names[static_cast<std::size_t>(wire)];
}

// What stands before a value on the wire.
std::uint32_t tag_of(const pb::FieldDescriptor& field) {
  if (field.is_packed() && wire_of(field) != critpipe::Wire::varint)
    fail(field.full_name() + ": only varints are packed");
  const auto wire = field.is_packed() ? critpipe::Wire::bytes : wire_of(field);
  return static_cast<std::uint32_t>(field.number()) << 3 | static_cast<std::uint32_t>(wire);
}

std::size_t type_index(const Schema& schema, const pb::FieldDescriptor& field) {
  if (field.message_type()) return index_of(schema.messages, *field.message_type());
  if (field.enum_type()) return index_of(schema.enums, *field.enum_type());
  return 0;
}

const char* word(bool value) { return value ? "true" : "false"; }

void write_field(std::ostream& out, const Schema& schema, const pb::FieldDescriptor& field, std::size_t required_bit) {
  const std::size_t key_size = field.name().size() + 6;
  if (key_size >= critpipe::Field::key_room) fail(field.full_name() + ": name does not fit Field::key_room");
  const Look look = look_of(field);
  out << "  {\", \\\"" << field.name() << "\\\": \", " << key_size << ", Type::" << type_name(field)
      << ", Show::" << look.show << ", " << word(field.is_repeated()) << ", " << word(field.is_packed()) << ", "
      << word(is_required(field)) << ", " << required_bit << ", Wire::" << wire_name(wire_of(field)) << ", "
      << type_index(schema, field) << ", " << look.names << ", " << tag_of(field) << ", " << field.number() << "},\n";
}

// The required bits in the order of their fields; fills in the mask of the message.
void write_fields_of(std::ostream& out, const Schema& schema, const pb::Descriptor& message, std::uint64_t& mask) {
  std::size_t nr_required = 0;
  for (const pb::FieldDescriptor* field : ascending_fields(message)) {
    const bool required = is_required(*field);
    if (required && nr_required == max_required) fail(spelled(message) + ": more than 64 required fields");
    write_field(out, schema, *field, required ? nr_required : 0);
    if (required) mask |= std::uint64_t{1} << nr_required++;
  }
}

std::vector<unsigned> places_by_number(const pb::Descriptor& message) {
  std::vector<unsigned> places;
  unsigned place = 0;
  for (const pb::FieldDescriptor* field : ascending_fields(message)) {
    const auto number = static_cast<std::uint32_t>(field->number());
    if (number > max_number) fail(field->full_name() + ": field number above 4095");
    places.resize(number, critpipe::Message::no_field);
    places.push_back(place++);
  }
  return places;
}

void write_messages(std::ostream& out, const Schema& schema) {
  std::map<const pb::Descriptor*, std::uint64_t> masks;
  out << "constexpr Field fields[] = {\n";
  for (const auto& [name, message] : schema.messages) {
    out << "  // " << name << "\n";
    write_fields_of(out, schema, *message, masks[message]);
  }
  out << "  {}\n};\n\nconstexpr std::uint8_t places[] = {\n";  // a last one, so that neither is ever empty
  for (const auto& [name, message] : schema.messages) {
    out << "  ";
    for (unsigned place : places_by_number(*message)) out << place << ",";
    out << "  // " << name << "\n";
  }
  out << "  0\n};\n\n}  // namespace\n\nconstinit const Message message_table[" << schema.messages.size() << "] = {\n";
  std::size_t first_field = 0;
  std::size_t first_place = 0;
  for (const auto& [name, message] : schema.messages) {
    const std::size_t nr_fields = static_cast<std::size_t>(message->field_count());
    const std::size_t nr_numbers = places_by_number(*message).size();
    out << "  {\"" << name << "\", fields + " << first_field << ", places + " << first_place << ", " << masks[message]
        << "u, " << nr_fields << ", " << nr_numbers << "},\n";
    first_field += nr_fields;
    first_place += nr_numbers;
  }
  out << "};\n";
}

void write_enums(std::ostream& out, const Schema& schema) {
  std::string spans;
  std::size_t index = 0;
  for (const auto& [name, descriptor] : schema.enums) {
    out << "constexpr Name enum_" << index << "[] = {  // " << name << "\n";
    for (int i = 0; i < descriptor->value_count(); ++i) {
      const pb::EnumValueDescriptor& value = *descriptor->value(i);
      const auto number = static_cast<std::uint64_t>(std::int64_t{value.number()});
      out << "  {\"" << value.name() << "\", " << number << "u},\n";
    }
    out << "};\n";
    spans += "  enum_" + std::to_string(index++) + ",\n";
  }
  out << "constexpr std::span<const Name> enum_table[] = {\n" << spans << "  {}\n};\n\n";
}

void write_names(std::ostream& out) {
  std::string spans;
  std::size_t index = 0;
  for (const NameList& list : name_lists) {
    out << "constexpr Name names_" << index << "[] = {  // " << list.key << ' ' << list.field << "\n";
    for (const Name& name : list.names) out << "  {\"" << name.name << "\", " << name.value << "u},\n";
    out << "};\n";
    spans += "  names_" + std::to_string(index++) + ",\n";
  }
  out << "constexpr std::span<const Name> names_table[] = {\n" << spans << "  {}\n};\n\n";
}

void write_tables(std::ostream& out, const Schema& schema) {
  out << "// Made by fieldgen from proto/*.proto, proto/flags.inc and proto/late.inc; changes here are lost.\n"
         "#include \"schema_index.hpp\"\n\nnamespace critpipe {\nnamespace {\n\n";
  write_enums(out, schema);
  write_names(out);
  write_messages(out, schema);
  out << "\nconstinit const std::span<const Message> all_messages{message_table};\n"
         "constinit const std::span<const std::span<const Name>> all_enums{enum_table, "
      << schema.enums.size()
      << "};\n"
         "constinit const std::span<const std::span<const Name>> all_names{names_table, "
      << name_lists.size()
      << "};\n"
         "\n}  // namespace critpipe\n";
}

// Names of the fields of which the type is wanted, each between blanks.
template <class Wanted>
std::string field_list(const pb::Descriptor& message, Wanted wanted) {
  std::string list = " ";
  for (const pb::FieldDescriptor* field : ascending_fields(message))
    if (!field->is_repeated() && wanted(*field)) list += field->name() + ' ';
  return list;
}

// What writers of values make room for.
void write_longest_texts(std::ostream& out, const Schema& schema) {
  constexpr std::size_t separator = 3, rest_as_hex = 18;  // " | ", 0x and 16 digits
  std::size_t longest_enum_name = 0, longest_flags = 0;
  for (const auto& [name, descriptor] : schema.enums)
    for (int i = 0; i < descriptor->value_count(); ++i)
      longest_enum_name = std::max(longest_enum_name, descriptor->value(i)->name().size());
  for (const NameList& list : name_lists) {
    std::size_t size = rest_as_hex;
    for (const Name& name : list.names) size += name.name.size() + separator;
    longest_flags = std::max(longest_flags, size);
  }
  out << "// The longest name of an enum's value, and the longest text of a flags field, which has all of its names.\n"
         "inline constexpr std::size_t longest_enum_name = "
      << longest_enum_name << ";\ninline constexpr std::size_t longest_flags = " << longest_flags << ";\n\n";
}

void write_index(std::ostream& out, const Schema& schema) {
  const std::size_t count = schema.messages.size();
  out << "// Made by fieldgen from proto/*.proto; changes here are lost.\n#pragma once\n\n#include <cstdint>\n"
         "#include <string_view>\n\n#include \"critpipe/schema.hpp\"\n\nnamespace critpipe {\n\n"
         "extern const Message message_table["
      << count << "];\n\n";
  write_longest_texts(out, schema);
  out << "// What a compile-time check may know of a message: its singular fields of two types, each between blanks.\n"
         "struct MessageIndex {\n  std::string_view name;\n  std::string_view integers;\n"
         "  std::string_view booleans;\n};\n\n"
         "// In the order of message_table.\ninline constexpr MessageIndex message_index["
      << count << "] = {\n";
  for (const auto& [name, message] : schema.messages) {
    const std::string integers = field_list(*message, [](const pb::FieldDescriptor& field) {
      const auto type = field.cpp_type();
      return type == pb::FieldDescriptor::CPPTYPE_INT32 || type == pb::FieldDescriptor::CPPTYPE_INT64 ||
             type == pb::FieldDescriptor::CPPTYPE_UINT32 || type == pb::FieldDescriptor::CPPTYPE_UINT64;
    });
    const std::string booleans = field_list(*message, [](const pb::FieldDescriptor& field) {
      return field.cpp_type() == pb::FieldDescriptor::CPPTYPE_BOOL;
    });
    out << "  {\"" << name << "\", \"" << integers << "\", \"" << booleans << "\"},\n";
  }
  out << "};\n\n// The message of that name; one that does not exist is an error of the compiler.\n"
         "consteval const Message* message_named(std::string_view name) {\n"
         "  for (std::size_t i = 0; i < "
      << count
      << "; ++i)\n"
         "    if (message_index[i].name == name) return message_table + i;\n"
         "  throw \"no such message\";\n}\n\n}  // namespace critpipe\n";
}

class Complaints final : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const pb::Message*, ErrorLocation,
                const std::string& message) override {
    fail(file + ": " + element + ": " + message);
  }
};

Schema read_schema(const std::string& path, pb::DescriptorPool& pool) {
  std::ifstream in(path, std::ios::binary);
  pb::FileDescriptorSet set;
  if (!in || !set.ParseFromIstream(&in)) fail(path + ": no descriptor set");
  Complaints complaints;
  Schema schema;
  for (const pb::FileDescriptorProto& file : set.file()) {
    const pb::FileDescriptor* built = pool.BuildFileCollectingErrors(file, &complaints);
    if (!built) fail(file.name() + ": refused");
    if (!file.name().starts_with("google/")) schema.take(*built);
  }
  if (schema.messages.empty()) fail(path + ": no messages");
  if (std::max({schema.messages.size(), schema.enums.size(), name_lists.size()}) > max_index)
    fail(path + ": more messages or enums than an index holds");
  return schema;
}

template <class Write>
void write_file(const std::string& path, Write write) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  write(out);
  out.close();
  if (!out) fail(path + ": cannot write");
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> args(argv, static_cast<std::size_t>(argc));
  if (args.size() != 3) {
    std::cerr << "usage: fieldgen SET FOLDER\n";
    return 2;
  }
  try {
    const std::string folder = args[2];
    pb::DescriptorPool pool;
    const Schema schema = read_schema(args[1], pool);
    check_late_fields(schema);
    write_file(folder + "/schema_tables.cpp", [&](std::ostream& out) { write_tables(out, schema); });
    write_file(folder + "/schema_index.hpp", [&](std::ostream& out) { write_index(out, schema); });
  } catch (const std::exception& error) {
    std::cerr << "fieldgen: " << error.what() << '\n';
    return 2;
  }
  return 0;
}
