// base: Errors are values: why, in which image, where, what was wanted and what was there.
//
// Inner loops return a Reason; the layer that knows the place fills in the rest, once. The library never prints, and it
// throws nothing but std::bad_alloc, and what callbacks of its user throw.
//
//     const Error error{.reason = Reason::cut_magic, .image = "fs-12.img",
//                       .offset = 0, .want = 4, .have = 2};
//     std::string line = to_string(error);
//     // fs-12.img: offset 0: magic cut short: need 4 bytes, have 2
//
// `cut_` means that the file ends early (copy it again), `bad_` that its bytes are wrong (report it), `limit_` that it
// is larger than this program allows, `io_` that the system refused. An error ends its image, since the format has no
// marker to find the next entry by; what was delivered before it is right. Functions without state; any thread may call
// them.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "critpipe/base.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

enum class Fault : std::uint8_t { usage, io, data, limit };

// X(reason, fault, sentence); {want} and {have} are the numbers of the Error, {name} its name.
#define CRITPIPE_REASONS(X)                                                                                           \
  X(cut_magic, data, "magic cut short: need {want} bytes, have {have}")                                               \
  X(bad_magic, data, "unknown magic {have:x}: not a CRIU image{name}")                                                \
  X(limit_big_endian, limit, "an image of a big-endian machine (s390x): its words are not read in that order")        \
  X(cut_size, data, "size of entry cut short: need {want} bytes, have {have}")                                        \
  X(cut_payload, data, "payload cut short: need {want} bytes, have {have}")                                           \
  X(cut_extra, data, "extra cut short: need {want} bytes, have {have}")                                               \
  X(limit_payload, limit, "payload of {have} bytes is over the limit of {want} (--max-entry raises it)")              \
  X(bad_varint, data, "varint is longer than 10 bytes or does not end in the message")                                \
  X(bad_field_number, data, "field number 0 or above 536870911")                                                      \
  X(bad_wire_type, data, "wire type {have} does not exist")                                                           \
  X(bad_group, data, "group does not end, or ends where none began")                                                  \
  X(bad_length, data, "length of field {name} passes the end of its message: need {want} bytes, have {have}")         \
  X(bad_packed, data, "packed values of field {name} do not fill their {want} bytes")                                 \
  X(bad_missing, data, "required field {name} is missing")                                                            \
  X(limit_nesting, limit, "messages nest deeper than {want} levels")                                                  \
  X(bad_extra_length, data, "lengths of the extra overflow: {name}")                                                  \
  X(bad_json, data, "not JSON: {name}")                                                                               \
  X(cut_json, data, "JSON ends early: {name}")                                                                        \
  X(bad_json_value, data, "{name}")                                                                                   \
  X(limit_json, limit, "{name} is over the limit of {want} bytes")                                                    \
  X(rounded_number, data,                                                                                             \
    "{name} is {have}: rounded on its way here, as jq before 1.7 does? (crit-tojson --big-numbers=text prevents it)") \
  X(rounded_numbers, data,                                                                                            \
    "{have} of {want} long numbers have been rounded on their way here, as jq before 1.7 does: use crit-tojson "      \
    "--big-numbers=text")                                                                                             \
  X(unaligned_mapping, data, "a {name} at {have:x}, which is not where a page begins")                                \
  X(overlapping_mapping, data, "a {name}, before {have:x}, where the one before it ends")                             \
  X(bad_encoding, data, "the input is not text: JSON is wanted here (an image goes to crit-tojson)")                  \
  X(bad_order, data, "lines are out of order: {name}")                                                                \
  X(incomplete_json, data, "the JSON says that its image was incomplete: {name}")                                     \
  X(raw_image, data, "a raw image: {name}")                                                                           \
  X(bad_expression, usage, "column {want}: {name}")                                                                   \
  X(bad_pattern, usage, "no pattern that can be searched for: {name}")                                                \
  X(unsearched_pages, data, "{have} pages are in a parent that is not there: they were not searched")                 \
  X(limit_waiting, limit,                                                                                             \
    "from here on matches are lost: over {want} bytes of them wait for images that say whose pages these are, such "  \
    "as pagemaps and pstree.img; a file or directory needs none")                                                     \
  X(limit_match, limit, "a match of {have} bytes lies across a gap in memory; a file or directory shows its parts")   \
  X(no_search, io, "the search engine failed: {name}")                                                                \
  X(limit_pages, limit, "{have} pages are over the limit of {want} for one pagemap")                                  \
  X(bad_run, data, "run of {have} pages passes the end of the address space")                                         \
  X(cut_pages, data, "pages image cut short: need {want} bytes, have {have}")                                         \
  X(bad_blocks, data, "compressed pages: {name} ({have}, not {want})")                                                \
  X(bad_block, data, "a block of compressed pages is damaged: {have} bytes do not decode to {want}")                  \
  X(limit_padded_blocks, limit, "compressed pages with payload_padded, which no release writes, are not read")        \
  X(limit_late_pagemap, limit,                                                                                        \
    "compressed pages came before {name}, which says how they are stored: give the file itself, not a pipe")          \
  X(limit_late_page_size, limit,                                                                                      \
    "compressed pages came before what tells that they have {want} bytes: give --page-size, or the file itself, "     \
    "not a pipe")                                                                                                     \
  X(limit_compressed_image, limit,                                                                                    \
    "the pages of {name} in one LZ4 frame, as CRaC's CRIU writes them, are not read: lz4 -d makes {name} of it")      \
  X(no_parent, data, "the parent is not there: {name}")                                                               \
  X(no_bytes, data, "{name}")                                                                                         \
  X(limit_held, limit, "more than {want} bytes would have to be held: give the file itself, not a pipe")              \
  X(bad_parents, data, "parents form a circle: {name}")                                                               \
  X(limit_parents, limit, "more than {want} parents, one above the other: this one and those above are left out")     \
  X(io_open, io, "cannot open: {name}")                                                                               \
  X(io_read, io, "cannot read: {name}")                                                                               \
  X(io_write, io, "cannot write: {name}")                                                                             \
  X(usage, usage, "{name}")                                                                                           \
  X(changed, io, "changed while it was read: {want} bytes are gone")                                                  \
  X(no_library, io, "cannot unpack: {name}")                                                                          \
  X(no_images, data, "no images in this {name}")                                                                      \
  X(no_set, data, "no set of images {name} in here: crit-cat --list shows their paths")                               \
  X(bad_compression, data, "{name}")                                                                                  \
  X(cut_compression, data, "{name} data cut short")                                                                   \
  X(bad_archive, data, "damaged archive: {name}")                                                                     \
  X(cut_archive, data, "archive cut short")                                                                           \
  X(bad_name, data, "refused for its name: {name}")                                                                   \
  X(bad_member, data, "not a plain file but a {name}")                                                                \
  X(bad_duplicate, data, "the name {name} was there before")                                                          \
  X(bad_marker, data, "image stream: marker {want} {name}")                                                           \
  X(bad_sequence, data, "image stream: marker {want} is missing: the next is {have}")                                 \
  X(cut_stream, data, "image stream cut short at marker {want}")                                                      \
  X(cut_member, data, "cut short: the stream ends before it")                                                         \
  X(limit_members, limit, "{name} is one member too many: from it on nothing is read")                                \
  X(limit_sets, limit, "{name} is one set of images too many: it and further ones are left out")                      \
  X(limit_size, limit, "larger than {want} bytes unpacked (--max-size raises it)")                                    \
  X(limit_packing, limit, "compressed more than {want} times over")                                                   \
  X(bad_size, data, "has {have} bytes, not {want}")                                                                   \
  X(limit_ratio, limit, "{have} bytes that must be held came out of {want} compressed ones")                          \
  X(missing_image, data, "this image is missing")                                                                     \
  X(no_tree, data, "{name}")                                                                                          \
  X(no_pagemaps, data, "no pagemaps in this set: its pages went to a page server, or are missing")                    \
  X(bad_kind, data, "holds an image of kind {name}: its name says something else")                                    \
  X(no_pagemap, data, "holds an image of kind {name}, and no pagemap")                                                \
  X(bad_pid, data, "pid {have} is here for the second time")                                                          \
  X(no_statistics, data, "no statistics in here: stats-dump and stats-restore hold them")                             \
  X(bad_parent, data, "not the parent that is wanted: {name}")                                                        \
  X(no_criu, io, "no CRIU: {name}")                                                                                   \
  X(criu_failed, io, "CRIU: {name}")                                                                                  \
  X(bad_answer, data, "CRIU's answer is not understood: {name}")                                                      \
  X(bad_request, data, "not how CRIU talks to an image streamer: {name}")                                             \
  X(incomplete_checkpoint, data, "the checkpoint is incomplete: {name}")                                              \
  X(more_errors, data, "and {have} more errors")

enum class Reason : std::uint8_t {
  none,
#define X(reason, fault, sentence) reason,
  CRITPIPE_REASONS(X)
#undef X
};

// Identifies a checkpoint. Depends on its input alone, neither on the order of members nor on other inputs.
struct SetId {
  // The input as the user named it, without a slash at its end; "-" is standard input, "dump#2" the second dump among
  // the inputs. For an image by itself, the directory in its name, or "." if that has none.
  std::string checkpoint;
  // The directory of the set within the input: "app" for app/core-1.img and for app/checkpoint/core-1.img. Empty for
  // core-1.img and checkpoint/core-1.img.
  std::string set;
  // The input as a whole and none of its sets: what an error of the input itself belongs to.
  bool is_input = false;

  auto operator<=>(const SetId&) const = default;
  std::string text() const;  // for people: INPUT, or INPUT (SET)
};

struct Error {
  static constexpr std::uint64_t nowhere = ~std::uint64_t{0};

  Reason reason = Reason::none;
  std::string image = {};          // as the source names it; may be empty
  std::uint64_t offset = nowhere;  // in bytes, of the first wrong byte in the decoded image
  std::uint64_t entry = nowhere;   // 0-based
  std::uint64_t want = 0;
  std::uint64_t have = 0;
  std::string name = {};                  // what the sentence names: a field, a system message
  std::shared_ptr<const SetId> set = {};  // of which the image is one, or the input as a whole; null: not known
  std::string member = {};                // the name of the image within that set: "core-1.img"; empty: not known

  explicit operator bool() const { return reason != Reason::none; }  // is there one?
};

// What is known of a reason: the kind of fault, its sentence and its name.
Fault fault_of(Reason reason);
std::string_view sentence_of(Reason reason);  // with {want}, {have} and {name} in it
std::string_view name_of(Reason reason);      // "cut_payload"
std::string to_string(const Error& error);    // one line without a line feed; names are escaped

// Text from an image as it may stand in a line: nothing moves a cursor, ends the line, turns it around or breaks UTF-8.
enum class Escape : std::uint8_t {
  names,  // control characters (C0, DEL, C1, those of direction and lines) and bytes that are not UTF-8, as \x1b
  text,   // the same, and "\\" for a backslash, "\n" and "\t": it can be read back
  bytes   // everything that is not printable ASCII as \x1b, and "\\" for a backslash
};
std::string visible(std::string_view text, Escape escape = Escape::names);

Error system_error(Reason reason, std::string image, int number);  // name: strerror(number)
Error named_error(Reason reason, std::string image, std::string name);

// Go on, or stop early without an error: nobody reads any more, or enough was seen.
enum class [[nodiscard]] Step : std::uint8_t{go, stop};

}  // namespace critpipe
#pragma GCC visibility pop
