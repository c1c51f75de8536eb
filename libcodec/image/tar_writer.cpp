// Writing tar archives.
//
//     archive := (header data zeros)* zeros      in blocks of 512 bytes, records of 10 KiB
//
// A name or a link's target that has no room in the header precedes it, in a member of type L or K. A size of 8 GiB and
// more is binary, with the highest bit of its first byte set.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/path_names.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe {

namespace {

constexpr std::size_t tar_block = 512;
constexpr std::size_t tar_record = 20 * tar_block;
constexpr std::size_t name_room = 100;
constexpr std::uint64_t max_octal_size = (std::uint64_t{1} << 33) - 1;

// As they lie in the header.
struct Header {
  char name[name_room];
  char mode[8], uid[8], gid[8];
  char size[12], mtime[12];
  char checksum[8];
  char type;
  char target[name_room];
  char magic[8];
  char rest[tar_block - 265];
};
static_assert(sizeof(Header) == tar_block);

template <std::size_t room>
void put_octal(char (&field)[room], std::uint64_t value) {
  std::snprintf(field, room, "%0*llo", static_cast<int>(room - 1), static_cast<unsigned long long>(value));
}

void put_size(char (&field)[12], std::uint64_t size) {
  if (size <= max_octal_size) return put_octal(field, size);
  std::fill(std::begin(field), std::end(field), '\0');
  field[0] = static_cast<char>(0x80);
  for (std::size_t i = std::size(field); size > 0; size >>= 8) field[--i] = static_cast<char>(size & 0xff);
}

void put_checksum(Header& header) {
  std::fill(std::begin(header.checksum), std::end(header.checksum), ' ');
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  unsigned sum = 0;
  for (std::size_t i = 0; i < sizeof header; ++i) sum += bytes[i];
  std::snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
}

std::size_t padding(std::uint64_t size, std::size_t unit) {
  return static_cast<std::size_t>((unit - size % unit) % unit);
}

constexpr std::array<char, tar_record> zeros{};

}  // namespace

Error TarWriter::check_name(std::string_view name) {
  const char* const why = fault_of_name(name);
  if (!why) return {};
  Error error{Reason::bad_name, std::string{name}};
  error.name = why;
  return error;
}

void TarWriter::header(std::string_view name, char type, std::uint64_t size, std::string_view target) {
  if (target.size() > name_room) long_text('K', target);
  if (name.size() > name_room) long_text('L', name);
  Header header{};
  name.copy(header.name, name_room);
  target.copy(header.target, name_room);
  put_octal(header.mode, type == '5' ? 0700 : type == '2' ? 0777 : 0600);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_size(header.size, size);
  put_octal(header.mtime, 0);
  header.type = type;
  std::string_view{"ustar  "}.copy(header.magic, sizeof header.magic);
  put_checksum(header);
  output_.write({reinterpret_cast<const char*>(&header), sizeof header});
  written_ += sizeof header;
}

void TarWriter::long_text(char type, std::string_view text) {
  const std::size_t size = text.size() + 1;  // with a zero
  header("././@LongLink", type, size);
  output_.write(text);
  const std::size_t fill = 1 + padding(size, tar_block);
  output_.write({zeros.data(), fill});
  written_ += text.size() + fill;
}

void TarWriter::directories(std::string_view name) {
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1))
    if (directories_.emplace(name.substr(0, slash)).second) header(name.substr(0, slash + 1), '5', 0);
}

Step TarWriter::begin(std::string_view name, std::uint64_t size) {
  // What follows a large member is reached by its header alone.
  output_.part_begins(0);
  directories(name);
  header(name, '0', size);
  output_.part_begins(size);
  left_ = size;
  return output_.step();
}

void TarWriter::passed(std::uint64_t size) {
  left_ -= size;
  written_ += size;
  if (left_ > 0 || size == 0) return;
  const std::size_t fill = padding(written_, tar_block);
  output_.write({zeros.data(), fill});
  written_ += fill;
}

Step TarWriter::data(Bytes bytes) {
  output_.pass(bytes);
  passed(bytes.size());
  return output_.step();
}

std::uint64_t TarWriter::pass_file(int fd, std::uint64_t size) {
  const std::uint64_t moved = output_.pass_file(fd, std::min(size, left_));
  passed(moved);
  return moved;
}

Step TarWriter::link(std::string_view name, std::string_view target) {
  output_.part_begins(0);
  directories(name);
  header(name, '2', 0, target);
  return output_.step();
}

Step TarWriter::finish() {
  output_.part_begins(0);
  const std::size_t fill = 2 * tar_block + padding(written_ + 2 * tar_block, tar_record);
  std::size_t left = fill;
  while (left > 0) {
    const std::size_t piece = std::min(left, zeros.size());
    output_.write({zeros.data(), piece});
    left -= piece;
  }
  return output_.flush();
}

}  // namespace critpipe
