// Tar archives, as libarchive reads them: ustar, pax, GNU and older ones.
#include <algorithm>
#include <array>
#include <cerrno>

#include "source/libarchive.hpp"
#include "source/input_form.hpp"

namespace critpipe {

namespace {

constexpr std::size_t header_bytes = 512;
constexpr std::size_t checksum_at = 148;
constexpr std::size_t checksum_bytes = 8;

class Tar {
 public:
  Tar(PeekReader& reader, Delivery& to) : reader_{reader}, to_{to} {}
  Step read();

 private:
  bool open();
  Step read_entry(archive_entry* entry);
  Step read_data(Member& member, archive_entry* entry);
  Step read_link(Member& member, archive_entry* entry);
  Step read_blocks(Member& member);
  Step zeros(const Member& member, std::uint64_t size);
  std::uint64_t most_hole_bytes() const;
  void refuse(const Member& member, Reason reason, std::string name);
  Error fault();
  Step fail(const Member& member, std::uint64_t offset);
  static la_ssize_t next_block(archive*, void* self, const void** block);
  static la_int64_t skip(archive*, void* self, la_int64_t size);

  PeekReader& reader_;
  Delivery& to_;
  const ArchiveLibrary* library_ = nullptr;
  ArchiveHandle handle_{nullptr, {nullptr}};
  NameSet names_;
  bool has_image_ = false;
  std::uint64_t read_bytes_ = 0;  // of the archive, unpacked
  std::uint64_t hole_bytes_ = 0;
  bool is_cut_ = false;  // the member passed a limit, and has failed
  bool broken_ = false;  // nothing more can or may be read
};

// Without ./ before and / behind it.
std::string plain_name(std::string path, bool is_directory) {
  while (path.starts_with("./")) path.erase(0, path.find_first_not_of('/', 1));
  while (is_directory && path.size() > 1 && path.back() == '/') path.pop_back();
  return path == "." ? "" : path;
}

la_ssize_t Tar::next_block(archive* handle, void* self, const void** block) {
  auto& tar = *static_cast<Tar*>(self);
  const Bytes bytes = tar.reader_.read();
  tar.read_bytes_ += bytes.size();
  if (bytes.empty() && tar.reader_.error()) {
    tar.library_->archive_set_error(handle, EIO, "%s", "cannot read");
    return -1;
  }
  *block = bytes.data();
  return static_cast<la_ssize_t>(bytes.size());
}

la_int64_t Tar::skip(archive*, void* self, la_int64_t size) {
  auto& tar = *static_cast<Tar*>(self);
  const std::uint64_t skipped = tar.reader_.skip(static_cast<std::uint64_t>(size));
  tar.read_bytes_ += skipped;
  return static_cast<la_int64_t>(skipped);
}

bool Tar::open() {
  std::string why;
  library_ = archive_library(why);
  if (!library_) {
    to_.fail(named_error(Reason::no_library, to_.place, why));
    return false;
  }
  handle_ = {library_->archive_read_new(), {library_}};
  archive* handle = handle_.get();
  library_->archive_read_support_format_tar(handle);
  library_->archive_read_set_read_callback(handle, next_block);
  library_->archive_read_set_skip_callback(handle, skip);
  library_->archive_read_set_callback_data(handle, this);
  if (library_->archive_read_open1(handle) >= ARCHIVE_WARN) return true;
  to_.fail(fault());
  return false;
}

// What stopped libarchive: the reader below it, or what it found.
Error Tar::fault() {
  if (reader_.error()) return reader_.error();
  const char* text = library_->archive_error_string(handle_.get());
  const std::string_view message = text ? text : "damaged";
  const bool cut = message.find("runcated") != message.npos;
  return named_error(cut ? Reason::cut_archive : Reason::bad_archive, to_.place, std::string{message});
}

void Tar::refuse(const Member& member, Reason reason, std::string name) {
  to_.receiver.fail(&member, named_error(reason, member.place, std::move(name)));
}

Step Tar::read() {
  if (!open()) return Step::go;
  while (!broken_) {
    archive_entry* entry = nullptr;
    const int result = library_->archive_read_next_header(handle_.get(), &entry);
    if (result == ARCHIVE_EOF) break;
    // ARCHIVE_RETRY would look for the next header in what may be anything.
    if (result == ARCHIVE_WARN || result == ARCHIVE_OK) {
      if (read_entry(entry) == Step::stop) return Step::stop;
      continue;
    }
    to_.fail(fault());
    return Step::go;
  }
  if (broken_) return Step::go;
  // What is behind the end mark is nobody's, but a compressed archive says only at its end whether it was whole, and
  // whoever writes into a pipe wants to be read.
  reader_.skip(Member::unknown);
  if (reader_.error()) to_.fail(reader_.error());
  else if (!has_image_) to_.fail(named_error(Reason::no_images, to_.place, "archive"));
  else to_.end();
  return Step::go;
}

Step Tar::read_entry(archive_entry* entry) {
  const char* text = library_->archive_entry_pathname(entry);
  if (!text) text = library_->archive_entry_pathname_utf8(entry);
  const std::string path = text ? text : "";
  const auto type = library_->archive_entry_filetype(entry);
  const bool linked = library_->archive_entry_hardlink(entry) || library_->archive_entry_hardlink_utf8(entry);
  const std::string name = plain_name(path, type == AE_IFDIR);
  if (name.empty()) return Step::go;
  if (!to_.count(name)) {
    broken_ = true;
    return Step::go;
  }
  Member member;
  member.is_image = type != AE_IFDIR && is_image_name(name);
  has_image_ |= member.is_image;
  if (const char* why = fault_of_name(name)) {
    const std::string place = to_.place + ":" + path.substr(0, max_name_bytes);
    to_.fail(named_error(Reason::bad_name, place, why));
    return Step::go;
  }
  if (type == AE_IFDIR || (!member.is_image && !to_.options.all_members)) return Step::go;
  if (!to_.name(member, name)) return Step::go;
  member.place = to_.place + ":" + path;
  if (type == AE_IFLNK && is_parent_link(name)) return read_link(member, entry);
  if (type != AE_IFREG || linked) {
    const char* what = linked ? "hard link" : type == AE_IFLNK ? "link" : "device or pipe";
    if (member.is_image) refuse(member, Reason::bad_member, what);
    return Step::go;
  }
  if (!names_.add(std::string_view{member.path}.substr(to_.prefix.size()))) {
    refuse(member, Reason::bad_duplicate, member.path);
    return Step::go;
  }
  return to_.receiver.wants(member.path) ? read_data(member, entry) : Step::go;
}

Step Tar::read_link(Member& member, archive_entry* entry) {
  const char* text = library_->archive_entry_symlink(entry);
  if (!text) text = library_->archive_entry_symlink_utf8(entry);
  const bool is_new = names_.add(std::string_view{member.path}.substr(to_.prefix.size()));
  if (!text || !is_new || !to_.receiver.wants(member.path)) return Step::go;
  return read_text(text, member, to_.receiver);
}

Step Tar::read_data(Member& member, archive_entry* entry) {
  member.size = static_cast<std::uint64_t>(library_->archive_entry_size(entry));
  member.packed = reader_.packed();
  if (to_.receiver.begin(member) == Step::stop) return Step::stop;
  if (to_.receiver.needs_bytes(member)) return read_blocks(member);
  if (library_->archive_read_data_skip(handle_.get()) >= ARCHIVE_WARN && !reader_.error())
    return to_.receiver.end(member);
  return fail(member, Error::nowhere);
}

Step Tar::fail(const Member& member, std::uint64_t offset) {
  Error error = fault();
  error.image = member.place;
  error.offset = offset;
  broken_ = true;
  to_.receiver.fail(&member, error);
  return Step::go;
}

Step Tar::read_blocks(Member& member) {
  std::uint64_t at = 0;
  is_cut_ = false;
  for (;;) {
    // Passed over where it can be, and read by libarchive where not.
    if (is_cut_ || (at > 0 && to_.receiver.has_enough(member))) {
      if (library_->archive_read_data_skip(handle_.get()) < ARCHIVE_WARN || reader_.error())
        return fail(member, Error::nowhere);
      return is_cut_ ? Step::go : to_.receiver.end(member);
    }
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = library_->archive_read_data_block(handle_.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) break;
    if (result < ARCHIVE_WARN) return fail(member, at);
    member.packed = reader_.packed();
    const auto begin = static_cast<std::uint64_t>(offset);
    // libarchive takes a sparse map as it stands, though its parts overlap or go back.
    if (begin < at || size > member.size || begin > member.size - size) {
      broken_ = true;
      Error error = named_error(Reason::bad_archive, member.place, "its map of holes is out of order");
      error.offset = at;
      to_.receiver.fail(&member, error);
      return Step::go;
    }
    if (begin > at && zeros(member, begin - at) == Step::stop) return Step::stop;
    if (is_cut_) continue;
    at = begin + size;
    if (size == 0) continue;
    if (to_.receiver.bytes(member, {static_cast<const std::byte*>(data), size}) == Step::stop) return Step::stop;
  }
  if (member.size > at && zeros(member, member.size - at) == Step::stop) return Step::stop;
  return is_cut_ ? Step::go : to_.receiver.end(member);
}

std::uint64_t Tar::most_hole_bytes() const {
  const std::uint64_t most = to_.options.max_bytes;
  if (most != Member::unknown) return most - std::min(most, read_bytes_);
  return free_hole_bytes + max_hole_ratio * read_bytes_;
}

// A hole of a sparse member. A header may claim any size.
Step Tar::zeros(const Member& member, std::uint64_t size) {
  const std::uint64_t most = most_hole_bytes();
  if (hole_bytes_ > most || size > most - hole_bytes_) {
    const bool is_set = to_.options.max_bytes != Member::unknown;
    Error error{Reason::limit_size, member.place};
    error.want = is_set ? to_.options.max_bytes : most;
    is_cut_ = true;
    to_.receiver.fail(&member, error);
    return Step::go;
  }
  hole_bytes_ += size;
  static constexpr std::array<std::byte, 64 << 10> block{};
  while (size > 0) {
    const std::uint64_t piece = std::min<std::uint64_t>(size, block.size());
    if (to_.receiver.bytes(member, {block.data(), static_cast<std::size_t>(piece)}) == Step::stop) return Step::stop;
    size -= piece;
  }
  return Step::go;
}

// Every header since Version 7 Unix has the sum of its bytes, its own place taken as spaces, in octal.
bool is_tar(OpenedInput& opened) {
  const Bytes begin = opened.reader->peek(header_bytes);
  if (begin.size() < header_bytes || begin[0] == std::byte{0}) return false;
  unsigned sum = 0, wanted = 0;
  for (std::size_t i = 0; i < header_bytes; ++i)
    sum += i >= checksum_at && i < checksum_at + checksum_bytes ? ' ' : std::to_integer<unsigned>(begin[i]);
  std::size_t i = checksum_at;
  while (i < checksum_at + checksum_bytes && begin[i] == std::byte{' '}) ++i;
  for (; i < checksum_at + checksum_bytes; ++i) {
    const unsigned digit = std::to_integer<unsigned>(begin[i]) - '0';
    if (digit > 7) break;
    wanted = wanted * 8 + digit;
  }
  return sum == wanted;
}

Step read_tar(std::vector<OpenedInput>& inputs, Delivery delivery) {
  return Tar{*inputs.front().reader, delivery}.read();
}

}  // namespace

extern const InputForm tar_form;
const InputForm tar_form{.head_bytes = header_bytes, .recognise = is_tar, .read = read_tar};

}  // namespace critpipe
