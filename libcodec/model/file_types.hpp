// The types of files, one row each. Internal.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "critpipe/schema.hpp"

namespace critpipe {

struct Kind;

struct FileType {
  std::string_view name;   // in fd_types
  std::string_view field;  // of file_entry: the message
  std::string_view image;  // kind of its own image before CRIU 3.3; empty: there was none
  bool mapped;             // mappings may refer to it

  std::uint32_t type = 0;  // the rest follows from these
  const Message* message = nullptr;
  const Kind* kind = nullptr;
};

std::span<const FileType> all_file_types();
const FileType* file_type_of(std::uint32_t type);        // null: no row
const FileType* file_type_of_kind(const Kind& kind);     // the image of its own
const FileType* file_type_of_field(const Field& field);  // of file_entry

// Numbers of fd_types that code has to know.
enum : std::uint32_t {
  type_reg = 1,
  type_pipe = 2,
  type_fifo = 3,
  type_inet = 4,
  type_unix = 5,
  type_epoll = 7,
  type_inotify = 8,
  type_packet = 10,
  type_tty = 11,
  type_fanotify = 12,
  type_netlink = 13,
  type_memfd = 18
};

}  // namespace critpipe
