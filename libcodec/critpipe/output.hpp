// Where bytes go: a buffer that is written out in large blocks.
//
//     char* at = output.reserve(64);            // room for 64 bytes
//     at = write_something(at);
//     output.commit(at);
//
// mark() keeps what follows in memory so that rollback() can take it back, up to held_output_bytes; what is longer is
// written and stays. After a failed write all is thrown away and error() says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "critpipe/error.hpp"
#include "critpipe/limits.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class Output {
 public:
  explicit Output(std::size_t capacity = block_bytes);
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Room for `room` bytes at the place where the next ones go. Views of earlier bytes end here.
  char* reserve(std::size_t room) {
    if (static_cast<std::size_t>(end_ - at_) < room) [[unlikely]]
      make_room(room);
    return at_;
  }
  void commit(char* at) { at_ = at; }
  // commit and reserve at once: for writers that keep the place in a register.
  char* more(char* at, std::size_t room) {
    if (static_cast<std::size_t>(end_ - at) >= room) [[likely]]
      return at;
    at_ = at;
    make_room(room);
    return at_;
  }
  void write(std::string_view text);
  void pass(std::span<const std::byte> bytes);  // a large block goes out without a copy
  // Has the kernel move up to `size` bytes from the file's offset on. Returns how many were; the rest is to be read.
  std::uint64_t pass_file(int fd, std::uint64_t size) { return flush() == Step::go ? move(fd, size) : 0; }

  void mark() { mark_ = at_; }
  void release() { mark_ = nullptr; }
  bool rollback();  // to the mark; false if the bytes are gone, or there is no mark

  Step flush();  // stop: error() says why, or the reader went away
  Step step() const { return failed_ ? Step::stop : Step::go; }
  const Error& error() const { return error_; }

 protected:
  // Writes all of it; false: error_ is set, or nobody reads any more.
  virtual bool drain(const char* bytes, std::size_t size) = 0;
  virtual std::uint64_t move(int, std::uint64_t) { return 0; }
  Error error_;

 private:
  void make_room(std::size_t room);

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  char* at_;
  char* end_;
  char* mark_ = nullptr;
  bool failed_ = false;
};

// A file descriptor, which stays open. A pipe is made as large as the system allows.
class FileOutput final : public Output {
 public:
  FileOutput(int fd, std::string name, std::size_t capacity = block_bytes);
  int fd() const { return fd_; }

 private:
  bool drain(const char* bytes, std::size_t size) override;
  std::uint64_t move(int fd, std::uint64_t size) override;
  int fd_;
  std::string name_;
};

class StringOutput final : public Output {
 public:
  std::string take() {
    (void)flush();
    return std::move(text_);
  }

 private:
  bool drain(const char* bytes, std::size_t size) override {
    text_.append(bytes, size);
    return true;
  }
  std::string text_;
};

}  // namespace critpipe
#pragma GCC visibility pop
