// schema: The kinds of images: one row each in proto/kinds.inc.
//
//     const Kind* kind = find_kind(0x56084025);              // PAGEMAP
//     const Kind* file = kind_of_name("pages-1.img");        // PAGES: raw, no magic
//
// Sources of the facts: criu/include/magic.h, criu/image-desc.c, lib/pycriu/images/images.py.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "critpipe/schema.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// What stands before the entries. CRIU wrote images of version 1 (bare) up to 1.2, of version 1.1 since; a reader
// knows the head words by their values and need not know the inventory.
enum class Head : std::uint8_t {
  bare,     // kind magic
  common,   // 0x54564319, kind magic
  service,  // 0x55105940, kind magic
  none      // a raw image: no magic, no entries
};

constexpr std::uint32_t common_magic = 0x54564319;
constexpr std::uint32_t service_magic = 0x55105940;

// The raw bytes that follow the message of an entry. Lengths are fields of that message.
struct Extra {
  enum class Shape : std::uint8_t {
    nothing,
    bytes,   // first + second bytes; with two names they are two parts
    units,   // first * unit bytes, then zeros up to a multiple of padding
    padded,  // first bytes, then zeros up to a multiple of padding; nothing if the field `unless` is true
    nested,  // first times: size, message, second bytes of it, zeros up to a multiple of padding
    ghost    // on the first entry: the rest of the file, unless `unless` is true; on later ones: first bytes
  };
  Shape shape = Shape::nothing;
  std::string_view first = {};
  std::string_view second = {};
  std::string_view first_name = {};  // names of the two parts in JSON
  std::string_view second_name = {};
  std::string_view unless = {};
  std::string_view nested_message = {};
  std::uint8_t unit = 1;
  std::uint8_t padding = 1;
};

struct Kind {
  std::string_view name;        // unique
  std::string_view magic_name;  // what JSON says; PAGEMAP for SHMEM_PAGEMAP too; empty for raw images
  std::uint32_t magic;          // 0 for raw images
  Head head;                    // what the newest CRIU writes
  std::string_view file;        // "pagemap-%u.img": %u a number, %x lower-case hex, %s a word
  const Message* first;         // message of the first entry; null for raw images
  const Message* later;         // message of the others
  Extra extra;
  std::string_view about;  // a few words for people; for a raw image what it holds and what reads it

  bool is_raw() const { return first == nullptr; }
};

std::span<const Kind> all_kinds();

// The kind with that magic, the first row where two share it; null when there is none.
const Kind* find_kind(std::uint32_t magic);
// The kind with that name in JSON ("PAGEMAP"), or with that row name; null when there is none.
const Kind* find_kind(std::string_view name);
// The kind whose file template the last part of the path fits; null when there is none. A file may lie: what it holds
// decides, the name only tells kinds apart that share a magic, and raw images.
const Kind* kind_of_name(std::string_view path);
// Does CRIU name images so? *.img, stats-*, irmap-cache.
bool is_image_name(std::string_view path);

}  // namespace critpipe
#pragma GCC visibility pop
