// Loading libarchive, and what it unpacks: gzip, xz, lz4, bzip2.
#include "source/archive.hpp"

#include <cerrno>
#include <dlfcn.h>

#include "source/reader.hpp"

namespace critpipe {

namespace {

struct Loaded {
  ArchiveLibrary library;
  std::string why;

  Loaded() {
    void* handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      const char* text = dlerror();
      why = text ? text : "no libarchive.so.13";
      return;
    }
#define X(function) load(handle, #function, library.function);
    CRITPIPE_ARCHIVE_FUNCTIONS(X)
#undef X
  }

  template <typename Function>
  void load(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (!function && why.empty()) why = std::string{"libarchive.so.13 lacks "} + name;
  }
};

// Unpacks one stream: an archive of libarchive's format `raw`, which has one member.
class ArchiveReader final : public ByteReader {
 public:
  ArchiveReader(Packing packing, Reader below, std::string place)
      : packing_{packing}, below_{std::move(below)}, place_{std::move(place)} {}

  Bytes read() override {
    if (error_ || ended_) return {};
    if (!handle_ && !open()) return {};
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    while (size == 0) {
      const int result = library_->archive_read_data_block(handle_.get(), &data, &size, &offset);
      if (result == ARCHIVE_EOF) {
        ended_ = true;
        return {};
      }
      if (result < ARCHIVE_WARN) return fail();
    }
    return {static_cast<const std::byte*>(data), size};
  }

  std::uint64_t packed() const override { return packed_; }

 private:
  bool open();
  Bytes fail();
  static la_ssize_t next_block(archive*, void* self, const void** block);

  Packing packing_;
  Reader below_;
  std::string place_;
  const ArchiveLibrary* library_ = nullptr;
  ArchiveHandle handle_{nullptr, {nullptr}};
  std::uint64_t packed_ = 0;
  bool past_end_ = false;  // more was wanted than there is
  bool ended_ = false;
};

la_ssize_t ArchiveReader::next_block(archive* handle, void* self, const void** block) {
  auto& reader = *static_cast<ArchiveReader*>(self);
  const Bytes bytes = reader.below_->read();
  reader.packed_ += bytes.size();
  reader.past_end_ = bytes.empty();
  if (bytes.empty() && reader.below_->error()) {
    reader.library_->archive_set_error(handle, EIO, "%s", "cannot read");
    return -1;
  }
  *block = bytes.data();
  return static_cast<la_ssize_t>(bytes.size());
}

bool ArchiveReader::open() {
  std::string why;
  library_ = archive_library(why);
  if (!library_) {
    error_ = {Reason::no_library, place_};
    error_.name = why;
    return false;
  }
  handle_ = {library_->archive_read_new(), {library_}};
  archive* handle = handle_.get();
  switch (packing_) {
    case Packing::gzip: library_->archive_read_support_filter_gzip(handle); break;
    case Packing::xz: library_->archive_read_support_filter_xz(handle); break;
    case Packing::lz4: library_->archive_read_support_filter_lz4(handle); break;
    case Packing::bzip2: library_->archive_read_support_filter_bzip2(handle); break;
    case Packing::none:
    case Packing::zstd: break;
  }
  library_->archive_read_support_format_raw(handle);
  library_->archive_read_support_format_empty(handle);
  library_->archive_read_set_read_callback(handle, next_block);
  library_->archive_read_set_callback_data(handle, this);
  archive_entry* entry = nullptr;
  if (library_->archive_read_open1(handle) < ARCHIVE_WARN) return !fail().empty();
  const int result = library_->archive_read_next_header(handle, &entry);
  if (result == ARCHIVE_EOF) ended_ = true;
  else if (result < ARCHIVE_WARN) return !fail().empty();
  return !ended_;
}

Bytes ArchiveReader::fail() {
  error_ = below_->error();
  if (error_) return {};
  const char* text = library_->archive_error_string(handle_.get());
  const std::string name{suffix_of(packing_).substr(1)};
  error_ = {past_end_ ? Reason::cut_compression : Reason::bad_compression, place_};
  error_.name = past_end_ ? name : name + ": " + (text ? text : "damaged");
  return {};
}

}  // namespace

const ArchiveLibrary* archive_library(std::string& why) {
  static const Loaded loaded;
  why = loaded.why;
  return loaded.why.empty() ? &loaded.library : nullptr;
}

Reader unpack_by_archive(Packing packing, Reader below, std::string place) {
  return std::make_unique<ArchiveReader>(packing, std::move(below), std::move(place));
}

}  // namespace critpipe
