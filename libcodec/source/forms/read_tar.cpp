// Tar archives, as libarchive reads them: ustar, pax, GNU and older ones.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "source/input_form.hpp"
#include "source/libarchive.hpp"
#include "source/tar_header.hpp"

namespace critpipe {

namespace {

constexpr const char* hard_link = "hard link";

// What libarchive says of the member that it stands at.
struct Header {
  std::string path, name;
  std::uint64_t size = 0;
  std::uint64_t at = Member::unknown;  // where its bytes begin, if they are all there
  bool is_directory = false;
  const char* unusual = nullptr;                // what it is, if it is no plain file
  std::optional<std::string> parent_link = {};  // what the link of a set to its parent says
};

class Tar {
 public:
  Tar(PeekReader& reader, Delivery& to) : reader_{reader}, to_{to} {}
  Step read();

 private:
  class Data;
  bool open();
  Header header(archive_entry* entry) const;
  Step read_member(const Header& header);
  Step read_file(Member& member, NestedPlace::Role role, std::string_view name);
  Step read_link(Member& member, const std::string& text);
  Step read_bytes(Member& member, Data& data, PeekReader& bytes);
  Step read_layer(Member& member, bool is_asked_for, std::string_view name);
  void refuse(const Member& member, Reason reason, std::string name);
  Error fault();
  Step fail(const Member& member, const Data& data, std::uint64_t offset);
  std::uint64_t most_hole_bytes() const;
  Error read_tail();
  static la_ssize_t next_block(archive*, void* self, const void** block);
  static la_int64_t skip(archive*, void* self, la_int64_t size);

  PeekReader& reader_;
  Delivery& to_;
  const ArchiveLibrary* library_ = nullptr;
  ArchiveHandle handle_{nullptr, {nullptr}};
  std::uint64_t read_bytes_ = 0;  // of the archive, unpacked
  std::uint64_t data_end_ = 0;    // of them: behind the last byte that is not zero, where it was read
  std::uint64_t hole_bytes_ = 0;
  bool has_ended_ = false;  // all of it was read
  bool broken_ = false;     // nothing more can or may be read
};

// The bytes of the member that libarchive stands at, its holes as zeros. A listener gets them, too.
class Tar::Data final : public ByteReader {
 public:
  Data(Tar& tar, std::uint64_t size) : tar_{tar}, size_{size} {}
  Bytes read() override;
  std::uint64_t packed() const override { return tar_.reader_.packed(); }
  bool is_pipe() const override { return tar_.reader_.is_pipe(); }

  // Passed over where it can be, and read by libarchive where not. False: error() says why not.
  bool skip_rest();
  // False: a limit was passed, and what follows can be read.
  bool is_broken() const { return error_ && !over_limit_; }

  void listen(Member& member) { listener_ = &member; }
  bool is_heard() const { return listener_ != nullptr; }
  bool stopped() const { return stopped_; }

 private:
  Bytes next();
  Bytes zeros(std::uint64_t size);

  Tar& tar_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
  Bytes block_ = {};
  std::uint64_t block_at_ = 0;
  bool ended_ = false;
  bool over_limit_ = false;
  Member* listener_ = nullptr;
  bool stopped_ = false;
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
  if (const std::size_t end = data_end_in(bytes); end > 0) tar.data_end_ = tar.read_bytes_ + end;
  tar.read_bytes_ += bytes.size();
  if (bytes.empty() && tar.reader_.error()) {
    tar.library_->archive_set_error(handle, EIO, "%s", "cannot read");
    return -1;
  }
  tar.has_ended_ = bytes.empty();
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
      if (read_member(header(entry)) == Step::stop) return Step::stop;
      continue;
    }
    Error error = fault();
    const la_int64_t at = library_->archive_read_header_position(handle_.get());
    // Where the end comes within headers that belong together, libarchive calls it something else, and has no place.
    if (at < 0 && has_ended_) error.reason = Reason::cut_archive;
    if (at >= 0 && error.reason == Reason::bad_archive) error.offset = static_cast<std::uint64_t>(at);
    to_.fail(std::move(error));
    return Step::go;
  }
  if (broken_) return Step::go;
  Error error = read_tail();
  // A compressed archive says only at its end whether it was whole, and whoever writes into a pipe wants to be read.
  reader_.skip(Member::unknown);
  if (reader_.error()) error = reader_.error();
  to_.end("archive");
  if (error) to_.fail(std::move(error));
  return Step::go;
}

// Behind the last member there is a mark of zeros, and then nothing but more of them, which fill a record.
Error Tar::read_tail() {
  constexpr std::uint64_t longest_record = 64 << 20;
  const auto mark = static_cast<std::uint64_t>(library_->archive_read_header_position(handle_.get()));
  const auto end = static_cast<std::uint64_t>(library_->archive_filter_bytes(handle_.get(), 0));
  if (end == mark) return named_error(Reason::cut_archive, to_.place, "");
  const auto has_data = [&] { return data_end_ > end; };
  while (!has_data() && read_bytes_ < end + longest_record) {
    const Bytes bytes = reader_.read();
    if (bytes.empty()) break;
    if (data_end_in(bytes) > 0) data_end_ = read_bytes_ + bytes.size();
    read_bytes_ += bytes.size();
  }
  if (!has_data()) return {};
  Error error =
      named_error(Reason::bad_archive, to_.place, "what lies behind its end mark is not read: another archive?");
  error.offset = end;
  return error;
}

Header Tar::header(archive_entry* entry) const {
  const char* text = library_->archive_entry_pathname(entry);
  if (!text) text = library_->archive_entry_pathname_utf8(entry);
  const auto type = library_->archive_entry_filetype(entry);
  Header header;
  header.path = text ? text : "";
  header.is_directory = type == AE_IFDIR;
  header.name = plain_name(header.path, header.is_directory);
  header.size = static_cast<std::uint64_t>(library_->archive_entry_size(entry));
  const bool is_plain = reader_.packed() == Member::unknown && !reader_.is_pipe() && !to_.nested.in_layer;
  if (is_plain && library_->archive_entry_sparse_count(entry) == 0)
    header.at = static_cast<std::uint64_t>(library_->archive_filter_bytes(handle_.get(), 0));
  if (library_->archive_entry_hardlink(entry) || library_->archive_entry_hardlink_utf8(entry))
    header.unusual = hard_link;
  else if (type != AE_IFREG) header.unusual = type == AE_IFLNK ? "link" : "device or pipe";
  if (type == AE_IFLNK && is_parent_link(header.name)) {
    const char* target = library_->archive_entry_symlink(entry);
    if (!target) target = library_->archive_entry_symlink_utf8(entry);
    if (target) header.parent_link = target;
  }
  return header;
}

Step Tar::read_member(const Header& header) {
  using Role = NestedPlace::Role;
  const Role role = header.name.empty() ? Role::nothing : to_.nested.role_of(header.name, header.is_directory);
  if (role == Role::nothing) return Step::go;
  // A file system has any number of them, with any names.
  const bool is_read = to_.options.all_members || (to_.options.parents && header.parent_link);
  if (role == Role::other && to_.nested.in_layer && !is_read) return Step::go;
  if (!to_.count(header.name)) {
    broken_ = true;
    return Step::go;
  }
  to_.has_image |= role == Role::image;
  const bool is_layer = role == Role::other && !header.unusual && !to_.nested.in_layer && is_layer_name(header.name);
  const bool is_passed_over = header.is_directory || (role == Role::other && !is_read && !is_layer);
  if (const char* why = is_passed_over ? fault_of_path(header.name) : fault_of_name(header.name)) {
    const std::string place = to_.place + ":" + header.path.substr(0, max_name_bytes);
    to_.fail(named_error(Reason::bad_name, place, why));
    return Step::go;
  }
  if (role == Role::other && !header.is_directory && !to_.nested.in_layer) to_.others.add(header.name);
  if (is_passed_over) return Step::go;
  Member member;
  member.is_image = role != Role::other;
  member.size = header.size;
  member.at = header.at;
  const bool is_of_set = to_.name(member, header.name, header.path);
  if (is_layer) return read_layer(member, is_of_set && to_.options.any_file, header.name);
  if (!is_of_set) return Step::go;
  if (role == Role::whiteout) refuse(member, Reason::bad_member, "whiteout, which takes images of another layer away");
  else if (header.parent_link && role == Role::other) return read_link(member, *header.parent_link);
  else if (!header.unusual) return read_file(member, role, header.name);
  else if (role == Role::image || (header.unusual == hard_link && !to_.nested.in_layer && to_.wants(member)))
    refuse(member, Reason::bad_member, header.unusual);
  return Step::go;
}

Step Tar::read_link(Member& member, const std::string& text) {
  if (to_.seen_before(member) || !to_.wants(member)) return Step::go;
  return read_text(text, member, to_.receiver);
}

Step Tar::read_file(Member& member, NestedPlace::Role role, std::string_view name) {
  auto owned = std::make_unique<Data>(*this, member.size);
  Data& data = *owned;
  PeekReader bytes{std::move(owned)};
  if (role == NestedPlace::Role::maybe_image) {
    if (!is_image_head(bytes.peek(4))) return data.is_broken() ? fail(member, data, 0) : Step::go;
    to_.nested.confirm(name);
    to_.has_image = true;
  }
  if (const Error again = to_.seen_before(member)) {
    to_.receiver.fail(&member, again);
    return Step::go;
  }
  return to_.wants(member) ? read_bytes(member, data, bytes) : Step::go;
}

Step Tar::read_bytes(Member& member, Data& data, PeekReader& bytes) {
  member.packed = reader_.packed();
  if (to_.receiver.begin(member) == Step::stop) return Step::stop;
  const auto skip = [&] { return data.skip_rest() ? to_.receiver.end(member) : fail(member, data, Error::nowhere); };
  if (!to_.receiver.needs_bytes(member)) return skip();
  const Receiver::Run run = to_.receiver.take_run(member, bytes);
  if (run.step == Step::stop) return Step::stop;
  for (std::uint64_t done = run.bytes;;) {
    if (done > 0 && to_.receiver.has_enough(member)) return skip();
    const Bytes block = bytes.read();
    if (block.empty()) return data.error() ? fail(member, data, done) : to_.receiver.end(member);
    member.packed = reader_.packed();
    if (to_.receiver.bytes(member, block) == Step::stop) return Step::stop;
    done += block.size();
  }
}

Step Tar::fail(const Member& member, const Data& data, std::uint64_t offset) {
  Error error = data.error();
  error.image = member.place;
  if (data.is_broken()) error.offset = offset;
  broken_ |= data.is_broken();
  if (!to_.stopped) to_.receiver.fail(&member, error);
  return Step::go;
}

// A layer of a container image: what it holds, and where it is asked for itself, too.
Step Tar::read_layer(Member& member, bool is_asked_for, std::string_view name) {
  auto owned = std::make_unique<Data>(*this, member.size);
  Data& data = *owned;
  member.packed = reader_.packed();
  if (is_asked_for && !to_.seen_before(member) && to_.wants(member)) {
    member.interleaved = true;
    if (to_.receiver.begin(member) == Step::stop) return Step::stop;
    data.listen(member);
  }
  OpenedInput layer;
  layer.place = member.place;
  layer.name = last_part(name);
  layer.reader = std::make_unique<PeekReader>(std::move(owned));
  std::vector<OpenedInput> layers;
  layers.push_back(std::move(layer));
  const Step step = to_.read_layer(layers, name);
  if (step == Step::stop || data.stopped()) return Step::stop;
  broken_ |= to_.nr_members > max_members;  // reported already
  if (data.is_heard()) {
    while (!data.read().empty()) {
    }
    if (data.stopped()) return Step::stop;
    return data.error() ? fail(member, data, Error::nowhere) : to_.receiver.end(member);
  }
  broken_ |= data.is_broken();  // reported already
  return Step::go;
}

Bytes Tar::Data::read() {
  if (error_ || stopped_) return {};
  const Bytes bytes = next();
  at_ += bytes.size();
  if (!listener_ || bytes.empty()) return bytes;
  listener_->packed = packed();
  stopped_ = tar_.to_.stopped = tar_.to_.receiver.bytes(*listener_, bytes) == Step::stop;
  return stopped_ ? Bytes{} : bytes;
}

Bytes Tar::Data::next() {
  for (;;) {
    if (at_ < block_at_) return zeros(block_at_ - at_);
    if (!block_.empty()) return std::exchange(block_, {});
    if (ended_) return {};
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = tar_.library_->archive_read_data_block(tar_.handle_.get(), &data, &size, &offset);
    ended_ = result == ARCHIVE_EOF;
    if (!ended_ && result < ARCHIVE_WARN) {
      error_ = tar_.fault();
      return {};
    }
    block_at_ = ended_ ? size_ : static_cast<std::uint64_t>(offset);
    // libarchive takes a sparse map as it stands, though its parts overlap or go back.
    if (!ended_ && (block_at_ < at_ || size > size_ || block_at_ > size_ - size)) {
      error_ = named_error(Reason::bad_archive, tar_.to_.place, "its map of holes is out of order");
      return {};
    }
    if (!ended_) block_ = {static_cast<const std::byte*>(data), size};
  }
}

bool Tar::Data::skip_rest() {
  if (error_) return false;
  if (tar_.library_->archive_read_data_skip(tar_.handle_.get()) >= ARCHIVE_WARN && !tar_.reader_.error()) return true;
  error_ = tar_.fault();
  return false;
}

// A hole of a sparse member. A header may claim any size.
Bytes Tar::Data::zeros(std::uint64_t size) {
  static constexpr std::array<std::byte, 64 << 10> block{};
  const std::uint64_t most = tar_.most_hole_bytes();
  if (tar_.hole_bytes_ > most || size > most - tar_.hole_bytes_) {
    const std::uint64_t set = tar_.to_.options.max_bytes;
    error_ = {.reason = Reason::limit_size, .image = tar_.to_.place, .want = set != Member::unknown ? set : most};
    over_limit_ = true;
    return {};
  }
  const std::uint64_t piece = std::min<std::uint64_t>(size, block.size());
  tar_.hole_bytes_ += piece;
  return Bytes{block}.first(static_cast<std::size_t>(piece));
}

std::uint64_t Tar::most_hole_bytes() const {
  const std::uint64_t most = to_.options.max_bytes;
  if (most != Member::unknown) return most - std::min(most, read_bytes_);
  return free_hole_bytes + max_hole_ratio * read_bytes_;
}

// What the first header turned out to be, in OpenedInput::sequence.
enum FirstHeader : std::uint64_t { good_header, bad_checksum, cut_header };

// A header that is damaged is known by the word that POSIX has in it, or by the name of the file.
bool is_tar(OpenedInput& opened) {
  const Bytes begin = opened.reader->peek(tar_header_bytes);
  const bool is_named = opened.name.ends_with(".tar");
  opened.sequence = good_header;
  if (begin.size() < tar_header_bytes) {
    opened.sequence = cut_header;
    return is_named && !begin.empty();
  }
  const bool is_empty =
      std::ranges::all_of(begin.first(tar_header_bytes), [](std::byte byte) { return byte == std::byte{0}; });
  if (is_empty) return is_named;
  if (has_tar_checksum(begin)) return true;
  opened.sequence = bad_checksum;
  return is_named || has_tar_word(begin);
}

Step read_tar(std::vector<OpenedInput>& inputs, Delivery& delivery) {
  OpenedInput& input = inputs.front();
  if (input.sequence == good_header) return Tar{*input.reader, delivery}.read();
  const bool is_cut = input.sequence == cut_header;
  Error error = named_error(is_cut ? Reason::cut_archive : Reason::bad_archive, delivery.place,
                            "the checksum of its first header is wrong");
  error.offset = 0;
  if (input.reader->error()) error = input.reader->error();
  delivery.fail(std::move(error));
  return Step::go;
}

}  // namespace

extern const InputForm tar_form;
const InputForm tar_form{.head_bytes = tar_header_bytes, .recognise = is_tar, .read = read_tar};

}  // namespace critpipe
