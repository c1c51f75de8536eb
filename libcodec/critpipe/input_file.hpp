// source: Open files, and a directory whose files may be hostile.
//
//     Error error;
//     const Directory directory{"dump", error};
//     InputFile pages = directory.open("pages-1.img", error);
//     std::byte page[4096];
//     if (!error && pages.pread(page, 3 * sizeof page, error) == sizeof page) puts("the fourth page");
//
// A checkpoint's files are opened by Directory and read through InputFile, and in no other way. What is no regular file
// is refused before anything waits for it, and no link is followed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// An open file. pread() may be called by several threads at once; the rest may not.
class InputFile {
 public:
  static constexpr std::uint64_t unknown = ~std::uint64_t{0};

  InputFile() = default;
  // Takes ownership of the descriptor; standard input stays open. `place` is what errors call it.
  InputFile(int fd, std::string place);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }  // the file's: not to be closed
  const std::string& place() const { return place_; }
  // Of a regular file, when it was opened; unknown for anything else, and for files of /proc, which have none.
  std::uint64_t size() const { return size_; }
  // A pipe or a socket: whoever writes to it waits until all is read.
  bool is_pipe() const { return is_pipe_; }

  // The next bytes, as soon as there are any, at most as many as fit. 0: the end, or an error. Reasons: io_read.
  std::size_t read(std::span<std::byte> into, Error& error);
  // Moves past `size` bytes, which may pass the end. False: it cannot, or error is set. Only where size() is known.
  bool skip(std::uint64_t size, Error& error);
  // Fills `into` from `offset` on. Fewer: the file ends there, or an error. Moves nothing.
  std::size_t pread(std::span<std::byte> into, std::uint64_t offset, Error& error) const;

 private:
  friend class Directory;
  InputFile(int fd, std::string place, std::uint64_t size) : fd_{fd}, place_{std::move(place)}, size_{size} {}

  int fd_ = -1;
  std::string place_;
  std::uint64_t size_ = unknown;
  bool is_pipe_ = false;
};

// An open directory. Names are looked up beneath it, and nothing leads out. Any number of threads may open files.
class Directory {
 public:
  Directory() = default;
  // The directory itself may be a link. Reasons: io_open.
  Directory(const std::string& path, Error& error);
  // Takes ownership of the descriptor.
  Directory(int fd, std::string place) : fd_{fd}, place_{std::move(place)} {}
  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&& other) noexcept;
  ~Directory();

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& place() const { return place_; }

  // A regular file beneath it: "core-1.img", "checkpoint/core-1.img". No part of the name may be a link. Reasons:
  // io_open, bad_member (not a regular file), bad_name.
  [[nodiscard]] InputFile open(std::string_view name, Error& error) const;
  // Is there anything of that name, whatever it is?
  bool has(std::string_view name) const;
  // The directory that the link or directory `name` leads to, wherever that is. Reasons: io_open.
  [[nodiscard]] Directory follow(std::string_view name, Error& error) const;
  // The directory `name` in it, which must not be a link. Reasons: io_open.
  [[nodiscard]] Directory below(std::string_view name, Error& error) const;
  // The same for the same directory, whatever it is called.
  struct Identity {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const Identity&) const = default;
  };
  Identity identity() const;

 private:
  int open_beneath(const std::string& name) const;

  int fd_ = -1;
  std::string place_;
};

}  // namespace critpipe
#pragma GCC visibility pop
