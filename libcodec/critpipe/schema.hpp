// schema: All messages of CRIU and all kinds of images, as constant tables.
//
//     const Kind* kind = find_kind(0x56084025);                // by its magic: PAGEMAP
//     const Kind* file = kind_of_name("pages-1.img");          // by its name: PAGES, raw, no magic
//     const Message* message = kind->later;                    // pagemap_entry
//     const Field* field = message->find(1);                   // vaddr
//     assert(field->type == Type::uint64 && field->show == Show::hex);
//
// The tables of messages are made from proto/*.proto when the library is built, the kinds from the rows of
// proto/kinds.inc. A Message lists its fields by ascending number, the order in which CRIU writes them and JSON shows
// them. Everything here lives as long as the program, and any thread may use it; only image_name() allocates.
//
// Sources of the facts: CRIU's images/*.proto (names, numbers, types, the `criu` option 1018), lib/pycriu/images/
// pb2dict.py (what the options look like in text), criu/include/magic.h, criu/image-desc.c,
// lib/pycriu/images/images.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "critpipe/base.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// The types of protobuf: varints, then values of fixed width, then length-delimited ones.
enum class Type : std::uint8_t {
  int32,
  int64,
  uint32,
  uint64,
  sint32,
  sint64,
  boolean,
  enumeration,
  fixed32,
  sfixed32,
  float32,
  fixed64,
  sfixed64,
  float64,
  string,
  bytes,
  message
};

// The wire types of protobuf, by their numbers.
enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, group = 3, group_end = 4, fixed32 = 5 };

// How pretty JSON shows a field.
enum class Show : std::uint8_t {
  plain,
  hex,         // "0x1f"; on a message it holds for every integer inside
  dev,         // "MAJ:MIN", kernel's packing: minor in the low 20 bits
  old_dev,     // "MAJ:MIN", glibc's 64-bit dev_t packing
  flags,       // names of bits: names()
  dict,        // name of a value: names()
  ip_address,  // a repeated uint32 of 1 or 4 words
  unix_name    // bytes as quoted-printable text
};

// A name of a value or a bit.
struct Name {
  std::string_view name;
  std::uint64_t value;
};

struct Message;

// A field of a message.
struct Field {
  static constexpr std::size_t key_room = 48;

  char key[key_room];  // `, "name": ` and zeros, for JSON; without the first two bytes for a message's first field
  std::uint8_t key_size;
  Type type;
  Show show;
  bool repeated;
  bool packed;                // written as one value, which holds all of the list
  bool required;              // CRIU has written it in every release since 1.0
  std::uint8_t required_bit;  // place in Message::required
  Wire value_wire;
  std::uint16_t type_index;   // of the message or the enum
  std::uint16_t names_index;  // of the flag or dictionary names
  std::uint16_t tag;          // number << 3 | wire type, as CRIU writes it
  std::uint32_t number;

  std::string_view name() const { return {key + 3, static_cast<std::size_t>(key_size - 6)}; }  // of the .proto
  const Message& message() const;             // Requires: type == Type::message
  std::span<const Name> enum_values() const;  // Requires: type == Type::enumeration
  std::span<const Name> names() const;        // Requires: show is flags or dict
  Wire wire() const { return value_wire; }    // of a value by itself, not packed
  bool may_be_packed() const { return repeated && wire() != Wire::bytes; }
  // Has it 64 bits, which readers of JSON that know doubles only cannot hold?
  bool is_big() const {
    return type == Type::int64 || type == Type::uint64 || type == Type::sint64 || type == Type::fixed64 ||
           type == Type::sfixed64;
  }
  bool is_integer() const {
    return type <= Type::sint64 || type == Type::fixed32 || type == Type::sfixed32 || type == Type::fixed64 ||
           type == Type::sfixed64;
  }
};

// A message and its fields.
struct Message {
  static constexpr std::uint8_t no_field = 0xff;

  std::string_view name;
  const Field* fields;            // ascending number
  const std::uint8_t* by_number;  // number -> place in fields, or no_field
  std::uint64_t required;         // one bit a required field
  std::uint16_t nr_fields;
  std::uint16_t nr_numbers;  // size of by_number: the highest number + 1

  std::span<const Field> all() const { return {fields, nr_fields}; }  // in the order of the .proto
  // The field with that number; null: there is none.
  const Field* find(std::uint32_t number) const {
    if (number >= nr_numbers || by_number[number] == no_field) return nullptr;
    return fields + by_number[number];
  }
  // The field with that name, found in linear time; null: there is none.
  const Field* find(std::string_view field_name) const;
};

// All messages, enums and lists of names, in the order of the indices in Field.
extern const std::span<const Message> all_messages;
extern const std::span<const std::span<const Name>> all_enums;
extern const std::span<const std::span<const Name>> all_names;  // rows of proto/flags.inc

// The message with that name, "pagemap_entry"; null: there is none.
const Message* find_message(std::string_view name);

inline const Message& Field::message() const { return all_messages[type_index]; }
inline std::span<const Name> Field::enum_values() const { return all_enums[type_index]; }
inline std::span<const Name> Field::names() const { return all_names[names_index]; }

// The words before the first entry. CRIU up to 1.2 wrote bare heads; since then common and service ones.
enum class Head : std::uint8_t {
  bare,     // kind magic
  common,   // 0x54564319, kind magic
  service,  // 0x55105940, kind magic
  none      // a raw image: no magic, no entries
};

constexpr std::uint32_t common_magic = 0x54564319;
constexpr std::uint32_t service_magic = 0x55105940;

// The plan of the raw bytes that follow the message of an entry. The decoder and both directions of JSON read it, and
// know no kind by name; schema/kind.cpp has a function for each shape that kinds.inc uses. Fields are named that say
// how much there is: of the entry's message, or, in a list of messages, of the message that the part follows.
struct Extra {
  static constexpr std::size_t most_parts = 4;
  enum class Form : std::uint8_t { text, numbers };  // in JSON: base64, or a list of little-endian unsigned integers

  struct PartPlan {               // one of the things that follow a message; names of fields are those of its message
    std::string_view size = {};   // field: units of this part
    std::string_view added = {};  // field: further ones
    std::string_view name = {};   // its key in JSON, where parts make an object; else empty, and it is the only part
    Form form = Form::text;
    std::uint8_t unit = 1;     // bytes; of numbers 1, 2, 4 or 8
    std::uint8_t padding = 1;  // zeros follow, up to a multiple of so many bytes
  };

  std::array<PartPlan, most_parts> parts = {};  // in the order of the image; unused ones stand last, without a size
  std::string_view unless = {};                 // bool field: where it is true, all sizes are 0
  // A list of messages: each is a size word, the message, and the part after it.
  const Message* nested = nullptr;
  std::string_view nr_nested = {};  // field: how many
  // The first entry has the rest of the image, or nothing where `unless` is true; the part is of the later entries.
  bool rest_of_image = false;

  constexpr bool is_object() const { return !parts[0].name.empty(); }  // in JSON; else a text or a list
  // How many of `parts` are used.
  constexpr std::size_t nr_parts() const {
    std::size_t nr = 0;
    while (nr < most_parts && !parts[nr].size.empty()) ++nr;
    return nr;
  }
};

// A kind of image.
struct Kind {
  std::string_view name;        // unique
  std::string_view magic_name;  // its name in JSON, the same for kinds that share a magic; empty for raw images
  std::uint32_t magic;          // 0 for raw images
  Head head;                    // what the newest CRIU writes
  std::string_view file;        // "pagemap-%u.img": %u a number, %x lower-case hex, %s a word
  const Message* first;         // message of the first entry; null for raw images
  const Message* later;         // message of the others
  const Message* draft;         // what development versions wrote in place of `later`; null: nothing else
  Extra extra;
  std::string_view about;  // a few words for people; for raw images, also what reads them

  bool is_raw() const { return first == nullptr; }  // bytes of something else, without magic and entries
  constexpr bool has_extra() const { return !extra.parts[0].size.empty(); }  // is a message followed by more?
};

std::span<const Kind> all_kinds();  // in the order of proto/kinds.inc

// The kind with that magic, the first one if kinds share it; null: there is none.
const Kind* find_kind(std::uint32_t magic);
// Is it the first word of an image of a big-endian machine, whose words have their bytes in the other order?
bool is_big_endian_head(std::uint32_t word);
// The kind with that name, or else that magic_name; null: there is none.
const Kind* find_kind(std::string_view name);
// The kind whose file template the last part of the path fits; null: there is none. The magic in an image decides its
// kind; the name only tells apart raw images and kinds that share a magic.
const Kind* kind_of_name(std::string_view path);
// The name of an image of that kind: its file template, with the number where it has one. Requires: it has one number
// at most, and no word.
std::string image_name(const Kind& kind, std::uint64_t number = 0);
std::string image_name(std::string_view kind, std::uint64_t number = 0);  // Requires: find_kind(kind)
// Is this how CRIU names images: *.img, stats-*, irmap-cache?
bool is_image_name(std::string_view path);

}  // namespace critpipe
#pragma GCC visibility pop
