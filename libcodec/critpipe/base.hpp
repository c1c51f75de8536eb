// base: Bytes, texts for messages, the limits that hold everywhere, and the mark of what the shared library exports.
//
//     const Bytes bytes = bytes_of("abcd");
//     const std::uint32_t word = load_u32(bytes.data());   // 0x64636261
//     const Limits limits{.entry_bytes = 64 << 20};
//
// A length read from an image is a claim: it is checked against the limits and against the bytes that are really there
// before anything is allocated for it. Functions without state; any thread may call them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

// The shared library exports what public headers declare between these two pragmas; everything else is compiled hidden.
// The mark hides the private parts of an exported class.
#define CRITPIPE_INNER [[gnu::visibility("hidden")]]

#pragma GCC visibility push(default)
namespace critpipe {

using Bytes = std::span<const std::byte>;

// The bytes of a text, as a view.
inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

static_assert(std::endian::native == std::endian::little, "images are read as they lie in memory");

// Little-endian words at any address.
inline std::uint32_t load_u32(const std::byte* at) {
  std::uint32_t word;
  std::memcpy(&word, at, 4);
  return word;
}
inline std::uint64_t load_u64(const std::byte* at) {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

std::string size_text(double bytes);  // for people: "1.5 MiB"
inline std::string size_text(std::uint64_t bytes) { return size_text(static_cast<double>(bytes)); }
// What printf writes for it, however long.
[[gnu::format(printf, 1, 2)]] std::string format(const char* form, ...);

// Lower case of the letters of ASCII, whatever the locale.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline std::string lower(std::string text) {
  for (char& c : text) c = lower(c);
  return text;
}

// How many letters of one name must be changed, added, left out or swapped to get the other, as far as `most`; beyond
// it, some larger number. Case counts nothing.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t most);

// The processors that this process may use, 1 or more.
unsigned nr_processors();

// What to refuse before memory is allocated for it. In bytes.
struct Limits {
  // The largest message of an entry. CRIU has no bound; the largest seen in practice is a mm entry of 100,000 mappings
  // (6 MiB).
  std::uint64_t entry_bytes = std::uint64_t{256} << 20;
  // The largest JSON text to hold until it is known what it belongs to (entries before their "magic").
  std::uint64_t waiting_json_bytes = std::uint64_t{256} << 20;
};

constexpr int max_nesting = 64;                     // messages in messages; apparmor namespaces nest freely
constexpr std::size_t block_bytes = 256 << 10;      // what sources hand on, and outputs write, at a time
constexpr std::size_t held_extra_bytes = 4 << 20;   // an extra in JSON that stands before other keys
constexpr std::size_t held_output_bytes = 1 << 20;  // of an entry, until it is known to be complete

constexpr int max_packings = 4;               // zstd in gzip in ...
constexpr std::size_t max_name_bytes = 4095;  // of a member, with its directories
constexpr std::size_t max_name_part_bytes = 255;
constexpr std::size_t max_members = 1 << 20;           // of one archive or image stream
constexpr std::size_t max_sets = 4096;                 // likewise
constexpr std::size_t max_set_name_bytes = 512 << 10;  // of all their names
constexpr std::size_t max_kept_errors = 1000;          // where errors are reported together; others are counted
constexpr std::size_t max_open_members = 512;          // of an image stream, at the same time
constexpr std::size_t held_image_bytes = 4 << 20;      // of a first image, until it is known whether others follow
constexpr std::size_t held_documents_bytes = 4 << 20;  // of images that are interrupted by others
// Bytes unpacked into memory per byte of compressed input; the first free_held_bytes are not counted.
constexpr std::uint64_t max_held_ratio = 1000;
constexpr std::uint64_t free_held_bytes = 16 << 20;
// Holes of sparse members of an archive, which are read as zeros, may be this many times as large as what was read of
// it unpacked; the first free_hole_bytes are free. A limit that the user sets (--max-size) stands in place of both.
constexpr std::uint64_t max_hole_ratio = 1000;
constexpr std::uint64_t free_hole_bytes = std::uint64_t{1} << 30;
// What one layer of compression may need to look back at, for each layer: xz -9 takes 65 MiB, zstd 128 without --long.
constexpr int max_window_log = 27;
constexpr std::uint64_t max_window_bytes = std::uint64_t{1} << max_window_log;

}  // namespace critpipe
#pragma GCC visibility pop
