// libarchive, loaded when the first archive is met: it brings a dozen libraries, and a filter that reads a plain image
// shall start as fast as cat.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

#include "critpipe/error.hpp"

namespace critpipe {

// Rows of the functions that are used; each becomes a member of the same name.
// clang-format off
#define CRITPIPE_ARCHIVE_FUNCTIONS(X) \
  X(archive_read_new) \
  X(archive_read_free) \
  X(archive_error_string) \
  X(archive_read_support_format_tar) \
  X(archive_read_set_read_callback) \
  X(archive_read_set_skip_callback) \
  X(archive_read_set_callback_data) \
  X(archive_read_open1) \
  X(archive_read_next_header) \
  X(archive_read_header_position) \
  X(archive_filter_bytes) \
  X(archive_entry_sparse_count) \
  X(archive_read_data_block) \
  X(archive_read_data_skip) \
  X(archive_entry_pathname) \
  X(archive_entry_pathname_utf8) \
  X(archive_entry_hardlink) \
  X(archive_entry_hardlink_utf8) \
  X(archive_entry_symlink) \
  X(archive_entry_symlink_utf8) \
  X(archive_entry_filetype) \
  X(archive_entry_size) \
  X(archive_set_error)
// clang-format on

struct ArchiveLibrary {
#define X(function) decltype(&::function) function = nullptr;
  CRITPIPE_ARCHIVE_FUNCTIONS(X)
#undef X
};

// Null: it cannot be loaded, and why says so.
const ArchiveLibrary* archive_library(std::string& why);

struct FreeArchive {
  const ArchiveLibrary* library;
  void operator()(archive* handle) const { library->archive_read_free(handle); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

}  // namespace critpipe
