// Writing image streams.
#include <algorithm>
#include <cerrno>
#include <unistd.h>

#include "critpipe/image_writer.hpp"
#include "image/stream_marker.hpp"

namespace critpipe {

void StreamMarkers::select(std::string& out, std::string_view name) {
  if (name == current_) return;
  current_ = name;
  append_marker(out, {sequence_++, Marker::Body::name, 0, current_});
}

void StreamMarkers::data(std::string& out, std::string_view name, std::uint32_t size) {
  select(out, name);
  append_marker(out, {sequence_++, Marker::Body::data, size});
}

void StreamMarkers::end(std::string& out, std::string_view name) {
  select(out, name);
  append_marker(out, {sequence_++, Marker::Body::file_end});
  current_.clear();
}

void StreamMarkers::finish(std::string& out) { append_marker(out, {sequence_++, Marker::Body::image_end}); }

void StreamWriter::mark_data(std::string_view name, std::uint64_t size) {
  std::string text;
  markers_.data(text, name, static_cast<std::uint32_t>(size));
  output_.write(text);
}

Step StreamWriter::data(std::string_view name, Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), block_bytes));
    mark_data(name, piece.size());
    output_.pass(piece);
    bytes = bytes.subspan(piece.size());
  }
  return output_.step();
}

std::uint64_t StreamWriter::pass_file(std::string_view name, int fd, std::uint64_t size, Error& error) {
  std::uint64_t moved = 0;
  while (moved < size && output_.step() == Step::go) {
    const std::uint64_t piece = std::min<std::uint64_t>(size - moved, block_bytes);
    mark_data(name, piece);
    std::uint64_t left = piece - output_.pass_file(fd, piece);
    left -= left > 0 ? copy(name, fd, left, error) : 0;
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
std::uint64_t StreamWriter::copy(std::string_view name, int fd, std::uint64_t size, Error& error) {
  std::vector<std::byte> block(static_cast<std::size_t>(size));
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd, block.data() + done, static_cast<std::size_t>(size - done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = system_error(Reason::io_read, std::string{name}, errno);
    if (got <= 0) break;
    done += static_cast<std::uint64_t>(got);
  }
  output_.pass(Bytes{block}.first(static_cast<std::size_t>(done)));
  return done;
}

Step StreamWriter::end(std::string_view name) {
  std::string text;
  markers_.end(text, name);
  output_.write(text);
  return output_.step();
}

Step StreamWriter::finish() {
  std::string text;
  markers_.finish(text);
  output_.write(text);
  return output_.flush();
}

}  // namespace critpipe
