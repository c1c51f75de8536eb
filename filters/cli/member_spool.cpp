#include "cli/member_spool.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <unistd.h>

namespace critpipe::filters {

std::string temporary_directory() {
  const char* const given = std::getenv("TMPDIR");
  return given && *given ? given : "/var/tmp";
}

Spool::~Spool() {
  if (fd_ >= 0) close(fd_);
}

void Spool::clear() {
  used_ = 0;
  end_ = 0;
  if (fd_ >= 0) (void)!ftruncate(fd_, 0);
}

Error Spool::open() {
  fd_ = directory_.empty() ? -1 : open_without_name(directory_);
  if (fd_ >= 0) return {};
  directory_ = temporary_directory();
  beside_.clear();
  fd_ = open_without_name(directory_);
  return fd_ < 0 ? system_error(Reason::io_write, directory_, errno) : Error{};
}

std::string Spool::unnamed_file() const { return "a file without a name in " + directory_; }

Error Spool::append(Held& held, Bytes bytes) {
  held.size += bytes.size();
  if (held.pieces.empty() && bytes.size() <= held_bytes - used_) {
    held.memory.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    used_ += bytes.size();
    return {};
  }
  return append_to_file(held, bytes);
}

Error Spool::append_to_file(Held& held, Bytes bytes) {
  if (fd_ < 0)
    if (Error error = open()) return error;
  if (held.pieces.empty() || held.pieces.back().offset + held.pieces.back().size != end_)
    held.pieces.push_back({end_, 0});
  const Error error = write_at(fd_, end_, bytes, beside_.empty() ? unnamed_file() : beside_);
  held.pieces.back().size = end_ - held.pieces.back().offset;
  return error;
}

Error Spool::write(const Held& held, const std::string& name, TarWriter& archive) {
  (void)archive.begin(name, held.size);
  (void)archive.data(bytes_of(held.memory));
  std::vector<std::byte> block;
  for (const Held::Piece& piece : held.pieces) {
    (void)lseek(fd_, static_cast<off_t>(piece.offset), SEEK_SET);
    std::uint64_t done = archive.pass_file(fd_, piece.size);
    if (done < piece.size) block.resize(block_bytes);
    while (done < piece.size) {
      const std::size_t most = std::min<std::uint64_t>(block.size(), piece.size - done);
      const ssize_t got = pread(fd_, block.data(), most, static_cast<off_t>(piece.offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return system_error(Reason::io_read, unnamed_file(), errno);
      if (archive.data(Bytes{block}.first(static_cast<std::size_t>(got))) == Step::stop) return {};
      done += static_cast<std::uint64_t>(got);
    }
  }
  return {};
}

}  // namespace critpipe::filters
