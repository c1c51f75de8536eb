// source: Opens and reads the files of a checkpoint, which may be hostile.
//
//     Error error;
//     const Directory directory{"dump", error};
//     InputFile pages = directory.open("pages-1.img", error);
//     std::byte page[4096];
//     if (!error && pages.pread(page, 3 * sizeof page, error) == sizeof page) puts("the fourth page");
//
// The library opens the files of a checkpoint only with Directory, and reads them only with InputFile. Directory
// follows no link and refuses FIFOs, devices and sockets without waiting for them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// An open file. Any number of threads may call pread() at once; the rest is for one thread at a time.
class InputFile {
 public:
  static constexpr std::uint64_t unknown = ~std::uint64_t{0};

  InputFile() = default;
  // Takes ownership of the descriptor, but never closes standard input. `place` is its name in errors.
  InputFile(int fd, std::string place);
  // Opens a regular file that the user named: the path may be a link. Reasons: io_open, bad_member.
  static InputFile at(const std::string& path, Error& error);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  bool is_open() const { return fd_ >= 0; }  // false: as after an error
  int fd() const { return fd_; }             // the caller must not close it
  const std::string& place() const { return place_; }
  // In bytes, when it was opened. unknown: it is not a regular file, or one of /proc.
  std::uint64_t size() const { return size_; }
  // Is it a pipe or a socket, whose writer may wait until everything is read?
  bool is_pipe() const { return is_pipe_; }

  // Reads the next bytes as soon as there are any, as many as fit at most, and returns their number. 0: the end, or
  // error is set. Reasons: io_read.
  std::size_t read(std::span<std::byte> into, Error& error);
  // Moves past `size` bytes, even beyond the end. False: the file can't seek, or error is set. Requires: size() is
  // known. Reasons: io_read.
  bool skip(std::uint64_t size, Error& error);
  // Reads from `offset` on until `into` is full, and returns the number of bytes. Fewer than fit: the file ends, or
  // error is set. Does not move the position of read(). Reasons: io_read.
  std::size_t pread(std::span<std::byte> into, std::uint64_t offset, Error& error) const;

 private:
  friend class Directory;
  InputFile(int fd, std::string place, std::uint64_t size) : fd_{fd}, place_{std::move(place)}, size_{size} {}
  static InputFile regular(int fd, std::string place, Error& error);

  int fd_ = -1;
  std::string place_;
  std::uint64_t size_ = unknown;
  bool is_pipe_ = false;
};

// An open directory. No name leads out of it. Any number of threads may use it at once.
class Directory {
 public:
  Directory() = default;
  // Opens a directory; the path itself may be a link. Reasons: io_open.
  Directory(const std::string& path, Error& error);
  // Takes ownership of the descriptor.
  Directory(int fd, std::string place) : fd_{fd}, place_{std::move(place)} {}
  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&& other) noexcept;
  ~Directory();

  bool is_open() const { return fd_ >= 0; }            // false: as after an error
  int fd() const { return fd_; }                       // the caller must not close it
  const std::string& place() const { return place_; }  // its name in errors
  std::string place_of(std::string_view name) const;   // that of what is in it

  // Opens a regular file: "core-1.img", "checkpoint/core-1.img". No part of the name may be a link. Reasons: io_open,
  // bad_member (it is not a regular file), bad_name.
  [[nodiscard]] InputFile open(std::string_view name, Error& error) const;
  // Does anything of that name exist, a link too?
  bool has(std::string_view name) const;
  // Opens the directory that `name` is, or that it links to, even outside of this one. The name has one part. Reasons:
  // io_open, bad_name.
  [[nodiscard]] Directory follow(std::string_view name, Error& error) const;
  // Opens the directory `name`, no part of which is a link. Reasons: io_open, bad_name.
  [[nodiscard]] Directory below(std::string_view name, Error& error) const;
  // Tells whether two paths lead to the same directory.
  struct Identity {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const Identity&) const = default;
  };
  Identity identity() const;  // two zeros if it is not open

 private:
  int fd_ = -1;
  std::string place_;
};

}  // namespace critpipe
#pragma GCC visibility pop
