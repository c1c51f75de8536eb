// Writing image streams.
#include <algorithm>
#include <cerrno>
#include <unistd.h>

#include "critpipe/image_writer.hpp"
#include "image/stream_marker.hpp"

namespace critpipe {

void StreamWriter::mark(int body, std::uint64_t size, std::string_view name) {
  std::string text;
  const auto bytes = static_cast<std::uint32_t>(size);
  append_marker(text, {sequence_++, static_cast<Marker::Body>(body), bytes, std::string{name}});
  output_.write(text);
}

void StreamWriter::select(std::string_view name) {
  if (name == current_) return;
  current_ = name;
  mark(static_cast<int>(Marker::Body::name), 0, name);
}

Step StreamWriter::data(std::string_view name, Bytes bytes) {
  select(name);
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), block_bytes));
    mark(static_cast<int>(Marker::Body::data), piece.size());
    output_.pass(piece);
    bytes = bytes.subspan(piece.size());
  }
  return output_.step();
}

std::uint64_t StreamWriter::pass_file(std::string_view name, int fd, std::uint64_t size, Error& error) {
  std::uint64_t moved = 0;
  while (moved < size && output_.step() == Step::go) {
    const std::uint64_t piece = std::min<std::uint64_t>(size - moved, block_bytes);
    select(name);
    mark(static_cast<int>(Marker::Body::data), piece);
    std::uint64_t left = piece - output_.pass_file(fd, piece);
    left -= left > 0 ? copy(fd, left, error) : 0;
    moved += piece - left;
    if (left == 0) continue;
    // The file was cut, or could not be read, after its marker went out. Zeros keep the stream in step; without its end
    // the file is not whole.
    for (; left > 0; --left) output_.write(std::string_view{"", 1});
    break;
  }
  return moved;
}

// What the kernel does not move.
std::uint64_t StreamWriter::copy(int fd, std::uint64_t size, Error& error) {
  std::vector<std::byte> block(static_cast<std::size_t>(size));
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd, block.data() + done, static_cast<std::size_t>(size - done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = system_error(Reason::io_read, current_, errno);
    if (got <= 0) break;
    done += static_cast<std::uint64_t>(got);
  }
  output_.pass(Bytes{block}.first(static_cast<std::size_t>(done)));
  return done;
}

Step StreamWriter::end(std::string_view name) {
  select(name);
  mark(static_cast<int>(Marker::Body::file_end), 0);
  current_.clear();
  return output_.step();
}

Step StreamWriter::finish() {
  mark(static_cast<int>(Marker::Body::image_end), 0);
  return output_.flush();
}

}  // namespace critpipe
